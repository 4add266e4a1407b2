/** The body of one HTTP/2 request piece by piece: nothing is asked of the client before the reader asks, by the stream's own flow control. */
import type { ServerHttp2Stream } from "node:http2";
import type { Err } from "../../../core/index.ts";
import { BodyError, type BodyFault } from "../../../exchange/index.ts";
import { clientGone, tooLarge } from "../body-faults.ts";

type Step = IteratorResult<Uint8Array, undefined>;

/** What a body stream tells its request. */
export interface BodyWatch {
  /** The reader waits for the client, who has brought so many bytes. */
  awaits(bytes: number): void;
  /** The reader no longer waits. */
  arrived(): void;
}

export class BodyStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #stream: ServerHttp2Stream;
  readonly #limit: number;
  readonly #watch: BodyWatch;
  #bytes = 0;
  #isListening = false;
  #isDone = false;
  #fault: BodyFault | null = null;
  #waiting: { readonly resolve: (step: Step) => void; readonly reject: (error: BodyError) => void } | null = null;

  constructor(stream: ServerHttp2Stream, limit: number, watch: BodyWatch) {
    this.#stream = stream;
    this.#limit = limit;
    this.#watch = watch;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  async next(): Promise<Step> {
    if (!this.#isListening) this.#listen();
    const step = this.#take();
    if (step !== null) return step;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#watch.awaits(this.#bytes);
    });
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  /** Breaks the body off. */
  stop({ fault }: Err<BodyFault>): void {
    if (this.#isDone) return;
    this.#fault = fault;
    this.#end();
  }

  #listen(): void {
    this.#isListening = true;
    this.#stream.on("readable", this.#onReadable);
    this.#stream.on("end", this.#onEnd);
  }

  /** The next piece if it is there, or the end; null: neither. */
  #take(): Step | null {
    if (this.#fault !== null) throw new BodyError(this.#fault);
    if (this.#isDone) return { done: true, value: undefined };
    const piece = this.#stream.read() as Buffer | null;
    if (piece === null) return null;
    this.#bytes += piece.length;
    if (this.#bytes <= this.#limit) return { done: false, value: piece };
    this.stop(tooLarge(this.#limit));
    return this.#take();
  }

  readonly #onReadable = (): void => {
    if (this.#waiting !== null) this.#settle();
  };

  readonly #onEnd = (): void => {
    // A stream that was reset ends as well: what came then is not the body.
    if (this.#stream.closed || this.#stream.aborted) this.stop(clientGone());
    else this.#end();
  };

  #end(): void {
    this.#isDone = true;
    this.#stream.off("readable", this.#onReadable);
    this.#stream.off("end", this.#onEnd);
    if (this.#waiting !== null) this.#settle();
  }

  #settle(): void {
    const waiting = this.#waiting;
    try {
      const step = this.#take();
      if (step === null) return;
      this.#waiting = null;
      this.#watch.arrived();
      waiting?.resolve(step);
    } catch (error) {
      this.#waiting = null;
      this.#watch.arrived();
      waiting?.reject(error as BodyError);
    }
  }
}
