import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, JobId } from "../../jobs/index.ts";
import { postgresLimits as limits } from "../limits.ts";
import { KeyGate } from "./key-gate.ts";
import { Tempo } from "./tempo.ts";
import { WaitingKeys } from "./waiting-keys.ts";

const fence = { epoch: 1, claim: 1 };
let number = 0;
const jobOf = (key: string, more: Partial<ClaimedJob> = {}): ClaimedJob => {
  return {
    id: String(++number),
    name: "a",
    priority: 5,
    payload: "{}",
    key,
    attempt: 1,
    enqueuedAt: 0,
    fence,
    ...more,
  };
};
const idsOf = (jobs: readonly (ClaimedJob | undefined)[]): readonly (JobId | undefined)[] => jobs.map((job) => job?.id);

/** A gate at whose pace a hundred jobs end per millisecond, and the clock that it reads. */
function gateOf(most: number, attempts = 10): { gate: KeyGate; clock: { ms: number } } {
  const clock = { ms: 0 };
  const gate = new KeyGate(most, attempts, () => clock.ms);
  const jobs = Array.from({ length: 2_000 }, (_, n) => jobOf(`warm ${n}`));
  gate.begin(jobs, true);
  clock.ms += 20;
  for (const job of jobs) gate.offered(job);
  for (const job of jobs) gate.end(job);
  return { gate, clock };
}

test("of a key no more are handed over than may run, whatever is claimed, and the next one at the offer of one before it", () => {
  const { gate } = gateOf(2);
  const [one, two, three, four] = [jobOf("k"), jobOf("k"), jobOf("k"), jobOf("k", { priority: 1 })];
  const other = jobOf("other");
  assert.deepEqual(idsOf(gate.begin([one, two, three, other], true)), idsOf([one, two, other]));
  // A row, which the database lets start: it waits here as well, behind none but those of its key.
  assert.deepEqual(gate.begin([four], false), []);
  assert.equal(gate.offered(other), undefined);
  assert.equal(gate.offered(one)?.id, four.id);
  // Offered once more, since the first try has failed.
  assert.equal(gate.offered(one), undefined);
  assert.equal(gate.offered(two)?.id, three.id);
  assert.deepEqual(gate.unsettled(1).toSorted(), ["=k", "=k", "=k", "=k", "=other"]);
  for (const job of [one, two, other]) gate.end(job);
  assert.deepEqual(gate.unsettled(1), ["=k", "=k"]);
  assert.deepEqual(idsOf([gate.offered(three), gate.offered(four)]), [undefined, undefined]);
});

test("a settlement of an older claim of the same job frees nothing", () => {
  const { gate } = gateOf(1);
  const job = jobOf("k");
  const again = { ...job, fence: { epoch: 1, claim: 2 } };
  gate.begin([again, jobOf("k")], true);
  assert.equal(gate.offered(job), undefined);
  gate.end(job);
  assert.deepEqual(gate.unsettled(1), ["=k", "=k"]);
});

test("held jobs can be taken out, one or all, and are handed over by nobody afterwards", () => {
  const { gate } = gateOf(1);
  const [one, two, three, four] = [jobOf("k"), jobOf("k"), jobOf("k"), jobOf("k")];
  gate.begin([one, two, three, four], true);
  assert.deepEqual(gate.takeHeld(one.id), []);
  assert.deepEqual(idsOf(gate.takeHeld(three.id)), [three.id]);
  assert.deepEqual(idsOf(gate.takeHeld()), [two.id, four.id]);
  assert.equal(gate.offered(one), undefined);
  // They count for the database until their settlement is answered.
  assert.equal(gate.unsettled(1).length, 4);
});

test("a claim whose answer was lost is given back, and what was held behind it runs", () => {
  const { gate } = gateOf(1);
  const lost = { epoch: 1, claim: 7 };
  const [one, two, three] = [jobOf("k", { fence: lost }), jobOf("k", { fence: lost }), jobOf("k")];
  gate.begin([one, two, three], true);
  assert.deepEqual(idsOf(gate.giveBack((job) => job.fence === lost)), [three.id]);
  assert.deepEqual(gate.unsettled(1), ["=k"]);
});

test("a lease that is over leaves nothing, and an enqueue that was under way counts in none afterwards", () => {
  const { gate } = gateOf(1);
  gate.told(true, []);
  gate.waitingKeys.toldRows([]);
  assert.equal(gate.take("k", true), "start");
  const job = jobOf("j");
  gate.begin([job, jobOf("j")], true);
  gate.clear();
  assert.deepEqual([gate.isOwned, gate.take("new", true), gate.unsettled(1)], [false, undefined, []]);
  assert.equal(gate.offered(job), undefined);
  gate.came("k", "start");
  gate.waitingKeys.mark();
  gate.told(true, []);
  gate.waitingKeys.toldRows([]);
  assert.equal(gate.take("k", true), "start");
});

test("what is claimed ahead is bounded: by time, by jobs, by those of a key and by characters; of jobs with one attempt nothing is", () => {
  const { gate, clock } = gateOf(1);
  assert.equal(gate.aheadRoom, limits.aheadJobs);
  gate.told(true, []);
  gate.waitingKeys.toldRows([]);
  assert.equal(gate.take("k", true), "start");
  let ahead = 0;
  while (gate.take("k", false) === "ahead") ahead++;
  assert.equal(ahead, limits.aheadOfKey - 1);
  assert.equal(gate.aheadRoom, limits.aheadJobs - ahead);
  for (; ahead > 0; ahead--) gate.came("k", "ahead");
  gate.came("k", "start");
  assert.equal(gate.sweep(10), 10 + 2_500);
  // Too many of one key are held: a claim has to look.
  const many = Array.from({ length: limits.aheadOfKey + 1 }, () => jobOf("k"));
  gate.begin(many, true);
  assert.equal(gate.sweep(10), 0);
  for (let job = many[0]; job !== undefined;) job = gate.offered(job);
  const large = [jobOf("k"), jobOf("k", { payload: "x".repeat(limits.aheadChars) })];
  gate.begin(large, true);
  assert.deepEqual([gate.aheadRoom, gate.isFull], [0, false]);
  gate.takeHeld();
  assert.equal(gate.aheadRoom, limits.aheadJobs);
  // Half a job per millisecond from here on: for a tenth of a second.
  clock.ms += 20;
  assert.equal(gate.aheadRoom < limits.aheadJobs, true);
  assert.equal(gateOf(1, 1).gate.aheadRoom, 0);
});

test("a new job is claimed in the commit of its enqueueing while nobody else claims of the name and no older one of its key waits", () => {
  const { gate } = gateOf(1);
  assert.equal(gate.take("k", true), undefined);
  gate.waitingKeys.mark();
  gate.waitingKeys.wait("since");
  gate.told(true, ["waits"]);
  assert.equal(gate.take("k", true), undefined);
  gate.waitingKeys.toldRows(["row"]);
  assert.deepEqual(
    ["waits", "since", "row", undefined, "k"].map((key) => gate.take(key, true)),
    [undefined, undefined, undefined, "start", "start"],
  );
  assert.equal(gate.take("k", false), "ahead");
  gate.refused();
  assert.equal(gate.take("l", true), undefined);
});

test("keys that wait are known from the turn that told all until somebody else may have brought work, and so many at most", () => {
  const keys = new WaitingKeys();
  keys.mark();
  keys.told(["a"]);
  keys.toldRows([]);
  assert.deepEqual([keys.size, keys.mayWait("a"), keys.mayWait("b")], [1, true, false]);
  keys.forget();
  keys.told([]);
  assert.deepEqual([keys.size, keys.mayWait("b")], [Infinity, true]);
  keys.mark();
  for (let n = 0; n < 5_000; n++) keys.wait(String(n));
  keys.told([]);
  assert.equal(keys.size, Infinity);
});

test("the pace is that of the time in which some run", () => {
  let ms = 0;
  const tempo = new Tempo(() => ms);
  for (let n = 0; n < 10; n++) {
    tempo.start();
    ms += 5;
    tempo.count();
    tempo.stop();
    ms += 1_000;
  }
  assert.equal(tempo.perMs, 0.2);
});
