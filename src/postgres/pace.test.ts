import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import { Gatherer } from "./gatherer.ts";
import { postgresLimits as limits } from "./limits.ts";
import { Pace } from "./pace.ts";

function paced(): {
  clock: ReturnType<typeof manualClock>;
  pace: Pace<string>;
  add(items: string[]): Promise<void>;
  sent: string[][];
} {
  const clock = manualClock();
  const pace = new Pace<string>(clock, (item) => item === "awaited");
  const sent: string[][] = [];
  const gatherer = new Gatherer<string, string>(
    async (items) => {
      sent.push([...items]);
      return items;
    },
    10_000,
    undefined,
    pace,
  );
  // What is to be sent at once is, in a few microtasks.
  const add = async (items: string[]): Promise<void> => {
    void gatherer.add(items);
    await new Promise((done) => setImmediate(done));
  };
  return { clock, pace, add, sent };
}

test("the first one goes at once, those that follow go together a while later", async () => {
  const { clock, add, sent } = paced();
  await add(["a"]);
  assert.deepEqual(sent, [["a"]]);
  await add(["b"]);
  await clock.advance(limits.settleMs - 1);
  await add(["c", "d"]);
  assert.deepEqual(sent.length, 1);
  await clock.advance(1);
  assert.deepEqual(sent, [["a"], ["b", "c", "d"]]);
  await clock.advance(limits.settleMs);
  await add(["e"]);
  assert.deepEqual(sent[2], ["e"]);
});

test("one that is waited for takes along what has gathered, and so do many", async () => {
  const { add, sent } = paced();
  await add(["a"]);
  await add(["b"]);
  await add(["awaited"]);
  assert.deepEqual(sent, [["a"], ["b", "awaited"]]);
  await add(["c"]);
  await add(Array.from({ length: limits.settleJobs - 1 }, () => "d"));
  assert.deepEqual(sent[2]?.length, limits.settleJobs);
});

test("a hurry sends what has gathered, and else what comes next", async () => {
  const { add, pace, sent } = paced();
  await add(["a"]);
  pace.hurry();
  await add(["b"]);
  assert.deepEqual(sent, [["a"], ["b"]]);
  await add(["c"]);
  pace.hurry();
  await add([]);
  assert.deepEqual(sent[2], ["c"]);
});
