/** The open streams of one process: how many there are, and their common end at a drain. */
import { resolveStreamLimits, type StreamLimits } from "./stream-limits.ts";

/** What the registry needs of a stream. */
export interface DrainableStream {
  /** The process stops: end so that the client comes back elsewhere. */
  move(): void;
}

export class StreamRegistry {
  readonly limits: StreamLimits;
  readonly #open = new Set<DrainableStream>();
  /** Those that are being opened. */
  #opening = 0;
  #draining = false;
  #whenEmpty: (() => void)[] = [];

  constructor(limits: Partial<StreamLimits> | undefined) {
    this.limits = resolveStreamLimits(limits);
  }

  /** Open now, with those that are being opened and those whose handler has not ended yet. */
  get size(): number {
    return this.#open.size + this.#opening;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Takes a place, which `opened` or `left` gives on. False: there is none. */
  enter(): boolean {
    if (this.size >= this.limits.streams) return false;
    this.#opening++;
    return true;
  }

  /** The place goes to the stream; `left` returns it. */
  opened(stream: DrainableStream): void {
    this.#opening--;
    this.#open.add(stream);
    if (this.#draining) stream.move();
  }

  /** Gives back the place of a stream, or without one that of an opening that failed. */
  left(stream?: DrainableStream): void {
    if (stream === undefined) this.#opening--;
    else this.#open.delete(stream);
    if (this.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /** Ends every stream and lets in no other. Resolves when every handler has ended. Safe to call twice. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const stream of this.#open) stream.move();
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}
