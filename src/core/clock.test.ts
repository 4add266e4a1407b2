import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { manualClock, sleep, systemClock } from "./clock.ts";

test("a manual clock stands still until it is moved", async () => {
  const clock = manualClock(1000);
  assert.equal(clock.now(), 1000);
  assert.equal(clock.monotonic(), 0);
  await clock.advance(250);
  assert.equal(clock.now(), 1250);
  assert.equal(clock.monotonic(), 250);
});

test("a step of the wall moves no timer", async () => {
  const clock = manualClock(1000);
  let fired = false;
  clock.setTimer(100, () => (fired = true));
  clock.stepWall(-600_000);
  assert.equal(clock.now(), -599_000);
  await clock.advance(99);
  assert.equal(fired, false);
  await clock.advance(1);
  assert.equal(fired, true);
});

test("timers fire at their time, in order of time and then of making", async () => {
  const clock = manualClock();
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name}@${clock.monotonic()}`);
  clock.setTimer(20, note("late"));
  clock.setTimer(10, note("first"));
  clock.setTimer(10, note("second"));
  clock.setTimer(-5, note("now"));
  await clock.advance(30);
  assert.deepEqual(fired, ["now@0", "first@10", "second@10", "late@20"]);
});

test("a timer that is set while time moves fires in the same move when it is due", async () => {
  const clock = manualClock();
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.monotonic());
    if (fired.length < 5) clock.setTimer(10, again);
  };
  clock.setTimer(10, again);
  await clock.advance(35);
  assert.deepEqual(fired, [10, 20, 30]);
  assert.equal(clock.waiting, 1);
});

test("promise callbacks run between one timer and the next", async () => {
  const clock = manualClock();
  const log: string[] = [];
  clock.setTimer(10, () => void Promise.resolve().then(() => log.push("after first")));
  clock.setTimer(20, () => log.push("second"));
  await clock.advance(20);
  assert.deepEqual(log, ["after first", "second"]);
});

test("a cancelled timer does not fire; cancelling again is safe", async () => {
  for (const clock of [manualClock(), systemClock]) {
    let fired = false;
    const timer = clock.setTimer(1, () => (fired = true));
    timer.cancel();
    timer.cancel();
    if (clock !== systemClock) await (clock as ReturnType<typeof manualClock>).advance(10);
    else await sleep(systemClock, 10);
    assert.equal(fired, false);
  }
});

test("sleep ends after its time", async () => {
  const clock = manualClock();
  let woke = false;
  const sleeping = sleep(clock, 100).then(() => (woke = true));
  await clock.advance(99);
  assert.equal(woke, false);
  await clock.advance(1);
  await sleeping;
  assert.equal(woke, true);
});

test("sleep rejects with the signal's reason, at once, and leaves no timer and no listener", async () => {
  const clock = manualClock();
  const reason = new Error("enough");
  const source = new AbortController();
  const sleeping = sleep(clock, 100, source.signal);
  source.abort(reason);
  await assert.rejects(sleeping, reason);
  await assert.rejects(sleep(clock, 100, source.signal), reason);
  assert.equal(clock.waiting, 0);

  const other = new AbortController();
  const quiet = sleep(clock, 100, other.signal);
  await clock.advance(100);
  await quiet;
  assert.equal(getEventListeners(other.signal, "abort").length, 0);
});

test("the system clock measures and fires", async () => {
  const started = systemClock.monotonic();
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  await new Promise<void>((resolve) => void systemClock.setTimer(5, resolve, true));
  assert.ok(systemClock.monotonic() > started);
});

test("a timer longer than 24.8 days, which Node would fire at once, waits", async () => {
  let fired = false;
  const timer = systemClock.setTimer(40 * 86_400_000, () => (fired = true));
  await sleep(systemClock, 20);
  timer.cancel();
  assert.equal(fired, false);
});

test("a timer of the system clock does not keep the process alive, unless asked to", () => {
  const clock = fileURLToPath(new URL("./clock.ts", import.meta.url));
  const run = (keepAlive: boolean): string => {
    const program = `
      import { systemClock } from ${JSON.stringify(clock)};
      systemClock.setTimer(30, () => console.log("fired"), ${keepAlive});
    `;
    return spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" }).stdout.trim();
  };
  assert.equal(run(false), "");
  assert.equal(run(true), "fired");
});
