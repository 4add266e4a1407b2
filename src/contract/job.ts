/**
 * Jobs as data: a durable unit of background work, and the policy that decides what happens when it fails.
 */
import { durationMs, type Duration, type Fault } from "../core/index.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import type { FrameworkFault, InvalidPayload, SignalTimedOut } from "./framework-faults.ts";
import {
  keyLimits,
  periodMs,
  queueName,
  sharedLimits,
  uniqueSettings,
  whole,
  type KeyLimits,
  type KeyOptions,
  type RateLimit,
  type SharedLimits,
  type UniqueOptions,
  type UniqueSettings,
} from "./job-policy.ts";
import { checkFaults, checkName } from "./names.ts";
import type { Decoded, SchemaLike, Written } from "./operation.ts";
import { exponential, type Backoff, type RetryDecision, type RetryPolicy } from "./retry.ts";
import { checkUpcasts, checkVersion, type Upcasts, type UpcastTable } from "./upcast.ts";

/** What a job may be told from outside while it waits, by name: `signals: { approved: { by: t.string() } }`. */
export interface Signals {
  readonly [name: string]: SchemaLike;
}

export interface JobOptions<
  I extends SchemaLike,
  O extends SchemaLike | undefined,
  F extends readonly AnyFaultType[],
  V extends number = number,
  S extends Signals = Record<never, never>,
> {
  readonly input: I;
  /** What a run returns and an awaiting caller receives. Default: nothing. */
  readonly output?: O;
  readonly faults?: F;
  readonly retry?: RetryPolicy<
    FaultsOf<F> | FrameworkFault | ReturnType<typeof InvalidPayload> | ReturnType<typeof SignalTimedOut>
  >;
  /** Time limit of one attempt, default 5 min. What a job sleeps or waits between its runs does not count. */
  readonly timeout?: Duration;
  /** How many attempts of this job run at the same time in one process. Default: the worker's limit. */
  readonly concurrency?: number;
  /** The queue that it belongs to: what is paused together, and shares the limits that the contract gives the queue. Default `"default"`. */
  readonly queue?: string;
  /** How many attempts of this job run at the same time in all processes together. 1 to 100,000. Default: no limit. */
  readonly globalConcurrency?: number;
  /** Starts of this job in all processes together. Default: no limit. */
  readonly rate?: RateLimit;
  /** What `perKey` goes by: an account, a document. At most 1,024 UTF-8 bytes. */
  readonly key?: (input: Decoded<I>) => string;
  /** Limits and order of the jobs that have the same key, in all processes together. */
  readonly perKey?: KeyOptions;
  /** Whose work it is. Among the ready jobs of one name and priority tenants take turns, however many jobs each has. At most 1,024 UTF-8 bytes. */
  readonly tenant?: (input: Decoded<I>) => string;
  /** A ready job counts as one priority more urgent for each such time that it has waited. 1 ms to 30 days. Default: never. */
  readonly ageing?: Duration;
  /** While an unfinished job has the same key, enqueueing answers with that one. `true`: the whole input is the key. */
  readonly unique?: true | ((input: Decoded<I>) => string) | UniqueOptions<Decoded<I>>;
  /** 0 (most urgent) to 9. Default 5. */
  readonly priority?: number;
  /**
   * How much of this job may wait before `enqueue` answers `QUEUE_FULL`: `{ depth: 10_000, age: "5m" }`. Default: only the store's own limit, for all jobs
   * together.
   */
  readonly backPressure?: BackPressure;
  /**
   * Of the input's schema: 1 to 999, default 1. Raise it when a change of the schema does not accept what is enqueued already, and say in `upcast` how the old
   * becomes the new. A job with a later version than the code is kept, not run: `PAYLOAD_NEWER`.
   */
  readonly version?: V;
  /** `{ 1: (old) => … }`: from each earlier version to the next. Steps run one after the other; the last one's answer must fit `input`. */
  readonly upcast?: Upcasts<V, Written<I>>;
  /**
   * What the store keeps of this job (payload, results, notes, error data) is encrypted. Default: where the app has keys (`encryption` of `serve` and `work`).
   * `true`: an app without keys does not start. `false`: never.
   */
  readonly encrypt?: boolean;
  /** Enqueues itself by the clock. */
  readonly schedule?: JobSchedule<Written<I>>;
  /** What its handler can wait for with `job.waitFor(name)`, and `jobs.signal` can tell it. */
  readonly signals?: S;
  readonly summary?: string;
  readonly description?: string;
}

/** One at least. What is scheduled for later, or waits for other jobs, does not count. */
export interface BackPressure {
  /** Jobs that are ready and have not begun: 1 to 10,000,000. */
  readonly depth?: number;
  /** How long the oldest of them has been ready. */
  readonly age?: Duration;
}

export interface BackPressureSettings {
  /** Infinity: any. */
  readonly depth: number;
  readonly ageMs: number | undefined;
}

export interface JobSchedule<Input> {
  /** Five or six fields: `"0 3 * * *"`; a sixth, first, is seconds. */
  readonly cron: string;
  /** IANA name. Default `"UTC"`. */
  readonly timeZone?: string;
  /**
   * What becomes of occurrences that were missed, because nothing ran or the job was paused: `"latest"` makes one job for the last of them, `"all"` one for each (at most 1,000, the
   * latest), `"none"` leaves those alone that are more than a minute late. None that is older than a day. Default `"latest"`.
   */
  readonly catchUp?: "latest" | "all" | "none";
  /** The input of each run. */
  readonly input: Input;
}

export interface Job<
  I extends SchemaLike = SchemaLike,
  O extends SchemaLike | undefined = SchemaLike | undefined,
  F extends Fault = Fault,
  S extends Signals = Signals,
> {
  readonly type: "job";
  readonly name: string;
  readonly input: I;
  /** Undefined: the job returns nothing. */
  readonly output: O;
  readonly faults: readonly AnyFaultType[];
  readonly signals: S;
  readonly settings: JobSettings;
  /** Type only: the declared faults. */
  readonly "~faults"?: F;
}

/** The options with every default filled in, in plain units. */
export interface JobSettings {
  readonly attempts: number;
  readonly backoff: Backoff;
  /** By fault code; what is not here is retried. */
  readonly rules: { readonly [code: string]: RetryDecision | ((fault: never) => RetryDecision) | undefined };
  readonly timeoutMs: number;
  readonly concurrency: number | undefined;
  readonly queue: string;
  readonly shared: SharedLimits;
  readonly key: ((input: never) => string) | undefined;
  readonly perKey: KeyLimits | undefined;
  readonly tenant: ((input: never) => string) | undefined;
  readonly ageingMs: number | undefined;
  readonly unique: UniqueSettings | undefined;
  readonly priority: number;
  readonly backPressure: BackPressureSettings | undefined;
  readonly version: number;
  readonly upcast: UpcastTable;
  readonly encrypt: boolean | undefined;
  readonly schedule: JobSchedule<unknown> | undefined;
  readonly summary: string | undefined;
  readonly description: string | undefined;
}

/**
 * Declares a job.
 *
 * Throws a TypeError for a name, priority, concurrency, rate, timeout, version or attempts out of range, for a `key` without `perKey` and the
 * other way round.
 *
 * @example
 * const resize = job("resize", {
 *   input: { album: t.string(), photo: t.string() },
 *   queue: "media",
 *   globalConcurrency: 20,
 *   key: ({ album }) => album,
 *   perKey: { concurrency: 2 },
 * });
 */
export function job<
  I extends SchemaLike,
  O extends SchemaLike | undefined = undefined,
  const F extends readonly AnyFaultType[] = [],
  const V extends number = 1,
  const S extends Signals = Record<never, never>,
>(name: string, options: JobOptions<I, O, F, V, S>): Job<I, O, FaultsOf<F>, S> {
  checkName("job", name);
  return Object.freeze({
    type: "job",
    name,
    input: options.input,
    output: options.output as O,
    faults: checkFaults("job", name, options.faults ?? []),
    signals: checkSignals(name, options.signals),
    settings: jobSettings(name, options),
  });
}

/** Inside, jobs are alike: `never` stands for the input of whichever it is. */
type AnyOptions = Omit<
  JobOptions<SchemaLike, SchemaLike | undefined, readonly AnyFaultType[], number, Signals>,
  "key" | "tenant" | "unique" | "retry" | "schedule" | "upcast"
> & {
  readonly key?: (input: never) => string;
  readonly tenant?: (input: never) => string;
  readonly unique?: true | ((input: never) => string) | UniqueOptions<never>;
  readonly retry?: {
    readonly attempts?: number;
    readonly backoff?: Backoff;
    readonly on?: unknown;
  };
  readonly schedule?: JobSchedule<unknown>;
  readonly upcast?: UpcastTable;
};

function jobSettings(name: string, options: AnyOptions): JobSettings {
  const where = `job("${name}")`;
  const version = checkVersion(name, options.version ?? 1);
  const { retry = {}, key, perKey, ageing } = options;
  if (key !== undefined && perKey === undefined)
    throw new TypeError(`${where}: key without perKey changes nothing. Add perKey: { concurrency, rate or ordered }.`);
  if (key === undefined && perKey !== undefined)
    throw new TypeError(`${where}: perKey needs a key. Add key: (input) => …, which says what it goes by.`);
  return Object.freeze({
    attempts: whole(where, "retry.attempts", retry.attempts ?? 5, 1, 1000),
    backoff: retry.backoff ?? exponential({ first: "1s", max: "1h" }),
    rules: (retry.on ?? {}) as JobSettings["rules"],
    timeoutMs: durationMs(options.timeout ?? "5m"),
    concurrency:
      options.concurrency === undefined ? undefined : whole(where, "concurrency", options.concurrency, 1, 100_000),
    queue: queueName(where, options.queue ?? defaultQueue),
    shared: sharedLimits(where, options),
    key,
    perKey: perKey === undefined ? undefined : keyLimits(where, perKey),
    tenant: options.tenant,
    ageingMs: ageing === undefined ? undefined : periodMs(where, "ageing", ageing),
    unique: uniqueSettings(where, options.unique),
    priority: whole(where, "priority", options.priority ?? 5, 0, 9),
    backPressure: options.backPressure === undefined ? undefined : pressureOf(where, options.backPressure),
    version,
    upcast: checkUpcasts(name, version, options.upcast ?? {}),
    encrypt: options.encrypt,
    schedule: options.schedule,
    summary: options.summary,
    description: options.description,
  });
}

/** The queue of a job that names none. */
export const defaultQueue = "default";

const noSignals = Object.freeze({});

function checkSignals<S extends Signals>(name: string, signals: S | undefined): S {
  // A job without signals has the type that says so.
  if (signals === undefined) return noSignals as S;
  for (const signal of Object.keys(signals)) checkName(`job("${name}"): signal`, signal);
  return Object.freeze({ ...signals });
}

function pressureOf(where: string, { depth, age }: BackPressure): BackPressureSettings {
  if (depth === undefined && age === undefined) {
    throw new TypeError(`${where}: backPressure has neither depth nor age. Give one of them.`);
  }
  return Object.freeze({
    depth: depth === undefined ? Infinity : whole(where, "backPressure.depth", depth, 1, 10_000_000),
    ageMs: age === undefined ? undefined : durationMs(age),
  });
}
