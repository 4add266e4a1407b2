/**
 * From an input and options to the record that a store keeps: checked, written as JSON, with its keys, its tenant and its time.
 */
import { Err, Ok, durationMs, isPromiseLike, type Clock, type MaybePromise, type Result } from "../core/index.ts";
import { invalidInput, type EnqueueOptions, type InvalidInput } from "../contract/index.ts";
import type { JobCodec } from "./job-codec.ts";
import { writeContext } from "./job-context.ts";
import { canonicalJson, storedKey } from "./keys.ts";
import type { JobLimits } from "./limits.ts";
import { queueScope } from "./policy.ts";
import type { Dependencies, NewJob, UniqueScope } from "./store.ts";

export type NewJobResult = Result<NewJob, ReturnType<typeof InvalidInput>>;

/** `after` as places of the same call as well. */
export type NewJobOptions = Omit<EnqueueOptions, "after"> & { readonly after?: readonly (AfterRef | number)[] };
type AfterRef = NonNullable<EnqueueOptions["after"]>[number];

/** A promise only where a key is made from an input whose schema validates asynchronously. Throws a TypeError for wrong options. */
export function newJob(
  codec: JobCodec,
  input: unknown,
  options: NewJobOptions | undefined,
  clock: Clock,
  limits: JobLimits,
): MaybePromise<NewJobResult> {
  if (!needsInput(codec, options)) {
    const payload = codec.payload(input);
    if (!payload.ok) return payload;
    const record = recordOf(codec, payload.value, options, clock);
    if (codec.plain && options?.uniqueKey === undefined) return new Ok(record);
    return new Ok(withKeys(codec, record, undefined, options, limits));
  }
  const made = codec.payloadAndInput(input);
  if (!made.ok) return made;
  const record = recordOf(codec, made.value.payload, options, clock);
  if (made.value.decoded !== undefined) return new Ok(withKeys(codec, record, made.value.decoded, options, limits));
  // The functions read the decoded input: with its defaults, and as a handler will see it.
  const decoded = codec.input.parseJson(record.payload);
  if (isPromiseLike(decoded)) {
    return decoded.then((settled) =>
      settled.ok
        ? new Ok(withKeys(codec, record, settled.value, options, limits))
        : new Err(invalidInput(settled.fault)),
    );
  }
  return decoded.ok
    ? new Ok(withKeys(codec, record, decoded.value, options, limits))
    : new Err(invalidInput(decoded.fault));
}

function recordOf(codec: JobCodec, payload: string, options: NewJobOptions | undefined, clock: Clock): NewJob {
  if (options !== undefined || codec.version !== 1) return withOptions(codec, payload, options ?? {}, clock);
  const { settings, name } = codec.job;
  return new PlainJob(name, settings.priority, payload);
}

/** A class, as what is made for each job: see `BlockJob` of the store on PostgreSQL. */
class PlainJob implements NewJob {
  readonly name: string;
  readonly priority: number;
  readonly payload: string;
  declare readonly key?: string;

  constructor(name: string, priority: number, payload: string, key?: string) {
    this.name = name;
    this.priority = priority;
    this.payload = payload;
    if (key !== undefined) this.key = key;
  }
}

function withOptions(codec: JobCodec, payload: string, options: NewJobOptions, clock: Clock): NewJob {
  const { settings, name } = codec.job;
  const due = dueOf(name, options);
  const context = writeContext(name, codec.version, options, clock);
  const after = dependenciesOf(name, options);
  const { key, tenant } = options;
  return {
    name,
    priority: options.priority === undefined ? settings.priority : checkedPriority(name, options.priority),
    payload,
    ...due,
    ...(context !== undefined && { context }),
    ...(after !== undefined && { after }),
    ...(key !== undefined && settings.perKey !== undefined && { key: checkedText(name, "key", key) }),
    ...(tenant !== undefined && { tenant: checkedText(name, "tenant", tenant) }),
  };
}

function needsInput({ plain, job: { settings } }: JobCodec, options: NewJobOptions | undefined): boolean {
  if (plain) return false;
  return (
    (settings.unique?.key !== undefined && options?.uniqueKey === undefined) ||
    (settings.key !== undefined && options?.key === undefined) ||
    (settings.tenant !== undefined && options?.tenant === undefined)
  );
}

/** The types of the functions say `never` because each job has its own input; this is the input of the same job. */
function withKeys(
  codec: JobCodec,
  record: NewJob,
  input: unknown,
  options: NewJobOptions | undefined,
  limits: JobLimits,
): NewJob {
  const { settings, name } = codec.job;
  const { key, tenant, unique } = settings;
  // Most have a key and nothing else.
  if (unique === undefined && tenant === undefined && key !== undefined && options === undefined) {
    const text = checkedText(name, "key", key(input as never));
    // A copy by spreading costs more than all else that is done for a key.
    return record.context === undefined
      ? new PlainJob(name, record.priority, record.payload, text)
      : { ...record, key: text };
  }
  const uniqueKey = options?.uniqueKey ?? uniqueKeyOf(codec, record, input);
  const scope = uniqueKey === undefined ? undefined : scopeOf(settings.queue, unique);
  return {
    ...record,
    ...(uniqueKey !== undefined && { uniqueKey: storedKey(uniqueKey, limits.uniqueKeyChars) }),
    ...(scope !== undefined && { unique: scope }),
    ...(key !== undefined && record.key === undefined && { key: checkedText(name, "key", key(input as never)) }),
    ...(tenant !== undefined &&
      record.tenant === undefined && { tenant: checkedText(name, "tenant", tenant(input as never)) }),
  };
}

function uniqueKeyOf({ job: { name, settings } }: JobCodec, record: NewJob, input: unknown): string | undefined {
  const { unique } = settings;
  if (unique === undefined) return undefined;
  return unique.key === undefined ? canonicalJson(record.payload) : checkedKey(name, unique.key(input as never));
}

/** Undefined: the store's default is what is asked for. */
function scopeOf(queue: string, unique: JobCodec["job"]["settings"]["unique"]): UniqueScope | undefined {
  if (unique === undefined) return undefined;
  const { scope, until, windowMs } = unique;
  if (scope === "job" && until === "finished" && windowMs === undefined) return undefined;
  return {
    ...(scope === "queue" && { scope: queueScope(queue) }),
    ...(until === "started" && { until }),
    ...(windowMs !== undefined && { windowMs }),
  };
}

const mostDependencies = 100_000;

function dependenciesOf(name: string, { after, on = "succeeded" }: NewJobOptions): Dependencies | undefined {
  if (after === undefined || after.length === 0) return undefined;
  if (after.length > mostDependencies)
    throw new TypeError(
      `enqueue("${name}"): after has ${after.length} jobs, at most ${mostDependencies} can be named.`,
    );
  if (on !== "succeeded" && on !== "finished")
    throw new TypeError(`enqueue("${name}"): on is "succeeded" or "finished", not ${JSON.stringify(on)}.`);
  return { jobs: after.map((one) => (typeof one === "object" ? one.id : one)), on };
}

/** A delay counts by the store's clock, which all processes share. */
function dueOf(name: string, { delay, at }: NewJobOptions): { runAt?: number; delayMs?: number } | undefined {
  if (delay !== undefined && at !== undefined) {
    throw new TypeError(`enqueue("${name}"): give delay or at, not both.`);
  }
  if (delay !== undefined) return { delayMs: durationMs(delay) };
  if (at === undefined) return undefined;
  const time = at.getTime();
  if (Number.isNaN(time)) throw new TypeError(`enqueue("${name}"): at is an invalid Date.`);
  return { runAt: time };
}

function checkedPriority(name: string, priority: number): number {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 9) return priority;
  throw new TypeError(`enqueue("${name}"): priority is a whole number from 0 (most urgent) to 9, not ${priority}.`);
}

function checkedKey(name: string, key: unknown): string {
  if (typeof key === "string") return key;
  throw new TypeError(`job("${name}"): unique returns the key as a string, not ${typeof key}.`);
}

const textBytes = 1_024;

function checkedText(name: string, what: "key" | "tenant", text: unknown): string {
  if (typeof text !== "string") throw new TypeError(`job("${name}"): ${what} returns a string, not ${typeof text}.`);
  if (text.length * 3 <= textBytes || Buffer.byteLength(text) <= textBytes) return text;
  throw new TypeError(`job("${name}"): a ${what} has at most ${textBytes} UTF-8 bytes. Give an id, or a hash of it.`);
}
