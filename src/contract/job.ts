/**
 * Jobs as data: a durable unit of background work, and the policy that decides what happens when it fails.
 */
import { durationMs, type Duration, type Fault } from "../core/index.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import type { FrameworkFault, InvalidPayload } from "./framework-faults.ts";
import { checkFaults, checkName } from "./names.ts";
import type { Decoded, SchemaLike, Written } from "./operation.ts";
import { exponential, type Backoff, type RetryDecision, type RetryPolicy } from "./retry.ts";
import { checkUpcasts, checkVersion, type Upcasts, type UpcastTable } from "./upcast.ts";

export interface JobOptions<
  I extends SchemaLike,
  O extends SchemaLike | undefined,
  F extends readonly AnyFaultType[],
  V extends number = number,
> {
  readonly input: I;
  /** What a run returns and an awaiting caller receives. Default: nothing. */
  readonly output?: O;
  readonly faults?: F;
  readonly retry?: RetryPolicy<FaultsOf<F> | FrameworkFault | ReturnType<typeof InvalidPayload>>;
  /** Time limit of one attempt, default 5 min. */
  readonly timeout?: Duration;
  /** How many attempts of this job run at the same time in one process. Default: the worker's limit. */
  readonly concurrency?: number;
  /** While an unfinished job has the same key, enqueueing answers with that one. `true`: the whole input is the key. */
  readonly unique?: true | ((input: Decoded<I>) => string);
  /** 0 (most urgent) to 9. Default 5. */
  readonly priority?: number;
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
  readonly summary?: string;
  readonly description?: string;
}

export interface JobSchedule<Input> {
  /** Five or six fields: `"0 3 * * *"`; a sixth, first, is seconds. */
  readonly cron: string;
  /** IANA name. Default `"UTC"`. */
  readonly timeZone?: string;
  /** The input of each run. */
  readonly input: Input;
}

export interface Job<
  I extends SchemaLike = SchemaLike,
  O extends SchemaLike | undefined = SchemaLike | undefined,
  F extends Fault = Fault,
> {
  readonly type: "job";
  readonly name: string;
  readonly input: I;
  /** Undefined: the job returns nothing. */
  readonly output: O;
  readonly faults: readonly AnyFaultType[];
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
  readonly unique: true | ((input: never) => string) | undefined;
  readonly priority: number;
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
 * Throws a TypeError for a name, priority, concurrency, timeout, version or attempts out of range.
 */
export function job<
  I extends SchemaLike,
  O extends SchemaLike | undefined = undefined,
  const F extends readonly AnyFaultType[] = [],
  const V extends number = 1,
>(name: string, options: JobOptions<I, O, F, V>): Job<I, O, FaultsOf<F>> {
  checkName("job", name);
  const version = checkVersion(name, options.version ?? 1);
  const retry = options.retry ?? {};
  return Object.freeze({
    type: "job",
    name,
    input: options.input,
    output: options.output as O,
    faults: checkFaults("job", name, options.faults ?? []),
    settings: Object.freeze({
      attempts: whole(name, "retry.attempts", retry.attempts ?? 5, 1, 1000),
      backoff: retry.backoff ?? exponential({ first: "1s", max: "1h" }),
      rules: retry.on ?? {},
      timeoutMs: durationMs(options.timeout ?? "5m"),
      concurrency:
        options.concurrency === undefined ? undefined : whole(name, "concurrency", options.concurrency, 1, 100_000),
      unique: options.unique,
      priority: whole(name, "priority", options.priority ?? 5, 0, 9),
      version,
      upcast: checkUpcasts(name, version, options.upcast ?? {}),
      encrypt: options.encrypt,
      schedule: options.schedule,
      summary: options.summary,
      description: options.description,
    }),
  });
}

function whole(name: string, what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`job("${name}"): ${what} is a whole number from ${least} to ${most}, not ${value}.`);
}
