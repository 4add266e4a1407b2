/**
 * Notices that the event loop stood still while jobs ran: sockets, timers and other jobs got no turn, and a claim may have been lost over it. One
 * timer, and only while asynchronous attempts run; what a synchronous handler does is measured where it is called.
 */
import type { Clock } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import type { JobLimits } from "./limits.ts";

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
}

export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #isBusy: () => boolean;
  #armed = false;
  /** Monotonic time of the last stall that was told. */
  #toldAt = -Infinity;

  /** `isBusy`: whether attempts run. */
  constructor(options: StallWatchOptions, isBusy: () => boolean) {
    this.#options = options;
    this.#isBusy = isBusy;
  }

  /** An asynchronous attempt has begun. */
  begun(): void {
    if (!this.#armed && this.#options.events.heard("job.stalled")) this.#arm();
  }

  stalled(blockedMs: number, name: string | undefined): void {
    this.#toldAt = this.#options.clock.monotonic();
    this.#options.events.emit("job.stalled", { blockedMs, name });
  }

  #arm(): void {
    const { clock, limits } = this.#options;
    const every = Math.max(1, limits.stallMs / 2);
    const due = clock.monotonic() + every;
    this.#armed = true;
    clock.setTimer(every, () => {
      this.#armed = false;
      const late = clock.monotonic() - due;
      if (late >= limits.stallMs && this.#toldAt < due) this.stalled(late, undefined);
      if (this.#isBusy()) this.#arm();
    });
  }
}
