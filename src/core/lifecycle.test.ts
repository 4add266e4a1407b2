import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { manualClock } from "./clock.ts";
import type { Aborted } from "./deadline.ts";
import { lifecycle, type LifecyclePart } from "./lifecycle.ts";

/** A part that writes down what happens to it. */
function part(log: string[], name: string, more: Partial<LifecyclePart> = {}): LifecyclePart {
  return {
    name,
    start: () => void log.push(`start ${name}`),
    drain: () => void log.push(`drain ${name}`),
    stop: () => void log.push(`stop ${name}`),
    ...more,
  };
}

test("parts start in order, drain together and stop in reverse order", async () => {
  const log: string[] = [];
  const life = lifecycle({
    clock: manualClock(),
    parts: [part(log, "store"), part(log, "workers"), part(log, "http")],
  });
  assert.equal(life.phase, "idle");
  await life.start();
  assert.equal(life.phase, "ready");
  const report = await life.stop();
  assert.equal(life.phase, "stopped");
  assert.deepEqual(log, [
    "start store",
    "start workers",
    "start http",
    "drain http",
    "drain workers",
    "drain store",
    "stop http",
    "stop workers",
    "stop store",
  ]);
  assert.deepEqual(report, { outcome: "drained", failures: [], elapsedMs: 0 });
});

test("nothing is stopped before everything has drained", async () => {
  const log: string[] = [];
  const clock = manualClock();
  const slow = part(log, "slow", {
    drain: () =>
      new Promise((resolve) => {
        clock.setTimer(500, () => {
          log.push("drained slow");
          resolve();
        });
      }),
  });
  const life = lifecycle({ clock, parts: [part(log, "store"), slow, part(log, "http")] });
  await life.start();
  const stopped = life.stop();
  assert.equal(life.phase, "draining");
  await clock.advance(499);
  assert.ok(!log.includes("stop http"));
  await clock.advance(1);
  const report = await stopped;
  assert.ok(log.indexOf("drained slow") < log.indexOf("stop http"));
  assert.equal(report.outcome, "drained");
  assert.equal(report.elapsedMs, 500);
  assert.equal(clock.waiting, 0);
});

test("when the time is up the signal aborts, and work that unwinds in the grace is not a failure", async () => {
  const log: string[] = [];
  const clock = manualClock();
  const busy = part(log, "busy", {
    drain: (signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          log.push(`cut short: ${(signal.reason as Aborted).why}`);
          resolve();
        });
      }),
  });
  const life = lifecycle({ clock, parts: [part(log, "store"), busy], drainMs: 1000 });
  await life.start();
  const stopped = life.stop();
  await clock.advance(999);
  assert.equal(life.shutdown.aborted, false);
  await clock.advance(1);
  const report = await stopped;
  assert.equal(report.outcome, "timed_out");
  assert.deepEqual(report.failures, []);
  assert.ok(log.includes("cut short: shutdown"));
  assert.equal(log.at(-1), "stop store");
});

test("work that never ends is left behind after the grace, named, and everything is stopped all the same", async () => {
  const log: string[] = [];
  const clock = manualClock();
  const stuck = part(log, "stuck", { drain: () => new Promise(() => {}), stop: () => new Promise(() => {}) });
  const life = lifecycle({ clock, parts: [part(log, "store"), stuck], drainMs: 100, graceMs: 50 });
  await life.start();
  const stopped = life.stop();
  await clock.advance(100);
  await clock.advance(50);
  await clock.advance(50);
  const report = await stopped;
  assert.equal(report.outcome, "timed_out");
  assert.deepEqual(
    report.failures.map(({ part, during, cause }) => [part, during, (cause as Aborted).why]),
    [
      ["stuck", "drain", "timeout"],
      ["stuck", "stop", "timeout"],
    ],
  );
  assert.equal(log.at(-1), "stop store");
  assert.equal(clock.waiting, 0);
});

test("a part that fails while draining or stopping keeps no other from stopping", async () => {
  const log: string[] = [];
  const bad = part(log, "bad", {
    drain: () => Promise.reject(new Error("drain broke")),
    stop: () => {
      throw new Error("stop broke");
    },
  });
  const life = lifecycle({ clock: manualClock(), parts: [part(log, "store"), bad, part(log, "http")] });
  await life.start();
  const report = await life.stop();
  assert.deepEqual(log.slice(-2), ["stop http", "stop store"]);
  assert.deepEqual(
    report.failures.map(({ part, during, cause }) => [part, during, (cause as Error).message]),
    [
      ["bad", "drain", "drain broke"],
      ["bad", "stop", "stop broke"],
    ],
  );
});

test("when a part cannot start, those before it are stopped and the error names it", async () => {
  const log: string[] = [];
  const cause = new Error("address in use");
  const life = lifecycle({
    clock: manualClock(),
    parts: [part(log, "store"), part(log, "http", { start: () => Promise.reject(cause) }), part(log, "never")],
  });
  await assert.rejects(life.start(), { message: '"http" did not start: address in use', cause });
  assert.deepEqual(log, ["start store", "stop store"]);
  assert.equal(life.phase, "stopped");
  assert.equal(life.shutdown.aborted, true);
  assert.equal((await life.stop()).outcome, "drained");
});

test("stop twice, or unstarted, is safe; a stopped lifecycle does not start again", async () => {
  const log: string[] = [];
  const life = lifecycle({ clock: manualClock(), parts: [part(log, "http")] });
  const first = life.stop();
  assert.equal(life.stop(), first);
  assert.equal((await first).outcome, "drained");
  assert.deepEqual(log, []);
  await assert.rejects(life.start(), /a lifecycle runs once/);
});

test("start twice starts once", async () => {
  const log: string[] = [];
  const life = lifecycle({ clock: manualClock(), parts: [part(log, "http")] });
  await Promise.all([life.start(), life.start()]);
  assert.deepEqual(log, ["start http"]);
});

test("stop during start lets the part that is starting finish, starts no more, and stops what runs", async () => {
  const log: string[] = [];
  const clock = manualClock();
  const slow = part(log, "slow", {
    start: () => new Promise((resolve) => void clock.setTimer(100, resolve)),
  });
  const life = lifecycle({ clock, parts: [slow, part(log, "http")] });
  const started = life.start();
  const stopped = life.stop();
  const refused = assert.rejects(started, /"http" was not started/);
  await clock.advance(100);
  await refused;
  const report = await stopped;
  assert.equal(report.outcome, "drained");
  assert.deepEqual(log, ["drain slow", "stop slow"]);
  assert.equal(life.phase, "stopped");
});

test("whatever parts do, stop ends in its time, stops each started part once and in reverse order, and leaves no timer", async () => {
  const act = fc.constantFrom("nothing", "sync", "throws", "rejects", "slow", "hangs");
  const parts = fc.array(fc.record({ start: fc.constantFrom("sync", "throws", "slow"), drain: act, stop: act }), {
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(parts, async (plans) => {
      const clock = manualClock();
      const log: string[] = [];
      const perform = (how: string, name: string): void | Promise<void> => {
        log.push(name);
        if (how === "throws") throw new Error(name);
        if (how === "rejects") return Promise.reject(new Error(name));
        if (how === "slow") return new Promise((resolve) => void clock.setTimer(30, resolve));
        if (how === "hangs") return new Promise(() => undefined);
      };
      const life = lifecycle({
        clock,
        drainMs: 100,
        graceMs: 50,
        parts: plans.map((plan, i) => ({
          name: String(i),
          start: () => perform(plan.start, `start ${i}`),
          ...(plan.drain === "nothing" ? {} : { drain: () => perform(plan.drain, `drain ${i}`) }),
          ...(plan.stop === "nothing" ? {} : { stop: () => perform(plan.stop, `stop ${i}`) }),
        })),
      });
      let failed = false;
      void life.start().catch(() => (failed = true));
      await clock.advance(1000);
      const broken = plans.findIndex(({ start }) => start === "throws");
      assert.equal(failed, broken !== -1);

      const stopping = life.stop();
      await clock.advance(100 + 50 + 50 * plans.length);
      const report = await stopping;
      assert.equal(life.phase, "stopped");
      assert.equal(life.shutdown.aborted, true);
      assert.equal(clock.waiting, 0);

      const started = plans.map((_, i) => i).slice(0, broken === -1 ? plans.length : broken);
      const expected = started.filter((i) => plans[i]?.stop !== "nothing").toReversed();
      assert.deepEqual(
        log.filter((line) => line.startsWith("stop")),
        expected.map((i) => `stop ${i}`),
      );
      if (broken === -1) {
        assert.equal(report.outcome, plans.some(({ drain }) => drain === "hangs") ? "timed_out" : "drained");
        const bad = (how: string): boolean => how === "throws" || how === "rejects" || how === "hangs";
        const failures = plans.flatMap(({ drain, stop }) => [drain, stop]).filter(bad).length;
        assert.equal(report.failures.length, failures);
      }
    }),
    { numRuns: 60 },
  );
});
