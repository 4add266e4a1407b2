/** What is done again and again: so long after the last time has ended. */
import type { Clock, Timer } from "../core/index.ts";

export class Regular {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  every(ms: number, act: () => Promise<unknown>): void {
    if (this.#closed) return;
    const timer = this.#clock.setTimer(
      ms,
      () => {
        this.#timers.delete(timer);
        void act().finally(() => this.every(ms, act));
      },
      true,
    );
    this.#timers.add(timer);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
  }
}
