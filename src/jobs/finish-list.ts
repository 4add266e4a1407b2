/** Callers that wait for the end of a job, by its id: how a store keeps them until it knows. */
import { err } from "../core/index.ts";
import type { JobId, JobRecord, StoreFault, StoreResult } from "./store.ts";

type Answer = Awaited<StoreResult<JobRecord | undefined>>;

interface Waiting {
  readonly id: JobId;
  readonly callers: Set<(answer: Answer) => void>;
}

export class FinishList {
  readonly #waiting = new Map<number | JobId, Waiting>();
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
    return [...this.#waiting.values()].map(({ id }) => id);
  }

  has(id: JobId): boolean {
    return this.#size > 0 && this.#waiting.has(keyOf(id));
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
    const key = keyOf(id);
    const callers = this.#waiting.get(key)?.callers;
    if (callers === undefined) return;
    this.#waiting.delete(key);
    this.#size -= callers.size;
    for (const done of callers) done(answer);
  }

  fail(fault: StoreFault): void {
    for (const id of this.ids) this.tell(id, err(fault));
  }

  #add(id: JobId, done: (answer: Answer) => void): void {
    const key = keyOf(id);
    const known = this.#waiting.get(key);
    if (known === undefined) this.#waiting.set(key, { id, callers: new Set([done]) });
    else known.callers.add(done);
    this.#size++;
  }

  #remove(id: JobId, done: (answer: Answer) => void): void {
    const key = keyOf(id);
    const callers = this.#waiting.get(key)?.callers;
    if (callers?.delete(done) !== true) return;
    this.#size--;
    if (callers.size === 0) this.#waiting.delete(key);
  }
}

/** Numbers where ids are numbers: V8 makes a text of its own, in its old generation, of each that is looked for in a Map. */
function keyOf(id: JobId): number | JobId {
  const number = Number(id);
  return Number.isSafeInteger(number) && String(number) === id ? number : id;
}
