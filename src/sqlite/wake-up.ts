/** The one timer of an open store: it wakes the writer when something is due that no message will bring. */
import type { Clock, Timer } from "../core/index.ts";
import { sqliteLimits as limits } from "./limits.ts";

export class WakeUp {
  readonly #clock: Clock;
  readonly #isBusy: () => boolean;
  readonly #tick: () => void;
  #planned: { readonly at: number; readonly timer: Timer } | undefined;

  /** `isBusy`: a message is on its way, which will say the time. */
  constructor(clock: Clock, isBusy: () => boolean, tick: () => void) {
    this.#clock = clock;
    this.#isBusy = isBusy;
    this.#tick = tick;
  }

  /** Instead of what was planned before. `Infinity`: nothing is due. */
  plan(at: number): void {
    if (this.#planned?.at === at) return;
    this.cancel();
    if (at === Infinity) return;
    const left = at - this.#clock.now();
    // Due already, by a clock that moved on while the writer worked: a message on its way will say so, else one goes now.
    if (left <= 0) return this.#isBusy() ? undefined : this.#tick();
    const timer = this.#clock.setTimer(Math.min(left, limits.longestSleepMs), () => {
      this.#planned = undefined;
      this.#tick();
    });
    this.#planned = { at, timer };
  }

  cancel(): void {
    this.#planned?.timer.cancel();
    this.#planned = undefined;
  }
}
