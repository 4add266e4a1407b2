/** The rules for times, shares, notes, signals and pauses, each with the shortest history that breaks it and one that looks like it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { oneRun, tale, type Tale } from "./tale.ts";

/** So many jobs of one tenant or more, enqueued, then claimed and settled in an order. */
function ran(enqueued: readonly (readonly [id: string, tenant: string])[], order: readonly string[]): Tale {
  const told = tale();
  for (const [id, tenant] of enqueued) told.enqueue(id, { tenant });
  for (const [index, id] of order.entries()) told.claim(id, index + 1).settle(id, index + 1);
  return told.final(...order.map((id) => [id, "succeeded"] as const));
}

test("a job that begins before its time, but for a clock that was put back", () => {
  const begun = (wall: number): Tale => tale().enqueue("1", { runAt: 100 }).claim("1", 1, 1, "w1.1", undefined, wall);
  const end = (told: Tale): string[] => told.settle("1", 1).final(["1", "succeeded"]).broken();
  assert.deepEqual(end(begun(90)), ["early"]);
  assert.deepEqual(end(begun(100)), []);
  const back = tale().enqueue("1", { runAt: 100 }).say({ kind: "clock", by: -50 });
  assert.deepEqual(end(back.claim("1", 1, 1, "w1.1", undefined, 90)), []);
});

test("an attempt that begins before its retry is due", () => {
  const again = (wall: number): string[] =>
    tale()
      .enqueue("1")
      .claim("1", 1)
      .call(
        "settle",
        { settlements: [{ id: "1", fence: { epoch: 1, claim: 1 }, attempt: 1, to: "retry", runAt: 100 }] },
        { receipts: ["settled"] },
      )
      .claim("1", 2, 2, "w1.1", undefined, wall)
      .settle("1", 2)
      .final(["1", "succeeded", 2])
      .broken();
  assert.deepEqual(again(50), ["early"]);
  assert.deepEqual(again(100), []);
});

test("a job that begins after it was cancelled", () => {
  const cancelled = (): Tale => tale().enqueue("1").call("cancel", { id: "1" }, { state: "cancelled" });
  assert.deepEqual(cancelled().final(["1", "cancelled", 0]).broken(), []);
  assert.deepEqual(cancelled().claim("1", 1).settle("1", 1).final(["1", "succeeded"]).broken(), ["cancelled"]);
  const late = cancelled().say({ kind: "lost", worker: "w1.1", why: "it stood still" }).claim("1", 1);
  assert.deepEqual(late.final(["1", "cancelled", 0]).broken(), [], "what it hears of now was lost before");
});

test("an attempt that is counted for a snooze or a wait", () => {
  for (const to of ["snoozed", "waiting"] as const) {
    const left = (): Tale => tale().enqueue("1").claim("1", 1).settle("1", 1, to);
    assert.deepEqual(left().claim("1", 2, 1).settle("1", 2).final(["1", "succeeded"]).broken(), []);
    assert.deepEqual(left().claim("1", 2, 2).settle("1", 2).final(["1", "succeeded", 2]).broken(), ["attempts"]);
  }
});

test("an occurrence that makes two jobs, or comes after a later one", () => {
  const fired = (one: number, other: number): string[] => {
    const at = (time: number) => ({ occurrence: { schedule: "nightly", at: time } });
    const told = tale().enqueue("1", at(one)).enqueue("2", at(other));
    return told
      .claim("1", 1)
      .settle("1", 1)
      .claim("2", 2)
      .settle("2", 2)
      .final(["1", "succeeded"], ["2", "succeeded"])
      .broken();
  };
  assert.deepEqual(fired(1, 2), []);
  assert.deepEqual(fired(1, 1), ["occurrences"]);
  assert.deepEqual(fired(2, 1), ["occurrences"]);
});

test("a note by a claim that another has replaced", () => {
  const zombie = tale()
    .enqueue("1")
    .claim("1", 1)
    .say({ kind: "lost", worker: "w1.1", why: "it stood still" })
    .claim("1", 2, 2, "w2.1")
    .call("note", { id: "1", fence: { epoch: 1, claim: 1 }, names: ["step:charge"] }, { receipts: ["settled"] });
  const end = (told: Tale): string[] =>
    told.settle("1", 2, "succeeded", "settled", "w2.1").final(["1", "succeeded", 2]).broken();
  assert.deepEqual(end(zombie), ["stale note"]);
});

test("a signal that is not heard though it came in time, and a second one that is", () => {
  const signalled = (...values: readonly string[]): Tale => {
    const told = tale().enqueue("1");
    for (const value of values) told.call("signal", { id: "1", names: ["go"], value }, { state: "ready" });
    return told.claim("1", 1);
  };
  const heard = (told: Tale, value?: string): string[] =>
    told
      .say({ kind: "heard", worker: "w1.1", id: "1", name: "go", value })
      .settle("1", 1)
      .final(["1", "succeeded"])
      .broken();
  assert.deepEqual(heard(signalled("1"), "1"), []);
  assert.deepEqual(heard(signalled(), undefined), []);
  assert.deepEqual(heard(signalled("1"), undefined), ["signals"]);
  assert.deepEqual(heard(signalled("1", "2"), "1"), []);
  assert.deepEqual(heard(signalled("1", "2"), "2"), ["signals"]);
});

test("a job of a paused name that is handed over, but for a resume that was on its way", () => {
  const paused = (): Tale =>
    tale()
      .enqueue("1")
      .call("pause", { names: ["a"] });
  const end = (told: Tale): string[] => told.claim("1", 1).settle("1", 1).final(["1", "succeeded"]).broken();
  assert.deepEqual(end(paused()), ["pauses"]);
  assert.deepEqual(end(paused().call("resume", { names: ["a"] })), []);
  assert.deepEqual(end(paused().call("resume", { names: ["b"] })), ["pauses"]);
  const both = tale().enqueue("1");
  both.say({ kind: "call", call: 90, worker: "w1.1", verb: "resume", asked: { names: ["a"] } });
  both.call("pause", { names: ["a"] }).say({ kind: "done", call: 90, done: {} });
  assert.deepEqual(end(both), []);
});

test("a start that the rate does not allow yet", () => {
  const starts = (key: string, ...walls: readonly number[]): string[] => {
    const told = tale();
    for (const index of walls.keys()) told.enqueue(`${index}`, { key: index === 1 ? key : "k" });
    for (const [index, wall] of walls.entries())
      told.claim(`${index}`, index + 1, 1, "w1.1", index === 1 ? key : "k", wall).settle(`${index}`, index + 1);
    told.final(...walls.map((_, index) => [`${index}`, "succeeded"] as const));
    return told.broken({ rate: { limit: 2, periodMs: 200, of: "key" } });
  };
  assert.deepEqual(starts("k", 0, 0, 100, 200), []);
  assert.deepEqual(starts("k", 0, 0, 50), ["rate"]);
  assert.deepEqual(starts("other", 0, 0, 50), []);
});

test("a tenant that waits while another has turn after turn", () => {
  const crowd = ["1", "2", "3", "4"].map((id) => [id, "loud"] as const);
  const quiet = ["9", "quiet"] as const;
  const broken = (...order: readonly string[]): string[] => ran([...crowd, quiet], order).broken({ turns: true });
  assert.deepEqual(broken("1", "9", "2", "3", "4"), []);
  assert.deepEqual(broken("1", "2", "3", "4", "9"), ["turns"]);
  assert.deepEqual(oneRun("1", 1).final(["1", "succeeded"]).broken({ turns: true }), []);
});
