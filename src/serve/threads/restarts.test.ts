import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveThreads, threadLimits } from "./options.ts";
import { Restarts } from "./restarts.ts";

test("a thread that dies again and again is replaced later and later; one that was well is replaced soon", () => {
  const restarts = new Restarts(threadLimits);
  let now = 0;
  const delays = Array.from({ length: 9 }, () => restarts.died(1, now, (now += 10)));
  assert.deepEqual(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  assert.equal(restarts.died(2, now, now + 1), 100, "each place has its own patience");
  assert.equal(restarts.died(1, now, now + threadLimits.wellMs), 100);
});

test("a server is lost when more died lately than it survives, not when as many died over a day", () => {
  const restarts = new Restarts(threadLimits);
  for (let i = 0; i < threadLimits.deaths; i++) restarts.died(1, i, i);
  assert.equal(restarts.isLost(20), false);
  restarts.died(1, 20, 20);
  assert.equal(restarts.isLost(20), true);
  assert.equal(restarts.isLost(20 + threadLimits.wellMs), false);
  const rare = new Restarts(threadLimits);
  for (let i = 0; i < 100; i++) rare.died(1, 0, i * threadLimits.wellMs);
  assert.equal(rare.isLost(100 * threadLimits.wellMs), false);
});

test("what threads may be told is checked at start, and what is not told fits the container", () => {
  const resources = { threads: 3, heapLimitBytes: 4096 * 1024 * 1024, heapFitsMiB: 300 };
  assert.deepEqual(pick(resolveThreads("auto", resources)), [3, 100]);
  assert.deepEqual(pick(resolveThreads({ count: 2, entry: "app.ts", heapMB: 77 }, resources)), [2, 77]);
  assert.deepEqual(pick(resolveThreads(100, resources)), [100, 64], "but never too little to start");
  for (const wrong of [0, 1.5, 129, Number.NaN]) assert.throws(() => resolveThreads(wrong, resources), /from 1 to 128/);
  assert.throws(() => resolveThreads({ heapMB: 1 }, resources), /at least 16/);
  assert.deepEqual(
    [resolveThreads(1, resources).sliceMs, resolveThreads({ sliceMs: 0.1 }, resources).sliceMs],
    [undefined, 0.1],
  );
  for (const sliceMs of [0, 0.09, 101, Number.NaN])
    assert.throws(() => resolveThreads({ sliceMs }, resources), /sliceMs is a number of milliseconds from 0\.1 to 100/);
});

function pick({ count, heapMB }: ReturnType<typeof resolveThreads>): number[] {
  return [count, heapMB];
}
