/** The docs page itself: contents, operations, failures, search. Runs in the browser; see dom.ts. */
import {
  h,
  lazyDetails,
  prose,
  refName,
  resolve,
  type Listed,
  type PageDocument,
  type PageOperation,
  type PageResponse,
  type PageSchema,
} from "./dom.ts";
import { schemaRow, schemaTree, typeText } from "./schema-view.ts";
import { tryForm } from "./try-form.ts";

/** Reads the document and fills the page. */
export async function start(): Promise<void> {
  const main = document.querySelector("main") as HTMLElement;
  try {
    const response = await fetch(document.body.dataset["document"] as string);
    if (!response.ok) throw new Error(`its status is ${response.status}`);
    fillPage((await response.json()) as PageDocument, main);
    showTarget();
    addEventListener("hashchange", showTarget);
  } catch (error) {
    main.replaceChildren(
      h(
        "p",
        { role: "alert" },
        `The document could not be read: ${error instanceof Error ? error.message : String(error)}`,
      ),
    );
  }
}

export function fillPage(api: PageDocument, main: HTMLElement): void {
  const { title, version, description } = api.info;
  document.title = `${title} ${version}`;
  (document.querySelector("#title") as HTMLElement).textContent = title;
  (document.querySelector("#version") as HTMLElement).textContent = version;
  const groups = groupByTag(api);
  const contents = document.querySelector("#contents") as HTMLElement;
  const sections: Node[] = description === undefined ? [] : [prose(description)];
  for (const [tag, operations] of groups) {
    const about = api.tags.find(({ name }) => name === tag)?.description;
    sections.push(
      h(
        "section",
        { "aria-label": tag },
        h("h2", {}, tag),
        about === undefined ? undefined : prose(about),
        ...operations.map((one) => operationView(api, one)),
      ),
    );
    contents.append(
      h("li", {}, h("span", { class: "tag" }, tag), h("ul", {}, ...operations.map((one) => contentsLine(one)))),
    );
  }
  sections.push(failuresView(api));
  main.replaceChildren(...sections);
  watchSearch();
}

/** In the order of the document's tags, then what has none. */
export function groupByTag(api: PageDocument): Map<string, Listed[]> {
  const groups = new Map<string, Listed[]>(api.tags.map(({ name }) => [name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      for (const tag of operation.tags ?? ["Operations"])
        groups.set(tag, [...(groups.get(tag) ?? []), { method, path, operation }]);
    }
  }
  return groups;
}

export function contentsLine({ method, path, operation }: Listed): HTMLLIElement {
  const link = h(
    "a",
    { href: `#${operation.operationId}`, title: `${method.toUpperCase()} ${path}` },
    methodBadge(method),
    h("span", {}, operation.summary),
  );
  return h("li", { "data-search": searchText({ method, path, operation }) }, link);
}

export function searchText({ method, path, operation }: Listed): string {
  return `${operation.operationId} ${method} ${path} ${operation.summary} ${(operation.tags ?? []).join(" ")}`.toLowerCase();
}

export function methodBadge(method: string): HTMLElement {
  return h("span", { class: `method ${method}` }, method.toUpperCase());
}

export function operationView(api: PageDocument, listed: Listed): HTMLElement {
  const { method, path, operation } = listed;
  const summary = [
    methodBadge(method),
    h("code", { class: "path" }, path),
    h("span", { class: "summary" }, operation.summary),
    operation.deprecated === true ? h("span", { class: "deprecated" }, "deprecated") : undefined,
    h("span", { class: "access" }, accessText(operation)),
  ];
  return lazyDetails(
    { id: operation.operationId, class: "operation", "data-search": searchText(listed) },
    summary,
    () => [h("div", { class: "inside" }, ...operationParts(api, listed))],
  );
}

export function accessText({ security }: PageOperation): string {
  if (security.length === 0 || security.some((one) => Object.keys(one).length === 0)) return "public";
  const scopes = security.flatMap((one) => Object.values(one).flat());
  return scopes.length === 0 ? "signed in" : scopes.join(", ");
}

export function operationParts(api: PageDocument, listed: Listed): (Node | undefined)[] {
  const { operation } = listed;
  const { parameters = [], requestBody, description } = operation;
  const parts: (Node | undefined)[] = [description === undefined ? undefined : prose(description)];
  if (parameters.length > 0) {
    const rows = parameters.map((parameter) => {
      const { description: about } = parameter;
      const row = schemaRow(
        api,
        parameter.name,
        about === undefined ? parameter.schema : { ...parameter.schema, description: about },
        parameter.required,
      );
      row.querySelector(".row")?.append(h("span", { class: "place" }, parameter.in));
      return row;
    });
    parts.push(h("h3", {}, "Parameters"), h("ul", { class: "tree" }, ...rows));
  }
  const body = requestBody?.content["application/json"]?.schema;
  if (body !== undefined)
    parts.push(
      h("h3", {}, requestBody?.required === true ? "Body" : "Body (may be left out)"),
      schemaTree(api, body) ?? h("p", {}, typeText(body)),
    );
  parts.push(
    h("h3", {}, "Answers"),
    h("div", { class: "answers" }, ...Object.entries(operation.responses).map((one) => responseView(api, ...one))),
  );
  parts.push(h("h3", {}, "Try it"), tryForm(api, listed));
  return parts;
}

export function responseView(api: PageDocument, status: string, response: PageResponse): HTMLElement {
  const { content = {}, description = "" } = resolve(api, response);
  const schema = Object.values(content)[0]?.schema;
  const badge = h("span", { class: `code s${status.charAt(0)}` }, status);
  const faults = faultCodes(api, schema);
  if (schema === undefined) return h("div", { class: "response" }, h("div", { class: "row" }, badge, description));
  if (faults.length === 0) {
    return lazyDetails(
      { class: "response" },
      [h("span", { class: "row" }, badge, h("span", { class: "type" }, typeText(schema)), description)],
      () => [schemaTree(api, schema) ?? h("p", {}, "No fields.")],
    );
  }
  const codes = faults.map((code) => h("a", { href: `#${code}` }, h("code", {}, code)));
  return h("div", { class: "response" }, h("div", { class: "row" }, badge, ...codes));
}

/** The fault codes of a problem schema; none for other schemas. */
export function faultCodes(api: PageDocument, schema: PageSchema | undefined): string[] {
  if (schema === undefined) return [];
  const whole = resolve(api, schema);
  if (Array.isArray(whole["oneOf"])) return whole["oneOf"].flatMap((one) => faultCodes(api, one as PageSchema));
  if (whole["x-kind"] === undefined) return [];
  const { code } = whole["properties"] as { readonly code: { readonly const: string } };
  return [code.const];
}

/** Every fault of the API, where problem types lead. */
export function failuresView(api: PageDocument): HTMLElement {
  const section = h("section", { "aria-label": "Failures" }, h("h2", {}, "Failures"));
  section.append(prose("Every failure is `application/problem+json` (RFC 9457) with one of these codes."));
  const faults = Object.values(api.components.schemas).flatMap((schema) =>
    faultCodes(api, schema).map((code) => ({ code, schema })),
  );
  const statusOf = (schema: PageSchema): string =>
    JSON.stringify((schema["properties"] as { readonly status: { readonly const: number } }).status.const);
  const sorted = faults
    .filter(({ schema }) => schema["x-kind"] !== undefined)
    .sort((a, b) => `${statusOf(a.schema)} ${a.code}`.localeCompare(`${statusOf(b.schema)} ${b.code}`));
  for (const { code, schema } of sorted) section.append(failureView(api, code, statusOf(schema), schema));
  return section;
}

export function failureView(api: PageDocument, code: string, status: string, schema: PageSchema): HTMLElement {
  const { data, title } = schema["properties"] as {
    readonly data?: PageSchema;
    readonly title: { readonly const: string };
  };
  const badge = h("span", { class: `code s${status.charAt(0)}` }, status);
  const head = [badge, h("code", { class: "name" }, code), h("span", {}, title.const)];
  if (schema["x-retryable"] === true) head.push(h("span", { class: "place" }, "may pass when repeated"));
  const about = typeof schema["description"] === "string" ? prose(schema["description"]) : undefined;
  const inside =
    data === undefined
      ? [h("p", {}, "Carries no data.")]
      : [h("h3", {}, refName(data) ?? "Data"), schemaTree(api, data)];
  return lazyDetails({ id: code, class: "operation", "data-search": `${code} ${status}`.toLowerCase() }, head, () => [
    h("div", { class: "inside" }, about, ...inside),
  ]);
}

/** Opens what the address names. */
export function showTarget(): void {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.hidden = false;
  target.scrollIntoView();
  target.querySelector("summary")?.focus({ preventScroll: true });
}

export function watchSearch(): void {
  const search = document.querySelector("#search") as HTMLInputElement;
  const found = document.querySelector("#found") as HTMLElement;
  const filter = (): void => {
    const words = search.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    let count = 0;
    for (const element of document.querySelectorAll<HTMLElement>("[data-search]")) {
      const text = element.dataset["search"] ?? "";
      element.hidden = !words.every((word) => text.includes(word));
      if (!element.hidden && element instanceof HTMLDetailsElement) count++;
    }
    for (const section of document.querySelectorAll<HTMLElement>("main > section")) {
      section.hidden = section.querySelector("details.operation:not([hidden])") === null;
    }
    found.textContent = words.length === 0 ? "" : `${count} found`;
  };
  search.addEventListener("input", filter);
  addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    event.preventDefault();
    search.focus();
  });
}
