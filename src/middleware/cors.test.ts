import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { inBrowser } from "../../tools/browser.ts";
import { HeaderBlock } from "../exchange/index.ts";
import { cors, type CorsOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const ours = "https://app.example";

function preflight(origin: string, more: Record<string, string> = {}): Record<string, string> {
  return { origin, "access-control-request-method": "POST", ...more };
}

test("a preflight is answered before anything is routed", async (context) => {
  const { send } = await rig(context, [cors({ origins: [ours], credentials: true, maxAge: "2h" })]);
  for (const path of ["/write", "/nothing", "/nothing?x=%zz"]) {
    const { status, headers, bytes } = await send("OPTIONS", path, preflight(ours));
    assert.equal(status, 204, path);
    assert.equal(bytes.length, 0);
    assert.equal(headers["access-control-allow-origin"], ours);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.equal(headers["access-control-max-age"], "7200");
    assert.equal(headers["vary"], "origin");
    assert.ok(headers["access-control-allow-methods"]?.split(", ").includes("POST"));
    const allowed = headers["access-control-allow-headers"]?.split(", ");
    assert.ok(allowed?.includes("authorization"));
    assert.ok(allowed?.includes("if-version"), "the contract's own header field");
  }
});

test("OPTIONS without a question is the router's", async (context) => {
  const { send } = await rig(context, [cors({ origins: [ours] })]);
  const { status, headers } = await send("OPTIONS", "/read", { origin: ours });
  assert.equal(status, 204);
  assert.equal(headers["allow"], "GET, HEAD, OPTIONS");
  assert.equal(headers["access-control-allow-origin"], ours);
  assert.equal(headers["access-control-allow-methods"], undefined);
});

test("only the origins named may read, exactly as they are written", async (context) => {
  const origins = [ours, "http://localhost:8080", "https://*.preview.example", /^https:\/\/[a-z]+\.team\.example$/];
  const { send } = await rig(context, [cors({ origins })]);
  const allowed = [
    ours,
    "http://localhost:8080",
    "https://a.preview.example",
    "https://a.b-1.preview.example",
    "https://ann.team.example",
  ];
  const refused = [
    "https://app.example.evil.example",
    "https://evil-app.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "http://localhost",
    "https://preview.example",
    "https://.preview.example",
    "https://evil/.preview.example",
    "https://evil.example#.preview.example",
    "https://a.preview.example.evil.example",
    "http://a.preview.example",
    "https://ann.team.example.evil.example",
    "https://evil.example/?https://ann.team.example",
    "null",
    "",
  ];
  for (const origin of allowed) {
    const { headers } = await send("GET", "/read", { origin });
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.equal(headers["vary"], "origin");
    assert.equal(headers["access-control-allow-credentials"], undefined);
  }
  for (const origin of refused) {
    const { status, headers } = await send("GET", "/read", { origin });
    assert.equal(status, 200, "the server answers; the browser keeps it from the page");
    assert.equal(headers["access-control-allow-origin"], undefined, origin);
    assert.equal(headers["vary"], "origin");
    const asked = await send("OPTIONS", "/write", preflight(origin));
    assert.deepEqual([asked.status, asked.headers["access-control-allow-methods"]], [204, undefined]);
  }
});

test("an answer to nobody's page varies too, and so do problems", async (context) => {
  const { send } = await rig(context, [cors({ origins: [ours] })]);
  assert.equal((await send("GET", "/read")).headers["vary"], "origin");
  const missing = await send("GET", "/nothing", { origin: ours });
  assert.deepEqual([missing.status, missing.headers["access-control-allow-origin"]], [404, ours]);
  assert.match(String(missing.headers["access-control-expose-headers"]), /x-request-id/);
});

test("everybody's is a star that does not vary", async (context) => {
  const { send } = await rig(context, [cors({ origins: "*", expose: [], methods: ["GET"], headers: ["x-a"] })]);
  const { headers } = await send("GET", "/read", { origin: "null" });
  assert.deepEqual(
    [headers["access-control-allow-origin"], headers["vary"], headers["access-control-expose-headers"]],
    ["*", undefined, undefined],
  );
  const asked = (await send("OPTIONS", "/write", preflight("https://any.example"))).headers;
  assert.equal(asked["access-control-allow-origin"], "*");
  assert.equal(asked["access-control-allow-methods"], "GET");
  assert.equal(asked["access-control-allow-headers"], "x-a");
});

test("null is let in only by name, and a function is not asked for it", async (context) => {
  const asked: string[] = [];
  const byFunction = await rig(context, [
    cors({
      origins: async (origin, request) => {
        asked.push(`${origin} ${request.target}`);
        return origin === ours;
      },
    }),
  ]);
  assert.equal(
    (await byFunction.send("GET", "/read", { origin: "null" })).headers["access-control-allow-origin"],
    undefined,
  );
  assert.equal((await byFunction.send("GET", "/read", { origin: ours })).headers["access-control-allow-origin"], ours);
  const other = await byFunction.send("GET", "/read", { origin: "https://other.example" });
  assert.equal(other.headers["access-control-allow-origin"], undefined);
  assert.deepEqual(asked, [`${ours} /read`, "https://other.example /read"]);
  const byName = await rig(context, [cors({ origins: ["null"] })]);
  assert.equal((await byName.send("GET", "/read", { origin: "null" })).headers["access-control-allow-origin"], "null");
});

test("a function that throws or answers something else lets nobody in", async (context) => {
  const broken = await rig(context, [cors({ origins: () => Promise.reject(new Error("no list")) })]);
  const { status, headers } = await broken.send("GET", "/read", { origin: ours });
  assert.deepEqual([status, headers["access-control-allow-origin"], broken.defects], [500, undefined, ["no list"]]);
  const truthy = await rig(context, [cors({ origins: (() => "yes") as never })]);
  assert.equal((await truthy.send("GET", "/read", { origin: ours })).headers["access-control-allow-origin"], undefined);
});

test("a private network is opened only where it is asked for and offered", async (context) => {
  const asks = preflight(ours, { "access-control-request-private-network": "true" });
  const open = await rig(context, [cors({ origins: [ours], privateNetwork: true })]);
  const name = "access-control-allow-private-network";
  assert.equal((await open.send("OPTIONS", "/write", asks)).headers[name], "true");
  assert.equal((await open.send("OPTIONS", "/write", preflight(ours))).headers[name], undefined);
  assert.equal(
    (await open.send("OPTIONS", "/write", { ...asks, origin: "https://evil.example" })).headers[name],
    undefined,
  );
  const closed = await rig(context, [cors({ origins: [ours] })]);
  assert.equal((await closed.send("OPTIONS", "/write", asks)).headers[name], undefined);
});

test("an answer that says it itself keeps its own, once", async (context) => {
  const headers = new HeaderBlock(["access-control-allow-origin", "https://other.example", "vary", "accept, Origin"]);
  const { send } = await rig(context, [cors({ origins: [ours] })], {
    extraRoutes: [{ method: "GET", path: "/own", handle: () => ({ status: 200, headers, body: "x" }) }],
  });
  const own = await send("GET", "/own", { origin: ours });
  assert.equal(own.headers["access-control-allow-origin"], "https://other.example");
  assert.equal(own.headers["vary"], "accept, Origin");
});

test("mistakes are found at start", () => {
  const wrong: [unknown, RegExp][] = [
    [{}, /name the origins/],
    [{ origins: "*", credentials: true }, /every page on the web/],
    [{ origins: "https://app.example" }, /origins is a list/],
    [{ origins: ["https://app.example/"] }, /is no origin/],
    [{ origins: ["app.example"] }, /is no origin/],
    [{ origins: ["https://app.example:443"] }, /is no origin/],
    [{ origins: ["*"] }, /is no origin/],
    [{ origins: ["https://*.com"] }, /every host below "com"/],
    [{ origins: [/https:\/\/app\.example/] }, /Anchor it/],
    [{ origins: [/^https:\/\/app\.example$|evil/] }, /Anchor it/],
    [{ origins: [/^https:\/\/a$|^https:\/\/b$/] }, /Anchor it/],
    [{ origins: [/^https:\/\/app\.example$/g] }, /leave the flags/],
    [{ origins: ["https://app.example"], maxAge: 1500 }, /whole seconds/],
    [{ origins: ["https://app.example"], headers: ["x a"] }, /is no name that HTTP knows/],
    [{ origins: ["https://app.example"], methods: ["GET\r\n"] }, /is no name that HTTP knows/],
    [{ origin: ["https://app.example"] }, /there is no option "origin"/],
  ];
  for (const [options, message] of wrong) assert.throws(() => cors(options as CorsOptions), message);
});

async function pageServer(context: TestContext): Promise<string> {
  const server: Server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>page</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** In the page. */
async function tryAll(url: string): Promise<unknown> {
  const attempt = async (path: string, init: RequestInit): Promise<unknown> => {
    try {
      const response = await fetch(url + path, init);
      return [response.status, response.headers.get("x-request-id"), response.headers.get("x-hidden")];
    } catch {
      return "kept from the page";
    }
  };
  const json = { "content-type": "application/json", "x-request-id": "r1", "if-version": "1" };
  return {
    simple: await attempt("/read", {}),
    preflighted: await attempt("/write", { method: "POST", headers: json, body: '{"text":"abc"}' }),
    withCookies: await attempt("/read", { credentials: "include" }),
    unknownHeader: await attempt("/read", { headers: { "x-other": "1" } }),
    problem: await attempt("/nothing", {}),
  };
}

test("Chromium keeps answers from pages of other origins, and gives them to those named", async (context) => {
  const allowed = await pageServer(context);
  const refused = await pageServer(context);
  const withHidden = {
    read: ({ reply }: { reply: { set(name: string, value: string): void } }) => {
      reply.set("x-hidden", "1");
      return { text: "hello" };
    },
  };
  const plain = await rig(context, [cors({ origins: [allowed] })], withHidden);
  const trusting = await rig(context, [cors({ origins: [allowed], credentials: true })], withHidden);
  const open = await rig(context, [cors({ origins: "*" })], withHidden);
  await inBrowser(context, async (page) => {
    const kept = "kept from the page";
    const id = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value);
    const run = async (from: string, to: string): Promise<Record<string, unknown>> => {
      await page.goto(from);
      return (await page.evaluate(tryAll, to)) as Record<string, unknown>;
    };
    const named = await run(allowed, plain.url);
    assert.deepEqual(named["preflighted"], [200, "r1", null]);
    assert.deepEqual([id(named["simple"]), id(named["problem"])], [200, 404]);
    assert.deepEqual([named["withCookies"], named["unknownHeader"]], [kept, kept]);
    assert.equal(id((await run(allowed, trusting.url))["withCookies"]), 200);
    for (const target of [plain, trusting]) {
      const all = Object.values(await run(refused, target.url));
      assert.deepEqual(all, [kept, kept, kept, kept, kept]);
    }
    const anybody = await run(refused, open.url);
    assert.deepEqual([id(anybody["simple"]), id(anybody["preflighted"]), anybody["withCookies"]], [200, 200, kept]);
  });
});
