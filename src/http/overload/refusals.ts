/**
 * The answer to a request that is not let in, made at start once for each Retry-After: refusing has to cost less than what it
 * spares. It carries no request id, because nothing that a log could name has happened.
 */
import { Overloaded } from "../../contract/index.ts";
import type { HttpResponse } from "../../exchange/index.ts";
import { ProblemWriter } from "../problem.ts";

export class Refusals {
  /** At place n: Retry-After n + 1 seconds. */
  readonly #made: readonly HttpResponse[];
  #state: number;

  constructor(longestS: number, seed: number) {
    const writer = new ProblemWriter(Overloaded);
    this.#made = Array.from({ length: longestS }, (_, i) => {
      const response = writer.write(Overloaded({ retryAfter: (i + 1) * 1000 }), undefined);
      if (response === undefined) throw new TypeError("The OVERLOADED problem cannot be written.");
      return Object.freeze(response);
    });
    this.#state = seed | 1;
  }

  /** One with a Retry-After of 1 to `withinS` seconds, so that those who are refused together do not come back together. */
  pick(withinS: number): HttpResponse {
    // xorshift32 (Marsaglia 2003): a jitter needs no better chance, and no call.
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    const most = Math.min(this.#made.length, Math.max(1, Math.floor(withinS)));
    return this.#made[(state >>> 0) % most] as HttpResponse;
  }
}
