/** The checker by itself, on histories written by hand: one that keeps everything, and each rule with the shortest history that breaks it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { oneRun, type Tale, tale } from "./tale.ts";

test("a history in which everything is kept breaks nothing", () => {
  assert.deepEqual(oneRun("1", 1).final(["1", "succeeded"]).broken(), []);
  const crashed = tale().enqueue("1").claim("1", 1).say({ kind: "lost", worker: "w1.1", why: "it died" });
  assert.deepEqual(
    crashed
      .claim("1", 2, 2, "w1.2")
      .settle("1", 2, "succeeded", "settled", "w1.2")
      .final(["1", "succeeded", 2])
      .broken(),
    [],
  );
  assert.deepEqual(tale().enqueue("1", {}, false).final().broken(), [], "what nobody heard of may be gone");
});

test("a lost job, an invented one, and one that is never done", () => {
  assert.deepEqual(tale().enqueue("1").final().broken(), ["lost"]);
  assert.deepEqual(tale().final(["9", "succeeded"]).broken(), ["invented"]);
  assert.deepEqual(tale().enqueue("1").final(["1", "scheduled", 0]).broken(), ["finished"]);
  assert.deepEqual(tale().enqueue("1").broken(), ["finished"], "no end at all");
});

test("an end that nobody brought about, and one that came twice", () => {
  assert.deepEqual(tale().enqueue("1").claim("1", 1).final(["1", "succeeded"]).broken(), ["unexplained"]);
  assert.deepEqual(tale().enqueue("1").final(["1", "cancelled", 0]).broken(), ["unexplained"]);
  assert.deepEqual(
    tale().enqueue("1").claim("1", 1).final(["1", "failed", 1, "CRASHED"]).broken(),
    ["unexplained"],
    "attempts were left",
  );
  assert.deepEqual(tale().enqueue("1").claim("1", 1).final(["1", "failed", 3, "CRASHED"]).broken(), []);
  const twice = oneRun("1", 1).claim("1", 2, 2).settle("1", 2).final(["1", "succeeded", 2]);
  assert.ok(twice.broken().includes("once"));
});

test("an outcome that is offered again after its answer was lost is one outcome", () => {
  assert.deepEqual(oneRun("1", 1).settle("1", 1).final(["1", "succeeded"]).broken(), []);
});

test("a settlement by a fence that a later claim has replaced", () => {
  const zombie = tale()
    .enqueue("1")
    .claim("1", 1)
    .say({ kind: "lost", worker: "w1.1", why: "it stood still" })
    .claim("1", 2, 2, "w2.1");
  assert.deepEqual(zombie.settle("1", 1).final(["1", "succeeded", 2]).broken(), ["stale settlement"]);
});

test("two hands on one job", () => {
  const both = tale()
    .enqueue("1")
    .claim("1", 1)
    .claim("1", 2, 2, "w2.1")
    .settle("1", 2, "succeeded", "settled", "w2.1");
  assert.deepEqual(both.final(["1", "succeeded", 2]).broken(), ["double claim"]);
  const again = tale().enqueue("1").claim("1", 1).claim("1", 1).settle("1", 1);
  assert.ok(again.final(["1", "succeeded"]).broken().includes("double claim"));
});

test("attempts that stand still, go back, or are too many", () => {
  const claims = (...attempts: readonly number[]): string[] => {
    const told = tale().enqueue("1");
    for (const [index, attempt] of attempts.entries())
      told.claim("1", index + 1, attempt).settle("1", index + 1, index === attempts.length - 1 ? "succeeded" : "retry");
    return told.final(["1", "succeeded", attempts.at(-1) ?? 0]).broken();
  };
  assert.deepEqual(claims(1, 2, 3), []);
  assert.deepEqual(claims(1, 1), ["attempts"]);
  assert.ok(claims(1, 2, 1).includes("attempts"));
  assert.deepEqual(claims(1, 2, 3, 4), ["attempts"]);
  const released = tale().enqueue("1").claim("1", 1).settle("1", 1, "released").claim("1", 2).settle("1", 2);
  assert.deepEqual(released.final(["1", "succeeded"]).broken(), [], "what is given back is not counted");
});

test("one more of a key, or of a name, than may run", () => {
  const two = (): Tale =>
    tale()
      .enqueue("1", { key: "k" })
      .enqueue("2", { key: "k" })
      .claim("1", 1, 1, "w1.1", "k")
      .claim("2", 2, 1, "w1.1", "k");
  const done = (told: Tale): Tale => told.settle("1", 1).settle("2", 2).final(["1", "succeeded"], ["2", "succeeded"]);
  assert.deepEqual(done(two()).broken({ perKey: 1 }), ["concurrency"]);
  assert.deepEqual(done(two()).broken({ perKey: 2 }), []);
  assert.deepEqual(done(two()).broken({ concurrency: 1 }), ["concurrency"]);
  assert.deepEqual(done(two()).broken({ perKey: 5, ordered: true }), ["order"]);
});

test("a key that two unfinished jobs hold", () => {
  const held = tale()
    .enqueue("1", { uniqueKey: "u" })
    .enqueue("2", { uniqueKey: "u" })
    .claim("1", 1)
    .settle("1", 1)
    .claim("2", 2)
    .settle("2", 2);
  assert.deepEqual(held.final(["1", "succeeded"], ["2", "succeeded"]).broken(), ["unique"]);
  const free = tale()
    .enqueue("1", { uniqueKey: "u" })
    .claim("1", 1)
    .settle("1", 1)
    .enqueue("2", { uniqueKey: "u" })
    .claim("2", 2)
    .settle("2", 2);
  assert.deepEqual(free.final(["1", "succeeded"], ["2", "succeeded"]).broken(), []);
});

test("a job that begins before what it depends on", () => {
  const after = { jobs: ["1"], on: "succeeded" as const };
  const early = tale().enqueue("1").enqueue("2", { after }).claim("2", 1).settle("2", 1).claim("1", 2).settle("1", 2);
  assert.deepEqual(early.final(["1", "succeeded"], ["2", "succeeded"]).broken(), ["dependencies"]);
  const right = tale().enqueue("1").enqueue("2", { after }).claim("1", 1).settle("1", 1).claim("2", 2).settle("2", 2);
  assert.deepEqual(right.final(["1", "succeeded"], ["2", "succeeded"]).broken(), []);
});

test("a step that is taken again after its result was stored", () => {
  const step = { kind: "step", worker: "w1.1", id: "1", name: "charge" } as const;
  const note = (told: Tale): Tale =>
    told.call("note", { id: "1", fence: { epoch: 1, claim: 1 }, names: ["charge"] }, { receipts: ["settled"] });
  const once = note(tale().enqueue("1").claim("1", 1).say(step));
  assert.deepEqual(
    note(tale().enqueue("1").claim("1", 1).say(step)).settle("1", 1).final(["1", "succeeded"]).broken(),
    [],
  );
  assert.deepEqual(once.say(step).settle("1", 1).final(["1", "succeeded"]).broken(), ["steps"]);
});
