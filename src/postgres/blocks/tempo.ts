/**
 * How many jobs end per millisecond of the time in which some run, as measured over the last few tens of such milliseconds: what is claimed ahead is so much work,
 * never so many jobs. The time in which nothing runs does not count: else whoever waits for a claim would seem slow, and claim less, and wait more.
 */
const windowMs = 20;

export class Tempo {
  readonly #now: () => number;
  #count = 0;
  #busyMs = 0;
  /** Since when some run. */
  #since: number | undefined;
  #perMs = 0;

  /** @param now Monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Some run. */
  start(): void {
    this.#since ??= this.#now();
  }

  count(): void {
    this.#count++;
  }

  /** None runs. */
  stop(): void {
    if (this.#since !== undefined) this.#pass(this.#now());
    this.#since = undefined;
  }

  get perMs(): number {
    if (this.#since !== undefined) {
      const now = this.#now();
      this.#pass(now);
      this.#since = now;
    }
    return this.#perMs;
  }

  #pass(now: number): void {
    this.#busyMs += now - (this.#since ?? now);
    if (this.#busyMs < windowMs) return;
    this.#perMs = this.#count / this.#busyMs;
    this.#busyMs = this.#count = 0;
  }
}
