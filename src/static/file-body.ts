/** The bytes of a file as a body that is streamed: one read at a time, when the carrier has room, and closed in every end. */
import type { OpenFile } from "./open-file.ts";

const readBytes = 64 * 1024;

/**
 * Not a generator: the `return()` of a generator that was never started runs no `finally`, and an answer may be given up before
 * its first byte.
 */
export class FileBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #file: OpenFile;
  #position: number;
  #left: number;

  constructor(file: OpenFile, start: number, length: number) {
    this.#file = file;
    this.#position = start;
    this.#left = length;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  /** Ends early when the file has shrunk: the carrier, which knows the promised length, then breaks the connection. */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    // Below 0: ended during a read.
    if (this.#left <= 0) return this.return();
    try {
      const piece = await this.#file.read(this.#position, Math.min(readBytes, this.#left));
      if (piece.length === 0) return await this.return();
      this.#position += piece.length;
      this.#left -= piece.length;
      // Closed with the last piece: a slow reader of it holds no file.
      if (this.#left === 0) await this.#file.close();
      return { done: false, value: piece };
    } catch (error) {
      await this.#file.close();
      throw error;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#left = 0;
    await this.#file.close();
    return { done: true, value: undefined };
  }
}
