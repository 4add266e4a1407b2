/** The checker by itself, on histories written by hand: one that keeps everything, and each rule with the shortest history that breaks it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobRecord, JobState, Settlement, SettleReceipt } from "../../src/jobs/index.ts";
import { checkHistory } from "./check.ts";
import type { AskedJob, HistoryEvent, Promised } from "./history.ts";

type Told = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "at"> : never) : never;

/** A history, told step by step. */
class Tale {
  readonly events: HistoryEvent[] = [];
  #call = 0;

  say(event: Told): this {
    this.events.push({ at: this.events.length, ...event });
    return this;
  }

  enqueue(id: string, job: Partial<AskedJob> = {}, heard = true): this {
    const call = ++this.#call;
    this.say({ kind: "call", call, worker: "w1.1", verb: "enqueue", asked: { jobs: [{ name: "a", ...job }] } });
    this.say({ kind: "done", call, done: { ids: [{ id, duplicate: false }] } });
    return this.say({ kind: "answered", call, ok: heard });
  }

  claim(id: string, claim: number, attempt = 1, worker = "w1.1", key?: string): this {
    return this.say({ kind: "claimed", worker, claims: [{ id, name: "a", key, attempt, fence: { epoch: 1, claim } }] });
  }

  settle(
    id: string,
    claim: number,
    to: Settlement["to"] = "succeeded",
    receipt: SettleReceipt = "settled",
    worker = "w1.1",
  ): this {
    const call = ++this.#call;
    const settlements = [{ id, fence: { epoch: 1, claim }, attempt: 1, to }];
    this.say({ kind: "call", call, worker, verb: "settle", asked: { settlements } });
    return this.say({ kind: "done", call, done: { receipts: [receipt] } });
  }

  final(...records: readonly (readonly [id: string, state: JobState, attempt?: number, error?: string])[]): this {
    return this.say({
      kind: "final",
      records: records.map(([id, state, attempt = 1, code]) => recordOf(id, state, attempt, code)),
    });
  }

  broken(promised: Partial<Promised> = {}): string[] {
    return checkHistory(this.events, () => ({ maxAttempts: 3, ...promised })).map(({ rule }) => rule);
  }
}

function recordOf(id: string, state: JobState, attempt: number, code?: string): JobRecord {
  const errors = code === undefined ? [] : [{ attempt, at: 0, code, message: "" }];
  return { id, name: "a", state, priority: 5, payload: "{}", attempt, enqueuedAt: 0, errors };
}

const tale = (): Tale => new Tale();
const oneRun = (id: string, claim: number, key?: string): Tale =>
  tale()
    .enqueue(id, key === undefined ? {} : { key })
    .claim(id, claim, 1, "w1.1", key)
    .settle(id, claim);

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
    told
      .say({ kind: "call", call: 90, worker: "w1.1", verb: "note", asked: { id: "1", names: ["charge"] } })
      .say({ kind: "done", call: 90, done: { receipts: ["settled"] } });
  const once = note(tale().enqueue("1").claim("1", 1).say(step));
  assert.deepEqual(
    note(tale().enqueue("1").claim("1", 1).say(step)).settle("1", 1).final(["1", "succeeded"]).broken(),
    [],
  );
  assert.deepEqual(once.say(step).settle("1", 1).final(["1", "succeeded"]).broken(), ["steps"]);
});
