import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../core/index.ts";
import { manualClock } from "../testing/index.ts";
import { StoreClock } from "./store-clock.ts";

/** A clock that is so much ahead of another one. */
function ahead(clock: Clock, ms: () => number): Clock {
  return {
    now: () => clock.now() + ms(),
    monotonic: () => clock.monotonic(),
    setTimer: (...rest) => clock.setTimer(...rest),
  };
}

test("a clock that differs from the database's by more than the way of an answer is corrected, also when it is set later", async () => {
  const there = manualClock();
  let skew = 15_000;
  const clock = new StoreClock(ahead(there, () => skew));
  const look = (wayMs: number): Promise<void> =>
    clock.look(async () => {
      await there.advance(wayMs);
      const now = there.now();
      await there.advance(wayMs);
      return now;
    });
  assert.equal(clock.now() - there.now(), 15_000);
  await look(20);
  assert.ok(Math.abs(clock.now() - there.now()) <= 21, `${clock.now() - there.now()}`);
  skew = -60_000;
  await look(5);
  assert.ok(Math.abs(clock.now() - there.now()) <= 6, `${clock.now() - there.now()}`);
  await look(500);
  assert.ok(Math.abs(clock.now() - there.now()) <= 6, `${clock.now() - there.now()}`);
});

test("a clock that may be right is left alone, however long an answer takes", async () => {
  const there = manualClock();
  const clock = new StoreClock(there);
  for (const wayMs of [0, 1, 3_000]) {
    await clock.look(async () => {
      const now = there.now();
      await there.advance(wayMs);
      return now;
    });
    assert.equal(clock.now(), there.now());
  }
});
