/**
 * How often settlements are sent while they keep coming. Nobody waits for the commit of a plain success, and a statement costs the server about the same however
 * little it settles: so the next one gathers for a while, and enqueues, which somebody waits for, have the server meanwhile.
 *
 *   nothing was sent for a while -> at once
 *   else -> a while after the last one was sent; at once as soon as one that is waited for, or enough of them, have come
 */
import type { Clock, Timer } from "../core/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export class Pace<T> {
  readonly #clock: Clock;
  readonly #isAwaited: (item: T) => boolean;
  #sentAt = -Infinity;
  #gathered = 0;
  #hurried = false;
  #waiting: { readonly timer: Timer; readonly resolve: () => void } | undefined;

  /** @param isAwaited Whether something may begin, or somebody may go on, when this one is committed. */
  constructor(clock: Clock, isAwaited: (item: T) => boolean) {
    this.#clock = clock;
    this.#isAwaited = isAwaited;
  }

  /** These are to be sent. */
  add(items: readonly T[]): void {
    if (this.#hurried) return;
    this.#gathered += items.length;
    if (this.#gathered >= limits.settleJobs || items.some(this.#isAwaited)) this.hurry();
  }

  /** What has gathered, or comes first, goes at once. */
  hurry(): void {
    this.#hurried = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.timer.cancel();
    waiting?.resolve();
  }

  /** Resolves when it is time to send what has gathered. */
  async next(): Promise<void> {
    const left = this.#sentAt + limits.settleMs - this.#clock.monotonic();
    if (!this.#hurried && left > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = { timer: this.#clock.setTimer(left, () => this.hurry()), resolve };
      });
    }
    this.#hurried = false;
    this.#gathered = 0;
    this.#sentAt = this.#clock.monotonic();
  }
}
