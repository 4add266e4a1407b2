/**
 * One lifecycle for everything that runs: a server, a pool of workers, a store, or all of them in one process.
 *
 *     idle ──start──▶ starting ──▶ ready ──stop──▶ draining ──▶ stopped
 *       │                 │                                        ▲
 *       │                 └── a part failed: what had started is ──┤
 *       └──stop─────────────────────────── nothing to do ──────────┘
 *
 * Parts start in order. On stop every part drains at once, the last one told first (nobody accepts new work while another
 * finishes), and when all have drained, or the time is up, they are stopped one after another in reverse order, so that a
 * part may use the ones before it until its own end. A part that fails never keeps the others from stopping.
 */
import type { Clock } from "./clock.ts";
import { Aborted } from "./deadline.ts";
import type { MaybePromise } from "./result.ts";

export type LifecyclePhase = "idle" | "starting" | "ready" | "draining" | "stopped";

/** A thing that starts and stops. Each function is called at most once; `drain` and `stop` only after a start that succeeded. */
export interface LifecyclePart {
  /** For messages: `http`, `workers`, `store`. */
  readonly name: string;
  /** Throws when it cannot start, after it has freed what it took. */
  start?(): MaybePromise<void>;
  /** Takes no new work; ends when the running work has ended. `signal` aborts when waiting is over and work must be cut short. */
  drain?(signal: AbortSignal): MaybePromise<void>;
  /** Frees everything now. */
  stop?(): MaybePromise<void>;
}

export interface LifecycleOptions {
  readonly clock: Clock;
  readonly parts: readonly LifecyclePart[];
  /** Milliseconds for the running work to end by itself. Default 10 000. */
  readonly drainMs?: number;
  /** Ends the waiting for running work earlier than `drainMs`: where somebody else watches the time. */
  readonly cut?: AbortSignal;
  /** Milliseconds for work that was cut short to unwind, and again for the parts to free what they hold. Default 2 000. */
  readonly graceMs?: number;
}

/** How the stop went. */
export interface StopReport {
  /** `drained`: all running work ended by itself. `timed_out`: some was cut short when the time was up. */
  readonly outcome: "drained" | "timed_out";
  /** What went wrong on the way, in order. Empty on a clean stop. */
  readonly failures: readonly StopFailure[];
  /** Milliseconds from `stop()` to stopped. */
  readonly elapsedMs: number;
}

export interface StopFailure {
  readonly part: string;
  readonly during: "drain" | "stop";
  /** What the part threw, or an `Aborted` when it did not end in its time. */
  readonly cause: unknown;
}

export interface Lifecycle {
  readonly phase: LifecyclePhase;
  /** Aborts with an `Aborted` when work that still runs must be cut short. */
  readonly shutdown: AbortSignal;
  /**
   * Starts the parts in order. When one fails, those before it are stopped again and the promise rejects with an Error that
   * names the part. A second call returns the same promise; after `stop` it rejects.
   */
  start(): Promise<void>;
  /** Drains and stops. Never rejects. Safe to call twice (the same promise), before `start`, and during it. */
  stop(): Promise<StopReport>;
}

export function lifecycle(options: LifecycleOptions): Lifecycle {
  const { clock, parts, drainMs = 10_000, graceMs = 2_000, cut } = options;
  const shutdown = new AbortController();
  const running: LifecyclePart[] = [];
  const failures: StopFailure[] = [];
  let phase: LifecyclePhase = "idle";
  let started: Promise<void> | undefined;
  let stopped: Promise<StopReport> | undefined;

  async function startParts(): Promise<void> {
    phase = "starting";
    for (const part of parts) {
      // `stop` was called meanwhile: start no more, it will stop what runs.
      if (stopped !== undefined) throw new Error(`"${part.name}" was not started: stop() was called during start().`);
      try {
        await part.start?.();
      } catch (cause) {
        await stopParts();
        end();
        throw new Error(`"${part.name}" did not start: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        });
      }
      running.push(part);
    }
    if (stopped === undefined) phase = "ready";
  }

  async function drainAndStop(): Promise<StopReport> {
    const began = clock.monotonic();
    // Readiness goes off in the same turn.
    if (phase === "ready") phase = "draining";
    await started?.catch(() => undefined);
    let outcome: StopReport["outcome"] = "drained";
    if (running.length > 0) {
      phase = "draining";
      if (!(await drainParts())) outcome = "timed_out";
      await stopParts();
    }
    end();
    return { outcome, failures, elapsedMs: clock.monotonic() - began };
  }

  function end(): void {
    phase = "stopped";
    if (!shutdown.signal.aborted) shutdown.abort(new Aborted("shutdown"));
  }

  /** False when the time was up. */
  async function drainParts(): Promise<boolean> {
    const waiting = new Set<string>();
    const drains = running.toReversed().map(async (part) => {
      waiting.add(part.name);
      try {
        await part.drain?.(shutdown.signal);
      } catch (cause) {
        failures.push({ part: part.name, during: "drain", cause });
      }
      waiting.delete(part.name);
    });
    const all = Promise.all(drains);
    if (await endsWithin(clock, all, drainMs, cut)) return true;
    shutdown.abort(new Aborted("shutdown"));
    if (!(await endsWithin(clock, all, graceMs))) {
      for (const part of waiting) failures.push({ part, during: "drain", cause: new Aborted("timeout") });
    }
    return false;
  }

  async function stopParts(): Promise<void> {
    for (const part of running.splice(0).toReversed()) {
      try {
        const inTime = await endsWithin(clock, Promise.resolve(part.stop?.()), graceMs);
        if (!inTime) failures.push({ part: part.name, during: "stop", cause: new Aborted("timeout") });
      } catch (cause) {
        failures.push({ part: part.name, during: "stop", cause });
      }
    }
  }

  return {
    get phase() {
      return phase;
    },
    shutdown: shutdown.signal,
    start() {
      if (started === undefined && stopped !== undefined) {
        return Promise.reject(new TypeError("start() was called after stop(). Make a new one: a lifecycle runs once."));
      }
      return (started ??= startParts());
    },
    stop() {
      return (stopped ??= drainAndStop());
    },
  };
}

/** Whether `work` ended in time. A rejection in time is thrown; a later one is nobody's any more and is dropped. */
async function endsWithin(clock: Clock, work: Promise<unknown>, ms: number, cut?: AbortSignal): Promise<boolean> {
  let expire: (value: boolean) => void = () => undefined;
  const expired = new Promise<boolean>((resolve) => {
    expire = resolve;
  });
  // The process must live until the stop is over.
  const timer = clock.setTimer(ms, () => expire(false), true);
  const onCut = (): void => expire(false);
  if (cut?.aborted === true) onCut();
  else cut?.addEventListener("abort", onCut, { once: true });
  try {
    return await Promise.race([work.then(() => true), expired]);
  } finally {
    timer.cancel();
    cut?.removeEventListener("abort", onCut);
  }
}
