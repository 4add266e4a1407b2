/** Collects the body of one HTTP/2 request. Flow control bounds what is under way, `limit` what is kept. */
import type { ServerHttp2Stream } from "node:http2";
import { ok, type Err, type Result } from "../../../core/index.ts";
import type { BodyFault } from "../../../exchange/index.ts";
import { clientGone, tooLarge } from "../body-faults.ts";

type BodyResult = Result<Uint8Array, BodyFault>;

export class BodyCollector {
  readonly #stream: ServerHttp2Stream;
  readonly #limit: number;
  readonly #settle: (result: BodyResult) => void;
  readonly #onProgress: () => void;
  #chunks: Buffer[] = [];
  #size = 0;

  /** `settle` is called once. */
  constructor(stream: ServerHttp2Stream, limit: number, settle: (result: BodyResult) => void, onProgress: () => void) {
    this.#stream = stream;
    this.#limit = limit;
    this.#settle = settle;
    this.#onProgress = onProgress;
    stream.on("data", this.#onData);
    stream.on("end", this.#onEnd);
  }

  /** Gives the body up. The stream is left paused, so that flow control keeps the rest with the client. */
  stop(fault: Err<BodyFault>): void {
    this.#stream.off("data", this.#onData);
    this.#stream.off("end", this.#onEnd);
    this.#stream.pause();
    this.#chunks = [];
    this.#settle(fault);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#size += chunk.length;
    if (this.#size > this.#limit) return this.stop(tooLarge(this.#limit));
    this.#chunks.push(chunk);
    this.#onProgress();
  };

  readonly #onEnd = (): void => {
    // A stream that was reset ends as well: what came then is not the body.
    if (this.#stream.closed || this.#stream.aborted) return this.stop(clientGone());
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#size);
    this.#settle(ok(body));
  };
}
