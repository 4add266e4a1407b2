/**
 * Callers that wait for a job to finish. A job that succeeds at its first attempt is told from memory at its commit; others are read once more, for their
 * error history.
 */
import { ok } from "../core/index.ts";
import {
  FinishList,
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

const looksAtOnce = 1_000;

export class FinishWaiters {
  readonly #list = new FinishList(limits.finishedWaiters, queueFull(limits.finishedWaiters, "callers of finished()"));
  readonly #get: (id: JobId) => StoreResult<JobRecord | undefined>;
  readonly #state: (id: JobId) => StoreResult<JobState | undefined>;
  /** Attempts that wrote notes: their record is more than their settlement says. */
  readonly #noted = new WeakSet<ClaimedJob>();

  constructor(
    get: (id: JobId) => StoreResult<JobRecord | undefined>,
    state: (id: JobId) => StoreResult<JobState | undefined>,
  ) {
    this.#get = get;
    this.#state = state;
  }

  get size(): number {
    return this.#list.size;
  }

  /** Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    return this.#list.wait(id, signal, () => void this.#look(id));
  }

  /** It may be finished already, or never have been. */
  async #look(id: JobId): Promise<void> {
    const state = await this.#state(id);
    if (!state.ok) this.#list.tell(id, state);
    else if (state.value === undefined) this.#list.tell(id, ok(undefined));
    else if (isFinished(state.value)) this.finished(id);
  }

  noted(job: ClaimedJob): void {
    this.#noted.add(job);
  }

  settled(settlements: readonly Settlement[], receipts: readonly SettleReceipt[], now: number): void {
    settlements.forEach((settlement, index) => {
      const id = settlement.job.id;
      if (receipts[index] !== "settled" || !this.#list.has(id)) return;
      if (!isFinished(settlement.to as JobState)) return;
      const record = recordOf(settlement, now);
      const told = settlement.to === "succeeded" && settlement.job.attempt === 1 && !this.#isNoted(settlement.job);
      if (told) this.#list.tell(id, ok(record));
      else this.finished(id, record);
    });
  }

  #isNoted(job: ClaimedJob): boolean {
    return job.noted === true || this.#noted.has(job);
  }

  /** Reads the record once more; `otherwise` is told when retention has removed it already. */
  finished(id: JobId, otherwise?: JobRecord): void {
    if (!this.#list.has(id)) return;
    void this.#get(id).then((answer) =>
      this.#list.tell(id, answer.ok && answer.value === undefined ? ok(otherwise) : answer),
    );
  }

  /** These may have ended without a settlement of this process: as crashed, before the writer started again, or in another process. */
  async lookAgain(ids: readonly JobId[] = this.#list.ids): Promise<void> {
    const waited = ids.filter((id) => this.#list.has(id));
    // So many operations may wait for the writer besides.
    for (let from = 0; from < waited.length; from += looksAtOnce)
      await Promise.all(waited.slice(from, from + looksAtOnce).map((id) => this.#look(id)));
  }

  fail(fault: StoreFault): void {
    this.#list.fail(fault);
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
