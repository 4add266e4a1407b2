import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "../index.ts";
import { manualClock } from "../testing/index.ts";
import { anyOf, apiKeys, jwt, newApiKey, refuseCaller, type ApiKeyRecord } from "./index.ts";
import { equalSecrets } from "./secret.ts";
import { withApp } from "./testing/app-of.ts";
import { startIssuer } from "./testing/issuer.ts";

async function store(): Promise<{
  readonly key: string;
  readonly id: string;
  readonly records: Map<string, ApiKeyRecord<Principal>>;
}> {
  const { key, id, hash } = await newApiKey("atlas");
  const principal = { subject: "service-1", scopes: ["cities:read"] };
  return { key, id, records: new Map([[id, { hash, principal }]]) };
}

test("a key is a caller with its scopes; the store does not know the key", async () => {
  const { key, id, records } = await store();
  assert.match(key, /^atlas_[0-9a-f]{16}_[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify([...records]).includes(key.slice(-64)));
  await withApp(apiKeys({ prefix: "atlas", lookup: (asked) => records.get(asked) }), async ({ ask, reasons }) => {
    assert.deepEqual((await ask({ "x-api-key": key })).body, { subject: "service-1", scopes: ["cities:read"] });
    assert.equal((await ask({})).status, 401);
    const other = await newApiKey("atlas");
    const wrong = [
      other.key,
      `atlas_${id}_${"0".repeat(64)}`,
      key.slice(0, -1),
      `${key}0`,
      "atlas_",
      "",
      key.toUpperCase(),
    ];
    for (const given of wrong) {
      const refused = await ask({ "x-api-key": given }, "/anyone");
      assert.equal(refused.status, 401, given);
      assert.equal(refused.body["detail"], "The credentials are not valid.");
    }
    assert.match(reasons.join("\n"), new RegExp(`no API key with the id ${other.id}`));
    assert.match(reasons.join("\n"), new RegExp(`the secret of the API key ${id} is wrong`));
    // What is logged is not what was sent.
    for (const given of wrong.filter((text) => text.length > 20)) assert.ok(!reasons.join("\n").includes(given));
  });
});

test("a key ends when its time is over, or its record is gone", async () => {
  const clock = manualClock();
  const { key, id, records } = await store();
  const record = records.get(id) as ApiKeyRecord<Principal>;
  records.set(id, { ...record, expiresAt: clock.now() + 1000 });
  await withApp(apiKeys({ prefix: "atlas", lookup: async (asked) => records.get(asked), clock }), async ({ ask }) => {
    assert.equal((await ask({ "x-api-key": key })).status, 200);
    await clock.advance(1000);
    assert.equal((await ask({ "x-api-key": key })).status, 401);
    records.delete(id);
    assert.equal((await ask({ "x-api-key": key })).status, 401);
  });
});

test("a lookup that fails is a defect, and lets nobody in", async () => {
  const { key } = await store();
  const lookup = (): never => {
    throw new Error("database gone");
  };
  await withApp(apiKeys({ prefix: "atlas", lookup }), async ({ ask }) => {
    assert.equal((await ask({ "x-api-key": key })).status, 500);
  });
});

test("keys and tokens stand side by side in one header: the first that knows its own decides", async () => {
  const clock = manualClock();
  const issuer = await startIssuer(() => clock.now());
  const { key, records } = await store();
  const authenticate = anyOf(
    apiKeys({ prefix: "atlas", header: "Authorization", lookup: (id) => records.get(id) }),
    jwt({ issuer: issuer.url, audience: "atlas", algorithms: ["ES256"], jwks: issuer.jwks, clock }),
  );
  await withApp(authenticate, async ({ ask }) => {
    assert.equal(issuer.asked, 0);
    assert.equal((await ask({ authorization: `Bearer ${key}` })).body["subject"], "service-1");
    assert.equal((await ask({ authorization: `Bearer ${await issuer.sign({})}` })).body["subject"], "ann");
    assert.equal((await ask({}, "/anyone")).body["subject"], "nobody");
    const wrong = await ask({ authorization: `Bearer atlas_${"0".repeat(16)}_${"0".repeat(64)}` }, "/anyone");
    assert.equal(wrong.challenge, 'Bearer error="invalid_token"');
    assert.equal((await ask({ authorization: "Bearer nonsense" })).status, 401);
  });
  issuer.close();
});

test("anyOf stops at the first that decides, at once or later", async () => {
  const asked: string[] = [];
  const authenticate = anyOf(
    async (request) => {
      await Promise.resolve();
      asked.push("first");
      return request.header("x-first") === undefined ? undefined : { subject: "first" };
    },
    (request) => {
      asked.push("second");
      return request.header("x-second") === undefined ? undefined : refuseCaller("second says no");
    },
    () => ({ subject: "last" }),
  );
  await withApp(authenticate, async ({ ask, reasons }) => {
    assert.equal((await ask({ "x-first": "1" })).body["subject"], "first");
    assert.deepEqual(asked.splice(0), ["first"]);
    assert.equal((await ask({ "x-second": "1" })).status, 401);
    assert.deepEqual(reasons, ["second says no"]);
    assert.equal((await ask({})).body["subject"], "last");
  });
});

test("secrets are compared to their end", () => {
  assert.ok(equalSecrets("", ""));
  assert.ok(equalSecrets("abc", "abc"));
  for (const [one, other] of [
    ["abc", "abd"],
    ["abc", "ab"],
    ["", "a"],
    ["abc", "abc\0"],
    ["\uffff", "\u0000"],
  ] as const)
    assert.ok(!equalSecrets(one, other) && !equalSecrets(other, one), `${one} ${other}`);
});

test("a prefix that cannot be ends the start", async () => {
  assert.throws(() => apiKeys({ prefix: "At_las", lookup: () => undefined }), /lower-case letters and digits/);
  await assert.rejects(newApiKey(""), /lower-case letters and digits/);
});
