/**
 * The built package in the runtimes of the edge: one app, unchanged, by `app.fetch` in workerd, Bun and Deno. They must answer alike;
 * what differs is whether they let codecs be compiled.
 */
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { builtPackage, type BuiltPackage } from "./built-package.ts";
import { without, type Runtime } from "./installed.ts";
import { moduleGraph } from "./module-graph.ts";
import { runClient, startRuntime } from "./start.ts";

let built: BuiltPackage;
before(() => {
  built = builtPackage();
});
after(() => built[Symbol.dispose]());

const runtimes: readonly Runtime[] = ["workerd", "bun", "deno"];

for (const runtime of runtimes) {
  test(`app.fetch answers in ${runtime} as it does in Node`, async (context) => {
    const url = await startOrSay(context, runtime);
    if (url === undefined) return;
    await answersCalls(url);
    await answersFailures(url);
    await streams(url);
    await keepsDeadlines(url);
    await hasStandardMiddleware(url);
    await knowsCallers(url);
    const { early, late } = await json(`${url}/modes`);
    // Workers let text become code at the top of a module and not inside of a request.
    if (runtime === "workerd") assert.equal(late, "interpreted");
    else assert.deepEqual([early, late], ["compiled", "compiled"]);
  });
}

test("the typed client runs in Node, Bun and Deno", async (context) => {
  const runs = (["bun", "deno"] as const).filter((runtime) => without(runtime) === undefined);
  const server = runs[0];
  if (server === undefined) return context.diagnostic("neither Bun nor Deno is here: tested nothing");
  const url = await startOrSay(context, server);
  for (const runtime of ["node", ...runs] as const) {
    assert.deepEqual(
      runClient(runtime, built.folder, url as string),
      [{ id: 1, name: "Zürich", tags: ["lake", "🏔"] }, "CITY_NOT_FOUND"],
      runtime,
    );
  }
});

test("nothing that app.fetch and the client load before they run is Node's own", () => {
  for (const program of ["worker.js", "client.js"]) {
    const { modules, platform } = moduleGraph(built.folder, program);
    assert.ok(modules.length > 30, `${program} loads the package`);
    assert.deepEqual(platform, []);
  }
});

async function startOrSay(context: TestContext, runtime: Runtime): Promise<string | undefined> {
  const missing = without(runtime);
  if (missing !== undefined) {
    context.diagnostic(`${runtime} is not here, so nothing was tested in it: ${missing}`);
    return undefined;
  }
  const { url, stop } = await startRuntime(runtime, built.folder);
  context.after(stop);
  return url;
}

const zurich = { id: 1, name: "Zürich", tags: ["lake", "🏔"] };

async function answersCalls(url: string): Promise<void> {
  const found = await fetch(`${url}/cities/1`);
  assert.equal(found.status, 200);
  assert.equal(found.headers.get("content-type"), "application/json");
  assert.equal(found.headers.get("x-content-type-options"), "nosniff");
  assert.deepEqual(await found.json(), zurich);
  assert.deepEqual(await json(`${url}/cities/1?shout=true`), { ...zurich, name: "ZÜRICH" });

  const head = await fetch(`${url}/cities/1`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  assert.equal(head.headers.get("content-type"), "application/json");
  const options = await fetch(`${url}/cities/1`, { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.get("allow")], [204, "GET, HEAD, OPTIONS"]);

  const added = await post(url, JSON.stringify(zurich));
  assert.deepEqual([added.status, await added.json()], [201, zurich]);
  // In pieces, without a length.
  const inPieces = new ReadableStream<Uint8Array>({
    start(controller) {
      const bytes = new TextEncoder().encode(JSON.stringify(zurich));
      controller.enqueue(bytes.subarray(0, 9));
      controller.enqueue(bytes.subarray(9));
      controller.close();
    },
  });
  const streamed = await post(url, inPieces);
  assert.deepEqual([streamed.status, await streamed.json()], [201, zurich]);

  const secret = await fetch(`${url}/secret`, { headers: { authorization: "Bearer ann" } });
  assert.deepEqual([secret.status, await secret.json()], [200, { subject: "ann" }]);
}

async function answersFailures(url: string): Promise<void> {
  const missing = await fetch(`${url}/cities/2`);
  assert.equal(missing.headers.get("content-type"), "application/problem+json");
  const problem = (await missing.json()) as Problem;
  assert.deepEqual([missing.status, problem.code, problem.data], [404, "CITY_NOT_FOUND", { id: 2 }]);

  const wrong = await post(url, JSON.stringify({ id: 1.5, name: "x".repeat(21), tags: "a", more: 1 }));
  assert.equal(wrong.status, 400);
  const { code, data } = (await wrong.json()) as Problem;
  assert.equal(code, "INVALID_INPUT");
  const pointers = (data as { issues: { pointer: string }[] }).issues.map(({ pointer }) => pointer);
  assert.deepEqual(pointers.toSorted(), ["/id", "/more", "/name", "/tags"]);

  const tooLarge = await post(url, `"${"x".repeat(2 * 1024 * 1024)}"`);
  assert.equal(tooLarge.status, 413);
  await tooLarge.body?.cancel();
  assert.equal(await codeOf(fetch(`${url}/secret`)), "401 UNAUTHENTICATED");
  assert.equal(await codeOf(fetch(`${url}/nowhere`)), "404 ROUTE_NOT_FOUND");
  assert.equal(await codeOf(fetch(`${url}/cities/1`, { method: "DELETE" })), "405 METHOD_NOT_ALLOWED");
  const failed = await fetch(`${url}/failing`);
  const text = await failed.text();
  assert.equal(failed.status, 500);
  assert.match(text, /"code":"INTERNAL"/);
  assert.doesNotMatch(text, /business/, "what was thrown stays inside");
}

async function streams(url: string): Promise<void> {
  const answer = await fetch(`${url}/stream`);
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.equal(await answer.text(), "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n");
}

/** `fetch` asks for codings, and gives what it has decoded. */
async function hasStandardMiddleware(url: string): Promise<void> {
  const text = "A long answer says the same thing again. ".repeat(1000);
  for (const coding of ["gzip", "br", "identity"]) {
    const answer = await fetch(`${url}/long`, { headers: { "accept-encoding": coding } });
    assert.ok((await answer.text()) === text, `the text of ${coding}`);
    if (coding === "gzip") assert.equal(answer.headers.get("content-encoding"), "gzip");
    assert.equal(answer.headers.get("x-frame-options"), "DENY");
    assert.match(String(answer.headers.get("x-request-id")), /^[0-9a-f-]{36}$/);
  }
  const plain = await fetch(`${url}/cities/1`, { headers: { origin: "https://app.example" } });
  assert.equal(plain.headers.get("access-control-allow-origin"), "https://app.example");
  const tag = String(plain.headers.get("etag"));
  assert.match(tag, /^"[\w-]{22}"$/);
  const same = await fetch(`${url}/cities/1`, { headers: { "if-none-match": tag } });
  assert.deepEqual([same.status, await same.text()], [304, ""]);
  const foreign = await fetch(`${url}/cities`, {
    method: "POST",
    body: "{}",
    headers: { "sec-fetch-site": "cross-site" },
  });
  assert.deepEqual([foreign.status, ((await foreign.json()) as Problem).code], [403, "CROSS_ORIGIN_REFUSED"]);
}

/** Sessions, signed cookies, API keys, rate limits and idempotency keys, all on WebCrypto. */
async function knowsCallers(url: string): Promise<void> {
  const post = (path: string, body: object, headers: Record<string, string>): Promise<Response> =>
    fetch(url + path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  let cookie = "";
  for (const visits of [1, 2]) {
    const signedIn = await post("/signIn", { name: "bob" }, { cookie });
    assert.deepEqual([signedIn.status, await signedIn.json()], [200, { visits }]);
    cookie = signedIn.headers
      .getSetCookie()
      .map((line) => line.slice(0, line.indexOf(";")))
      .join("; ");
  }
  const secret = await fetch(`${url}/secret`, { headers: { cookie } });
  assert.deepEqual([secret.status, await secret.json()], [200, { subject: "bob" }]);
  const made = [1, 2].map(() => post("/newKey", {}, { cookie, "idempotency-key": "k1" }));
  assert.ok((await Promise.all(made)).some(({ status }) => status === 200));
  const repeated = await post("/newKey", {}, { cookie, "idempotency-key": "k1" });
  assert.equal(repeated.headers.get("idempotency-replayed"), "true");
  const { key } = (await repeated.json()) as { key: string };
  assert.deepEqual(await (await fetch(`${url}/secret`, { headers: { "x-api-key": key } })).json(), {
    subject: "bob's key",
  });
  assert.equal(await codeOf(fetch(`${url}/secret`, { headers: { "x-api-key": `${key}0` } })), "401 UNAUTHENTICATED");
  const limited = (): Promise<Response> => fetch(`${url}/cities/1`, { headers: { "x-limited": "carol" } });
  assert.deepEqual([(await limited()).status, (await limited()).status], [200, 200]);
  assert.equal(await codeOf(limited()), "429 RATE_LIMITED");
}

/** In workerd a timer dies with the request that set it: a later request must have its own. */
async function keepsDeadlines(url: string): Promise<void> {
  assert.deepEqual(await json(`${url}/slow/1`), { waited: 1 });
  assert.equal(await codeOf(fetch(`${url}/slow/30000`)), "504 DEADLINE_EXCEEDED");
  assert.deepEqual(await json(`${url}/slow/2`), { waited: 2 });
  const several = await Promise.all([1, 2, 3].map(async () => codeOf(fetch(`${url}/slow/30000`))));
  assert.deepEqual(several, Array(3).fill("504 DEADLINE_EXCEEDED"));
}

interface Problem {
  readonly code: string;
  readonly data?: unknown;
}

async function codeOf(answering: Promise<Response>): Promise<string> {
  const answer = await answering;
  return `${answer.status} ${((await answer.json()) as Problem).code}`;
}

async function json(url: string): Promise<{ readonly [field: string]: unknown }> {
  return (await (await fetch(url)).json()) as { readonly [field: string]: unknown };
}

async function post(url: string, body: string | ReadableStream<Uint8Array>): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${url}/cities`, { method: "POST", headers, body, duplex: "half" } as RequestInit);
}
