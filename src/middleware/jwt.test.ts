import assert from "node:assert/strict";
import { test } from "node:test";
import { SignJWT, UnsecuredJWT, exportSPKI, importJWK, type JWK } from "jose";
import { t } from "../index.ts";
import { manualClock, type ManualClock } from "../testing/index.ts";
import { jwt, type JwtOptions } from "./index.ts";
import { withApp, type Bench } from "./testing/app-of.ts";
import { startIssuer, type Issuer } from "./testing/issuer.ts";

interface Rig extends Bench {
  readonly issuer: Issuer;
  readonly clock: ManualClock;
  bearer(token: string): Promise<number>;
}

async function rig(body: (rig: Rig) => Promise<void>, more: Partial<JwtOptions<never, never>> = {}): Promise<void> {
  const clock = manualClock();
  const issuer = await startIssuer(() => clock.now());
  const options = {
    issuer: issuer.url,
    audience: "atlas",
    algorithms: ["ES256"],
    jwks: issuer.jwks,
    clock,
    ...more,
  } as const;
  try {
    await withApp(jwt(options), async (bench) => {
      await body({
        ...bench,
        issuer,
        clock,
        bearer: async (token) => (await bench.ask({ authorization: `Bearer ${token}` })).status,
      });
    });
  } finally {
    issuer.close();
  }
}

test("a valid token is a caller, with its subject and scopes", () =>
  rig(async ({ ask, issuer }) => {
    const token = await issuer.sign({ scope: "cities:read cities:write" });
    const answer = await ask({ authorization: `Bearer ${token}` });
    assert.deepEqual(answer.body, { subject: "ann", scopes: ["cities:read", "cities:write"] });
    assert.equal((await ask({ authorization: `bearer  ${token}` })).status, 200);
  }));

test("no token is nobody; a wrong one is refused everywhere, and its sender learns nothing but that", () =>
  rig(async ({ ask, issuer, reasons }) => {
    assert.equal((await ask({})).challenge, "Bearer");
    assert.deepEqual((await ask({}, "/anyone")).body, { subject: "nobody" });
    assert.deepEqual((await ask({ authorization: "Basic YTpi" }, "/anyone")).body, { subject: "nobody" });
    const expired = await issuer.sign({ exp: 1 });
    for (const path of ["/whoAmI", "/anyone"]) {
      const refused = await ask({ authorization: `Bearer ${expired}` }, path);
      assert.equal(refused.status, 401);
      assert.equal(refused.challenge, 'Bearer error="invalid_token"');
      assert.equal(refused.body["detail"], "The credentials are not valid.");
      assert.doesNotMatch(JSON.stringify(refused.body), /exp/);
    }
    assert.match(reasons[0] ?? "", /"exp"/);
    const broken = await ask({ authorization: "Bearer a b" });
    assert.equal(broken.challenge, 'Bearer error="invalid_request"');
    assert.equal((await ask({ authorization: `Bearer ${"a".repeat(17_000)}` })).status >= 400, true);
  }));

test("everything that a token can get wrong is refused", () =>
  rig(async ({ bearer, issuer, clock, reasons }) => {
    const now = Math.floor(clock.now() / 1000);
    const good = await issuer.sign({});
    assert.equal(await bearer(good), 200);
    const [head = "", payload = "", signature = ""] = good.split(".");
    const otherPayload = Buffer.from(
      JSON.stringify({ iss: issuer.url, aud: "atlas", sub: "root", exp: now + 9 }),
    ).toString("base64url");
    const wrong: { readonly [what: string]: string } = {
      "another audience": await issuer.sign({ aud: "other" }),
      "another issuer": await issuer.sign({ iss: "https://evil.example" }),
      expired: await issuer.sign({ exp: now - 6 }),
      "not valid yet": await issuer.sign({ nbf: now + 60 }),
      "no expiry": await issuer.sign({ exp: undefined }),
      "no audience": await issuer.sign({ aud: undefined }),
      "no subject": await issuer.sign({ sub: undefined }),
      "an empty subject": await issuer.sign({ sub: "" }),
      "scopes that are no list": await issuer.sign({ scope: { admin: true } }),
      "a type for something else": await issuer.sign({}, { typ: "logout+jwt" }),
      "another payload": [head, otherPayload, signature].join("."),
      "a cut signature": good.slice(0, -2),
      "no signature": `${head}.${payload}.`,
      "no algorithm": new UnsecuredJWT({ sub: "root" })
        .setIssuer(issuer.url)
        .setAudience("atlas")
        .setExpirationTime(now + 60)
        .encode(),
      nonsense: "nonsense",
    };
    for (const [what, token] of Object.entries(wrong)) assert.equal(await bearer(token), 401, what);
    assert.equal(reasons.length, Object.keys(wrong).length);
    // Within the tolerance of 5 s.
    assert.equal(await bearer(await issuer.sign({ exp: now - 4 })), 200);
  }));

test("a public key is never taken for a shared secret", () =>
  rig(async ({ bearer, issuer, clock }) => {
    const now = Math.floor(clock.now() / 1000);
    const jwk = issuer.publicKeys()[0] as JWK;
    const pem = await exportSPKI((await importJWK(jwk, "ES256")) as CryptoKey);
    for (const secret of [pem, JSON.stringify(jwk)]) {
      const forged = await new SignJWT({ iss: issuer.url, aud: "atlas", sub: "root", exp: now + 60 })
        .setProtectedHeader({ alg: "HS256", ...(jwk.kid !== undefined && { kid: jwk.kid }) })
        .sign(new TextEncoder().encode(secret));
      assert.equal(await bearer(forged), 401);
    }
  }));

test("an issuer that publishes a shared secret, or a private key, does not get it used", () =>
  rig(async ({ bearer, issuer, clock }) => {
    const now = Math.floor(clock.now() / 1000);
    const secret = "s".repeat(32);
    const k = Buffer.from(secret).toString("base64url");
    issuer.answer = (response) => response.end(JSON.stringify({ keys: [{ kty: "oct", kid: "o", alg: "HS256", k }] }));
    const forged = await new SignJWT({ iss: issuer.url, aud: "atlas", sub: "root", exp: now + 60 })
      .setProtectedHeader({ alg: "HS256", kid: "o" })
      .sign(new TextEncoder().encode(secret));
    assert.equal(await bearer(forged), 401);
  }));

test("keys are fetched once, however many ask at once, and again when they are old", () =>
  rig(async ({ bearer, issuer, clock }) => {
    const token = await issuer.sign({ exp: 1e11 });
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => bearer(token)))), new Set([200]));
    assert.equal(issuer.asked, 1);
    await clock.advance(599_000);
    await bearer(token);
    assert.equal(issuer.asked, 1);
    await clock.advance(2000);
    assert.equal(await bearer(token), 200);
    assert.equal(issuer.asked, 2);
  }));

test("a new key is found, but strangers' keys do not make us ask more than once in the cooldown", () =>
  rig(async ({ bearer, issuer, clock }) => {
    assert.equal(await bearer(await issuer.sign({})), 200);
    await issuer.rotate();
    const rotated = await issuer.sign({});
    assert.equal(await bearer(rotated), 401);
    assert.equal(issuer.asked, 1);
    await clock.advance(31_000);
    assert.equal(await bearer(rotated), 200);
    assert.equal(issuer.asked, 2);
    for (let i = 0; i < 20; i++) assert.equal(await bearer(await issuer.sign({}, { kid: `stranger-${i}` })), 401);
    assert.equal(issuer.asked, 2);
  }));

test("a key that the issuer has taken back is not accepted after the next fetch", () =>
  rig(async ({ bearer, issuer, clock }) => {
    const token = await issuer.sign({ exp: 1e11 });
    assert.equal(await bearer(token), 200);
    await issuer.rotate(true);
    await clock.advance(601_000);
    assert.equal(await bearer(token), 401);
  }));

test("while the issuer is down, old keys serve for an hour; then the answer is 503, not 401", () =>
  rig(async ({ ask, bearer, issuer, clock, reasons }) => {
    const token = await issuer.sign({ exp: 1e11 });
    assert.equal(await bearer(token), 200);
    issuer.answer = (response) => response.writeHead(500).end("broken");
    await clock.advance(601_000);
    assert.equal(await bearer(token), 200);
    assert.equal(issuer.asked, 2);
    assert.equal(await bearer(token), 200);
    assert.equal(issuer.asked, 2);
    await clock.advance(3_600_000);
    const refused = await ask({ authorization: `Bearer ${token}` });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "5");
    assert.equal(refused.body["code"], "UNAVAILABLE");
    assert.ok(reasons.length > 0);
    issuer.answer = undefined;
    await clock.advance(31_000);
    assert.equal(await bearer(token), 200);
  }));

for (const [what, answer] of Object.entries({
  "something that is no JSON": "<html>",
  "no key set": '{"keys":{}}',
  "a redirect": 302,
  "a set of too many keys": JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: "EC" })) }),
  "a body without end": "x".repeat(300_000),
})) {
  test(`an issuer that answers ${what} gives no keys`, () =>
    rig(async ({ bearer, issuer }) => {
      issuer.answer = (response) => {
        if (typeof answer === "number") response.writeHead(answer, { location: `${issuer.url}/other` }).end();
        else response.end(answer);
      };
      assert.equal(await bearer(await issuer.sign({})), 503);
      assert.equal(issuer.asked, 1);
    }));
}

test("an issuer that stalls, before or within its answer, is given up in time", () =>
  rig(async ({ bearer, issuer, clock }) => {
    for (const begin of [false, true]) {
      const arrived = new Promise<void>((resolve) => {
        issuer.answer = (response) => {
          if (begin) response.write('{"keys":[');
          resolve();
        };
      });
      const answer = bearer(await issuer.sign({}));
      await arrived;
      await clock.advance(5000);
      assert.equal(await answer, 503);
      await clock.advance(31_000);
    }
  }));

test("keys that do not change are given, and shared secrets are replaced without a break", async () => {
  const clock = manualClock();
  const issuer = await startIssuer(() => clock.now(), "RS256");
  const base = { issuer: issuer.url, audience: ["other", "atlas"], clock };
  await withApp(jwt({ ...base, algorithms: ["RS256"], keys: issuer.publicKeys() }), async ({ ask }) => {
    assert.equal((await ask({ authorization: `Bearer ${await issuer.sign({})}` })).status, 200);
    assert.equal(issuer.asked, 0);
  });
  const [old, fresh] = ["o".repeat(32), "f".repeat(32)];
  await withApp(jwt({ ...base, algorithms: ["HS256"], secrets: [fresh, old] }), async ({ ask }) => {
    for (const [secret, status] of [
      [old, 200],
      [fresh, 200],
      ["x".repeat(32), 401],
    ] as const) {
      const token = await new SignJWT({ iss: issuer.url, aud: "atlas", sub: "ann", exp: clock.now() / 1000 + 60 })
        .setProtectedHeader({ alg: "HS256" })
        .sign(new TextEncoder().encode(secret));
      assert.equal((await ask({ authorization: `Bearer ${token}` })).status, status);
    }
  });
  issuer.close();
});

test("claims are read by a schema, and make a caller of the application's own", async () => {
  const clock = manualClock();
  const issuer = await startIssuer(() => clock.now());
  const authenticate = jwt({
    issuer: issuer.url,
    audience: "atlas",
    algorithms: ["ES256"],
    keys: issuer.publicKeys(),
    clock,
    claims: { sub: t.string(), tenant: t.string(), roles: t.default(t.array(t.string()), []) },
    principal: ({ sub, tenant, roles }) =>
      tenant === "closed" ? undefined : { subject: `${tenant}/${sub}`, scopes: roles },
  });
  await withApp(authenticate, async ({ ask, reasons }) => {
    const asked = async (claims: object) => ask({ authorization: `Bearer ${await issuer.sign({ ...claims })}` });
    assert.deepEqual((await asked({ tenant: "t1", roles: ["admin"] })).body, { subject: "t1/ann", scopes: ["admin"] });
    assert.equal((await asked({})).status, 401);
    assert.equal((await asked({ tenant: 7 })).status, 401);
    assert.equal((await asked({ tenant: "closed" })).status, 401);
    assert.match(reasons[0] ?? "", /claims do not fit/);
  });
  issuer.close();
});

test("options that leave a door open end the start", () => {
  const base = { issuer: "https://id.example", audience: "atlas", jwks: "https://id.example/jwks.json" };
  const secret = "s".repeat(32);
  const { jwks: _, ...noKeys } = base;
  assert.throws(() => jwt({ ...base, algorithms: [] }), /name the algorithms/);
  assert.throws(() => jwt({ ...base, algorithms: ["none" as "ES256"] }), /"none" is not one of/);
  assert.throws(() => jwt({ ...base, algorithms: ["ES256", "HS256"] }), /secrets go with HS256/);
  assert.throws(() => jwt({ ...noKeys, algorithms: ["HS256", "RS256"], secrets: [secret] }), /secrets go with HS256/);
  assert.throws(() => jwt({ ...noKeys, algorithms: ["HS256"], secrets: ["short"] }), /32 random characters/);
  assert.throws(() => jwt({ ...noKeys, algorithms: ["ES256"] }), /one of jwks/);
  assert.throws(() => jwt({ ...base, algorithms: ["ES256"], keys: [] }), /one of jwks/);
  assert.throws(() => jwt({ ...base, algorithms: ["ES256"], jwks: "http://id.example/jwks.json" }), /https: address/);
  assert.throws(() => jwt({ ...base, algorithms: ["ES256"], audience: "" }), /audience/);
  assert.throws(() => jwt({ ...noKeys, algorithms: ["ES256"], keys: [{ kty: "EC", d: "x" }] }), /public JWKs/);
  assert.throws(() => jwt({ ...base, algorithms: ["ES256"], clockTolerance: "1h" }), /at most 5 min/);
});
