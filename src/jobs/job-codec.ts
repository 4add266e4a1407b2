/**
 * A job's schemas, compiled once: payload in and out, result in and out, and the data of its faults.
 */
import { Err, Fault, Ok, type MaybePromise, type Result } from "../core/index.ts";
import {
  InvalidInput,
  InvalidPayload,
  SignalTimedOut,
  frameworkFaults,
  invalidInput,
  schemaOf,
  type AnyFaultType,
  type Contract,
  type Job,
} from "../contract/index.ts";
import { compile, isPlain, type Codec, type Invalid } from "../schema/index.ts";
import { PayloadNewer } from "./faults.ts";

type AnyCodec = Codec<unknown, unknown>;

const emptyObject = "{}";

export class JobCodec {
  readonly job: Job;
  /** Its record has no keys and no tenant, unless options say so. */
  readonly plain: boolean;
  readonly input: AnyCodec;
  /** What `input` encodes is what reading its text would give. */
  readonly #inputIsPlain: boolean;
  /** Undefined: the job returns nothing. */
  readonly output: AnyCodec | undefined;
  readonly #faults: ReadonlyMap<string, AnyFaultType>;
  readonly #payloadBytes: number;
  readonly version: number;

  constructor(job: Job, contractFaults: readonly AnyFaultType[], payloadBytes: number) {
    const { unique, key, tenant } = job.settings;
    this.job = job;
    this.version = job.settings.version;
    this.plain = this.version === 1 && unique === undefined && key === undefined && tenant === undefined;
    this.input = compiled(job.input);
    this.#inputIsPlain = isPlain(this.input.node);
    this.output = job.output === undefined ? undefined : compiled(job.output);
    this.#payloadBytes = payloadBytes;
    const types: readonly AnyFaultType[] = [
      ...frameworkFaults,
      InvalidPayload,
      SignalTimedOut,
      ...contractFaults,
      ...job.faults,
    ];
    this.#faults = new Map(types.map((type) => [type.code, type]));
  }

  /** The payload of an input: JSON text that holds the schema's fields and no others. */
  payload(input: unknown): Result<string, ReturnType<typeof InvalidInput>> {
    const written = this.input.serialize(input);
    return written.ok ? this.#sized(written) : new Err(invalidInput(written.fault));
  }

  /** The payload, and the input as a handler will see it, where that is known without reading the payload. */
  payloadAndInput(
    input: unknown,
  ): Result<{ readonly payload: string; readonly decoded?: unknown }, ReturnType<typeof InvalidInput>> {
    if (!this.#inputIsPlain) {
      const payload = this.payload(input);
      return payload.ok ? new Ok({ payload: payload.value }) : payload;
    }
    const encoded = this.input.encode(input);
    if (!encoded.ok) return new Err(invalidInput(encoded.fault));
    const written = this.#sized(new Ok(JSON.stringify(encoded.value)));
    return written.ok ? new Ok({ payload: written.value, decoded: encoded.value }) : written;
  }

  #sized(written: Ok<string>): Result<string, ReturnType<typeof InvalidInput>> {
    const bytes = utf8Bytes(written.value, this.#payloadBytes);
    return bytes <= this.#payloadBytes ? written : new Err(tooLong(bytes, this.#payloadBytes));
  }

  /** Of a signal that the job declares; undefined: it declares none of that name. Compiled when it is first needed. */
  signal(name: string): AnyCodec | undefined {
    const { signals } = this.job;
    const schema = Object.hasOwn(signals, name) ? signals[name] : undefined;
    return schema === undefined ? undefined : compiled(schema);
  }

  /** `version`: of the input's schema, when the payload was written. Throws what a step of `upcast` throws. */
  decodeInput(payload: string, version: number): MaybePromise<Result<unknown, Invalid | Fault>> {
    return version === this.version ? this.input.parseJson(payload) : this.#decodeOther(payload, version);
  }

  #decodeOther(payload: string, version: number): MaybePromise<Result<unknown, Invalid | Fault>> {
    const known = this.version;
    if (version > known) return new Err(PayloadNewer({ version, known }));
    const { upcast } = this.job.settings;
    // Nothing to do to it: the schema accepts the old form, or says where it does not.
    if (upcast[version] === undefined) return this.input.parseJson(payload);
    let value: unknown;
    try {
      value = JSON.parse(payload);
    } catch {
      return this.input.parseJson(payload);
    }
    // Every step from the oldest on is there: the contract was checked.
    for (let step = version; step < known; step++) value = upcast[step]?.(value);
    const written = this.input.serialize(value);
    return written.ok ? this.input.parseJson(written.value) : written;
  }

  /** JSON text of a fault's data; undefined where it has none or where the data is not what the fault declares. */
  faultData(fault: Fault): string | undefined {
    const known = this.#faults.get(fault.code);
    if (known === undefined) return undefined;
    try {
      const written = compiled(known.schema).serialize(fault.data);
      return written.ok && written.value !== emptyObject ? written.value : undefined;
    } catch {
      // A getter of the data threw. The fault itself is still recorded.
      return undefined;
    }
  }

  /** The fault that was recorded, or undefined where the contract does not know it any more. */
  async readFault(code: string, message: string, data = emptyObject): Promise<Fault | undefined> {
    const known = this.#faults.get(code);
    if (known === undefined) return undefined;
    const read = await compiled(known.schema).parseJson(data);
    return read.ok ? new Fault(code, known.kind, read.value, message) : undefined;
  }
}

/** By definition: the way in and the worker read the same schemas, and every job can meet the faults of the framework. */
const codecs = new WeakMap<object, AnyCodec>();

function compiled(definition: Parameters<typeof schemaOf>[0]): AnyCodec {
  const known = codecs.get(definition);
  if (known !== undefined) return known;
  const codec: AnyCodec = compile(schemaOf(definition));
  codecs.set(definition, codec);
  return codec;
}

/** The codecs of every job of a contract, by name. */
export type JobCodecs = ReadonlyMap<string, JobCodec>;

export function compileJobs(contract: Contract, payloadBytes: number): JobCodecs {
  return new Map(contract.jobs.map((job) => [job.name, new JobCodec(job, contract.faults, payloadBytes)]));
}

export function codecOf(codecs: JobCodecs, job: Job): JobCodec {
  const codec = codecs.get(job.name);
  if (codec?.job === job) return codec;
  throw new TypeError(`job("${job.name}") is not in the app's contract. Add it there, so that a worker knows it.`);
}

/** UTF-8 bytes of a text, counted only where they could be more than `limit`. */
export function utf8Bytes(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : Buffer.byteLength(text);
}

function tooLong(bytes: number, limit: number): ReturnType<typeof InvalidInput> {
  const message = `The input has ${bytes} bytes as JSON; a job's payload has at most ${limit}. Store the data and pass its key.`;
  return InvalidInput({ issues: [{ pointer: "", code: "max_text", message }] });
}
