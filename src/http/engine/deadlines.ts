/**
 * One timer for the deadlines of all connections, armed only while there are any (LAW: no invisible work). A connection keeps
 * its deadlines as two numbers, so that moving them on each request costs nothing; the timer, when it fires, looks at all.
 */
import type { Clock, Timer } from "../../core/index.ts";

export interface Expiring {
  /** Monotonic ms; Infinity: none. */
  readonly readDeadline: number;
  readonly writeDeadline: number;
  expire(now: number): void;
}

/** Sweeps are at least this far apart, so that many deadlines close together cost one look. */
const graceMs = 100;

export class Deadlines<T extends Expiring> {
  readonly #clock: Clock;
  readonly #members: ReadonlySet<T>;
  #timer: Timer | null = null;
  #armedFor = Infinity;

  constructor(clock: Clock, members: ReadonlySet<T>) {
    this.#clock = clock;
    this.#members = members;
  }

  /** Makes sure that a deadline at `time` is noticed, at most `graceMs` late. */
  wakeAt(time: number): void {
    if (time < this.#armedFor) this.#arm(time);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#armedFor = Infinity;
  }

  #arm(time: number): void {
    this.#timer?.cancel();
    this.#armedFor = time;
    // Timers count whole milliseconds: one that fired a fraction early would find nothing due, and come back a grace later.
    this.#timer = this.#clock.setTimer(Math.max(0, Math.ceil(time - this.#clock.monotonic())), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = null;
    const now = this.#clock.monotonic();
    // Until the end of the sweep nobody needs to arm the timer: what they set is looked at below.
    this.#armedFor = -Infinity;
    let next = Infinity;
    for (const member of this.#members) {
      if (member.readDeadline <= now || member.writeDeadline <= now) member.expire(now);
      next = Math.min(next, member.readDeadline, member.writeDeadline);
    }
    this.#armedFor = Infinity;
    if (next !== Infinity) this.#arm(Math.max(next, now + graceMs));
  }
}
