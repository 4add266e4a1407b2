/** Answers that are streamed, counted for as long as somebody may still read them. */
import type { HttpResponse } from "../../exchange/index.ts";

type Body = HttpResponse["body"];

export function isStream(body: Body): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && !(body instanceof Uint8Array);
}

/** The same answer; `ended` is called once, when its stream is through, fails, or is given up. */
export function countedStream(response: HttpResponse, ended: () => void): HttpResponse {
  const body = response.body as AsyncIterable<Uint8Array>;
  return { ...response, body: new CountedStream(body, ended) };
}

class CountedStream implements AsyncIterable<Uint8Array> {
  readonly #inner: AsyncIterable<Uint8Array>;
  #ended: (() => void) | undefined;

  constructor(inner: AsyncIterable<Uint8Array>, ended: () => void) {
    this.#inner = inner;
    this.#ended = ended;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    let iterator: AsyncIterator<Uint8Array>;
    try {
      iterator = this.#inner[Symbol.asyncIterator]();
    } catch (error) {
      this.#end();
      throw error;
    }
    return {
      next: async () => {
        try {
          const step = await iterator.next();
          if (step.done === true) this.#end();
          return step;
        } catch (error) {
          this.#end();
          throw error;
        }
      },
      return: async () => {
        this.#end();
        return (await iterator.return?.()) ?? { done: true, value: undefined };
      },
    };
  }

  #end(): void {
    this.#ended?.();
    this.#ended = undefined;
  }
}
