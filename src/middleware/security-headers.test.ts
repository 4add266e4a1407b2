import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBlock } from "../exchange/index.ts";
import { securityHeaders, type SecurityHeadersOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const page = new HeaderBlock(["content-type", "text/html; charset=utf-8"]);
const own = new HeaderBlock([
  ...["content-type", "text/html"],
  ...["content-security-policy", "default-src 'unsafe-inline'"],
  ...["x-frame-options", "DENY"],
]);
const extraRoutes = [
  { method: "GET", path: "/page", handle: () => ({ status: 200, headers: page, body: "<p>" }) },
  { method: "GET", path: "/own", handle: () => ({ status: 200, headers: own, body: "<p>" }) },
];

test("answers, problems and misses have them all", async (context) => {
  const { send } = await rig(context, [securityHeaders()]);
  for (const path of ["/read", "/nothing"]) {
    const { headers } = await send("GET", path);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
    assert.equal(headers["x-frame-options"], "DENY");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    assert.equal(headers["permissions-policy"], undefined);
    assert.equal(headers["strict-transport-security"], undefined, "plain HTTP");
  }
});

test("HTML has a policy of its own, and what an answer says itself stays", async (context) => {
  const { send } = await rig(context, [securityHeaders()], {
    extraRoutes,
    read: ({ reply }) => {
      reply.set("Referrer-Policy", "origin");
      return { text: "x" };
    },
  });
  const html = (await send("GET", "/page")).headers;
  assert.match(String(html["content-security-policy"]), /default-src 'self'.*object-src 'none'/);
  assert.equal(html["x-frame-options"], "SAMEORIGIN");
  const kept = (await send("GET", "/own")).headers;
  assert.deepEqual(
    [kept["content-security-policy"], kept["x-frame-options"], kept["referrer-policy"]],
    ["default-src 'unsafe-inline'", "DENY", "no-referrer"],
  );
  assert.equal((await send("GET", "/read")).headers["referrer-policy"], "origin");
});

test("each can be another value, or none", async (context) => {
  const { send } = await rig(
    context,
    [
      securityHeaders({
        contentSecurityPolicy: false,
        documentSecurityPolicy: "default-src https:",
        frameOptions: false,
        permissionsPolicy: "camera=()",
        contentTypeOptions: false,
      }),
    ],
    { extraRoutes },
  );
  const { headers } = await send("GET", "/read");
  assert.equal(headers["content-security-policy"], undefined);
  assert.equal(headers["x-frame-options"], undefined);
  assert.equal(headers["permissions-policy"], "camera=()");
  assert.equal(headers["x-content-type-options"], "nosniff", "the codec's own");
  assert.equal((await send("GET", "/page")).headers["content-security-policy"], "default-src https:");
});

test("strict transport is said over TLS alone", async (context) => {
  const proxied = { "x-forwarded-proto": "https" };
  const { send, fetch } = await rig(context, [securityHeaders()]);
  assert.equal((await send("GET", "/read", proxied)).headers["strict-transport-security"], "max-age=31536000");
  assert.equal(
    (await send("GET", "/read", { "x-forwarded-proto": "http" })).headers["strict-transport-security"],
    undefined,
  );
  const overTls = await fetch(new Request("https://api.example/read"));
  assert.equal(overTls.headers.get("strict-transport-security"), "max-age=31536000");
  const strict = await rig(context, [
    securityHeaders({ hsts: { maxAge: "2h", includeSubDomains: true, preload: true } }),
  ]);
  const sent = (await strict.send("GET", "/read", proxied)).headers["strict-transport-security"];
  assert.equal(sent, "max-age=7200; includeSubDomains; preload");
  const off = await rig(context, [securityHeaders({ hsts: false })]);
  assert.equal((await off.send("GET", "/read", proxied)).headers["strict-transport-security"], undefined);
});

test("mistakes are found at start", () => {
  const wrong: [unknown, RegExp][] = [
    [{ contentSecurityPolicy: "a\r\nb" }, /holds a character that HTTP cannot carry/],
    [{ hsts: { preload: true } }, /needs includeSubDomains/],
    [{ hsts: { maxAge: 1 } }, /whole seconds/],
    [{ hsts: { maxage: 1 } }, /no option "maxage"/],
    [{ csp: "x" }, /no option "csp"/],
  ];
  for (const [options, message] of wrong)
    assert.throws(() => securityHeaders(options as SecurityHeadersOptions), message);
});
