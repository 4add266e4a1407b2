/**
 * Compressed request bodies. A few bytes can stand for gigabytes, so both the size and the ratio of what comes out are bounded while
 * it comes out (CWE-409).
 */
import { BadBody, PayloadTooLarge, middleware, type Middleware } from "../contract/index.ts";
import { Err, Ok, isPromiseLike, type MaybePromise, type Result } from "../core/index.ts";
import { BodyError, RequestView, type BodyFault, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import type { CodingName } from "./coders.ts";
import { decodersHere, type Decoder } from "./decoders.ts";
import { checkNames, checkWhole } from "./options.ts";

export interface DecompressionOptions {
  /** Bytes that one byte may become, once more than 64 KiB have come out. Default 100; JSON has 5 to 30. */
  readonly maxRatio?: number;
  /** Bytes that come out, whatever the operation's own limit allows. Default: that limit alone. */
  readonly maxBytes?: number;
}

/** Until here the ratio says nothing: an empty list is short, and repeats are harmless. */
const freeBytes = 64 * 1024;

/**
 * Reads request bodies that come with `content-encoding` gzip, br or zstd. Without it they are 415. The limit of the operation
 * (`maxBodyBytes`) holds for both the bytes that arrive and those that come out; over it, or over the ratio, the answer is 413.
 * Needs a runtime with `node:zlib`.
 *
 * @throws TypeError for a number out of range, or where there is no `node:zlib`.
 * @example
 * const app = implement(atlas, { middleware: [decompression({ maxRatio: 50 })], handlers });
 */
export function decompression(options: DecompressionOptions = {}): Middleware {
  checkNames("decompression", options, ["maxRatio", "maxBytes"]);
  const maxRatio = checkWhole("decompression", "maxRatio", options.maxRatio ?? 100, 1, 1_000_000);
  const maxBytes = checkWhole("decompression", "maxBytes", options.maxBytes ?? 2 ** 31, 1, 2 ** 31);
  const decoders = decodersHere();
  if (decoders === undefined) throw new TypeError("decompression() needs node:zlib, which this runtime does not have.");
  const accepted = [...decoders.keys()].join(", ");
  // RFC 7694: a client that is refused learns what would have been taken.
  const told = (response: HttpResponse): HttpResponse =>
    response.status === 415 && response.headers.get("accept-encoding") === undefined
      ? { ...response, headers: response.headers.with("accept-encoding", accepted) }
      : response;
  return middleware({
    wire: (next) => (request) => {
      const coding = request.header("content-encoding");
      if (coding === undefined) return next(request);
      const name = coding.trim().toLowerCase();
      const decoder = decoders.get((name === "x-gzip" ? "gzip" : name) as CodingName);
      const response = next(
        decoder === undefined ? request : new DecodedRequest(request, decoder, { maxRatio, maxBytes }),
      );
      return isPromiseLike(response) ? response.then(told) : told(response);
    },
  });
}

interface Bounds {
  readonly maxRatio: number;
  readonly maxBytes: number;
}

const hidden = new Set(["content-encoding", "content-length"]);

class DecodedRequest extends RequestView {
  readonly #decoder: Decoder;
  readonly #bounds: Bounds;

  constructor(request: HttpRequest, decoder: Decoder, bounds: Bounds) {
    super(request);
    this.#decoder = decoder;
    this.#bounds = bounds;
  }

  override header(name: string): string | undefined {
    return hidden.has(name) ? undefined : super.header(name);
  }

  override headerPairs(): readonly string[] {
    const pairs = super.headerPairs();
    return pairs.filter((_, i) => !hidden.has(pairs[i - (i % 2)] as string));
  }

  override body(limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    const most = Math.min(limit, this.#bounds.maxBytes);
    const received = super.body(most);
    return isPromiseLike(received)
      ? received.then((settled) => this.#decoded(settled, most))
      : this.#decoded(received, most);
  }

  async #decoded(received: Result<Uint8Array, BodyFault>, most: number): Promise<Result<Uint8Array, BodyFault>> {
    if (!received.ok || received.value.length === 0) return received;
    const limit = Math.min(most, Math.max(freeBytes, received.value.length * this.#bounds.maxRatio));
    try {
      const decoded = await this.#decoder.whole(received.value, limit);
      return decoded === undefined ? new Err(PayloadTooLarge({ limit })) : new Ok(decoded);
    } catch {
      return new Err(notSo());
    }
  }

  override bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    const most = Math.min(limit, this.#bounds.maxBytes);
    const received = super.bodyStream(most);
    if (!received.ok) return received;
    return new Ok(boundedStream(received.value, this.#decoder, most, this.#bounds.maxRatio));
  }
}

function notSo(): BodyFault {
  return BadBody({ reason: "it is not in the coding that Content-Encoding names" });
}

/** Counts what goes in and what comes out. Fails with a BodyError, as the stream that it is made of does. */
function boundedStream(
  source: AsyncIterable<Uint8Array>,
  decoder: Decoder,
  most: number,
  maxRatio: number,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      let taken = 0;
      let given = 0;
      const input = source[Symbol.asyncIterator]();
      const counted: AsyncIterator<Uint8Array> = {
        async next() {
          const piece = await input.next();
          if (piece.done !== true) taken += piece.value.length;
          return piece;
        },
        ...(input.return !== undefined && { return: () => (input.return as () => Promise<never>)() }),
      };
      const output = decoder.stream({ [Symbol.asyncIterator]: () => counted });
      return {
        async next(): Promise<IteratorResult<Uint8Array, undefined>> {
          let piece: IteratorResult<Uint8Array, undefined>;
          try {
            piece = await output.next();
          } catch (error) {
            throw error instanceof BodyError ? error : new BodyError(notSo());
          }
          if (piece.done === true) return piece;
          given += piece.value.length;
          const limit = Math.min(most, Math.max(freeBytes, taken * maxRatio));
          if (given <= limit) return piece;
          await output.return();
          throw new BodyError(PayloadTooLarge({ limit }));
        },
        return: () => output.return(),
      };
    },
  };
}
