import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { manualClock } from "./clock.ts";
import { Timeouts, type TimeoutEntry } from "./timeouts.ts";

test("entries expire in their order, on one timer", async () => {
  const clock = manualClock();
  const timeouts = new Timeouts(clock, 100);
  const expired: number[] = [];
  timeouts.add(() => expired.push(1));
  await clock.advance(50);
  timeouts.add(() => expired.push(2));
  assert.equal(clock.waiting, 1);
  await clock.advance(50);
  assert.deepEqual(expired, [1]);
  await clock.advance(50);
  assert.deepEqual(expired, [1, 2]);
  assert.equal(clock.waiting, 0);
});

test("entries that share no timer have one each, which goes when they are cancelled", async () => {
  const clock = manualClock();
  const timeouts = new Timeouts(clock, 100, { shared: false });
  const expired: number[] = [];
  timeouts.add(() => expired.push(1));
  const second = timeouts.add(() => expired.push(2));
  assert.equal(clock.waiting, 2);
  second.cancel();
  assert.equal(clock.waiting, 1);
  await clock.advance(100);
  assert.deepEqual(expired, [1]);
});

test("a cancelled entry does not expire; cancelling twice, or too late, is safe", async () => {
  const clock = manualClock();
  const timeouts = new Timeouts(clock, 100);
  const expired: string[] = [];
  const [first, middle, last] = ["first", "middle", "last"].map((name) => timeouts.add(() => expired.push(name)));
  middle?.cancel();
  middle?.cancel();
  await clock.advance(100);
  assert.deepEqual(expired, ["first", "last"]);
  first?.cancel();
  last?.cancel();
  timeouts.add(() => expired.push("again"));
  await clock.advance(100);
  assert.deepEqual(expired, ["first", "last", "again"]);
});

test("an entry that is added while another expires does not delay those between them", async () => {
  const clock = manualClock();
  const timeouts = new Timeouts(clock, 100);
  const expired: string[] = [];
  timeouts.add(() => {
    expired.push("first");
    timeouts.add(() => expired.push("third"));
  });
  await clock.advance(20);
  timeouts.add(() => expired.push("second"));
  await clock.advance(85);
  assert.deepEqual(expired, ["first"]);
  await clock.advance(15);
  assert.deepEqual(expired, ["first", "second"]);
  await clock.advance(80);
  assert.deepEqual(expired, ["first", "second", "third"]);
  assert.equal(clock.waiting, 0);
});

test("whatever is added, cancelled and waited for, each entry expires once, in time and never early", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const) }),
    fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 60 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const clock = manualClock();
      const timeouts = new Timeouts(clock, 50);
      const entries: { entry: TimeoutEntry; at: number; expired: number[]; cancelled: boolean }[] = [];
      for (const action of steps) {
        if (action.do === "add") {
          const expired: number[] = [];
          const entry = timeouts.add(() => expired.push(clock.monotonic()));
          entries.push({ entry, at: clock.monotonic(), expired, cancelled: false });
        } else if (action.do === "cancel") {
          const found = entries[action.which];
          if (found?.expired.length === 0) found.cancelled = true;
          found?.entry.cancel();
        } else {
          await clock.advance(action.ms);
        }
      }
      await clock.advance(200);
      for (const { at, expired, cancelled } of entries) {
        assert.equal(expired.length, cancelled ? 0 : 1);
        const late = (expired[0] ?? at + 50) - at - 50;
        assert.ok(late >= -0.5 && late <= 5, `${late} ms late`);
      }
      assert.equal(clock.waiting, 0);
    }),
    { numRuns: 40 },
  );
});
