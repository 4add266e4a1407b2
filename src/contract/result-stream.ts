/** What a caller of a subscription iterates, in memory and over a network alike. */
import { Err, Ok, type Result } from "../core/index.ts";

/**
 * Items as Results: any number of `Ok`, then, where the stream failed, one `Err` and no more. Never throws. Leaving the loop ends
 * the subscription. Iterable once: a second loop goes on where the first one stopped, and finds nothing once that has ended.
 */
export interface ResultStream<T, F> extends AsyncIterable<Result<T, F>, undefined> {
  /** The id of the last item given, for a later subscription that goes on after it; undefined when items have no ids. */
  readonly lastEventId: string | undefined;
  [Symbol.asyncIterator](): AsyncIterator<Result<T, F>, undefined, undefined>;
}

/** What stands behind a ResultStream. */
export interface ResultSource<T, F> {
  /** The next item with its id, a fault after which nothing comes, or undefined at the end. Never rejects. */
  next(): Promise<{ readonly result: Result<T, F>; readonly id: string | undefined } | undefined>;
  /** The caller has left. Safe to call twice. */
  close(): void;
}

/** Opens `source` at the first `next`. */
export function resultStream<T, F>(open: () => ResultSource<T, F>, startAfter: string | undefined): ResultStream<T, F> {
  return new Iterated(open, startAfter);
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

class Iterated<T, F> implements ResultStream<T, F>, AsyncIterator<Result<T, F>, undefined, undefined> {
  lastEventId: string | undefined;
  readonly #open: () => ResultSource<T, F>;
  #source: ResultSource<T, F> | undefined;
  #ended = false;
  /** Calls of `next` stand in a row, as those of a generator do. */
  #row: Promise<unknown> = Promise.resolve();

  constructor(open: () => ResultSource<T, F>, startAfter: string | undefined) {
    this.#open = open;
    this.lastEventId = startAfter;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Result<T, F>, undefined>> {
    const step = this.#row.then(() => this.#next());
    this.#row = step;
    return step;
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#ended = true;
    this.#source?.close();
    return Promise.resolve(done);
  }

  async #next(): Promise<IteratorResult<Result<T, F>, undefined>> {
    if (this.#ended) return done;
    this.#source ??= this.#open();
    const step = await this.#source.next();
    if (this.#ended) return done;
    if (step === undefined) {
      this.#ended = true;
      return done;
    }
    if (!step.result.ok) {
      this.#ended = true;
      this.#source.close();
    } else if (step.id !== undefined) this.lastEventId = step.id;
    return { done: false, value: step.result };
  }
}

/** One item, or the fault at the end. */
export function streamed<T>(
  value: T,
  id: string | undefined,
): { readonly result: Ok<T>; readonly id: string | undefined } {
  return { result: new Ok(value), id };
}

export function streamFailed<F>(fault: F): { readonly result: Err<F>; readonly id: undefined } {
  return { result: new Err(fault), id: undefined };
}
