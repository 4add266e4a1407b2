/**
 * The messages of this process: the last ones are kept, so that a client that comes back misses nothing, and every reader has a
 * place in them instead of a queue of its own. What a slow reader costs is therefore nothing; what it can lose, it is told.
 */
export interface Message {
  readonly id: number;
  readonly from: string;
  readonly text: string;
}

export class Board {
  /** Messages that are kept for those who come back, and for those who read slowly. */
  readonly #kept: number;
  readonly #messages: Message[] = [];
  readonly #readers = new Set<() => void>();
  #last = 0;

  constructor(kept: number) {
    this.#kept = kept;
  }

  get last(): number {
    return this.#last;
  }

  post(from: string, text: string): Message {
    const message = { id: ++this.#last, from, text };
    this.#messages.push(message);
    if (this.#messages.length > this.#kept) this.#messages.shift();
    for (const wake of this.#readers) wake();
    return message;
  }

  /** What follows message `id` and is still kept; undefined when something that follows it is kept no more. */
  after(id: number): readonly Message[] | undefined {
    const oldest = this.#last - this.#messages.length + 1;
    return id + 1 < oldest ? undefined : this.#messages.slice(id + 1 - oldest);
  }

  /** Resolves when there is more than `id`, or when the signal aborts. */
  async changed(id: number, signal: AbortSignal): Promise<void> {
    if (this.#last > id || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#readers.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#readers.delete(resolve);
  }
}
