import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { z } from "zod";
import { inBrowser } from "../../tools/browser.ts";
import { bind, contract, fault, mutation, query, type Jobs } from "../contract/index.ts";
import { kinds, systemClock } from "../core/index.ts";
import { cbor, form, messagePack } from "../formats/index.ts";
import {
  createFetch,
  createHttpHandler,
  loadEngine,
  type ExtraRoute,
  type HttpHandler,
  type HttpRequest,
} from "../http/index.ts";
import { t, type AnySchema } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { openApiDocument, openApiRoutes, type OpenApiDocument } from "./index.ts";
import { implemented, places } from "./places.test.ts";

const info = {
  title: "Places",
  description: 'Cities & regions. <script>alert("no")</script>',
  license: { name: "MIT", identifier: "MIT" },
  tags: { Cities: "Where people live." },
};

function handler(): HttpHandler {
  const app = bind(implemented, {
    clock: systemClock,
    events: new Events(),
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "i1",
  });
  return createHttpHandler(app, { extraRoutes: openApiRoutes(places, info) });
}

function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as { readonly [key: string]: unknown } | undefined)?.[key], value);
}

async function assertValid(document: OpenApiDocument): Promise<void> {
  // The validator resolves references in place: it gets a copy.
  const verdict = await new Validator().validate(structuredClone(document) as never);
  assert.equal(verdict.valid, true, JSON.stringify(verdict.errors));
}

test("the document of a contract with everything in it is valid OpenAPI 3.1", async () => {
  await assertValid(openApiDocument(places, info));
  await assertValid(openApiDocument(places));
  await assertValid(openApiDocument(contract("empty", {})));
});

test("what an app speaks beside JSON is listed where it can carry the value", async () => {
  const save = mutation("save", {
    access: "public",
    input: { name: t.string(), tags: t.array(t.string()) },
    output: { id: t.int64() },
  });
  const nest = mutation("nest", {
    access: "public",
    input: { inner: t.object({ a: t.string() }) },
    output: t.nothing(),
  });
  const formats = [messagePack(), cbor(), form()];
  const document = openApiDocument(contract("store.v1", { save, nest }), { ...info, formats });
  await assertValid(document);
  const types = (...path: string[]): string[] => Object.keys(at(document.paths, ...path, "content") as object);
  const all = ["application/json", "application/msgpack", "application/cbor"];
  assert.deepEqual(types("/save", "post", "requestBody"), [...all, "application/x-www-form-urlencoded"]);
  assert.deepEqual(types("/save", "post", "responses", "200"), all);
  assert.deepEqual(types("/nest", "post", "requestBody"), all);
});

test("a parameter stands where the codec reads it", () => {
  const document = openApiDocument(places, info);
  const parameters = at(document, "paths", "/cities", "get", "parameters") as {
    name: string;
    in: string;
    required: boolean;
  }[];
  assert.deepEqual(
    parameters.map(({ name, in: place, required }) => [name, place, required]),
    [
      ["x-trace", "header", false],
      ["name", "query", true],
      ["kind", "query", false],
      ["limit", "query", false],
    ],
  );
  assert.deepEqual(
    at(document, "paths", "/cities/{id}", "put", "requestBody", "content", "application/json", "schema", "required"),
    ["name"],
  );
  assert.equal(at(document, "paths", "/ping", "post", "requestBody"), undefined);
  assert.equal(at(document, "paths", "/cities/{id}", "delete", "responses", "204", "content"), undefined);
});

test("templates that differ in capture names only are one path, with one name", () => {
  const document = openApiDocument(places, info);
  assert.deepEqual(Object.keys(document.paths["/cities/{id}"] ?? {}), ["get", "put", "delete"]);
  assert.equal(at(document, "paths", "/cities/{id}", "put", "parameters", 0, "name"), "id");
});

test("the fields of another library's schema are described where they travel", () => {
  const document = openApiDocument(places, info);
  const parameters = at(document, "paths", "/convert/{unit}", "get", "parameters") as {
    name: string;
    in: string;
    required: boolean;
    schema: unknown;
  }[];
  assert.deepEqual(
    parameters.map(({ name, in: place, required }) => [name, place, required]),
    [
      ["unit", "path", true],
      ["width", "query", true],
      ["exact", "query", false],
    ],
  );
  assert.deepEqual(at(parameters[0]?.schema, "enum"), ["m", "km"]);
});

test("every status lists exactly the faults that the operation can end with", () => {
  const document = openApiDocument(places, info);
  const codesOf = (path: string, method: string): { [status: string]: unknown } => {
    const responses = at(document, "paths", path, method, "responses") as { [status: string]: { $ref?: string } };
    const entries = Object.entries(responses).filter(([status]) => !status.startsWith("2"));
    return Object.fromEntries(
      entries.map(([status, { $ref = "" }]) => {
        const name = $ref.split("/").at(-1) ?? "";
        const schema = at(document, "components", "responses", name, "content", "application/problem+json", "schema");
        const mapping = at(schema, "discriminator", "mapping") as { [code: string]: string } | undefined;
        const one = String(at(schema, "$ref")).split("/").at(-1) ?? "";
        const codes =
          mapping === undefined
            ? [at(document, "components", "schemas", one, "properties", "code", "const")]
            : Object.keys(mapping);
        return [status, codes];
      }),
    );
  };
  const everywhere = {
    "400": ["INVALID_INPUT"],
    "401": ["UNAUTHENTICATED"],
    "406": ["NOT_ACCEPTABLE"],
    "429": ["LIMITED"],
    "500": ["INTERNAL"],
  };
  assert.deepEqual(codesOf("/cities/{id}", "get"), {
    ...everywhere,
    "404": ["CITY_NOT_FOUND", "REGION_NOT_FOUND"],
    "503": ["OVERLOADED", "SHUTTING_DOWN", "SOURCE_BUSY", "UNAVAILABLE"],
    "504": ["DEADLINE_EXCEEDED"],
  });
  assert.deepEqual(codesOf("/cities/{id}", "put"), {
    ...everywhere,
    "400": ["BAD_BODY", "INVALID_INPUT"],
    "403": ["PERMISSION_DENIED"],
    "404": ["CITY_NOT_FOUND"],
    "408": ["BODY_TIMEOUT"],
    "413": ["PAYLOAD_TOO_LARGE"],
    "415": ["UNSUPPORTED_MEDIA_TYPE"],
    "503": ["OVERLOADED", "SHUTTING_DOWN", "UNAVAILABLE"],
    [String(kinds.deadline_exceeded.http)]: ["DEADLINE_EXCEEDED"],
  });
});

test("access becomes security: nothing, a caller, or a caller with scopes", () => {
  const document = openApiDocument(places, info);
  assert.deepEqual(at(document, "paths", "/cities/{id}", "put", "security"), [{ caller: ["cities:write"] }]);
  assert.deepEqual(at(document, "paths", "/cities", "get", "security"), [{}, { caller: [] }]);
  assert.deepEqual(at(document, "components", "securitySchemes"), { caller: { type: "http", scheme: "bearer" } });
  const open = openApiDocument(
    contract("open.v1", { ping: mutation("ping", { access: "public", input: {}, output: {} }) }),
  );
  assert.deepEqual(at(open, "paths", "/ping", "post", "security"), []);
  assert.equal(at(open, "components", "securitySchemes"), undefined);
  assert.equal(at(open, "paths", "/ping", "post", "responses", "401"), undefined);
});

test("two faults of one code, or a type named like a fault's problem, stop the program at start", () => {
  const One = fault("SAME", { kind: "conflict" });
  const Two = fault("SAME", { kind: "gone" });
  const a = query("a", { access: "public", input: {}, output: {}, faults: [One] });
  const b = query("b", { access: "public", input: {}, output: {}, faults: [Two] });
  assert.throws(() => openApiDocument(contract("two", { a, b })), /SAME/);
  const c = query("c", { access: "public", input: {}, output: t.object("SameProblem", {}), faults: [One] });
  assert.throws(() => openApiDocument(contract("three", { c })), /SameProblem/);
});

test("a schema of another library that offers no JSON Schema is described as anything", () => {
  const silent: AnySchema = { "~standard": { version: 1, vendor: "other", validate: (value) => ({ value }) } };
  const take = mutation("take", { access: "public", input: silent, output: { made: z.date() } });
  const { paths } = openApiDocument(contract("other", { take }));
  const operation = paths["/take"]?.["post"] as {
    requestBody: unknown;
    responses: { [status: string]: { content: { "application/json": { schema: { properties: unknown } } } } };
  };
  assert.deepEqual(operation.requestBody, { required: true, content: { "application/json": { schema: {} } } });
  assert.deepEqual(operation.responses["200"]?.content["application/json"].schema.properties, { made: {} });
});

test("what the server answers is what the document says", async () => {
  const fetch = createFetch(handler());
  const served = await fetch(new Request("http://local/openapi.json"));
  assert.equal(served.headers.get("content-type"), "application/json");
  const document = (await served.json()) as OpenApiDocument;
  assert.deepEqual(document, JSON.parse(JSON.stringify(openApiDocument(places, info))));
  for (const [path, status] of [
    ["/cities/1", 200],
    ["/cities/2", 503],
    ["/cities/3", 404],
    ["/cities/x", 400],
    ["/convert/km?width=2", 200],
  ] as const) {
    const response = await fetch(new Request(`http://local${path}`));
    assert.equal(response.status, status);
    const [, first] = path.split("/");
    const key = Object.keys(document.paths).find((one) => one.startsWith(`/${first}/`)) ?? "";
    assert.notEqual(at(document, "paths", key, "get", "responses", String(status)), undefined, path);
  }
});

test("the page has a policy that lets only its own script run, and a problem's type leads into it", async () => {
  const fetch = createFetch(handler());
  const page = await fetch(new Request("http://local/docs"));
  assert.equal(page.status, 200);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self';/);
  assert.doesNotMatch(policy, /unsafe/);
  const html = await page.text();
  assert.doesNotMatch(html, /https?:\/\//, "nothing comes from elsewhere");
  const there = await fetch(new Request("http://local/problems/CITY_NOT_FOUND"));
  assert.deepEqual([there.status, there.headers.get("location")], [302, "/docs#CITY_NOT_FOUND"]);
  assert.equal((await fetch(new Request("http://local/problems/x%0d%0ay"))).headers.get("location"), "/docs");
});

test("a contract with paths of its own under /problems/ keeps them", () => {
  const getProblem = query("getProblem", {
    access: "public",
    http: "GET /problems/{id}",
    input: { id: t.string() },
    output: {},
  });
  const paths = openApiRoutes(contract("puzzles.v1", { getProblem })).map(({ path }) => path);
  assert.deepEqual(paths, ["/openapi.json", "/docs"]);
  assert.deepEqual(
    openApiRoutes(places, { docsPath: false }).map(({ path }) => path),
    ["/openapi.json"],
  );
});

async function listen(context: TestContext): Promise<string> {
  const { createEngine } = await loadEngine();
  const engine = createEngine({ handler: handler() });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  context.after(() => engine.close());
  return `http://127.0.0.1:${listening.value.port}`;
}

test("in a real browser the page shows operations, calls them, finds them, and runs nothing else", async (context) => {
  const url = await listen(context);
  await inBrowser(context, async (page, problems) => {
    await page.goto(`${url}/docs`);
    await page.waitForSelector("details.operation");
    assert.equal(await page.title(), "Places 2.0.0");
    assert.equal(await page.locator("main .prose").first().textContent(), info.description);

    await page.click("#getCity > summary");
    await page.fill("#try-getCity-id", "1");
    await page.click("#getCity button");
    assert.match((await page.textContent("#getCity .status")) ?? "", /^200 /);
    assert.match((await page.locator("#getCity .answer pre").first().textContent()) ?? "", /"name": "Bern"/);

    await page.click("#replaceCity > summary");
    await page.fill("#try-replaceCity-id", "5");
    await page.fill("#try-replaceCity-body", '{ "name": "Köln" }');
    await page.fill("#token", "secret");
    await page.click("#replaceCity button");
    await page.waitForSelector("#replaceCity .status");
    assert.match((await page.textContent("#replaceCity .answer")) ?? "", /"name": "Köln"/);
    assert.doesNotMatch(
      (await page.textContent("#replaceCity .answer")) ?? "",
      /secret/,
      "a curl line is passed around",
    );

    await page.fill("#search", "cities delete");
    assert.deepEqual(await page.locator("details.operation:visible").evaluateAll((all) => all.map(({ id }) => id)), [
      "removeCity",
    ]);
    await page.fill("#search", "");

    await page.goto(`${url}/problems/CITY_NOT_FOUND`);
    await page.waitForSelector("#CITY_NOT_FOUND[open]");
    assert.match((await page.textContent("#CITY_NOT_FOUND")) ?? "", /No city has this id/);
    assert.deepEqual(problems, []);
  });
});

test("on a phone nothing is wider than the screen", async (context) => {
  const url = await listen(context);
  await inBrowser(context, async (page) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${url}/docs`);
    await page.waitForSelector("details.operation");
    await page.evaluate(() => {
      for (const box of document.querySelectorAll("details")) box.open = true;
    });
    await page.waitForSelector("form.try");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  });
});

test("a contract of many operations starts without its document, and has it made at the first request", async () => {
  const operationOf = (i: number) =>
    query(`get${i}`, { access: "public", http: `GET /v1/things${i}/{id}`, input: { id: t.int32() }, output: {} });
  const many = contract(
    "many.v1",
    Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`get${i}`, operationOf(i)])),
  );
  const [route] = openApiRoutes(many);
  const { body } = await (route as ExtraRoute).handle({} as HttpRequest, []);
  assert.deepEqual(JSON.parse(body as string), JSON.parse(JSON.stringify(openApiDocument(many))));
  const twice = t.object("Same", { a: t.string() });
  const other = t.object("Same", { b: t.string() });
  const clash = (size: number) =>
    contract("clash.v1", {
      ...Object.fromEntries(Array.from({ length: size }, (_, i) => [`get${i}`, operationOf(i)])),
      one: query("one", { access: "public", input: {}, output: twice }),
      two: query("two", { access: "public", input: {}, output: other }),
    });
  assert.throws(() => openApiRoutes(clash(2)), /Same/, "a small one says at start what is wrong");
  assert.throws(() => openApiDocument(clash(300)), /Same/, "a large one says it to whoever asks");
});
