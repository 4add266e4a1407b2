/**
 * What holds jobs back and keeps them apart, as data: queues, limits of the whole fleet, limits and order per key, tenants, uniqueness. The
 * types that users write, and the same in plain units.
 */
import { durationMs, type Duration } from "../core/index.ts";

/** So many starts in each such time. They are spaced: up to `limit` at once after a quiet period, then one each `per / limit` (GCRA). */
export interface RateLimit {
  /** 1 to 1,000,000. */
  readonly limit: number;
  /** 1 ms to 30 days. */
  readonly per: Duration;
}

/** What all the jobs of one queue share, over the whole fleet. */
export interface QueueOptions {
  /** At most so many run at the same time in all processes together. 1 to 100,000. Default: no limit. */
  readonly globalConcurrency?: number;
  /** Starts in all processes together. Default: no limit. */
  readonly rate?: RateLimit;
}

/** What the jobs of one name and key share, over the whole fleet. What may not start yet holds up no other key. */
export interface KeyOptions {
  /** At most so many of one key run at the same time. 1 to 100,000. Default: no limit. */
  readonly concurrency?: number;
  /** Starts of one key. Default: no limit. */
  readonly rate?: RateLimit;
  /**
   * One after the other in the order of their enqueueing: the next begins when the one before has finished, retries, sleeps and waits
   * included, whatever their priorities. Default false.
   */
  readonly ordered?: boolean;
}

export interface UniqueOptions<Input> {
  /** Default: the whole input, as canonical JSON. */
  readonly key?: (input: Input) => string;
  /** `queue`: every job of the same queue that says so shares the keys. Default `job`: the jobs of the same name. */
  readonly scope?: "job" | "queue";
  /** `started`: the key is free as soon as the job begins for the first time. Default `finished`. */
  readonly until?: "finished" | "started";
  /** The key stays held so long from the enqueueing on, also when the job has finished before. Default: not longer than `until` says. */
  readonly window?: Duration;
}

/** `UniqueOptions` with the defaults filled in. */
export interface UniqueSettings {
  /** Undefined: the whole input is the key. */
  readonly key: ((input: never) => string) | undefined;
  readonly scope: "job" | "queue";
  readonly until: "finished" | "started";
  readonly windowMs: number | undefined;
}

/** Starts in plain units. */
export interface RateSettings {
  readonly limit: number;
  readonly periodMs: number;
}

/** `QueueOptions`, and the same for a single job, in plain units. */
export interface SharedLimits {
  readonly globalConcurrency: number | undefined;
  readonly rate: RateSettings | undefined;
}

/** `KeyOptions` in plain units. */
export interface KeyLimits {
  readonly concurrency: number | undefined;
  readonly rate: RateSettings | undefined;
  readonly ordered: boolean;
}

const longestPeriodMs = 2_592_000_000;
const queuePattern = /^[a-zA-Z][a-zA-Z0-9_-]{0,99}$/;

/** Throws a TypeError, whose sentence begins with `where`, for what is out of range. */
export function sharedLimits(where: string, { globalConcurrency, rate }: QueueOptions): SharedLimits {
  return Object.freeze({
    globalConcurrency:
      globalConcurrency === undefined ? undefined : whole(where, "globalConcurrency", globalConcurrency, 1, 100_000),
    rate: rateSettings(where, rate),
  });
}

export function keyLimits(where: string, { concurrency, rate, ordered = false }: KeyOptions): KeyLimits {
  if (concurrency === undefined && rate === undefined && !ordered)
    throw new TypeError(`${where}: perKey is empty. Give concurrency, rate or ordered: true, or leave it out.`);
  return Object.freeze({
    concurrency: concurrency === undefined ? undefined : whole(where, "perKey.concurrency", concurrency, 1, 100_000),
    rate: rateSettings(`${where}: perKey`, rate),
    ordered,
  });
}

export function uniqueSettings(
  where: string,
  unique: true | ((input: never) => string) | UniqueOptions<never> | undefined,
): UniqueSettings | undefined {
  if (unique === undefined) return undefined;
  const options = unique === true ? {} : typeof unique === "function" ? { key: unique } : unique;
  const { key, scope = "job", until = "finished", window } = options;
  if (scope !== "job" && scope !== "queue")
    throw new TypeError(`${where}: unique.scope is "job" or "queue", not ${JSON.stringify(scope)}.`);
  if (until !== "finished" && until !== "started")
    throw new TypeError(`${where}: unique.until is "finished" or "started", not ${JSON.stringify(until)}.`);
  const windowMs = window === undefined ? undefined : periodMs(where, "unique.window", window);
  return Object.freeze({ key, scope, until, windowMs });
}

export function queueName(where: string, name: string): string {
  if (queuePattern.test(name)) return name;
  throw new TypeError(
    `${where}: a queue's name is letters, digits, "-" and "_", starts with a letter and has at most 100 characters, not "${name}".`,
  );
}

export function periodMs(where: string, what: string, duration: Duration): number {
  const ms = durationMs(duration);
  if (ms >= 1 && ms <= longestPeriodMs) return ms;
  throw new TypeError(`${where}: ${what} is from 1 ms to 30 days, not ${ms} ms.`);
}

export function whole(where: string, what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`${where}: ${what} is a whole number from ${least} to ${most}, not ${value}.`);
}

function rateSettings(where: string, rate: RateLimit | undefined): RateSettings | undefined {
  if (rate === undefined) return undefined;
  return Object.freeze({
    limit: whole(where, "rate.limit", rate.limit, 1, 1_000_000),
    periodMs: periodMs(where, "rate.per", rate.per),
  });
}
