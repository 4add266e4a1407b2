/**
 * From an input and options to the record that a store keeps: checked, written as JSON, with its key and its time.
 */
import { Err, Ok, durationMs, isPromiseLike, type Clock, type MaybePromise, type Result } from "../core/index.ts";
import { invalidInput, type EnqueueOptions, type InvalidInput } from "../contract/index.ts";
import type { JobCodec } from "./job-codec.ts";
import { writeContext } from "./job-context.ts";
import { canonicalJson, storedKey } from "./keys.ts";
import type { JobLimits } from "./limits.ts";
import type { NewJob } from "./store.ts";

export type NewJobResult = Result<NewJob, ReturnType<typeof InvalidInput>>;

/** A promise only where the key is made from an input whose schema validates asynchronously. Throws a TypeError for wrong options. */
export function newJob(
  codec: JobCodec,
  input: unknown,
  options: EnqueueOptions | undefined,
  clock: Clock,
  limits: JobLimits,
): MaybePromise<NewJobResult> {
  const payload = codec.payload(input);
  if (!payload.ok) return payload;
  const { settings, name } = codec.job;
  const timed = options === undefined ? undefined : runAtOf(name, options, clock);
  const { version } = codec;
  const context = options === undefined && version === 1 ? undefined : writeContext(name, version, options, clock);
  const record: NewJob = {
    name,
    priority: options?.priority === undefined ? settings.priority : checkedPriority(name, options.priority),
    payload: payload.value,
    ...(timed !== undefined && { runAt: timed }),
    ...(context !== undefined && { context }),
  };
  const { unique } = settings;
  if (options?.uniqueKey === undefined && unique === undefined) return new Ok(record);
  const keyed = (key: string): NewJobResult => new Ok({ ...record, uniqueKey: storedKey(key, limits.uniqueKeyChars) });
  if (options?.uniqueKey !== undefined) return keyed(options.uniqueKey);
  if (unique === true) return keyed(canonicalJson(record.payload));
  // The function reads the decoded input: with its defaults, and as a handler will see it.
  const decoded = codec.input.parseJson(record.payload);
  // The type says `never` because each job has its own input; this is the input of the same job.
  const keyOf = (value: unknown): NewJobResult => keyed(checkedKey(name, unique?.(value as never)));
  if (isPromiseLike(decoded)) {
    return decoded.then((settled) => (settled.ok ? keyOf(settled.value) : new Err(invalidInput(settled.fault))));
  }
  return decoded.ok ? keyOf(decoded.value) : new Err(invalidInput(decoded.fault));
}

function runAtOf(name: string, { delay, at }: EnqueueOptions, clock: Clock): number | undefined {
  if (delay !== undefined && at !== undefined) {
    throw new TypeError(`enqueue("${name}"): give delay or at, not both.`);
  }
  if (delay !== undefined) return Math.ceil(clock.now() + durationMs(delay));
  if (at === undefined) return undefined;
  const time = at.getTime();
  if (Number.isNaN(time)) throw new TypeError(`enqueue("${name}"): at is an invalid Date.`);
  return time;
}

function checkedPriority(name: string, priority: number): number {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 9) return priority;
  throw new TypeError(`enqueue("${name}"): priority is a whole number from 0 (most urgent) to 9, not ${priority}.`);
}

function checkedKey(name: string, key: unknown): string {
  if (typeof key === "string") return key;
  throw new TypeError(`job("${name}"): unique returns the key as a string, not ${typeof key}.`);
}
