/** The form that calls an operation from the docs page and shows what came back. Runs in the browser; see dom.ts. */
import { h, resolve, type Listed, type PageDocument, type PageParameter, type PageSchema } from "./dom.ts";
import { sampleOf, typeText } from "./schema-view.ts";

export function tryForm(api: PageDocument, listed: Listed): HTMLElement {
  const { method, path, operation } = listed;
  const id = `try-${operation.operationId}`;
  const fields = (operation.parameters ?? []).map((parameter) => ({
    parameter,
    input: fieldFor(api, parameter, `${id}-${parameter.name}`),
  }));
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const body = schema === undefined ? undefined : bodyField(api, schema, `${id}-body`);
  const output = h("div", { class: "answer", role: "status", "aria-live": "polite" });
  const form = h("form", { class: "try", "aria-label": `Try ${operation.operationId}` });
  for (const { parameter, input } of fields) {
    const star = parameter.required ? h("span", { class: "required", title: "required" }, " *") : undefined;
    const label = h("label", { for: input.id }, h("code", {}, parameter.name), star, h("small", {}, parameter.in));
    form.append(h("div", { class: "field" }, label, input));
  }
  if (body !== undefined)
    form.append(h("div", { class: "field wide" }, h("label", { for: body.id }, "JSON body"), body));
  form.append(
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit" }, "Send"),
      h("small", {}, `${method.toUpperCase()} ${path}`),
    ),
  );
  form.append(output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = fields.map(({ parameter, input }) => ({ parameter, value: input.value }));
    void sendCall(requestFor(api, listed, values, body?.value), output);
  });
  return form;
}

export function fieldFor(
  api: PageDocument,
  parameter: PageParameter,
  id: string,
): HTMLInputElement | HTMLSelectElement {
  const { required } = parameter;
  const schema = { ...resolve(api, parameter.schema), ...parameter.schema };
  const values = schema["type"] === "boolean" ? ["true", "false"] : schema["enum"];
  if (Array.isArray(values)) {
    const select = h("select", { id, required }, required ? undefined : h("option", { value: "" }, "(not sent)"));
    for (const value of values) select.append(h("option", { value: String(value) }, String(value)));
    return select;
  }
  const list = schema["type"] === "array" ? "several: separated by commas" : typeText(schema);
  const input = h("input", { id, required, type: "text", placeholder: list, autocomplete: "off", spellcheck: "false" });
  const sample = required ? sampleOf(api, schema, 0) : undefined;
  if (typeof sample === "string" || typeof sample === "number") input.value = String(sample);
  return input;
}

export function bodyField(api: PageDocument, schema: PageSchema, id: string): HTMLTextAreaElement {
  const text = JSON.stringify(sampleOf(api, schema, 0), null, 2);
  const area = h("textarea", {
    id,
    rows: String(Math.min(16, text.split("\n").length + 1)),
    spellcheck: "false",
    autocomplete: "off",
  });
  area.value = text;
  return area;
}

export interface PreparedCall {
  readonly method: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | undefined;
}

export function requestFor(
  api: PageDocument,
  { method, path, operation }: Listed,
  values: readonly { readonly parameter: PageParameter; readonly value: string }[],
  body: string | undefined,
): PreparedCall {
  const streams = operation.responses["200"]?.content?.["text/event-stream"] !== undefined;
  const success = streams ? "text/event-stream" : "application/json";
  const headers: { [name: string]: string } = { accept: `${success}, application/problem+json` };
  let target = path;
  const query: string[] = [];
  for (const { parameter, value } of values) {
    const { name } = parameter;
    if (parameter.in === "path") {
      const tail = parameter.description?.includes("rest of the path") === true;
      target = target.replace(
        `{${name}}`,
        tail ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value),
      );
    } else if (value === "") {
      continue;
    } else if (parameter.in === "header") {
      headers[name] = value;
    } else {
      const texts = parameter.schema["type"] === "array" ? value.split(",").map((text) => text.trim()) : [value];
      for (const text of texts) query.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`);
    }
  }
  const token = document.querySelector<HTMLInputElement>("#token")?.value.trim() ?? "";
  if (token !== "") headers["authorization"] = `Bearer ${token}`;
  const sent = body === undefined || body.trim() === "" ? undefined : body;
  if (sent !== undefined) headers["content-type"] = "application/json";
  const base = new URL(api.servers[0]?.url ?? "/", location.href).href.replace(/\/$/, "");
  return {
    method: method.toUpperCase(),
    url: base + target + (query.length === 0 ? "" : `?${query.join("&")}`),
    headers,
    body: sent,
  };
}

export async function sendCall(call: PreparedCall, output: HTMLElement): Promise<void> {
  output.replaceChildren(h("p", { class: "waiting" }, "Waiting for the answer…"));
  // oxlint-disable-next-line eslint/no-restricted-properties -- in the browser there is no Clock, and a person reads the figure
  const started = performance.now();
  try {
    const init: RequestInit = { method: call.method, headers: { ...call.headers } };
    if (call.body !== undefined) init.body = call.body;
    const response = await fetch(call.url, init);
    const type = response.headers.get("content-type") ?? "";
    const text = type.startsWith("text/event-stream") ? await streamText(response, output) : await response.text();
    // oxlint-disable-next-line eslint/no-restricted-properties -- as above
    const ms = Math.round(performance.now() - started);
    output.replaceChildren(
      h(
        "p",
        { class: `status s${Math.floor(response.status / 100)}` },
        h("strong", {}, `${response.status} ${response.statusText}`),
        ` in ${ms} ms`,
      ),
      h("h5", {}, "Body"),
      h("pre", { tabindex: "0" }, text === "" ? "(empty)" : prettyJson(text)),
      h("h5", {}, "Headers"),
      h("pre", { tabindex: "0" }, [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n")),
      h("h5", {}, "curl"),
      h("pre", { tabindex: "0" }, curlText(call)),
    );
  } catch (error) {
    output.replaceChildren(
      h(
        "p",
        { class: "status s5" },
        h("strong", {}, "No answer"),
        ` ${error instanceof Error ? error.message : String(error)}`,
      ),
      h("pre", { tabindex: "0" }, curlText(call)),
    );
  }
}

/** The beginning of a stream, shown as it comes, until it ends or the reader has had enough. */
export async function streamText(response: Response, output: HTMLElement): Promise<string> {
  const most = 64 * 1024;
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const shown = h("pre", { tabindex: "0", class: "stream" });
  const stop = h("button", { type: "button" }, "Stop");
  stop.addEventListener("click", () => void reader.cancel());
  output.replaceChildren(stop, shown);
  const decoder = new TextDecoder();
  let text = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    text += decoder.decode(next.value, { stream: true });
    shown.textContent = text;
    if (text.length > most) {
      await reader.cancel();
      return `${text.slice(0, most)}…`;
    }
  }
  return text;
}

export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The same call for a shell; the token is left for the reader to fill in, since such lines are passed around. */
export function curlText({ method, url, headers, body }: PreparedCall): string {
  const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const streams = headers["accept"]?.startsWith("text/event-stream") === true;
  const lines = [`curl -i ${streams ? "-N " : ""}-X ${method} ${quote(url)}`];
  for (const [name, value] of Object.entries(headers)) {
    if (name !== "accept") lines.push(`-H ${quote(`${name}: ${name === "authorization" ? "Bearer $TOKEN" : value}`)}`);
  }
  if (body !== undefined) lines.push(`--data-raw ${quote(body)}`);
  return lines.join(" \\\n  ");
}
