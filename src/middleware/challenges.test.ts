import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, implement, query, type Authenticate, type Principal } from "../index.ts";
import { anyOf, apiKeys, jwt, memoryKv, sessions } from "./index.ts";
import { withApp } from "./testing/app-of.ts";

const keys = apiKeys({ prefix: "atlas", lookup: () => undefined });
const web = sessions({ store: memoryKv() });
const tokens = jwt({
  issuer: "https://id.example",
  audience: "atlas",
  algorithms: ["HS256"],
  secrets: ["0".repeat(64)],
});
const own: Authenticate<Principal> = () => undefined;
const hawk: Authenticate<Principal> = Object.assign(() => undefined, { challenges: ['Hawk realm="atlas"'] });

for (const [name, authenticate, challenge] of [
  ["sessions", web.authenticate, 'Cookie cookie-name="__Host-session"'],
  ["API keys in a header of their own", keys, 'ApiKey header="x-api-key"'],
  [
    "API keys as bearer tokens",
    apiKeys({ prefix: "atlas", header: "Authorization", lookup: () => undefined }),
    "Bearer",
  ],
  ["JSON Web Tokens", tokens, "Bearer"],
  ["a function that does not say", own, "Bearer"],
  ["a function that says", hawk, 'Hawk realm="atlas"'],
  [
    "several, each once",
    anyOf(web.authenticate, keys, tokens, own, anyOf(hawk)),
    'Cookie cookie-name="__Host-session", ApiKey header="x-api-key", Bearer, Hawk realm="atlas"',
  ],
] as const) {
  test(`a 401 names how to authenticate: ${name}`, () =>
    withApp(authenticate, async ({ ask }) => {
      const { status, challenge: said } = await ask({});
      assert.deepEqual([status, said], [401, challenge]);
    }));
}

test("a wrong key hears the ways of all, a wrong bearer token what is wrong with it", () =>
  withApp(anyOf(keys, tokens), async ({ ask }) => {
    assert.equal((await ask({ "x-api-key": "atlas_wrong" })).challenge, 'ApiKey header="x-api-key", Bearer');
    assert.equal((await ask({ authorization: "Bearer a.b.c" })).challenge, 'Bearer error="invalid_token"');
  }));

test("no challenge, or one that is none, ends the start", () => {
  const ping = query("ping", { access: "public", input: {}, output: {} });
  const start = (challenges: unknown) => () =>
    implement(contract("ping.v1", { ping }), {
      authenticate: Object.assign(() => undefined, { challenges }) as never,
      handlers: { ping: () => ({}) },
    });
  assert.throws(start([]), /names at least one/);
  assert.throws(start("Bearer"), /names at least one/);
  assert.throws(start(["Bearer\r\nx: y"]), /is no challenge/);
  assert.throws(start([7]), /is no challenge/);
  assert.throws(() => apiKeys({ prefix: "atlas", header: 'x"y', lookup: () => undefined }), /no name that HTTP knows/);
  assert.doesNotThrow(start(['Digest realm="a", nonce="b"']));
});
