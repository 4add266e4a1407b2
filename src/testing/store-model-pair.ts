/** A store beside a model of it: plain records, moved by plain rules. Whatever the store answers must be what the records say. */
import assert from "node:assert/strict";
import { isFinished, type ClaimedJob, type JobPolicy, type JobState, type NewJob } from "../jobs/index.ts";
import { at, type Hands, type StoreBench, value } from "./store-harness.ts";

/** "k" lets two of a key run, "o" runs the jobs of a key in their order. */
export const modelNames = ["a", "b", "k", "o"] as const;
export const modelAttempts = 4;

export function modelPolicy(name: string): JobPolicy | undefined {
  if (name === "k") return { perKey: { concurrency: 2 } };
  return name === "o" ? { perKey: { ordered: true } } : undefined;
}

interface ModelJob {
  readonly id: string;
  readonly name: string;
  readonly priority: number;
  readonly payload: string;
  readonly context: string | undefined;
  readonly enqueuedAt: number;
  readonly uniqueKey: string | undefined;
  readonly key: string | undefined;
  /** What it still waits for, and whether that must succeed. */
  readonly open: Set<string>;
  readonly needs: boolean;
  /** When it may begin, once it waits for nobody any more. */
  notBefore: number | undefined;
  /** The signal that it waits for. */
  awaits: { readonly signal: string; readonly until: number | undefined } | undefined;
  readonly signals: string[];
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
export class Pair {
  readonly bench: StoreBench;
  readonly jobs: ModelJob[] = [];
  readonly byId = new Map<string, ModelJob>();
  readonly old: ClaimedJob[] = [];
  readonly credit = new Map<string, number>();
  readonly paused = new Set<string>();
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
    this.#hands = this.bench.hands(...modelNames);
  }

  get hands(): Hands {
    assert.ok(this.#hands);
    return this.#hands;
  }

  holder(name: string, key: string): ModelJob | undefined {
    return this.jobs.find((job) => job.name === name && job.uniqueKey === key && !isFinished(job.state));
  }

  async enqueue(batch: readonly NewJob[]): Promise<void> {
    const receipts = value(await this.bench.session.enqueue(batch));
    assert.equal(receipts.length, batch.length);
    const ids = receipts.map(({ id }) => id);
    for (const [index, job] of batch.entries()) this.#enqueued(job, at(receipts, index), ids);
  }

  #enqueued(job: NewJob, receipt: { id: string; duplicate: boolean }, ids: readonly string[]): void {
    const holder = job.uniqueKey === undefined ? undefined : this.holder(job.name, job.uniqueKey);
    if (holder !== undefined) return assert.deepEqual(receipt, { id: holder.id, duplicate: true });
    if (job.occurrence !== undefined) {
      if (job.occurrence.at <= this.#occurrence) return assert.deepEqual(receipt, { id: "", duplicate: true });
      this.#occurrence = job.occurrence.at;
    }
    assert.equal(receipt.duplicate, false);
    assert.ok(!this.byId.has(receipt.id));
    const later = job.runAt !== undefined && job.runAt > this.now;
    const named = (job.after?.jobs ?? []).map((id) => (typeof id === "number" ? at(ids, id) : id));
    const made: ModelJob = {
      id: receipt.id,
      name: job.name,
      priority: job.priority,
      payload: job.payload,
      context: job.context,
      enqueuedAt: this.now,
      uniqueKey: job.uniqueKey,
      key: job.key,
      open: new Set(named),
      needs: job.after?.on === "succeeded",
      notBefore: job.runAt,
      awaits: undefined,
      signals: [],
      order: later || job.after !== undefined ? undefined : this.#order++,
      state: "waiting",
      attempt: 0,
      runAt: undefined,
      finishedAt: undefined,
      result: undefined,
      errors: [],
      claim: undefined,
    };
    this.jobs.push(made);
    this.byId.set(made.id, made);
    for (const id of named) this.#ended(made, id, this.byId.get(id)?.state ?? "cancelled");
    if (made.state === "waiting" && made.open.size === 0) this.#begin(made);
  }

  /** One that a job waits for is in this state now. */
  #ended(job: ModelJob, id: string, state: JobState): void {
    if (!isFinished(state) || job.state !== "waiting" || !job.open.delete(id)) return;
    if (job.needs && state !== "succeeded") {
      job.errors.push("DEPENDENCY_FAILED");
      this.end(job, "cancelled");
    } else if (job.open.size === 0) this.#begin(job);
  }

  #begin(job: ModelJob): void {
    const later = job.notBefore !== undefined && job.notBefore > this.now;
    Object.assign(job, { state: later ? "scheduled" : "ready", runAt: later ? job.notBefore : undefined });
  }

  /** The job is finished, and with it what depended on it. */
  end(job: ModelJob, state: "succeeded" | "failed" | "cancelled"): void {
    Object.assign(job, { state, finishedAt: this.now, runAt: undefined, awaits: undefined, claim: undefined });
    job.open.clear();
    for (const other of this.jobs) if (other !== job) this.#ended(other, job.id, state);
  }

  /** What is due is ready, and what there is credit for is claimed. */
  async sync(): Promise<void> {
    for (const job of this.jobs) {
      const due = job.state === "scheduled" ? (job.runAt ?? 0) : (job.awaits?.until ?? Infinity);
      if ((job.state === "scheduled" || job.state === "waiting") && due <= this.now)
        Object.assign(job, { state: "ready", runAt: undefined, awaits: undefined });
    }
    let expected = 0;
    for (const name of modelNames) {
      if (!this.paused.has(name)) expected += Math.min(this.#startable(name), Math.max(0, this.credit.get(name) ?? 0));
    }
    for (const job of await this.hands.take(expected)) this.#claimed(job);
    assert.equal(this.hands.untaken, 0, "more was handed over than may start");
  }

  /** How many of a name may start now, credit and pauses aside. */
  #startable(name: string): number {
    const ready = this.jobs.filter((job) => job.name === name && job.state === "ready");
    if (modelPolicy(name) === undefined) return ready.length;
    let count = ready.filter((job) => job.key === undefined).length;
    for (const key of new Set(ready.flatMap((job) => job.key ?? []))) {
      const own = ready.filter((job) => job.key === key);
      count += Math.max(0, Math.min(this.#room(name, key), own.length));
    }
    return count;
  }

  /** How many more of a key may start. */
  #room(name: string, key: string): number {
    const own = this.jobs.filter((job) => job.name === name && job.key === key && !isFinished(job.state));
    const running = own.filter((job) => job.state === "running").length;
    if (name === "k") return 2 - running;
    const oldest = own.toSorted((one, two) => Number(one.id) - Number(two.id))[0];
    return running === 0 && oldest?.state === "ready" ? 1 : 0;
  }

  #claimed(job: ClaimedJob): void {
    const known = this.byId.get(job.id);
    assert.ok(known !== undefined && known.state === "ready", `job ${job.id} was handed over while ${known?.state}`);
    assert.ok(!this.paused.has(job.name), "a paused name was handed over");
    assert.deepEqual([job.key, job.noted ?? false], [known.key, known.signals.length > 0]);
    if (known.key !== undefined && modelPolicy(known.name) !== undefined)
      assert.ok(this.#room(known.name, known.key) > 0, `job ${job.id} may not start: its key ${known.key} has no room`);
    for (const other of this.jobs) {
      if (other.state !== "ready" || other.name !== known.name) continue;
      // Of names with limits per key, who was passed over may have been blocked at that moment.
      if (modelPolicy(known.name) !== undefined && other.key !== undefined) continue;
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
        case "snoozed":
          return { job: claim, to, runAt: this.now + delay };
        case "waiting":
          return {
            job: claim,
            to,
            signal: `s${delay % 2}`,
            ...(delay % 3 === 0 ? undefined : { until: this.now + delay }),
          };
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
    const { attempt } = job;
    job.claim = undefined;
    job.order = to === "succeeded" || to === "failed" || to === "cancelled" ? job.order : undefined;
    switch (to) {
      case "released":
        Object.assign(job, { state: "ready", attempt: attempt - 1 });
        return;
      case "snoozed":
        Object.assign(job, { state: "scheduled", attempt: attempt - 1, runAt: this.now + delay });
        return;
      case "waiting":
        Object.assign(job, { state: "waiting", attempt: attempt - 1 });
        job.awaits = { signal: `s${delay % 2}`, until: delay % 3 === 0 ? undefined : this.now + delay };
        this.wake(job);
        return;
      case "retry":
        Object.assign(job, { state: "scheduled", runAt: this.now + delay });
        job.errors.push(`E${attempt}`);
        return;
      default:
        if (to === "failed") job.errors.push(`E${attempt}`);
        if (to === "succeeded" && delay % 2 !== 0) job.result = job.payload;
        this.end(job, to);
    }
  }

  /** It goes on if the signal that it waits for is there. */
  wake(job: ModelJob): void {
    if (job.awaits === undefined || !job.signals.includes(job.awaits.signal)) return;
    Object.assign(job, { state: "ready", awaits: undefined });
  }

  async crash(): Promise<void> {
    await this.bench.reopen();
    for (const job of this.running()) {
      job.errors.push("CRASHED");
      job.claim = undefined;
      job.order = undefined;
      if (job.attempt < modelAttempts) job.state = "ready";
      else this.end(job, "failed");
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
    for (const job of this.jobs) {
      const notes = value(await this.bench.session.notes(job.id)).map(({ name }) => name);
      assert.deepEqual(
        notes,
        job.signals.map((signal) => `signal:${signal}`),
      );
    }
  }
}

export type Outcome = "succeeded" | "retry" | "failed" | "cancelled" | "released" | "snoozed" | "waiting";
export const outcomes: readonly Outcome[] = [
  "succeeded",
  "succeeded",
  "retry",
  "failed",
  "cancelled",
  "released",
  "snoozed",
  "waiting",
];

function plain(
  job: {
    readonly [K in "id" | "name" | "state" | "priority" | "payload" | "attempt" | "enqueuedAt" | "errors"]: unknown;
  } & { readonly [K in "runAt" | "finishedAt" | "uniqueKey" | "result" | "context" | "key"]?: unknown },
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
    // Until when a waiting job waits may be told or not.
    job.state === "scheduled" ? job.runAt : undefined,
    job.finishedAt,
    job.uniqueKey,
    job.key,
    job.result,
  ];
}
