/** A streamed body that counts its bytes and says once how it ended. */

/** `sent`: the source ended and the carrier has all of it. `left`: given up before its end. `failed`: the source threw. */
type BodyEnd = "sent" | "left" | "failed";

export function watchBody(
  body: AsyncIterable<Uint8Array>,
  onEnd: (bytes: number, end: BodyEnd) => void,
): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => new WatchedSource(body[Symbol.asyncIterator](), onEnd) };
}

class WatchedSource implements AsyncIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #onEnd: (bytes: number, end: BodyEnd) => void;
  #bytes = 0;
  #ended = false;

  constructor(source: AsyncIterator<Uint8Array>, onEnd: (bytes: number, end: BodyEnd) => void) {
    this.#source = source;
    this.#onEnd = onEnd;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const step = await this.#source.next();
      if (step.done === true) this.#end("sent");
      else this.#bytes += step.value.length;
      return step;
    } catch (error) {
      this.#end("failed");
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#end("left");
    return (await this.#source.return?.()) ?? { done: true, value: undefined };
  }

  #end(end: BodyEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this.#bytes, end);
  }
}
