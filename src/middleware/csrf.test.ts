import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inBrowser } from "../../tools/browser.ts";
import { HeaderBlock } from "../exchange/index.ts";
import { csrf, type CsrfOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const json = { "content-type": "application/json" };
const html = new HeaderBlock(["content-type", "text/html"]);
const body = '{"text":"abc"}';

/** After the table of Go's TestCrossOriginProtection, whose algorithm this is. */
const table: [string, Record<string, string>, boolean][] = [
  ["same-origin", { "sec-fetch-site": "same-origin" }, true],
  ["typed into the address bar", { "sec-fetch-site": "none" }, true],
  ["cross-site", { "sec-fetch-site": "cross-site" }, false],
  ["same-site, another origin", { "sec-fetch-site": "same-site" }, false],
  ["unknown value", { "sec-fetch-site": "other" }, false],
  ["no browser", {}, true],
  ["old browser, own origin", { origin: "https://api.example", host: "api.example" }, true],
  ["old browser, own origin with port", { origin: "http://api.example:8080", host: "api.example:8080" }, true],
  ["old browser, host in capitals", { origin: "https://api.example", host: "API.example" }, true],
  ["old browser, other port", { origin: "http://api.example:8081", host: "api.example:8080" }, false],
  ["old browser, other host", { origin: "https://evil.example", host: "api.example" }, false],
  ["old browser, host as a prefix", { origin: "https://api.example.evil.example", host: "api.example" }, false],
  ["null", { origin: "null", host: "api.example" }, false],
  ["null, as the site says", { origin: "null", "sec-fetch-site": "cross-site" }, false],
  ["origin that is none", { origin: "nonsense", host: "nonsense" }, false],
  ["trusted", { origin: "https://app.example", "sec-fetch-site": "cross-site" }, true],
  ["trusted, old browser", { origin: "https://app.example", host: "api.example" }, true],
  ["trusted subdomain", { origin: "https://a.apps.example", "sec-fetch-site": "same-site" }, true],
  ["nearly trusted", { origin: "https://app.example.evil.example", "sec-fetch-site": "cross-site" }, false],
  [
    "own origin that the browser calls another",
    { origin: "https://api.example", host: "api.example", "sec-fetch-site": "cross-site" },
    false,
  ],
];

test("what may change something is refused from pages of other origins", async (context) => {
  let writes = 0;
  const { send } = await rig(context, [csrf({ trusted: ["https://app.example", "https://*.apps.example"] })], {
    write: () => ({ length: ++writes }),
  });
  for (const [name, headers, allowed] of table) {
    const before = writes;
    const answer = await send("POST", "/write", { ...json, ...headers }, body);
    assert.equal(answer.status, allowed ? 200 : 403, name);
    assert.equal(writes - before, allowed ? 1 : 0, name);
    if (!allowed) assert.match(answer.bytes.toString(), /CROSS_ORIGIN_REFUSED/);
  }
});

test("safe methods pass from everywhere, but for a handshake; whatever else the path", async (context) => {
  const { send } = await rig(context, [csrf()]);
  const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
  assert.equal((await send("GET", "/read", cross)).status, 200);
  assert.equal((await send("HEAD", "/read", cross)).status, 200);
  assert.equal((await send("OPTIONS", "/write", cross)).status, 204);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"])
    assert.equal((await send(method, "/nothing", cross)).status, 403, method);
  // `Connection` is left out so that the client does not wait for an upgrade.
  const handshake = { upgrade: "websocket", "sec-websocket-version": "13" };
  assert.equal((await send("GET", "/read", { ...cross, ...handshake })).status, 403);
  assert.equal((await send("GET", "/read", { "sec-fetch-site": "same-origin", ...handshake })).status, 200);
  assert.equal((await send("GET", "/read", handshake)).status, 200, "no browser");
});

test("a form on a page of another origin changes nothing, and one of the own origin does", async (context) => {
  let writes = 0;
  const route = { method: "POST", path: "/form", handle: () => ({ status: 204, headers: html, body: null }) } as const;
  const counting = { ...route, handle: () => (writes++, route.handle()) };
  const page = { method: "GET", path: "/page", handle: () => ({ status: 200, headers: html, body: "<p>" }) };
  const { url } = await rig(context, [csrf()], { extraRoutes: [counting, page] });
  const other = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  context.after(() => other.close());
  const foreign = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await inBrowser(context, async (browser) => {
    const submit = async (from: string): Promise<number> => {
      await browser.goto(from);
      const answered = browser.waitForResponse(`${url}/form`);
      await browser.evaluate((target) => {
        // Into a frame, so that the page itself stays where it is.
        document.body.innerHTML = `<iframe name="answer"></iframe><form method="post" target="answer" action="${target}"></form>`;
        document.querySelector("form")?.submit();
      }, `${url}/form`);
      return (await answered).status();
    };
    assert.deepEqual([await submit(foreign), writes], [403, 0]);
    assert.deepEqual([await submit(`${url}/page`), writes], [204, 1]);
  });
});

test("mistakes are found at start", () => {
  assert.throws(() => csrf({ trusted: ["app.example"] }), /is no origin/);
  assert.throws(() => csrf({ origins: [] } as CsrfOptions), /no option "origins"/);
});
