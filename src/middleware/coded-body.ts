/** A streamed body on its way through a zlib coder, with back pressure from the reader to the source. */
import type { Transform } from "node:stream";
import { isPromiseLike } from "../core/index.ts";

/** A zlib stream. */
export type ZlibCoder = Transform & { flush(kind?: number, done?: () => void): void };

/**
 * Pulls the source only as far as the coder has room. Not a generator: the `return()` of a generator that was never started runs no
 * `finally`, and an answer may be given up before its first byte.
 */
export class CodedBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #coder: ZlibCoder;
  /** The flush after each piece, so that a live stream is not held back; undefined: when the coder pleases. */
  readonly #flush: number | undefined;
  readonly #onEnd: () => void;
  #output: AsyncIterator<Uint8Array> | undefined;
  #sourceEnded = false;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>, coder: ZlibCoder, flush: number | undefined, onEnd: () => void) {
    this.#source = source[Symbol.asyncIterator]();
    this.#coder = coder;
    this.#flush = flush;
    this.#onEnd = onEnd;
    // Heard by who reads; an error with nobody listening would end the process.
    coder.on("error", () => undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    if (this.#output === undefined) {
      this.#output = this.#coder[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      void this.#feed();
    }
    try {
      const piece = await this.#output.next();
      if (piece.done !== true) return piece;
    } catch (error) {
      await this.return();
      throw error;
    }
    return this.return();
  }

  /** Frees source and coder; safe at any time and twice. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    if (!this.#ended) {
      this.#ended = true;
      this.#coder.destroy();
      this.#onEnd();
      // Not waited for: a source that is just being asked for a piece ends after it.
      if (!this.#sourceEnded) endSource(this.#source);
    }
    return { done: true, value: undefined };
  }

  async #feed(): Promise<void> {
    const coder = this.#coder;
    try {
      for (;;) {
        const piece = await this.#source.next();
        if (piece.done === true) break;
        if (this.#ended) return;
        const room = coder.write(piece.value);
        if (this.#flush !== undefined) coder.flush(this.#flush);
        if (!room && !(await hasRoom(coder))) return;
      }
      this.#sourceEnded = true;
      coder.end();
    } catch (error) {
      this.#sourceEnded = true;
      coder.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** False when the coder was destroyed meanwhile. */
function hasRoom(coder: Transform): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (): void => {
      coder.off("drain", settle);
      coder.off("close", settle);
      resolve(!coder.destroyed);
    };
    coder.on("drain", settle);
    coder.on("close", settle);
    if (coder.destroyed) settle();
  });
}

/** A body that nobody will read still frees what it holds. */
export function closeBody(body: AsyncIterable<Uint8Array>): void {
  endSource(body[Symbol.asyncIterator]());
}

/** It may throw or reject; nobody is left to care. */
function endSource(source: AsyncIterator<Uint8Array>): void {
  try {
    const ending = source.return?.();
    if (isPromiseLike(ending)) void Promise.resolve(ending).catch(() => undefined);
  } catch {
    // It has at least been asked.
  }
}
