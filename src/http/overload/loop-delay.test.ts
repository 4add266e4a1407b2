import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveOverloadLimits } from "./limits.ts";
import { LoopDelay } from "./loop-delay.ts";
import { simulatedLoop, type SimulatedLoop } from "./testing/simulated-loop.ts";

const limits = resolveOverloadLimits({ queueMs: 20, queuePatienceMs: 100, criticalQueueMs: 1000 });

function start(): { readonly loop: SimulatedLoop; readonly delay: LoopDelay } {
  const loop = simulatedLoop();
  return { loop, delay: new LoopDelay(limits, loop.clock, loop.afterTurn) };
}

/** A turn with so many requests of so many ms each; how many were let in. */
function turn({ loop, delay }: ReturnType<typeof start>, requests: number, ms: number): number {
  let admitted = 0;
  loop.turn(() => {
    for (let i = 0; i < requests; i++) {
      const waited = delay.waited();
      if (waited > 0 && waited > delay.allowedMs) continue;
      delay.admitted();
      admitted++;
      loop.work(ms);
    }
  });
  return admitted;
}

test("a loop that keeps up is probed while requests come, and left alone when they stop", () => {
  const all = start();
  for (let i = 0; i < 100; i++) assert.equal(turn(all, 3, 1), 3);
  assert.equal(all.loop.timers, 1);
  assert.equal(all.delay.overloaded, false);
  all.loop.idle(50);
  assert.equal(all.loop.timers, 0);
  assert.equal(all.loop.callbacks, 0);
});

test("one long block, and a burst that is done within the patience, are no overload", () => {
  const all = start();
  assert.equal(turn(all, 1, 500), 1);
  assert.equal(turn(all, 50, 1), 50);
  assert.equal(turn(all, 45, 1), 45);
  assert.equal(all.delay.overloaded, false);
  for (let i = 0; i < 40; i++) turn(all, 1, 1);
  assert.equal(all.delay.overloaded, false);
});

test("turns that stay long are an overload: each then serves what waited at most the target, and refuses the rest", () => {
  const all = start();
  turn(all, 60, 1);
  turn(all, 60, 1);
  assert.equal(all.delay.overloaded, false);
  turn(all, 60, 1);
  turn(all, 60, 1);
  assert.equal(all.delay.overloaded, true);
  for (let i = 0; i < 50; i++) {
    const admitted = turn(all, 300, 1);
    assert.ok(admitted >= 20 && admitted <= 22, String(admitted));
  }
});

test("requests that take long by themselves are not refused for it: some may stand behind each other", () => {
  const all = start();
  for (let i = 0; i < 30; i++) turn(all, 4, 30);
  assert.equal(all.delay.overloaded, true);
  assert.equal(turn(all, 10, 30), 3);
});

test("an overload is over when no turn was long for the patience, and watching ends a second later", () => {
  const all = start();
  for (let i = 0; i < 10; i++) turn(all, 60, 1);
  assert.equal(all.delay.overloaded, true);
  for (let i = 0; i < 30; i++) {
    turn(all, 2, 1);
    all.loop.idle(10);
  }
  assert.equal(all.delay.overloaded, false);
  for (let i = 0; i < 120; i++) {
    turn(all, 2, 1);
    all.loop.idle(10);
  }
  assert.equal(all.delay.lastTurnMs, 0);
  all.loop.idle(50);
  assert.equal(all.loop.timers + all.loop.callbacks, 0);
});

test("after a silence nothing of the old overload is left, and a silence costs nothing", () => {
  const all = start();
  for (let i = 0; i < 10; i++) turn(all, 60, 1);
  all.loop.idle(5_000);
  assert.equal(all.loop.timers + all.loop.callbacks, 0);
  assert.equal(turn(all, 80, 1), 80);
});
