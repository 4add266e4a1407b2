import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import { test, type TestContext } from "node:test";
import { inBrowser } from "../../tools/browser.ts";
import { bind, contract, fault, implementContract, mutation, query, type Jobs } from "../contract/index.ts";
import { systemClock } from "../core/index.ts";
import { HeaderBlock, createHttpHandler, loadEngine, type ExtraRoute } from "../http/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";

/** The contract, as a module that both the browser and this file run. */
const contractText = `
import { contract, fault, mutation, query } from "/src/contract/index.ts";
import { t } from "/src/schema/index.ts";
const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
const City = t.object("City", { id: t.int32(), name: t.string(), population: t.int64(), founded: t.timestamp() });
const getCity = query("getCity", { access: "public", http: "GET /cities/{id}", input: { id: t.int32() }, output: City, faults: [CityNotFound] });
const addCity = mutation("addCity", { access: "authenticated", http: "POST /cities", input: { name: t.string(), flag: t.bytes() }, output: { name: t.string(), bytes: t.int32() } });
const hang = query("hang", { access: "public", input: {}, output: {} });
export const places = contract("places.v1", { getCity, addCity, hang });
`;

const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
const City = t.object("City", { id: t.int32(), name: t.string(), population: t.int64(), founded: t.timestamp() });
const places = contract("places.v1", {
  getCity: query("getCity", {
    access: "public",
    http: "GET /cities/{id}",
    input: { id: t.int32() },
    output: City,
    faults: [CityNotFound],
  }),
  addCity: mutation("addCity", {
    access: "authenticated",
    http: "POST /cities",
    input: { name: t.string(), flag: t.bytes() },
    output: { name: t.string(), bytes: t.int32() },
  }),
  hang: query("hang", { access: "public", input: {}, output: {} }),
});

const root = new URL("../../", import.meta.url);

/** One file of the sources, with its types stripped as Node strips them: what a bundler would do, without a bundler. */
async function moduleText(path: string): Promise<string> {
  const source = path === "/contract.ts" ? contractText : await readFile(new URL(`.${path}`, root), "utf8");
  return stripTypeScriptTypes(source, { mode: "strip" });
}

/** The API on the engine, and beside it a page and the sources. `policy` is the page's content-security-policy. */
async function listen(
  context: TestContext,
  policy: string,
): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const app = bind(
    implementContract(places, {
      authenticate: (request) => (request.header("authorization") === "Bearer good" ? { subject: "ann" } : undefined),
      handlers: {
        getCity: ({ input }) =>
          input.id === 1
            ? { id: 1, name: "Zürich", population: 9_007_199_254_740_993n, founded: new Date(0) }
            : CityNotFound({ id: input.id }),
        addCity: ({ input }) => ({ name: input.name, bytes: input.flag.length }),
        hang: ({ signal }) =>
          new Promise((resolve) => signal.addEventListener("abort", () => resolve({}), { once: true })),
      },
    }),
    {
      clock: systemClock,
      events: new Events(),
      jobs: {} as Jobs,
      shutdown: new AbortController().signal,
      newId: () => "i1",
    },
  );
  const script = new HeaderBlock(["content-type", "text/javascript; charset=utf-8"]);
  const page = new HeaderBlock(["content-type", "text/html; charset=utf-8", "content-security-policy", policy]);
  const file: ExtraRoute["handle"] = async ({ target }) => {
    asked.push(target);
    return { status: 200, headers: script, body: await moduleText(target) };
  };
  const extraRoutes: ExtraRoute[] = [
    {
      method: "GET",
      path: "/page",
      handle: () => ({ status: 200, headers: page, body: "<!doctype html><title>x</title>" }),
    },
    { method: "GET", path: "/favicon.ico", handle: () => ({ status: 204, headers: HeaderBlock.empty, body: null }) },
    { method: "GET", path: "/src/{*file}", handle: file },
    { method: "GET", path: "/contract.ts", handle: file },
  ];
  const { createEngine } = await loadEngine();
  const engine = createEngine({ handler: createHttpHandler(app, { extraRoutes }) });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  context.after(() => engine.close());
  return { url: `http://127.0.0.1:${listening.value.port}`, asked };
}

/** What happens in the page. Everything that comes out is plain JSON. */
async function useClient(other: string): Promise<unknown> {
  const modules = ["/src/client/index.ts", "/contract.ts"];
  const [{ createClient }, { places: api }] = (await Promise.all(modules.map((path) => import(path)))) as [
    typeof import("./index.ts"),
    { readonly places: typeof places },
  ];
  const client = createClient(api, { url: location.origin, auth: "good" });
  const found = await client.getCity({ id: 1 });
  const missing = await client.getCity({ id: 2 });
  const added = await client.addCity({ name: "Genève", flag: new Uint8Array([1, 2, 3]) });
  const relative = await createClient(api, { url: "" }).addCity({ name: "x", flag: new Uint8Array() });
  const late = await client.hang({}, { timeout: 50 });
  const stopped = await client.hang({}, { signal: AbortSignal.timeout(20) });
  const elsewhere = await createClient(api, { url: other }).getCity({ id: 1 });
  const show = (result: { ok: boolean }): unknown =>
    JSON.parse(JSON.stringify(result, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)));
  const code = (result: { ok: boolean; fault?: { code: string } }): string | undefined => result.fault?.code;
  return {
    found: show(found),
    isDate: found.ok && found.value.founded instanceof Date,
    missing: show(missing),
    added: show(added),
    codes: [relative, late, stopped, elsewhere].map((result) => code(result as { ok: boolean })),
  };
}

for (const [how, policy] of [
  ["", "default-src 'self' 'unsafe-eval'"],
  [", also where code generation is forbidden", "default-src 'self'"],
] as const) {
  test(`the client runs in a real browser as it is${how}`, async (context) => {
    const { url, asked } = await listen(context, policy);
    // Another origin, without CORS: the browser refuses to show its answers.
    const other = createServer((_, response) => response.end("{}"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    context.after(() => other.close());
    const { port } = other.address() as { port: number };
    await inBrowser(context, async (page) => {
      await page.goto(`${url}/page`);
      // The function goes to the page as text, with its `import()` as it stands here.
      const seen = await page.evaluate(`(${useClient.toString()})("http://127.0.0.1:${port}")`);
      assert.deepEqual(seen, {
        found: {
          ok: true,
          value: { id: 1, name: "Zürich", population: "9007199254740993n", founded: "1970-01-01T00:00:00.000Z" },
        },
        isDate: true,
        missing: {
          ok: false,
          fault: { code: "CITY_NOT_FOUND", kind: "not_found", message: "Not found", data: { id: 2 } },
        },
        added: { ok: true, value: { name: "Genève", bytes: 3 } },
        codes: ["UNAUTHENTICATED", "TIMEOUT", "ABORTED", "NETWORK_ERROR"],
      });
      assert.ok(
        asked.every(
          (path) => path === "/contract.ts" || /^\/src\/(client|contract|core|exchange|schema|telemetry)\//.test(path),
        ),
        asked.join(" "),
      );
    });
  });
}
