/** When to look again: at the time that the last look said, and in real time every so often, since whatever was missed is found by looking. */
import { systemClock, type Clock, type Timer } from "../core/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export interface WakeEvents {
  readonly onDue: () => void;
  readonly onPoll: () => void;
  /** Whether others' calls are not heard, and there is a consumer for what they enqueue. */
  readonly deaf: () => boolean;
}

export class Wake {
  readonly #clock: Clock;
  readonly #events: WakeEvents;
  #pollMs: number = limits.busyPollMs;
  #poll: Timer | undefined;
  #due: Timer | undefined;
  #dueAt = Infinity;
  #closed = false;

  constructor(clock: Clock, events: WakeEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** There was work. */
  busy(): void {
    this.#pollMs = limits.busyPollMs;
  }

  /** Something is due so many milliseconds after a question was sent; undefined: nothing is. Answers whether it is now: early is only one question more. */
  plan(dueMs: number | undefined, sentAt: number): boolean {
    const left = dueMs === undefined ? undefined : sentAt + dueMs - this.#clock.now();
    if (left !== undefined && left <= 0) return true;
    this.in(this.#untilPoll(left));
    return false;
  }

  /**
   * At the latest in so many milliseconds. What was planned for earlier stays: the turn that answers now may have made ready what that was for, of a name that
   * it was not asked for.
   */
  in(ms: number | undefined): void {
    if (this.#closed) return;
    this.#poll ??= systemClock.setTimer(limits.pollMs, () => this.#onPoll(), true);
    if (ms === undefined) return;
    const at = this.#clock.now() + Math.min(ms, limits.longestSleepMs);
    if (at >= this.#dueAt) return;
    this.#due?.cancel();
    this.#dueAt = at;
    this.#due = this.#clock.setTimer(at - this.#clock.now(), () => this.#onDue(), true);
  }

  #onPoll(): void {
    this.#poll = undefined;
    this.#events.onPoll();
  }

  #onDue(): void {
    this.#due = undefined;
    this.#dueAt = Infinity;
    this.#events.onDue();
  }

  close(): void {
    this.#closed = true;
    this.#poll?.cancel();
    this.#due?.cancel();
  }

  /** Where nobody's calls are heard, it looks often after there was work, and less and less often. */
  #untilPoll(left: number | undefined): number | undefined {
    if (!this.#events.deaf() || this.#pollMs >= limits.pollMs) return left;
    this.#pollMs = Math.min(limits.pollMs, this.#pollMs * 1.5);
    return Math.min(left ?? Infinity, this.#pollMs);
  }
}
