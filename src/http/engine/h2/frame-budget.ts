/**
 * How many frames a client may send that cost an answer and bring nothing (PING, SETTINGS). Keep-alive and the measuring of
 * round trips by busy clients stay far below it, because work in between fills it up again.
 */
export class FrameBudget {
  readonly #size: number;
  #left: number;
  #since: number;

  /** `size` frames at once; a tenth of it comes back each second. */
  constructor(size: number, now: number) {
    this.#size = size;
    this.#left = size;
    this.#since = now;
  }

  /** Work has come. */
  refill(): void {
    this.#left = this.#size;
  }

  /** One frame, at monotonic ms. False: one too many. */
  take(now: number): boolean {
    this.#left = Math.min(this.#size, this.#left + ((now - this.#since) * this.#size) / 10_000);
    this.#since = now;
    this.#left -= 1;
    return this.#left >= 0;
  }
}
