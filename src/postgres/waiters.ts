/**
 * Callers that wait for a job to finish. What this process settles is told at its commit; what other processes finish is asked for in one statement for
 * all who wait, now and then.
 */
import { err } from "../core/index.ts";
import { QueueFull, type JobId, type JobRecord, type StoreFault, type StoreResult } from "../jobs/index.ts";

type Answer = Awaited<StoreResult<JobRecord | undefined>>;

export class Waiters {
  readonly #waiting = new Map<JobId, Set<(answer: Answer) => void>>();
  readonly #get: (id: JobId) => StoreResult<JobRecord | undefined>;
  readonly #ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>;
  readonly #most: number;
  #size = 0;
  #looking = false;

  constructor(
    get: (id: JobId) => StoreResult<JobRecord | undefined>,
    ended: (ids: readonly JobId[]) => StoreResult<readonly JobId[]>,
    most: number,
  ) {
    this.#get = get;
    this.#ended = ended;
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    if (this.#size >= this.#most) return Promise.resolve(err(QueueFull({ limit: this.#most, retryAfterMs: 1_000 })));
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
      const known = this.#waiting.get(id);
      if (known === undefined) this.#waiting.set(id, new Set([done]));
      else known.add(done);
      this.#size++;
      void this.#lookAt([id]);
    });
  }

  /** These jobs have ended: those who wait for them are told. */
  async tell(ids: readonly JobId[]): Promise<void> {
    for (const id of ids) {
      if (!this.#waiting.has(id)) continue;
      const answer = await this.#get(id);
      const known = this.#waiting.get(id);
      if (known === undefined) continue;
      this.#waiting.delete(id);
      this.#size -= known.size;
      for (const done of known) done(answer);
    }
  }

  /** Asks for all of them; one question at a time. */
  async look(): Promise<void> {
    if (this.#looking || this.#size === 0) return;
    this.#looking = true;
    try {
      await this.#lookAt([...this.#waiting.keys()]);
    } finally {
      this.#looking = false;
    }
  }

  fail(fault: StoreFault): void {
    for (const known of this.#waiting.values()) for (const done of known) done(err(fault));
    this.#waiting.clear();
    this.#size = 0;
  }

  /** A failure to ask is no answer: the next look asks again. */
  async #lookAt(ids: readonly JobId[]): Promise<void> {
    const ended = await this.#ended(ids);
    if (ended.ok) await this.tell(ended.value);
  }

  #remove(id: JobId, done: (answer: Answer) => void): void {
    const known = this.#waiting.get(id);
    if (known === undefined || !known.delete(done)) return;
    this.#size--;
    if (known.size === 0) this.#waiting.delete(id);
  }
}
