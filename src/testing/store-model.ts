/**
 * Conformance by model: random operations on the store and on a list of plain records, crashes and restarts among them; both must agree after every
 * step. `TENSILE_MODEL_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, JobState, NewJob } from "../jobs/index.ts";
import { at, type Hands, type MakePlace, StoreBench, value } from "./store-harness.ts";

const names = ["a", "b"] as const;
const maxAttempts = 4;

interface ModelJob {
  readonly id: string;
  readonly name: string;
  readonly priority: number;
  readonly payload: string;
  readonly context: string | undefined;
  readonly enqueuedAt: number;
  readonly uniqueKey: string | undefined;
  /** The order of enqueueing, while the job has never left its first place. */
  order: number | undefined;
  state: JobState;
  attempt: number;
  runAt: number | undefined;
  finishedAt: number | undefined;
  result: string | undefined;
  errors: string[];
  claim: ClaimedJob | undefined;
}

/** The store beside its model. */
class Pair {
  readonly bench: StoreBench;
  readonly jobs: ModelJob[] = [];
  readonly byId = new Map<string, ModelJob>();
  readonly old: ClaimedJob[] = [];
  readonly credit = new Map<string, number>();
  #hands: Hands | undefined;
  #order = 0;
  #occurrence = -1;
  cancelRequests: string[] = [];

  constructor(bench: StoreBench) {
    this.bench = bench;
  }

  get now(): number {
    return this.bench.clock.now();
  }

  async start(): Promise<void> {
    this.credit.clear();
    this.cancelRequests = [];
    this.#hands = this.bench.hands(...names);
  }

  get hands(): Hands {
    assert.ok(this.#hands);
    return this.#hands;
  }

  holder(name: string, key: string): ModelJob | undefined {
    return this.jobs.find(
      (job) =>
        job.name === name &&
        job.uniqueKey === key &&
        (job.state === "scheduled" || job.state === "ready" || job.state === "running"),
    );
  }

  async enqueue(batch: readonly NewJob[]): Promise<void> {
    const receipts = value(await this.bench.session.enqueue(batch));
    assert.equal(receipts.length, batch.length);
    for (const [index, job] of batch.entries()) this.#enqueued(job, at(receipts, index));
  }

  #enqueued(job: NewJob, receipt: { id: string; duplicate: boolean }): void {
    const holder = job.uniqueKey === undefined ? undefined : this.holder(job.name, job.uniqueKey);
    if (holder !== undefined) return assert.deepEqual(receipt, { id: holder.id, duplicate: true });
    if (job.occurrence !== undefined) {
      if (job.occurrence.at <= this.#occurrence) return assert.deepEqual(receipt, { id: "", duplicate: true });
      this.#occurrence = job.occurrence.at;
    }
    assert.equal(receipt.duplicate, false);
    assert.ok(!this.byId.has(receipt.id));
    const later = job.runAt !== undefined && job.runAt > this.now;
    const made: ModelJob = {
      id: receipt.id,
      name: job.name,
      priority: job.priority,
      payload: job.payload,
      context: job.context,
      enqueuedAt: this.now,
      uniqueKey: job.uniqueKey,
      order: later ? undefined : this.#order++,
      state: later ? "scheduled" : "ready",
      attempt: 0,
      runAt: later ? job.runAt : undefined,
      finishedAt: undefined,
      result: undefined,
      errors: [],
      claim: undefined,
    };
    this.jobs.push(made);
    this.byId.set(made.id, made);
  }

  /** What is due is ready, and what there is credit for is claimed. */
  async sync(): Promise<void> {
    for (const job of this.jobs) {
      if (job.state === "scheduled" && (job.runAt ?? 0) <= this.now)
        Object.assign(job, { state: "ready", runAt: undefined });
    }
    let expected = 0;
    for (const name of names) {
      const ready = this.jobs.filter((job) => job.name === name && job.state === "ready").length;
      expected += Math.min(ready, this.credit.get(name) ?? 0);
    }
    for (const job of await this.hands.take(expected)) this.#claimed(job);
    assert.equal(this.hands.untaken, 0, "more was handed over than there is credit for");
  }

  #claimed(job: ClaimedJob): void {
    const known = this.byId.get(job.id);
    assert.ok(known !== undefined && known.state === "ready", `job ${job.id} was handed over while ${known?.state}`);
    for (const other of this.jobs) {
      if (other.state !== "ready" || other.name !== known.name) continue;
      assert.ok(other.priority >= known.priority, "a more urgent job was passed over");
      if (other.priority > known.priority || other.order === undefined || known.order === undefined) continue;
      assert.ok(other.order >= known.order, "an earlier job was passed over");
    }
    known.state = "running";
    known.attempt++;
    known.claim = job;
    assert.deepEqual(
      [job.name, job.priority, job.payload, job.context, job.attempt, job.enqueuedAt],
      [known.name, known.priority, known.payload, known.context, known.attempt, known.enqueuedAt],
    );
    this.old.push(job);
    this.credit.set(job.name, (this.credit.get(job.name) ?? 0) - 1);
  }

  running(): ModelJob[] {
    return this.jobs.filter((job) => job.state === "running");
  }

  async settle(
    choices: readonly { readonly job: ModelJob; readonly to: Outcome; readonly delay: number }[],
  ): Promise<void> {
    const settlements = choices.map(({ job, to, delay }) => {
      assert.ok(job.claim);
      const claim = job.claim;
      const error = { attempt: job.attempt, at: this.now, code: `E${job.attempt}`, message: "x" };
      switch (to) {
        case "succeeded":
          return { job: claim, to, ...(delay % 2 === 0 ? undefined : { result: job.payload }) };
        case "retry":
          return { job: claim, to, runAt: this.now + delay, error };
        case "failed":
          return { job: claim, to, error };
        case "cancelled":
        case "released":
          return { job: claim, to };
      }
    });
    const receipts = value(await this.bench.session.settle(settlements));
    assert.ok(receipts.every((receipt) => receipt === "settled"));
    for (const { job, to, delay } of choices) this.#settled(job, to, delay);
  }

  #settled(job: ModelJob, to: Outcome, delay: number): void {
    job.claim = undefined;
    if (to === "released") {
      Object.assign(job, { state: "ready", attempt: job.attempt - 1, order: undefined });
    } else if (to === "retry") {
      Object.assign(job, { state: "scheduled", runAt: this.now + delay, order: undefined });
      job.errors.push(`E${job.attempt}`);
    } else {
      Object.assign(job, { state: to, finishedAt: this.now });
      if (to === "failed") job.errors.push(`E${job.attempt}`);
      if (to === "succeeded" && delay % 2 !== 0) job.result = job.payload;
    }
  }

  async crash(): Promise<void> {
    await this.bench.reopen();
    for (const job of this.running()) {
      job.errors.push("CRASHED");
      job.claim = undefined;
      job.order = undefined;
      if (job.attempt < maxAttempts) job.state = "ready";
      else Object.assign(job, { state: "failed", finishedAt: this.now });
    }
    await this.start();
  }

  async check(): Promise<void> {
    const counts = { waiting: 0, scheduled: 0, ready: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
    for (const job of this.jobs) counts[job.state]++;
    assert.deepEqual(await this.bench.counts(), counts);
    const listed = value(await this.bench.session.list({ limit: 1_000 }));
    const expected = this.jobs.toSorted((one, two) => Number(one.id) - Number(two.id)).map(plain);
    assert.deepEqual(
      listed.map((record) => plain({ ...record, errors: record.errors.map((error) => error.code) })),
      expected,
    );
  }
}

type Outcome = "succeeded" | "retry" | "failed" | "cancelled" | "released";
const outcomes: readonly Outcome[] = ["succeeded", "succeeded", "retry", "failed", "cancelled", "released"];

function plain(
  job: {
    readonly [K in "id" | "name" | "state" | "priority" | "payload" | "attempt" | "enqueuedAt" | "errors"]: unknown;
  } & { readonly [K in "runAt" | "finishedAt" | "uniqueKey" | "result" | "context"]?: unknown },
): unknown[] {
  return [
    job.id,
    job.name,
    job.state,
    job.priority,
    job.payload,
    job.context,
    job.attempt,
    job.enqueuedAt,
    job.errors,
    job.runAt,
    job.finishedAt,
    job.uniqueKey,
    job.result,
  ];
}

type Step = (pair: Pair) => Promise<void>;

/** One step out of three random numbers: what, which, how. */
function stepOf([what, which, how]: readonly [number, number, number]): Step {
  if (what < 30) return (pair) => pair.enqueue(jobsOf(pair, which, how));
  if (what < 50) {
    return async (pair) => {
      const name = at(names, which % 2);
      pair.hands.grant(name, 1 + (how % 9));
      pair.credit.set(name, (pair.credit.get(name) ?? 0) + 1 + (how % 9));
    };
  }
  if (what < 75) {
    return async (pair) => {
      const chosen = pair.running().filter((_, index) => (which >> (index % 12)) % 2 === 0);
      await pair.settle(
        chosen.map((job, index) => ({
          job,
          to: at(outcomes, (how + index * which) % outcomes.length),
          delay: how % 5,
        })),
      );
    };
  }
  if (what < 80) {
    return async (pair) => {
      const job = pair.old[which % Math.max(1, pair.old.length)];
      if (job === undefined || pair.byId.get(job.id)?.claim === job) return;
      assert.deepEqual(value(await pair.bench.session.settle([{ job, to: "succeeded" }])), ["stale"]);
    };
  }
  if (what < 86) return (pair) => cancelStep(pair, which);
  if (what < 90) return (pair) => redriveStep(pair, which);
  if (what < 96) return (pair) => advanceStep(pair, how % 7);
  return (pair) => pair.crash();
}

/** One millisecond at a time: what becomes due first may be claimed before what becomes due next. */
async function advanceStep(pair: Pair, ms: number): Promise<void> {
  for (let step = 0; step < ms; step++) {
    await pair.bench.clock.advance(1);
    await pair.sync();
  }
}

function jobsOf(pair: Pair, which: number, how: number): NewJob[] {
  return Array.from({ length: 1 + (which % 6) }, (_, index) => {
    const dice = (which * 31 + how * 17 + index * 7) % 101;
    return {
      name: at(names, (which + (dice > 70 ? index : 0)) % 2),
      priority: dice % 4 === 0 ? 1 : 5,
      payload: `"${"p".repeat(dice % 50 === 0 ? 30_000 : dice)}"`,
      ...(dice % 7 === 0 ? { context: `{"deadline":${dice}}é` } : undefined),
      ...(dice % 5 === 0 ? { runAt: pair.now + (dice % 6) - 1 } : undefined),
      ...(dice % 6 === 0 ? { uniqueKey: `k${dice % 3}` } : undefined),
      ...(dice % 17 === 0 ? { occurrence: { schedule: "s", at: how % 50 } } : undefined),
    };
  });
}

async function cancelStep(pair: Pair, which: number): Promise<void> {
  const job = pair.jobs[which % Math.max(1, pair.jobs.length)];
  if (job === undefined) return;
  const answer = value(await pair.bench.session.cancel(job.id));
  if (job.state === "ready" || job.state === "scheduled") {
    Object.assign(job, { state: "cancelled", finishedAt: pair.now, runAt: undefined, order: undefined });
  } else if (job.state === "running") {
    assert.equal(pair.hands.cancelRequests.at(-1), job.id);
  }
  assert.equal(answer, job.state);
}

async function redriveStep(pair: Pair, which: number): Promise<void> {
  const job = pair.jobs[which % Math.max(1, pair.jobs.length)];
  if (job === undefined) return;
  const answer = value(await pair.bench.session.retry(job.id));
  const free = job.uniqueKey === undefined || pair.holder(job.name, job.uniqueKey) === undefined;
  if ((job.state === "failed" || job.state === "cancelled") && free) {
    Object.assign(job, { state: "ready", finishedAt: undefined, order: undefined });
  }
  assert.equal(answer, job.state);
}

export function modelCase(makePlace: MakePlace): void {
  test("random operations, crashes and restarts among them, do what a simple model does", async () => {
    const fc = await import("fast-check");
    const runs = Number(process.env["TENSILE_MODEL_RUNS"] ?? 8);
    const number = fc.nat(1_000);
    const steps = fc.array(fc.tuple(fc.nat(99), number, number), { minLength: 20, maxLength: 80, size: "max" });
    await fc.assert(
      fc.asyncProperty(steps, async (numbers) => {
        const bench = new StoreBench(await makePlace(), { maxAttempts: () => maxAttempts });
        try {
          await bench.open();
          const pair = new Pair(bench);
          await pair.start();
          for (const triple of numbers) {
            await stepOf(triple)(pair);
            await pair.sync();
          }
          await pair.check();
          await pair.crash();
          await pair.check();
        } finally {
          await bench.end();
        }
      }),
      { numRuns: runs, endOnFailure: runs < 100 },
    );
  });
}
