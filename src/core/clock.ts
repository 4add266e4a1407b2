/**
 * The only reader of time. Code takes a Clock, so that tests move time by hand and nothing sleeps for luck.
 */
export interface Clock {
  /** Wall time: milliseconds since 1970-01-01T00:00:00Z. May jump. For records and schedules. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start, with fractions. For measuring and deadlines. */
  monotonic(): number;
  /** Calls `callback` once after `ms` milliseconds. The timer does not keep the process alive unless `keepAlive` is true. */
  setTimer(ms: number, callback: () => void, keepAlive?: boolean): Timer;
}

export interface Timer {
  /** Stops the timer. Safe to call twice, or after it fired. */
  cancel(): void;
}

/** Node clamps longer timeouts to 1 ms; a longer wait is made of several. */
const longestTimeout = 2_147_483_647;

/** Node makes the global when it is first read, and looks it up behind a getter each time after that. */
const { performance } = globalThis;

export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(ms: number, callback: () => void, keepAlive = false): Timer {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      const step = Math.min(left, longestTimeout);
      handle = setTimeout(() => (left > step ? arm(left - step) : callback()), step);
      // Browsers and workerd return a number.
      if (!keepAlive && typeof handle === "object" && "unref" in handle) handle.unref();
    };
    arm(Math.max(0, ms));
    return { cancel: () => clearTimeout(handle) };
  },
});

/** Waits `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(
      ms,
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      true,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** A clock that stands still until it is told to move. Timers fire in order of their time, inside `advance`. */
export interface ManualClock extends Clock {
  /** Moves time forward and fires what became due; after each timer, pending promise callbacks run first. */
  advance(ms: number): Promise<void>;
  /** Steps the wall clock alone, as an operator or NTP would. May be negative. */
  stepWall(ms: number): void;
  /** How many timers are waiting. */
  readonly waiting: number;
  /** Monotonic time of the next timer; undefined: none waits. */
  readonly nextTimer: number | undefined;
}

export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let wall = start;
  let elapsed = 0;
  let order = 0;
  const timers = new Set<{ at: number; order: number; callback: () => void }>();
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  const nextDue = (limit: number): { at: number; order: number; callback: () => void } | undefined => {
    let first: { at: number; order: number; callback: () => void } | undefined;
    for (const timer of timers) {
      if (timer.at > limit) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  };
  return {
    now: () => wall,
    monotonic: () => elapsed,
    setTimer(ms, callback) {
      const timer = { at: elapsed + Math.max(0, ms), order: order++, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (let timer = nextDue(target); timer !== undefined; timer = nextDue(target)) {
        wall += timer.at - elapsed;
        elapsed = timer.at;
        timers.delete(timer);
        timer.callback();
        await settle();
      }
      wall += target - elapsed;
      elapsed = target;
    },
    stepWall(ms) {
      wall += ms;
    },
    get waiting() {
      return timers.size;
    },
    get nextTimer() {
      return nextDue(Infinity)?.at;
    },
  };
}
