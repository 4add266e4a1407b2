import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { manualClock, systemClock } from "./clock.ts";
import { Aborted, deadline, type AbortWhy } from "./deadline.ts";
import { kinds } from "./kinds.ts";

test("a deadline without limits never aborts and makes no timer", async () => {
  const clock = manualClock();
  const limit = deadline({ clock });
  assert.equal(limit.remaining(), Infinity);
  assert.equal(limit.signal.aborted, false);
  await clock.advance(1e12);
  assert.equal(limit.aborted, undefined);
  assert.equal(clock.waiting, 0);
});

test("nothing is made before it is watched", () => {
  const clock = manualClock();
  const shutdown = new AbortController();
  let made = 0;
  const limit = deadline({
    clock,
    timeoutMs: 100,
    client: () => {
      made++;
      return new AbortController().signal;
    },
    shutdown: shutdown.signal,
  });
  assert.equal(limit.aborted, undefined);
  assert.equal(limit.remaining(), 100);
  assert.equal(clock.waiting, 0);
  assert.equal(made, 0);
  assert.equal(getEventListeners(shutdown.signal, "abort").length, 0);
  limit.dispose();
});

test("the signal aborts with a TimeoutError when the time is up", async () => {
  const clock = manualClock();
  const limit = deadline({ clock, timeoutMs: 100 });
  const { signal } = limit;
  await clock.advance(99);
  assert.equal(signal.aborted, false);
  assert.equal(limit.remaining(), 1);
  await clock.advance(1);
  assert.ok(signal.reason instanceof Aborted);
  assert.equal(signal.reason.why, "timeout");
  assert.equal(signal.reason.name, "TimeoutError");
  assert.equal(signal.reason.kind, "deadline_exceeded");
  assert.equal(limit.aborted, signal.reason);
  assert.equal(limit.remaining(), 0);
});

test("an expired deadline says so to one who looks, though no timer was made", async () => {
  const clock = manualClock();
  const limit = deadline({ clock, timeoutMs: 100 });
  await clock.advance(100);
  assert.equal(limit.aborted?.why, "timeout");
  assert.equal(limit.signal.aborted, true);
});

for (const why of ["client", "cancelled", "shutdown"] as const) {
  test(`an abort by ${why} reaches the signal with its reason`, () => {
    const source = new AbortController();
    const limit = deadline({ clock: manualClock(), timeoutMs: 1000, [why]: source.signal });
    const { signal } = limit;
    source.abort();
    assert.ok(signal.reason instanceof Aborted);
    assert.equal(signal.reason.why, why);
    assert.equal(signal.reason.name, "AbortError");
    assert.ok(Object.hasOwn(kinds, signal.reason.kind));
  });

  test(`an abort by ${why} before the deadline was made is seen at once`, () => {
    const source = AbortSignal.abort();
    const limit = deadline({ clock: manualClock(), [why]: source });
    assert.equal(limit.aborted?.why, why);
    assert.equal(limit.signal.aborted, true);
  });
}

test("a lazy signal that has aborted already aborts the deadline when it is watched", () => {
  const limit = deadline({ clock: manualClock(), client: () => AbortSignal.abort() });
  assert.ok(limit.aborted === undefined);
  const { signal } = limit;
  assert.equal(signal.aborted, true);
  assert.equal((signal.reason as Aborted).why, "client");
});

test("the reason of an outer deadline passes through an inner one unchanged", async () => {
  const clock = manualClock();
  const outer = deadline({ clock, timeoutMs: 50 });
  const inner = deadline({ clock, timeoutMs: 500, cancelled: outer.signal });
  const { signal } = inner;
  await clock.advance(50);
  assert.equal(signal.reason, outer.aborted);
});

test("only the first cause counts", async () => {
  const clock = manualClock();
  const client = new AbortController();
  const limit = deadline({ clock, timeoutMs: 100, client: client.signal });
  const { signal } = limit;
  const seen: AbortWhy[] = [];
  limit.onAbort((aborted) => seen.push(aborted.why));
  client.abort();
  await clock.advance(200);
  assert.equal((signal.reason as Aborted).why, "client");
  assert.deepEqual(seen, ["client"]);
});

test("onAbort calls back at once when it is too late", async () => {
  const clock = manualClock();
  const limit = deadline({ clock, timeoutMs: 10 });
  await clock.advance(10);
  const seen: AbortWhy[] = [];
  limit.onAbort((aborted) => seen.push(aborted.why));
  assert.deepEqual(seen, ["timeout"]);
});

test("dispose leaves no timer and no listener, and the signal can no longer abort", async () => {
  const clock = manualClock();
  const client = new AbortController();
  const shutdown = new AbortController();
  const limit = deadline({ clock, timeoutMs: 100, client: client.signal, shutdown: shutdown.signal });
  const { signal } = limit;
  let called = false;
  limit.onAbort(() => (called = true));
  assert.equal(clock.waiting, 1);
  limit.dispose();
  limit.dispose();
  assert.equal(clock.waiting, 0);
  assert.equal(getEventListeners(client.signal, "abort").length, 0);
  client.abort();
  shutdown.abort();
  await clock.advance(1000);
  assert.equal(signal.aborted, false);
  assert.equal(called, false);
  assert.equal(limit.aborted, undefined);
  limit.onAbort(() => (called = true));
  assert.equal(called, false);
});

test("a first look at the signal after dispose makes no timer", () => {
  const clock = manualClock();
  const limit = deadline({ clock, timeoutMs: 100 });
  limit.dispose();
  assert.equal(limit.signal.aborted, false);
  assert.equal(clock.waiting, 0);
});

test("`using` disposes", () => {
  const clock = manualClock();
  {
    using limit = deadline({ clock, timeoutMs: 100 });
    assert.equal(limit.signal.aborted, false);
    assert.equal(clock.waiting, 1);
  }
  assert.equal(clock.waiting, 0);
});

test("a thousand calls put one listener on the shutdown signal, and one abort ends those that still run", () => {
  const clock = manualClock();
  const shutdown = new AbortController();
  const limits = Array.from({ length: 1000 }, () => deadline({ clock, shutdown: shutdown.signal }));
  const signals = limits.map((limit) => limit.signal);
  assert.equal(getEventListeners(shutdown.signal, "abort").length, 1);
  for (const limit of limits.slice(0, 400)) limit.dispose();
  shutdown.abort();
  assert.equal(signals.filter((signal) => signal.aborted).length, 600);
});

test("on the system clock, a fetch-like wait ends with the deadline's reason", async () => {
  const limit = deadline({ clock: systemClock, timeoutMs: 5 });
  const reason: unknown = await new Promise((resolve) => {
    // Keeps the process alive: a deadline's own timer does not.
    const alive = systemClock.setTimer(10_000, () => resolve("never"), true);
    limit.signal.addEventListener("abort", () => {
      alive.cancel();
      resolve(limit.signal.reason);
    });
  });
  assert.ok(reason instanceof Aborted);
});

test("however causes are ordered, the first one wins, once, and nothing is left behind", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("client", "cancelled", "shutdown", "time", "dispose"), { maxLength: 6 }),
      async (events) => {
        const clock = manualClock();
        const sources = {
          client: new AbortController(),
          cancelled: new AbortController(),
          shutdown: new AbortController(),
        };
        const limit = deadline({
          clock,
          timeoutMs: 10,
          client: sources.client.signal,
          cancelled: () => sources.cancelled.signal,
          shutdown: sources.shutdown.signal,
        });
        const seen: string[] = [];
        limit.onAbort((aborted) => seen.push(aborted.why));
        for (const event of events) {
          if (event === "time") await clock.advance(10);
          else if (event === "dispose") limit.dispose();
          else sources[event].abort();
        }
        const first = events[0];
        const expected = first === undefined || first === "dispose" ? [] : [first === "time" ? "timeout" : first];
        assert.deepEqual(seen, expected);
        limit.dispose();
        assert.equal(clock.waiting, 0);
        assert.equal(getEventListeners(sources.client.signal, "abort").length, 0);
        assert.equal(getEventListeners(sources.cancelled.signal, "abort").length, 0);
      },
    ),
    { numRuns: 60 },
  );
});
