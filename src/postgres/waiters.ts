/**
 * Callers that wait for a job to finish. What this process settles is told at its commit; what other processes finish is asked for in one statement for
 * all who wait, now and then.
 */
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
import { isNew } from "./gatherer.ts";

export class Waiters {
  readonly #list: FinishList;
  readonly #get: (id: JobId) => StoreResult<JobRecord | undefined>;
  readonly #ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>;
  #looking = false;

  constructor(
    get: (id: JobId) => StoreResult<JobRecord | undefined>,
    ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>,
    most: number,
  ) {
    this.#get = get;
    this.#ended = ended;
    this.#list = new FinishList(most, QueueFull({ limit: most, retryAfterMs: 1_000 }));
  }

  get size(): number {
    return this.#list.size;
  }

  /** Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    return this.#list.wait(id, signal, () => void this.#lookAt([id]));
  }

  /** Of what was settled, what has ended; and the others that ended with it. */
  async settled(settlements: readonly Settlement[], ended: readonly JobId[]): Promise<void> {
    const own = settlements.filter(({ to }) => to === "succeeded" || to === "failed" || to === "cancelled");
    await this.tell([...own.map(({ job }) => job.id), ...ended].filter(isNew()));
  }

  /** These jobs have ended: those who wait for them are told. One that somebody has run again meanwhile is waited for further. */
  async tell(ids: readonly JobId[]): Promise<void> {
    for (const id of ids) {
      if (!this.#list.has(id)) continue;
      const found = await this.#get(id);
      if (!found.ok || found.value === undefined || isFinished(found.value.state)) this.#list.tell(id, found);
    }
  }

  /** Asks for all of them; one question at a time. */
  async look(): Promise<void> {
    if (this.#looking || this.size === 0) return;
    this.#looking = true;
    try {
      await this.#lookAt(this.#list.ids);
    } finally {
      this.#looking = false;
    }
  }

  fail(fault: StoreFault): void {
    this.#list.fail(fault);
  }

  /** A failure to ask is no answer: the next look asks again. */
  async #lookAt(ids: readonly JobId[]): Promise<void> {
    const ended = await this.#ended(ids);
    if (ended.ok) await this.tell(ended.value);
  }
}
