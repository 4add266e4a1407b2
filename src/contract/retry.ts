/**
 * Retry policies as data: when a failed attempt is tried again. Pure, so that tests enumerate them.
 */
import { durationMs, type Duration, type Fault } from "../core/index.ts";

/** What a fault means for the job. */
export type RetryDecision =
  /** Try again after the backoff, while attempts are left. */
  | { readonly do: "retry" }
  /** Try again after this time instead of the backoff, while attempts are left. */
  | { readonly do: "retry_after"; readonly ms: number }
  /** Nothing is wrong, it is too early: go on after this time, and do not count the attempt. */
  | { readonly do: "snooze"; readonly ms: number }
  /** Never try again: the job has failed. */
  | { readonly do: "discard" };

/** Try again after the backoff: the default for every fault. */
export const retry: RetryDecision = Object.freeze({ do: "retry" });

/** Give up at once: no attempt could succeed. */
export const discard: RetryDecision = Object.freeze({ do: "discard" });

/** Try again after a time that the failure itself told, such as a `Retry-After` header. */
export function retryAfter(delay: Duration): RetryDecision {
  return Object.freeze({ do: "retry_after", ms: durationMs(delay) });
}

/**
 * Run again after this time, and do not count the attempt: for what is no failure, such as a report that is not ready yet. A job can be put
 * off for 30 days from its enqueueing on (`snoozeMs` of the job limits); after that it counts as a failure like others.
 *
 * @example
 * const NotReady = fault("NOT_READY", { kind: "unavailable" });
 * const fetchReport = job("fetchReport", { input: {}, faults: [NotReady], retry: { on: { NOT_READY: snooze("10m") } } });
 */
export function snooze(delay: Duration): RetryDecision {
  return Object.freeze({ do: "snooze", ms: durationMs(delay) });
}

/** Delay before attempt `attempt + 1`, where `attempt` (from 1) has just failed. `random` is in [0, 1). */
export interface Backoff {
  readonly kind: "exponential" | "linear" | "fixed";
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of the delay that is random: 0 none, 1 all of it. */
  readonly jitter: number;
}

export interface BackoffOptions {
  /** Delay after the first failure. */
  readonly first: Duration;
  /** No delay is longer. Default 1 h. */
  readonly max?: Duration;
  /** 0 (none) to 1 (anywhere between 0 and the delay). Default 0.2: spreads retries that failed together. */
  readonly jitter?: number;
}

/** `first`, then each delay `factor` (default 2) times the last, up to `max`. */
export function exponential(options: BackoffOptions & { readonly factor?: number }): Backoff {
  return backoff("exponential", options, options.factor ?? 2);
}

/** `first`, 2 x `first`, 3 x `first`, … up to `max`. */
export function linear(options: BackoffOptions): Backoff {
  return backoff("linear", options, 1);
}

/** The same delay after every failure. */
export function fixed(delay: Duration, options: { readonly jitter?: number } = {}): Backoff {
  return backoff("fixed", { first: delay, max: delay, ...options }, 1);
}

/** Milliseconds to wait after attempt `attempt` (from 1) failed. */
export function backoffMs(policy: Backoff, attempt: number, random: number): number {
  const step = Math.max(0, attempt - 1);
  const grown =
    policy.kind === "exponential"
      ? policy.firstMs * policy.factor ** step
      : policy.kind === "linear"
        ? policy.firstMs * (step + 1)
        : policy.firstMs;
  const delay = Math.min(grown, policy.maxMs);
  return Math.round(delay - delay * policy.jitter * random);
}

function backoff(kind: Backoff["kind"], options: BackoffOptions, factor: number): Backoff {
  const firstMs = durationMs(options.first);
  const maxMs = durationMs(options.max ?? Math.max(firstMs, 3_600_000));
  const jitter = options.jitter ?? 0.2;
  if (maxMs < firstMs) throw new TypeError(`${kind}(): max (${maxMs} ms) is shorter than first (${firstMs} ms).`);
  if (!(jitter >= 0 && jitter <= 1)) throw new TypeError(`${kind}(): jitter is a number from 0 to 1, not ${jitter}.`);
  if (!(factor >= 1)) throw new TypeError(`${kind}(): factor is at least 1, not ${factor}.`);
  return Object.freeze({ kind, firstMs, maxMs, factor, jitter });
}

/** Which faults lead to which decision; what is not named is retried. */
// A conditional type, so that the compiler resolves it before it types the functions inside `on`.
export type RetryRules<F extends Fault> = [F] extends [infer G extends Fault]
  ? { readonly [T in G as T["code"]]?: RetryDecision | ((fault: T) => RetryDecision) }
  : never;

export interface RetryPolicy<F extends Fault = Fault> {
  /** Runs in all, the first included. 1 to 1,000. Default 5. */
  readonly attempts?: number;
  /** Default: exponential from 1 s to 1 h. */
  readonly backoff?: Backoff;
  /** By fault code. Declared faults and the framework's own (`INTERNAL`, `DEADLINE_EXCEEDED`, `INVALID_PAYLOAD`, `SIGNAL_TIMED_OUT`). */
  readonly on?: RetryRules<F>;
}
