/**
 * What happens to a job whose attempt failed: a pure function of the job's policy, the fault, the attempt's number, the time and
 * one random number. Nothing else in the engine decides about retries.
 */
import type { Fault } from "../core/index.ts";
import { backoffMs, type JobSettings, type RetryDecision } from "../contract/index.ts";

export interface FailedAttempt {
  readonly fault: Fault;
  /** From 1. */
  readonly attempt: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
  /** In [0, 1): the jitter. */
  readonly random: number;
  /** No delay is longer. */
  readonly maxDelayMs: number;
  /** Until this time a rule may put the job off without an attempt being counted. */
  readonly snoozeUntil: number;
}

export type RetryVerdict =
  /** `brokenRule`: what the policy's own function threw; the fault was then retried after the backoff. */
  | { readonly to: "retry"; readonly runAt: number; readonly brokenRule?: unknown }
  | { readonly to: "snoozed"; readonly runAt: number; readonly brokenRule?: undefined }
  | { readonly to: "failed"; readonly brokenRule?: unknown };

/**
 * A rule for the fault's code comes first; without one the fault is retried after the backoff. An attempt that was cut short
 * by a shutdown is tried again at once: it did nothing wrong. Attempts are counted whatever the rule says, unless it is to snooze; a job
 * that has snoozed for too long is retried like others instead.
 */
export function decideRetry(settings: JobSettings, failed: FailedAttempt): RetryVerdict {
  const { fault, attempt, now, random, maxDelayMs, snoozeUntil } = failed;
  const ruled = applyRule(settings, fault);
  const broken = "brokenRule" in ruled ? { brokenRule: ruled.brokenRule } : {};
  const { decision } = ruled;
  if (decision?.do === "snooze") {
    // At least so long, or a job that is never ready would run without a pause.
    const runAt = Math.ceil(now + Math.min(Math.max(decision.ms, shortestSnoozeMs), maxDelayMs));
    if (runAt <= snoozeUntil) return { to: "snoozed", runAt };
  }
  if (decision?.do === "discard" || attempt >= settings.attempts) return { to: "failed", ...broken };
  const delay =
    decision?.do === "retry_after"
      ? decision.ms
      : decision === undefined && fault.code === "SHUTTING_DOWN"
        ? 0
        : backoffMs(settings.backoff, attempt, random);
  return { to: "retry", runAt: Math.ceil(now + Math.min(delay, maxDelayMs)), ...broken };
}

const shortestSnoozeMs = 100;

interface Ruled {
  readonly decision: RetryDecision | undefined;
  readonly brokenRule?: unknown;
}

function applyRule({ rules }: JobSettings, fault: Fault): Ruled {
  const rule = Object.hasOwn(rules, fault.code) ? rules[fault.code] : undefined;
  if (typeof rule !== "function") return { decision: rule };
  try {
    // The type says `never` because each rule has its own fault; this is the one that the rule is named after.
    const decision: RetryDecision = rule(fault as never);
    return isDecision(decision) ? { decision } : brokenAnswer(fault.code);
  } catch (thrown) {
    return { decision: undefined, brokenRule: thrown };
  }
}

function isDecision(value: unknown): value is RetryDecision {
  if (typeof value !== "object" || value === null || !("do" in value)) return false;
  if (value.do === "retry_after" || value.do === "snooze")
    return "ms" in value && typeof value.ms === "number" && value.ms >= 0;
  return value.do === "retry" || value.do === "discard";
}

function brokenAnswer(code: string): Ruled {
  const problem = new TypeError(
    `The retry rule for ${code} returns retry, discard, retryAfter(…) or snooze(…), and did not.`,
  );
  return { decision: undefined, brokenRule: problem };
}
