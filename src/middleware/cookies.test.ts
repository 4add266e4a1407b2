import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contract, implement, mutation, ok, query, serve, t } from "../index.ts";
import { cookie, cookies, type Cookie } from "./index.ts";
import { cookieSuffix, decodeCookieText, encodeCookieText, parseCookies, writeCookie } from "./cookie-syntax.ts";

const key = "k".repeat(16) + "0123456789abcdef";
const newer = "n".repeat(16) + "0123456789abcdef";

const theme = cookie("theme", { schema: t.enum(["light", "dark"]), maxAge: "30d", httpOnly: false });
const visit = cookie("__Host-visit", { schema: t.int32(), signed: true });
const user = cookie("user", { signed: true });

const read = query("read", {
  access: "public",
  input: {},
  output: { theme: t.optional(t.string()), visit: t.optional(t.int32()), user: t.optional(t.string()) },
});
const write = mutation("write", {
  access: "public",
  input: { theme: t.optional(t.enum(["light", "dark"])) },
  output: t.nothing(),
});
const demo = contract("demo.v1", { read, write });

function appWith(keys: readonly string[]) {
  return implement(demo, {
    middleware: [cookies([theme, visit, user], { keys })],
    handlers: {
      read: ({ cookies: jar }) => {
        const [a, b, c] = [jar.get(theme), jar.get(visit), jar.get(user)];
        return {
          ...(a !== undefined && { theme: a }),
          ...(b !== undefined && { visit: b }),
          ...(c !== undefined && { user: c }),
        };
      },
      write: ({ input, cookies: jar }) => {
        if (input.theme === undefined) jar.delete(theme);
        else jar.set(theme, input.theme);
        jar.set(visit, (jar.get(visit) ?? 0) + 1);
        jar.set(user, "ann; drop=1, ü");
        assert.equal(jar.get(user), "ann; drop=1, ü");
        return ok();
      },
    },
  });
}

async function send(app: ReturnType<typeof appWith>, path: string, header?: string, body?: object) {
  const response = await app.fetch(
    new Request(`http://app/${path}`, {
      headers: { ...(header !== undefined && { cookie: header }), "content-type": "application/json" },
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? undefined : (JSON.parse(text) as unknown),
    set: response.headers.getSetCookie(),
  };
}

/** What a browser would send back. */
function pairs(set: readonly string[]): string {
  return set.map((line) => line.slice(0, line.indexOf(";"))).join("; ");
}

test("cookies go out with safe attributes, and come back typed, over a real socket too", async () => {
  const server = await serve(appWith([key]), { port: 0, signals: [], log: false });
  try {
    const body = JSON.stringify({ theme: "dark" });
    const written = await fetch(`${server.url}/write`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    const set = written.headers.getSetCookie();
    assert.equal(written.status, 204);
    assert.equal(set[0], "theme=dark; Path=/; Max-Age=2592000; Secure; SameSite=Lax");
    assert.match(set[1] as string, /^__Host-visit=1\.[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
    assert.match(set[2] as string, /^user=ann%3B%20drop=1%2C%20%C3%BC\.[\w-]{43}; Path=/);
    const answer = await fetch(`${server.url}/read`, { headers: { cookie: pairs(set) } });
    assert.deepEqual(await answer.json(), { theme: "dark", visit: 1, user: "ann; drop=1, ü" });
  } finally {
    await server.stop();
  }
});

test("a deleted cookie is taken back with the same path and no time", async () => {
  const { set } = await send(appWith([key]), "write", "theme=dark", {});
  assert.equal(set[0], "theme=; Path=/; Secure; SameSite=Lax; Max-Age=0");
});

test("what does not fit its schema is not there", async () => {
  assert.deepEqual((await send(appWith([key]), "read", "theme=blue")).body, {});
  assert.deepEqual((await send(appWith([key]), "read", "theme=%zz")).body, {});
  assert.deepEqual((await send(appWith([key]), "read", "theme")).body, {});
  assert.deepEqual((await send(appWith([key]), "read", 'a=1; theme="light"; theme=dark')).body, { theme: "light" });
});

test("a signed cookie without a valid signature is not there", async () => {
  const app = appWith([key]);
  const { set } = await send(app, "write", undefined, {});
  const [, visited = "", named = ""] = set.map((line) => line.slice(0, line.indexOf(";")));
  assert.deepEqual((await send(app, "read", visited)).body, { visit: 1 });
  assert.deepEqual((await send(app, "read", visited.replace("=1.", "=2."))).body, {});
  assert.deepEqual((await send(app, "read", visited.slice(0, -1))).body, {});
  assert.deepEqual((await send(app, "read", "__Host-visit=1")).body, {});
  assert.deepEqual((await send(app, "read", "__Host-visit=.")).body, {});
  // The signature of one cookie is not one of another with the same value.
  const moved = named.replace(/^user=/, "__Host-visit=");
  assert.deepEqual((await send(app, "read", moved)).body, {});
});

test("keys are changed without a break: all are accepted, the first signs", async () => {
  const { set } = await send(appWith([key]), "write", undefined, {});
  assert.deepEqual((await send(appWith([newer, key]), "read", pairs(set))).body, { visit: 1, user: "ann; drop=1, ü" });
  assert.deepEqual((await send(appWith([newer]), "read", pairs(set))).body, {});
  const renewed = await send(appWith([newer, key]), "write", pairs(set), {});
  assert.deepEqual((await send(appWith([newer]), "read", pairs(renewed.set))).body, {
    visit: 2,
    user: "ann; drop=1, ü",
  });
});

test("any text survives the way through a cookie", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
      const value = encodeCookieText(text);
      const line = writeCookie("c", value, cookieSuffix("c", {}));
      const header = `first=1; ${line.slice(0, line.indexOf(";"))}; last=2`;
      assert.equal(decodeCookieText(parseCookies(header).get("c") as string), text);
    }),
  );
});

test("any value survives the way through a cookie with a schema", () => {
  const schemas: readonly [Cookie<never, unknown>, fc.Arbitrary<unknown>][] = [
    [
      cookie("c", { schema: t.string() }),
      fc.oneof(fc.string(), fc.constantFrom("5", "null", "true", '"x"', "{}", " 1")),
    ],
    [cookie("c", { schema: t.nullable(t.string()) }), fc.oneof(fc.string(), fc.constantFrom(null, "null"))],
    [
      cookie("c", { schema: t.json() }),
      fc.jsonValue({ depthSize: "small" }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
    ],
    [cookie("c", { schema: t.timestamp() }), fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })],
    [
      cookie("c", { schema: t.object({ n: t.int(), s: t.array(t.string()) }) }),
      fc.record({ n: fc.integer(), s: fc.array(fc.string()) }, { noNullPrototype: true }),
    ],
  ];
  for (const [declared, values] of schemas) {
    fc.assert(fc.property(values, (value) => assert.deepEqual(declared.read(declared.write(value as never)), value)));
  }
});

test("nothing in a Cookie header is worse than no cookie", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "=", ";", " ", '"', "%", "\u00ff", ",", "__proto__", "\t"), { maxLength: 30 }),
      (parts) => {
        for (const [name, value] of parseCookies(parts.join(""))) {
          assert.match(name, /^[\w%]+$/);
          assert.doesNotMatch(value, /[",; \t\u00ff]/);
        }
      },
    ),
  );
  assert.equal(parseCookies("a=1;".repeat(100_000)).size, 1);
});

test("what browsers would refuse ends the start", () => {
  assert.throws(() => cookie("a b"), /letters, digits/);
  assert.throws(() => cookie("__Host-a", { domain: "example.com" }), /path "\/" and no domain/);
  assert.throws(() => cookie("__hOST-a", { path: "/x" }), /path "\/" and no domain/);
  assert.throws(() => cookie("__Secure-a", { secure: false }), /needs secure/);
  assert.throws(() => cookie("__Host-Http-a", { httpOnly: false }), /needs httpOnly/);
  assert.throws(() => cookie("a", { sameSite: "none", secure: false }), /needs secure/);
  assert.throws(() => cookie("a", { partitioned: true, secure: false }), /needs secure/);
  assert.throws(() => cookie("a", { path: "/a;b" }), /path begins/);
  assert.throws(() => cookie("a", { domain: "-a.com" }), /is not a domain/);
  assert.throws(() => cookie("a", { maxAge: "401d" }), /400 days/);
  assert.throws(() => cookies([user]), /at least one key/);
  assert.throws(() => cookies([user], { keys: ["short"] }), /32 random characters/);
  assert.throws(() => cookies([theme, cookie("theme")]), /same name/);
});

test("a cookie that is too long, or of another list, is a mistake in the program", async () => {
  assert.throws(() => user.set("x".repeat(4096)), /browsers drop/);
  const other = cookie("other");
  const app = implement(contract("demo.v1", { read }), {
    middleware: [cookies([theme])],
    handlers: { read: ({ cookies: jar }) => ({ theme: jar.get(other) ?? "" }) },
  });
  const answer = await app.fetch(new Request("http://app/read"));
  assert.equal(answer.status, 500);
});
