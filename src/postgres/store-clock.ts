/**
 * The clock of the database, as a process can tell it: its own, moved by what the two differ. All times that a store keeps are by the database's clock, so a process
 * whose clock is wrong puts nothing off too long or too early.
 *
 * An answer with the time of the database lies between question and answer, so the difference does too, within the time of the way. It is left alone while it may be right,
 * and else moved to the nearest that may be: two clocks that agree stay alike, and a clock that is set is noticed by the next answer.
 */
import type { Clock } from "../core/index.ts";

export class StoreClock implements Clock {
  readonly #own: Clock;
  readonly monotonic: Clock["monotonic"];
  readonly setTimer: Clock["setTimer"];
  #ahead = 0;

  constructor(own: Clock) {
    this.#own = own;
    this.monotonic = () => own.monotonic();
    this.setTimer = (ms, callback, keepAlive) => own.setTimer(ms, callback, keepAlive);
  }

  now(): number {
    return this.#own.now() + this.#ahead;
  }

  /** Asks for the time of the database. */
  async look(ask: () => Promise<number>): Promise<void> {
    const askedAt = this.#own.now();
    const there = await ask();
    // The database says whole milliseconds.
    const [least, most] = [there - this.#own.now(), there + 1 - askedAt];
    this.#ahead = Math.max(least, Math.min(most, this.#ahead));
  }
}
