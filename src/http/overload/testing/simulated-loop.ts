/**
 * An event loop with time of its own: timers, then what is readable, then callbacks after the turn, as Node has them. Work
 * takes the time that it is said to take, so that a test of delays has none.
 */
import type { Clock, Timer } from "../../../core/index.ts";
import type { AfterTurn } from "../loop-delay.ts";

export interface SimulatedLoop {
  readonly clock: Clock;
  readonly afterTurn: AfterTurn;
  /** Something runs for so long. */
  work(ms: number): void;
  /** One turn in which `handle` handles what is readable. */
  turn(handle: () => void): void;
  /** Turns without anything readable, until so much time has passed. */
  idle(ms: number): void;
  /** Timers that wait. */
  readonly timers: number;
  /** Callbacks that wait for the end of a turn. */
  readonly callbacks: number;
}

export function simulatedLoop(): SimulatedLoop {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  let callbacks: (() => void)[] = [];
  const runTimers = (): void => {
    for (const timer of timers) {
      if (timer.at > now) continue;
      timers.delete(timer);
      timer.callback();
    }
  };
  const turn = (handle: () => void): void => {
    runTimers();
    handle();
    for (const callback of callbacks.splice(0)) callback();
  };
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer(ms, callback): Timer {
      const timer = { at: now + ms, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
  };
  return {
    clock,
    afterTurn: (callback) => void callbacks.push(callback),
    work: (ms) => void (now += ms),
    turn,
    idle(ms) {
      const end = now + ms;
      while (now < end) {
        // A callback that waits keeps the loop from sleeping; else it sleeps until the next timer.
        const next = callbacks.length > 0 ? now : Math.min(end, ...[...timers].map(({ at }) => at));
        now = Math.max(now, next);
        turn(() => undefined);
        if (callbacks.length === 0 && timers.size === 0) now = end;
      }
      callbacks = callbacks.splice(0);
    },
    get timers() {
      return timers.size;
    },
    get callbacks() {
      return callbacks.length;
    },
  };
}
