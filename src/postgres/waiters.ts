/**
 * Callers that wait for a job to finish. What this process settles is told at its commit; what other processes finish is asked for in one statement for
 * all who wait, now and then.
 */
import { ok } from "../core/index.ts";
import {
  FinishList,
  isFinished,
  QueueFull,
  type JobId,
  type JobRecord,
  type Settlement,
  type StoreFault,
  type StoreResult,
} from "../jobs/index.ts";
import { Gatherer, isNew } from "./gatherer.ts";
import { postgresLimits as limits } from "./limits.ts";

export class Waiters {
  readonly #list: FinishList;
  readonly #records: (ids: readonly JobId[]) => StoreResult<ReadonlyMap<JobId, JobRecord>>;
  readonly #ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>;
  /** Thousands may begin to wait at once: those that come while a question is under way are one question afterwards. */
  readonly #looks: Gatherer<JobId, void>;
  #looking = false;

  constructor(
    records: (ids: readonly JobId[]) => StoreResult<ReadonlyMap<JobId, JobRecord>>,
    ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>,
    most: number,
  ) {
    this.#records = records;
    this.#ended = ended;
    this.#looks = new Gatherer((ids) => this.#lookAt(ids), limits.batchJobs);
    this.#list = new FinishList(most, QueueFull({ limit: most, retryAfterMs: 1_000 }));
  }

  get size(): number {
    return this.#list.size;
  }

  has(id: JobId): boolean {
    return this.#list.has(id);
  }

  /** Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    return this.#list.wait(id, signal, () => void this.#looks.add([id]));
  }

  /** Of what was settled, what has ended; and the others that ended with it. */
  async settled(settlements: readonly Settlement[], ended: readonly JobId[]): Promise<void> {
    const own = settlements.filter(({ to }) => to === "succeeded" || to === "failed" || to === "cancelled");
    await this.tell([...own.map(({ job }) => job.id), ...ended].filter(isNew()));
  }

  /** These jobs have ended: those who wait for them are told. One that somebody has run again meanwhile is waited for further. */
  async tell(ids: readonly JobId[]): Promise<void> {
    const awaited = ids.filter((id) => this.#list.has(id));
    if (awaited.length === 0) return;
    const found = await this.#records(awaited);
    for (const id of awaited) {
      if (!found.ok) this.#list.tell(id, found);
      else {
        const record = found.value.get(id);
        if (record === undefined || isFinished(record.state)) this.#list.tell(id, ok(record));
      }
    }
  }

  /** Asks for all of them; one question at a time. */
  async look(): Promise<void> {
    if (this.#looking || this.size === 0) return;
    this.#looking = true;
    try {
      await this.#looks.add(this.#list.ids);
    } finally {
      this.#looking = false;
    }
  }

  fail(fault: StoreFault): void {
    this.#list.fail(fault);
  }

  /** A failure to ask is no answer: the next look asks again. */
  async #lookAt(ids: readonly JobId[]): Promise<readonly void[]> {
    const ended = await this.#ended(ids);
    if (ended.ok) await this.tell(ended.value);
    return [];
  }
}
