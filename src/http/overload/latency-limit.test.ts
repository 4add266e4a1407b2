import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LatencyLimit, RouteLatency } from "./latency-limit.ts";
import { resolveOverloadLimits } from "./limits.ts";

const limits = resolveOverloadLimits({ inFlight: 1000, inFlightFloor: 10, windowMs: 100, latencySlackMs: 0 });

/** One window in which `calls` of each latency ended, with so many under way at the busiest moment. */
function windowOf(limit: LatencyLimit, end: number, peak: number, latencies: readonly [RouteLatency, number][]): void {
  limit.began(peak);
  for (let i = 0; i < 10; i++) for (const [route, ms] of latencies) limit.ended(route, ms, end - 199);
  const [route, ms] = latencies[0] as [RouteLatency, number];
  assert.ok(limit.ended(route, ms, end), "the window has ended");
}

test("nothing is limited before there is evidence, however many calls there are", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  assert.equal(limit.value, 1000);
  for (let i = 1; i <= 50; i++) windowOf(limit, i * 200, 900, [[route, 40]]);
  assert.equal(limit.value, 1000);
});

test("one slow window changes nothing, the second brings the limit down, and a third further", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  windowOf(limit, 200, 100, [[route, 10]]);
  windowOf(limit, 400, 400, [[route, 80]]);
  assert.equal(limit.value, 1000);
  windowOf(limit, 600, 400, [[route, 80]]);
  // Half of the busiest moment, and its square root.
  assert.equal(limit.value, 220);
  windowOf(limit, 800, 220, [[route, 40]]);
  assert.ok(limit.value < 220 && limit.value > 100, String(limit.value));
});

test("it ends where latency is what is allowed, and comes back up when it is needed and there is no queue", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  windowOf(limit, 200, 10, [[route, 10]]);
  // A pool of 20 that takes 10 ms: Little's law. Allowed are twice 10 ms, so about 40 calls.
  const demand = 500;
  let now = 200;
  for (let i = 0; i < 1000; i++) {
    const peak = Math.min(demand, limit.value);
    windowOf(limit, (now += 200), peak, [[route, Math.max(10, (peak / 20) * 10)]]);
    assert.ok(i < 10 || (limit.value >= 10 && limit.value <= 65), String(limit.value));
  }
  for (let i = 0; i < 40; i++) windowOf(limit, (now += 200), limit.value, [[route, 10]]);
  assert.ok(limit.value > 500, String(limit.value));
  assert.ok(route.usualMs < 12, "a long overload has not become the usual");
  const rested = limit.value;
  for (let i = 0; i < 40; i++) windowOf(limit, (now += 200), 3, [[route, 10]]);
  assert.equal(limit.value, rested, "a limit that is not needed does not move");
});

test("a mix of fast and slow routes, in changing shares, is no queue", () => {
  const limit = new LatencyLimit(limits, 0);
  const fast = new RouteLatency();
  const slow = new RouteLatency();
  for (let i = 1; i < 40; i++) {
    const slower: [RouteLatency, number] = [slow, 900];
    windowOf(limit, i * 200, 300, i % 2 === 0 ? [[fast, 2]] : [slower, slower, slower, [fast, 2]]);
  }
  assert.equal(limit.value, 1000);
});

test("what is slow for good becomes the usual within a minute, although the limit holds calls back", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  windowOf(limit, 200, 50, [[route, 10]]);
  let now = 200;
  for (let i = 0; i < 20; i++) windowOf(limit, (now += 200), 50, [[route, 50]]);
  assert.ok(limit.value < 50, String(limit.value));
  for (let i = 0; i < 300; i++) windowOf(limit, (now += 200), limit.value, [[route, 50]]);
  assert.equal(limit.value, 1000);
});

test("a flood is held back by the rate at which calls end, before their latency shows it", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  windowOf(limit, 200, 10, [[route, 20]]);
  // 11 calls end in 200 ms, as quick as ever, but 400 more are under way: the last of them will take seven seconds.
  route.inFlight = 400;
  windowOf(limit, 400, 400, [[route, 20]]);
  assert.equal(limit.value, 120);
  // A route that takes longer than the window has a reason to have many under way.
  const slow = new RouteLatency();
  const other = new LatencyLimit(limits, 0);
  windowOf(other, 200, 10, [[slow, 5000]]);
  slow.inFlight = 400;
  windowOf(other, 400, 400, [[slow, 5000]]);
  assert.equal(other.value, 1000);
});

test("few calls make one long window, and none make none", () => {
  const limit = new LatencyLimit(limits, 0);
  const route = new RouteLatency();
  assert.equal(limit.ended(route, 5, 150), false);
  assert.equal(limit.ended(route, 5, 990), false);
  assert.equal(limit.ended(route, 5, 1000), true);
});

test("whatever the latencies are, the limit stays between its floor and its ceiling", () => {
  const step = fc.record({ ms: fc.double({ min: 0, max: 1e6, noNaN: true }), peak: fc.integer({ min: 0, max: 5000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const limit = new LatencyLimit(limits, 0);
      const route = new RouteLatency();
      steps.forEach(({ ms, peak }, i) => {
        windowOf(limit, (i + 1) * 200, peak, [[route, ms]]);
        assert.ok(Number.isInteger(limit.value) && limit.value >= 10 && limit.value <= 1000, String(limit.value));
      });
    }),
  );
});
