/**
 * Callers that wait for a job to finish. A job that succeeds at its first attempt is told from memory at its commit; others are read once more, for their
 * error history.
 */
import { err, ok } from "../core/index.ts";
import {
  isFinished,
  type ClaimedJob,
  type JobId,
  type JobRecord,
  type JobState,
  type Settlement,
  type SettleReceipt,
  type StoreFault,
  type StoreResult,
} from "../jobs/index.ts";
import type { SlottedJob } from "./claimed.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { queueFull } from "./receipt.ts";

type Answer = Awaited<StoreResult<JobRecord | undefined>>;

export class FinishWaiters {
  readonly #waiting = new Map<JobId, Set<(answer: Answer) => void>>();
  readonly #get: (id: JobId) => StoreResult<JobRecord | undefined>;
  readonly #state: (id: JobId) => StoreResult<JobState | undefined>;
  /** Attempts that wrote notes: their record is more than their settlement says. */
  readonly #noted = new WeakSet<ClaimedJob>();
  #size = 0;

  constructor(
    get: (id: JobId) => StoreResult<JobRecord | undefined>,
    state: (id: JobId) => StoreResult<JobState | undefined>,
  ) {
    this.#get = get;
    this.#state = state;
  }

  get size(): number {
    return this.#size;
  }

  /** Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    if (this.#size >= limits.finishedWaiters)
      return Promise.resolve(err(queueFull(limits.finishedWaiters, "callers of finished()")));
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        this.#remove(id, done);
        reject(signal?.reason as Error);
      };
      const done = (answer: Answer): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve(answer);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#add(id, done);
      void this.#look(id);
    });
  }

  /** It may be finished already, or never have been. */
  async #look(id: JobId): Promise<void> {
    const state = await this.#state(id);
    if (!state.ok) this.#tell(id, state);
    else if (state.value === undefined) this.#tell(id, ok(undefined));
    else if (isFinished(state.value)) this.finished(id);
  }

  #add(id: JobId, done: (answer: Answer) => void): void {
    const known = this.#waiting.get(id);
    if (known === undefined) this.#waiting.set(id, new Set([done]));
    else known.add(done);
    this.#size++;
  }

  #remove(id: JobId, done: (answer: Answer) => void): void {
    const known = this.#waiting.get(id);
    if (known === undefined || !known.delete(done)) return;
    this.#size--;
    if (known.size === 0) this.#waiting.delete(id);
  }

  #tell(id: JobId, answer: Answer): void {
    const known = this.#waiting.get(id);
    if (known === undefined) return;
    this.#waiting.delete(id);
    this.#size -= known.size;
    for (const done of known) done(answer);
  }

  noted(job: ClaimedJob): void {
    this.#noted.add(job);
  }

  settled(settlements: readonly Settlement[], receipts: readonly SettleReceipt[], now: number): void {
    settlements.forEach((settlement, index) => {
      const id = settlement.job.id;
      if (receipts[index] !== "settled" || !this.#waiting.has(id)) return;
      if (!isFinished(settlement.to as JobState)) return;
      const record = recordOf(settlement, now);
      const told = settlement.to === "succeeded" && settlement.job.attempt === 1 && !this.#isNoted(settlement.job);
      if (told) this.#tell(id, ok(record));
      else this.finished(id, record);
    });
  }

  #isNoted(job: ClaimedJob): boolean {
    return job.noted === true || this.#noted.has(job);
  }

  /** Reads the record once more; `otherwise` is told when retention has removed it already. */
  finished(id: JobId, otherwise?: JobRecord): void {
    if (!this.#waiting.has(id)) return;
    void this.#get(id).then((answer) =>
      this.#tell(id, answer.ok && answer.value === undefined ? ok(otherwise) : answer),
    );
  }

  /** The writer started again: jobs may have ended as crashed meanwhile, without a settlement. */
  lookAgain(): void {
    for (const id of this.#waiting.keys()) void this.#look(id);
  }

  fail(fault: StoreFault): void {
    for (const id of this.#waiting.keys()) this.#tell(id, err(fault));
  }
}

function recordOf(settlement: Settlement, now: number): JobRecord {
  const { job } = settlement;
  const uniqueKey = "uniqueKey" in job ? (job as SlottedJob).uniqueKey : undefined;
  const result = settlement.to === "succeeded" ? settlement.result : undefined;
  const error = "error" in settlement ? settlement.error : undefined;
  return {
    id: job.id,
    name: job.name,
    state: settlement.to as JobState,
    priority: job.priority,
    payload: job.payload,
    ...(job.context === undefined ? undefined : { context: job.context }),
    attempt: job.attempt,
    enqueuedAt: job.enqueuedAt,
    finishedAt: now,
    ...(uniqueKey === undefined ? undefined : { uniqueKey }),
    ...(job.key === undefined ? undefined : { key: job.key }),
    ...(job.tenant === undefined ? undefined : { tenant: job.tenant }),
    ...(result === undefined ? undefined : { result }),
    errors: error === undefined ? [] : [error],
  };
}
