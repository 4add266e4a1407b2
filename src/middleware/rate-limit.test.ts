import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault, err, type Authenticate, type Principal } from "../index.ts";
import { manualClock, type ManualClock } from "../testing/index.ts";
import { memoryKv, rateLimit, trustProxy, type KvStore, type RateLimitOptions } from "./index.ts";
import { withApp, type Bench } from "./testing/app-of.ts";

const byHeader: Authenticate<Principal> = (request) => {
  const subject = request.header("x-user");
  return subject === undefined ? undefined : { subject };
};

async function limited(
  options: Omit<RateLimitOptions, "store"> & { readonly store?: KvStore },
  body: (bench: Bench, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = manualClock();
  await withApp(byHeader, (bench) => body(bench, clock), [
    rateLimit({ store: memoryKv({ clock }), ...options }),
  ] as never);
}

test("calls over the limit are refused with the time to wait, and come back one by one", () =>
  limited({ limit: 60, window: "1m", burst: 3 }, async ({ ask }, clock) => {
    const call = async () => {
      const { status, headers, body } = await ask({}, "/anyone");
      return [status, headers.get("ratelimit"), headers.get("retry-after"), body["code"] ?? ""];
    };
    assert.deepEqual(await call(), [200, '"default";r=2;t=1', null, ""]);
    assert.deepEqual(await call(), [200, '"default";r=1;t=2', null, ""]);
    assert.deepEqual(await call(), [200, '"default";r=0;t=3', null, ""]);
    assert.deepEqual(await call(), [429, '"default";r=0;t=3', "1", "RATE_LIMITED"]);
    await clock.advance(400);
    const { body, headers } = await ask({}, "/anyone");
    assert.deepEqual(body["data"], { retryAfter: "0.600s" });
    assert.equal(headers.get("ratelimit-policy"), '"default";q=60;w=60');
    await clock.advance(600);
    assert.equal((await call())[0], 200);
    assert.equal((await call())[0], 429);
    await clock.advance(3000);
    assert.deepEqual(
      [(await call())[0], (await call())[0], (await call())[0], (await call())[0]],
      [200, 200, 200, 429],
    );
  }));

test("callers count apart, and who is not signed in by address", () =>
  limited({ limit: 1 }, async ({ ask }) => {
    assert.equal((await ask({ "x-user": "ann" })).status, 200);
    assert.equal((await ask({ "x-user": "ann" })).status, 429);
    assert.equal((await ask({ "x-user": "bob" })).status, 200);
    assert.equal((await ask({}, "/anyone")).status, 200);
    assert.equal((await ask({}, "/anyone")).status, 429);
    // A caller who may not call at all is refused as such.
    assert.equal((await ask({})).status, 401);
  }));

test("behind a proxy that is trusted, the client's address counts, an IPv6 one by its /64", () =>
  limited({ limit: 1, by: "client", clientAddress: trustProxy({ hops: 1 }) }, async ({ ask }) => {
    const from = async (address: string): Promise<number> =>
      (await ask({ "x-forwarded-for": address }, "/anyone")).status;
    assert.equal(await from("192.0.2.1"), 200);
    assert.equal(await from("6.6.6.6, 192.0.2.1"), 429);
    assert.equal(await from("192.0.2.2"), 200);
    assert.equal(await from("2001:db8:0:1::1"), 200);
    assert.equal(await from("2001:db8:0:1:ffff::2"), 429);
    assert.equal(await from("2001:db8:0:2::1"), 200);
  }));

test("without trust, a header changes nothing", () =>
  limited({ limit: 1, by: "client" }, async ({ ask }) => {
    assert.equal((await ask({ "x-forwarded-for": "192.0.2.1" }, "/anyone")).status, 200);
    assert.equal((await ask({ "x-forwarded-for": "192.0.2.2" }, "/anyone")).status, 429);
  }));

test("operations count apart where that is asked for, keys can be anything, and some calls are free or dear", async () => {
  await limited({ limit: 1, perOperation: true }, async ({ ask }) => {
    assert.equal((await ask({ "x-user": "ann" }, "/anyone")).status, 200);
    assert.equal((await ask({ "x-user": "ann" }, "/whoAmI")).status, 200);
    assert.equal((await ask({ "x-user": "ann" }, "/whoAmI")).status, 429);
  });
  await limited({ limit: 1, by: (call) => call.header("x-plan") }, async ({ ask }) => {
    for (let i = 0; i < 3; i++) assert.equal((await ask({}, "/anyone")).status, 200);
    assert.equal((await ask({ "x-plan": "free" }, "/anyone")).status, 200);
    assert.equal((await ask({ "x-plan": "free" }, "/anyone")).status, 429);
  });
  await limited({ limit: 10, cost: (_, { name }) => (name === "whoAmI" ? 8 : 0) }, async ({ ask }) => {
    assert.equal((await ask({ "x-user": "ann" })).status, 200);
    assert.equal((await ask({ "x-user": "ann" })).status, 429);
    assert.equal((await ask({ "x-user": "ann" }, "/anyone")).headers.get("ratelimit"), '"default";r=2;t=48');
  });
});

test("while its store does not answer, calls are let in, or not, as was said", async () => {
  const broken = new Proxy({} as KvStore, {
    get: () => async () => err(new Fault("STORE_UNAVAILABLE", "unavailable", { reason: "gone" }, "gone")),
  });
  await limited({ limit: 1, store: broken }, async ({ ask }) => {
    for (let i = 0; i < 3; i++) assert.equal((await ask({}, "/anyone")).status, 200);
  });
  await limited({ limit: 1, store: broken, whenStoreFails: "refuse" }, async ({ ask }) => {
    assert.equal((await ask({}, "/anyone")).status, 429);
  });
});

/**
 * The readable truth: a bucket that holds `burst` tokens and gets one every `spacing` milliseconds. GCRA keeps one number in its
 * place (the time at which the bucket is full again).
 */
class Bucket {
  #tokens: number;
  #at = 0;
  readonly #burst: number;
  readonly #spacing: number;

  constructor(burst: number, spacing: number) {
    this.#tokens = this.#burst = burst;
    this.#spacing = spacing;
  }

  take(now: number, cost: number): { readonly accepted: boolean; readonly waitMs: number } {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#spacing);
    this.#at = now;
    const accepted = this.#tokens >= cost - 1e-9;
    const waitMs = (cost - this.#tokens) * this.#spacing;
    if (accepted) this.#tokens -= cost;
    return { accepted, waitMs };
  }
}

test("GCRA lets through exactly what a token bucket lets through, and says how long to wait", async () => {
  const steps = fc.array(
    fc.record({ waitMs: fc.integer({ min: 0, max: 3000 }), cost: fc.integer({ min: 0, max: 3 }) }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 3, max: 8 }),
      fc.integer({ min: 1, max: 1500 }),
      async (list, burst, spacing) => {
        const clock = manualClock();
        const start = clock.now();
        const kv = memoryKv({ clock });
        const bucket = new Bucket(burst, spacing);
        for (const { waitMs, cost } of list) {
          // No timers wait on this clock.
          clock.stepWall(waitMs);
          const real = kv.advance("key", cost * spacing, burst * spacing);
          const model = bucket.take(clock.now() - start, cost);
          assert.ok(real.ok);
          assert.equal(real.value.accepted, model.accepted);
          if (!model.accepted) {
            const wait = real.value.aheadMs + cost * spacing - burst * spacing;
            assert.ok(Math.abs(wait - model.waitMs) < 1e-3, `${wait} ${model.waitMs}`);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("numbers that cannot be end the start", () => {
  assert.throws(() => rateLimit({ limit: 0 }), /limit is a number over 0/);
  assert.throws(() => rateLimit({ limit: Number.NaN }), /limit is a number over 0/);
  assert.throws(() => rateLimit({ limit: 1, window: 0 }), /at least 1 ms/);
  assert.throws(() => rateLimit({ limit: 1, burst: 0 }), /burst is/);
  assert.throws(() => rateLimit({ limit: 1, cost: 2 }), /cost is 0 to the burst/);
  assert.throws(() => rateLimit({ limit: 1, name: "a b" }), /lower-case letters/);
});
