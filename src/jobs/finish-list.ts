/** Callers that wait for the end of a job, by its id: how a store keeps them until it knows. */
import { err } from "../core/index.ts";
import type { JobId, JobRecord, StoreFault, StoreResult } from "./store.ts";

type Answer = Awaited<StoreResult<JobRecord | undefined>>;

export class FinishList {
  readonly #waiting = new Map<JobId, Set<(answer: Answer) => void>>();
  readonly #most: number;
  readonly #full: StoreFault;
  #size = 0;

  /** At most so many callers; further ones are answered with `full`. */
  constructor(most: number, full: StoreFault) {
    this.#most = most;
    this.#full = full;
  }

  get size(): number {
    return this.#size;
  }

  /** The jobs that somebody waits for. */
  get ids(): readonly JobId[] {
    return [...this.#waiting.keys()];
  }

  has(id: JobId): boolean {
    return this.#waiting.has(id);
  }

  /** `look` is called once the caller waits: the job may have ended before. Rejects with the signal's reason when it aborts: the caller no longer waits. */
  wait(id: JobId, signal: AbortSignal | undefined, look: () => void): StoreResult<JobRecord | undefined> {
    if (this.#size >= this.#most) return Promise.resolve(err(this.#full));
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
      look();
    });
  }

  tell(id: JobId, answer: Answer): void {
    const known = this.#waiting.get(id);
    if (known === undefined) return;
    this.#waiting.delete(id);
    this.#size -= known.size;
    for (const done of known) done(answer);
  }

  fail(fault: StoreFault): void {
    for (const id of this.ids) this.tell(id, err(fault));
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
}
