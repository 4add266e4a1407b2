import assert from "node:assert/strict";
import { test } from "node:test";
import type { Authenticate, Principal } from "../index.ts";
import { manualClock, type ManualClock } from "../testing/index.ts";
import {
  cors,
  memoryKv,
  rateLimit,
  refuseCaller,
  trustProxy,
  type EarlyRateLimitOptions,
  type KvStore,
} from "./index.ts";
import { withApp, type Bench } from "./testing/app-of.ts";

interface Attempts {
  asked: number;
}

/** `x-password: right` is Ann; anything else is wrong, and how often that was looked at is counted. */
function passwords(attempts: Attempts): Authenticate<Principal> {
  return (request) => {
    const password = request.header("x-password");
    if (password === undefined) return undefined;
    attempts.asked++;
    return password === "right" ? { subject: "ann" } : refuseCaller("wrong password");
  };
}

type Given = Omit<EarlyRateLimitOptions, "store" | "before"> & { readonly store?: (clock: ManualClock) => KvStore };

async function guarded(
  { store = (clock) => memoryKv({ clock }), ...options }: Given,
  body: (bench: Bench, clock: ManualClock, attempts: Attempts) => Promise<void>,
): Promise<void> {
  const clock = manualClock();
  const attempts = { asked: 0 };
  const limit = rateLimit({ before: "authentication", store: store(clock), ...options });
  // As `implement` takes it; what it adds to the faults is no matter of this list's type.
  await withApp(passwords(attempts), (bench) => body(bench, clock, attempts), [limit] as never);
}

const wrong = { "x-password": "guess" };
const right = { "x-password": "right" };

test("before authentication, guesses over the limit are refused and nobody looks at them", () =>
  guarded({ limit: 3, window: "3m" }, async ({ ask }, clock, attempts) => {
    for (let i = 0; i < 3; i++) assert.equal((await ask(wrong)).status, 401);
    const refused = await ask(right);
    assert.deepEqual(
      [refused.status, refused.body["code"], refused.headers.get("retry-after"), refused.headers.get("content-type")],
      [429, "RATE_LIMITED", "60", "application/problem+json"],
    );
    assert.deepEqual(refused.body["data"], { retryAfter: "60s" });
    assert.equal(refused.headers.get("ratelimit-policy"), '"default";q=3;w=180');
    assert.equal(refused.headers.get("ratelimit"), '"default";r=0;t=180');
    assert.notEqual(refused.headers.get("x-request-id"), null);
    assert.equal(attempts.asked, 3);
    await clock.advance(60_000);
    assert.equal((await ask(right)).status, 200);
    assert.equal((await ask(right)).status, 429);
  }));

test("before authentication, what leads nowhere counts too, and clients count apart", () =>
  guarded({ limit: 2, clientAddress: trustProxy({ hops: 1 }) }, async ({ ask }) => {
    const from = async (address: string, path: string): Promise<number> =>
      (await ask({ "x-forwarded-for": address }, path)).status;
    assert.deepEqual(
      [await from("192.0.2.1", "/nowhere"), await from("192.0.2.1", "/anyone"), await from("192.0.2.1", "/anyone")],
      [404, 200, 429],
    );
    assert.equal(await from("192.0.2.2", "/anyone"), 200);
    assert.equal(await from("2001:db8:0:1::1", "/anyone"), 200);
    assert.equal(await from("2001:db8:0:1::2", "/anyone"), 200);
    assert.equal(await from("2001:db8:0:1:9::3", "/anyone"), 429);
  }));

/** What a limit uses of a store, but every answer is a promise, as from a file or over a network. */
function later(store: KvStore): KvStore {
  return { advance: async (...step: Parameters<KvStore["advance"]>) => store.advance(...step) } as KvStore;
}

for (const [kind, wrap] of [
  ["at once", (store: KvStore) => store],
  ["later", later],
] as const) {
  test(`charge: "failures" counts guesses alone, with a store that answers ${kind}`, () =>
    guarded(
      { limit: 3, window: "3m", charge: "failures", store: (clock) => wrap(memoryKv({ clock })) },
      async ({ ask }, clock, attempts) => {
        for (let i = 0; i < 10; i++) assert.equal((await ask(right)).status, 200);
        assert.equal((await ask(right)).headers.get("ratelimit"), '"default";r=3;t=0');
        for (let left = 2; left >= 0; left--) {
          const guess = await ask(wrong);
          assert.deepEqual(
            [guess.status, guess.headers.get("ratelimit")],
            [401, `"default";r=${left};t=${180 - left * 60}`],
          );
        }
        const before = attempts.asked;
        const refused = await ask(right);
        assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "60"]);
        // A refusal is not charged: who keeps knocking is not kept out for longer.
        for (let i = 0; i < 5; i++) assert.equal((await ask(wrong)).headers.get("retry-after"), "60");
        assert.equal(attempts.asked, before);
        await clock.advance(60_000);
        for (let i = 0; i < 5; i++) assert.equal((await ask(right)).status, 200);
        assert.equal((await ask(wrong)).status, 401);
        assert.equal((await ask(right)).status, 429);
      },
    ));
}

test('charge: "failures" charges all guesses that were sent at once, over the burst too', async () => {
  const clock = manualClock();
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  let waiting = 0;
  const together: Authenticate<Principal> = async (request) => {
    if (request.header("x-password") !== "guess") return { subject: "ann" };
    if (++waiting === 6) open();
    await gate;
    return refuseCaller("wrong password");
  };
  const limit = rateLimit({
    before: "authentication",
    charge: "failures",
    limit: 2,
    window: "2m",
    store: memoryKv({ clock }),
  });
  await withApp(
    together,
    async ({ ask }) => {
      // All six are let in, because none had failed yet.
      const statuses = (await Promise.all(Array.from({ length: 6 }, () => ask(wrong)))).map(({ status }) => status);
      assert.deepEqual(statuses, [401, 401, 401, 401, 401, 401]);
      // Six minutes' worth: one call is there again when five of them are over.
      assert.equal((await ask(right)).headers.get("retry-after"), "300");
      await clock.advance(299_000);
      assert.equal((await ask(right)).status, 429);
      await clock.advance(1000);
      assert.equal((await ask(right)).status, 200);
    },
    [limit] as never,
  );
});

test('charge: "failures" leaves no record of clients that fail nowhere', () => {
  const clock = manualClock();
  const store = memoryKv({ clock, maxEntries: 16 });
  return guarded(
    { limit: 1, charge: "failures", store: () => store, clientAddress: trustProxy({ hops: 1 }) },
    async ({ ask }) => {
      const from = { "x-forwarded-for": "192.0.2.1" };
      assert.equal((await ask({ ...wrong, ...from })).status, 401);
      for (let i = 0; i < 64; i++)
        assert.equal((await ask({ ...right, "x-forwarded-for": `198.51.100.${i}` })).status, 200);
      assert.equal((await ask({ ...wrong, ...from })).status, 429);
      assert.equal(store.size, 1);
    },
  );
});

test("middleware outside of it dresses the refusal, and answers what it answers itself uncounted", async () => {
  const limit = rateLimit({ before: "authentication", limit: 1 });
  await withApp(
    passwords({ asked: 0 }),
    async ({ ask, server }) => {
      const origin = { origin: "https://app.example" };
      for (let i = 0; i < 3; i++) {
        const preflight = await fetch(`${server.url}/anyone`, {
          method: "OPTIONS",
          headers: { ...origin, "access-control-request-method": "POST" },
        });
        assert.equal(preflight.status, 204);
      }
      assert.equal((await ask(origin, "/anyone")).status, 200);
      const refused = await ask(origin, "/anyone");
      assert.deepEqual(
        [refused.status, refused.headers.get("access-control-allow-origin")],
        [429, "https://app.example"],
      );
    },
    [cors({ origins: ["https://app.example"] }), limit] as never,
  );
});

test("while its store does not answer, requests are let in, or not, as was said", async () => {
  const broken = (): KvStore =>
    new Proxy({} as KvStore, {
      get: () => () => ({ ok: false, fault: { code: "STORE_UNAVAILABLE" } }),
    });
  for (const charge of ["all", "failures"] as const) {
    await guarded({ limit: 1, charge, store: broken }, async ({ ask }) => {
      for (let i = 0; i < 3; i++) assert.equal((await ask(wrong)).status, 401);
    });
    await guarded({ limit: 1, charge, store: broken, whenStoreFails: "refuse" }, async ({ ask }) => {
      assert.equal((await ask(right)).status, 429);
    });
  }
});

test("headers: false says nothing but Retry-After", () =>
  guarded({ limit: 1, headers: false }, async ({ ask }) => {
    await ask(right);
    const { status, headers } = await ask(right);
    assert.deepEqual([status, headers.get("ratelimit"), headers.get("ratelimit-policy")], [429, null, null]);
    assert.notEqual(headers.get("retry-after"), null);
  }));

test("what is not known before authentication ends the start", () => {
  const make = (options: object) => () => rateLimit({ limit: 1, ...options });
  assert.throws(make({ before: "authentication", by: "caller" }), /by is "client"/);
  assert.throws(make({ before: "authentication", by: () => "x" }), /by is "client"/);
  assert.throws(make({ before: "authentication", perOperation: true }), /perOperation/);
  assert.throws(make({ before: "authentication", cost: () => 1 }), /cost by operation/);
  assert.throws(make({ before: "authentication", charge: "successes" }), /charge is "all" or "failures"/);
  assert.throws(make({ before: "authentication", charge: "failures", cost: 0 }), /cost nothing/);
  assert.throws(make({ before: "breakfast" }), /before is "authentication"/);
  assert.throws(make({ charge: "failures" }), /charge needs before/);
});
