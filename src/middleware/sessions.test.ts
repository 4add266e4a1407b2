import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, contract, err, fault, implement, mutation, ok, query, serve, t } from "../index.ts";
import { manualClock, type ManualClock } from "../testing/index.ts";
import { cookie, memoryKv, sessions, type KvStore } from "./index.ts";

const WrongPassword = fault("WRONG_PASSWORD", { kind: "invalid_argument" });
const signIn = mutation("signIn", {
  access: "public",
  input: { name: t.string(), password: t.string() },
  output: t.nothing(),
  faults: [WrongPassword],
});
const signOut = mutation("signOut", { access: "public", input: {}, output: t.nothing() });
const signOutEverywhere = mutation("signOutEverywhere", { access: "authenticated", input: {}, output: t.nothing() });
const whoAmI = query("whoAmI", {
  access: "authenticated",
  input: {},
  output: { subject: t.string(), tenant: t.string() },
});
const web = contract("web.v1", { signIn, signOut, signOutEverywhere, whoAmI });
const Person = t.object({ subject: t.string(), scopes: t.optional(t.array(t.string())), tenant: t.string() });

function appOn(store: KvStore, clock: ManualClock) {
  const kept = sessions({ store, clock, principal: Person, idle: "30m", absolute: "12h" });
  return implement(web, {
    authenticate: kept.authenticate,
    middleware: [kept.middleware],
    handlers: {
      signIn: async function* ({ input, session }) {
        if (input.password !== "right") return WrongPassword();
        yield* await session.signIn({ subject: input.name, tenant: "t1" });
        return ok();
      },
      signOut: ({ session }) => session.signOut(),
      signOutEverywhere: ({ session }) => session.signOutEverywhere(),
      whoAmI: ({ auth }) => ({ subject: auth.subject, tenant: auth.tenant }),
    },
  });
}

/** A browser, as far as it matters here: it keeps the cookie that it was given. */
class Browser {
  readonly #fetch: (request: Request) => Promise<Response>;
  cookie = "";
  lastSet: string | undefined;

  constructor(app: { readonly fetch: (request: Request) => Promise<Response> }) {
    this.#fetch = app.fetch;
  }

  async send(path: string, body?: object): Promise<number> {
    const response = await this.#fetch(
      new Request(`http://app/${path}`, {
        headers: { cookie: this.cookie, "content-type": "application/json" },
        ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      }),
    );
    const set = (this.lastSet = response.headers.getSetCookie()[0]);
    if (set !== undefined) this.cookie = set.slice(0, set.indexOf(";"));
    await response.body?.cancel();
    return response.status;
  }

  signIn(name = "ann", password = "right"): Promise<number> {
    return this.send("signIn", { name, password });
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.send("whoAmI")) === 200;
  }
}

function bench() {
  const clock = manualClock();
  const kv = memoryKv({ clock });
  const app = appOn(kv, clock);
  return { clock, kv, app, browser: new Browser(app) };
}

test("signing in sets a cookie that no script, no other site and no plain connection gets", async () => {
  const { browser } = bench();
  assert.equal(await browser.isSignedIn(), false);
  assert.equal(await browser.signIn("ann", "wrong"), 400);
  assert.equal(browser.lastSet, undefined);
  assert.equal(await browser.signIn(), 204);
  assert.match(
    browser.lastSet ?? "",
    /^__Host-session=[\w-]{43}; Path=\/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax$/,
  );
  assert.equal(await browser.isSignedIn(), true);
  assert.equal(browser.lastSet, undefined);
});

test("signing out ends the session on the server, not in the browser alone", async () => {
  const { browser } = bench();
  await browser.signIn();
  const stolen = browser.cookie;
  assert.equal(await browser.send("signOut", {}), 204);
  assert.match(browser.lastSet ?? "", /^__Host-session=; .*Max-Age=0$/);
  browser.cookie = stolen;
  assert.equal(await browser.isSignedIn(), false);
});

test("an id that was planted before is worth nothing after, and the session before it has ended", async () => {
  const { browser, app } = bench();
  const planted = `__Host-session=${"A".repeat(43)}`;
  browser.cookie = planted;
  assert.equal(await browser.signIn(), 204);
  assert.notEqual(browser.cookie, planted);
  const first = browser.cookie;
  assert.equal(await browser.signIn("bob"), 204);
  const attacker = new Browser(app);
  for (const cookie of [planted, first]) {
    attacker.cookie = cookie;
    assert.equal(await attacker.isSignedIn(), false);
  }
  assert.equal(await browser.isSignedIn(), true);
});

test("a session that is over is nobody, so that its browser can sign in again", async () => {
  const { browser, clock } = bench();
  await browser.signIn();
  await clock.advance(30 * 60_000);
  assert.equal(await browser.send("signOut", {}), 204);
  assert.equal(await browser.signIn(), 204);
  assert.equal(await browser.isSignedIn(), true);
});

test("a session ends when it is idle, and lives on while it is used", async () => {
  const { browser, clock } = bench();
  await browser.signIn();
  for (let i = 0; i < 10; i++) {
    await clock.advance(29 * 60_000);
    assert.equal(await browser.isSignedIn(), true, `use ${i}`);
  }
  await clock.advance(30 * 60_000);
  assert.equal(await browser.isSignedIn(), false);
});

test("a session ends after its absolute time, however much it is used", async () => {
  const { browser, clock } = bench();
  await browser.signIn();
  for (let minutes = 20; minutes < 720; minutes += 20) {
    await clock.advance(20 * 60_000);
    assert.equal(await browser.isSignedIn(), true, `after ${minutes} minutes`);
  }
  await clock.advance(20 * 60_000);
  assert.equal(await browser.isSignedIn(), false);
});

test("signing out everywhere ends every session of the caller and no other, and new ones can begin", async () => {
  const { browser, app, clock } = bench();
  const [phone, other] = [new Browser(app), new Browser(app)];
  await browser.signIn("ann");
  await phone.signIn("ann");
  await other.signIn("bob");
  await clock.advance(60_000);
  assert.equal(await phone.send("signOutEverywhere", {}), 204);
  assert.equal(await browser.isSignedIn(), false);
  assert.equal(await phone.isSignedIn(), false);
  assert.equal(await other.isSignedIn(), true);
  const old = browser.cookie;
  assert.equal(await browser.signIn("ann"), 204);
  assert.equal(await browser.isSignedIn(), true);
  browser.cookie = old;
  assert.equal(await browser.isSignedIn(), false);
});

test("a session that is used while it ends does not come back", async () => {
  const clock = manualClock();
  const kv = memoryKv({ clock });
  // The record is deleted between the look at it and its renewal.
  const racing: KvStore = {
    maxValueChars: kv.maxValueChars,
    get: (key) => {
      const found = kv.get(key);
      if (key.startsWith("session:")) void kv.delete(key);
      return found;
    },
    set: (...args) => kv.set(...args),
    delete: (...args) => kv.delete(...args),
    advance: (...args) => kv.advance(...args),
  };
  const calm = new Browser(appOn(kv, clock));
  await calm.signIn();
  await clock.advance(10 * 60_000);
  const racer = new Browser(appOn(racing, clock));
  racer.cookie = calm.cookie;
  assert.equal(await racer.isSignedIn(), true);
  assert.equal(await calm.isSignedIn(), false);
});

test("the store holds neither the id nor a subject that it could be taken from", async () => {
  const clock = manualClock();
  const kv = memoryKv({ clock });
  const seen: string[] = [];
  const spying: KvStore = {
    maxValueChars: kv.maxValueChars,
    get: (key) => kv.get(key),
    set: (key, value, options) => {
      seen.push(key, value);
      return kv.set(key, value, options);
    },
    delete: (...args) => kv.delete(...args),
    advance: (...args) => kv.advance(...args),
  };
  const browser = new Browser(appOn(spying, clock));
  await browser.signIn();
  const id = browser.cookie.slice(browser.cookie.indexOf("=") + 1);
  assert.equal(id.length, 43);
  assert.ok(!seen.join("\n").includes(id));
});

test("while its store does not answer, nobody is signed out: the answer is 503", async () => {
  const clock = manualClock();
  const gone = new Proxy({} as KvStore, {
    get: () => async () => err(new Fault("STORE_UNAVAILABLE", "unavailable", { reason: "gone" }, "gone")),
  });
  const browser = new Browser(appOn(gone, clock));
  assert.equal(await browser.signIn(), 503);
  browser.cookie = `__Host-session=${"A".repeat(43)}`;
  assert.equal(await browser.send("whoAmI"), 503);
  assert.equal(await browser.send("signOut", {}), 503);
});

test("ids that are none do not reach the store", async () => {
  const { browser, kv } = bench();
  for (const value of ["", "x", "A".repeat(44), "A".repeat(42) + "!", "%41"]) {
    browser.cookie = `__Host-session=${value}`;
    assert.equal(await browser.isSignedIn(), false);
  }
  assert.equal(kv.size, 0);
});

test("a session works through a real socket", async () => {
  const clock = manualClock();
  const server = await serve(appOn(memoryKv({ clock }), clock), { port: 0, signals: [], log: false });
  try {
    const browser = new Browser({
      fetch: async (request) => {
        const url = new URL(request.url);
        const body = request.method === "POST" ? await request.text() : undefined;
        return fetch(server.url + url.pathname, {
          method: request.method,
          headers: request.headers,
          ...(body !== undefined && { body }),
        });
      },
    });
    assert.equal(await browser.signIn(), 204);
    assert.equal(await browser.isSignedIn(), true);
  } finally {
    await server.stop();
  }
});

test("times and cookies that cannot be end the start", () => {
  const store = memoryKv();
  assert.throws(() => sessions({ store, idle: "2h", absolute: "1h" }), /at least as long as idle/);
  assert.throws(() => sessions({ store, idle: 10 }), /at least 1 s/);
  assert.throws(() => sessions({ store, cookie: { secure: false } }), /needs secure/);
  assert.ok(sessions({ store, cookie: { name: "session", secure: false } }));
  assert.ok(cookie("session", { secure: false }));
});
