/**
 * Reads one request body from the bytes of its connection: by Content-Length or chunked, collected or skipped. Memory grows
 * with what arrived, not with what was announced, so that a large Content-Length followed by silence holds nothing.
 */
import { ChunkedDecoder, type ByteSink } from "./chunked-decoder.ts";
import type { EngineLimits } from "./limits.ts";

export type BodyVerdict = "more" | "done" | "bad" | "too_large";

const firstBuffer = 16 * 1024;
const noBytes = Buffer.alloc(0);

export class BodyReader implements ByteSink {
  /** Where reading stopped. */
  at = 0;
  readonly #chunked: ChunkedDecoder | null;
  /** Bytes still to come, when the length is known. */
  #left: number;
  /** The most data bytes that will be taken. */
  #limit = 0;
  #collecting = false;
  #onPiece: ((piece: Uint8Array) => void) | null = null;
  #data: Buffer = noBytes;
  #size = 0;

  /** `length` -1: chunked. */
  constructor(length: number, limits: EngineLimits) {
    this.#left = length;
    this.#chunked = length < 0 ? new ChunkedDecoder(limits) : null;
  }

  /** What went wrong, after "bad". */
  get reason(): string {
    return this.#chunked?.reason ?? "";
  }

  /** Bytes still to come; Infinity when nobody can know. */
  get left(): number {
    return this.#chunked === null ? this.#left : Infinity;
  }

  /** The bound that "too_large" speaks of. */
  get limit(): number {
    return this.#limit;
  }

  /** From now on bytes are kept, at most `limit`. */
  collect(limit: number): void {
    this.#collecting = true;
    this.#limit = limit;
  }

  /** From now on bytes are given to `onPiece`, as copies, at most `limit` in all. */
  stream(limit: number, onPiece: (piece: Uint8Array) => void): void {
    this.#onPiece = onPiece;
    this.#limit = limit;
  }

  /** From now on bytes are skipped, at most `limit`, and what was kept is dropped. */
  discard(limit: number): void {
    this.#collecting = false;
    this.#onPiece = null;
    this.#limit = this.#size + limit;
    this.#data = noBytes;
  }

  read(bytes: Buffer, start: number, end: number): BodyVerdict {
    if (this.#chunked !== null) {
      const verdict = this.#chunked.decode(bytes, start, end, this.#limit, this);
      this.at = this.#chunked.at;
      return verdict;
    }
    const to = end - start < this.#left ? end : start + this.#left;
    this.take(bytes, start, to);
    this.#left -= to - start;
    this.at = to;
    return this.#left === 0 ? "done" : "more";
  }

  /** Data bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that are kept for it. */
  get kept(): number {
    return this.#data.length;
  }

  /** The collected body. */
  body(): Uint8Array {
    return this.#data.subarray(0, this.#size);
  }

  take(bytes: Buffer, from: number, to: number): void {
    const size = this.#size + to - from;
    if (this.#collecting) {
      if (size > this.#data.length) this.#grow(size, to - from);
      bytes.copy(this.#data, this.#size, from, to);
    }
    this.#size = size;
    // The bytes lie in a buffer that the next read overwrites.
    if (this.#onPiece !== null && to > from) this.#onPiece(Buffer.from(bytes.subarray(from, to)));
  }

  /** Doubles, so that n bytes in pieces of one cost n copies and not n squared; stops at the announced length. */
  #grow(size: number, arriving: number): void {
    const announced = this.#chunked === null ? size - arriving + this.#left : this.#limit;
    const wanted = Math.max(size, this.#data.length * 2, firstBuffer);
    const grown = Buffer.allocUnsafe(Math.max(size, Math.min(wanted, announced)));
    this.#data.copy(grown, 0, 0, this.#size);
    this.#data = grown;
  }
}
