/**
 * A request body that is read as it is taken: what has arrived waits here, at most `highWater` and one read on top; beyond that
 * the connection is not read. Nothing is read before the first `next()`.
 */
import type { Fault, Result } from "../../core/index.ts";
import { BodyError } from "../../exchange/index.ts";

const highWater = 64 * 1024;
type Step = IteratorResult<Uint8Array, undefined>;
const done: Step = { done: true, value: undefined };

export class BodyStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #onPull: () => void;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #pulled = false;
  #end: "complete" | "left" | Fault | null = null;
  #waiting: { readonly resolve: (step: Step) => void; readonly reject: (error: BodyError) => void } | null = null;

  constructor(onPull: () => void) {
    this.#onPull = onPull;
  }

  /** Whether bytes may come. */
  get hasRoom(): boolean {
    return this.#pulled && this.#end === null && this.#bytes < highWater;
  }

  push(piece: Uint8Array): void {
    if (this.#end !== null) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) return waiting.resolve({ done: false, value: piece });
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** No more will come: all has, or why not. */
  settle(result: Result<unknown, Fault>): void {
    if (this.#end !== null) return;
    this.#end = result.ok ? "complete" : result.fault;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (result.ok) waiting?.resolve(done);
    else waiting?.reject(new BodyError(result.fault));
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  /** One at a time: a second call while one waits is a mistake of the program. */
  async next(): Promise<Step> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#bytes -= piece.length;
      if (this.#end === null && this.#bytes < highWater) this.#pull();
      return { done: false, value: piece };
    }
    if (this.#end === "complete" || this.#end === "left") return done;
    if (this.#end !== null) throw new BodyError(this.#end);
    if (this.#waiting !== null) throw new TypeError("A body stream is read by one reader, one piece at a time.");
    const step = new Promise<Step>((resolve, reject) => (this.#waiting = { resolve, reject }));
    this.#pull();
    return step;
  }

  /** What comes now is of no interest: it is left to the connection. */
  async return(): Promise<Step> {
    this.#pieces.length = this.#bytes = 0;
    this.#end ??= "left";
    return done;
  }

  #pull(): void {
    this.#pulled = true;
    this.#onPull();
  }
}
