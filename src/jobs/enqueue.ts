/**
 * The way in, and the way back: enqueues, awaits and manages jobs on an open store. Implements the `Jobs` that handlers and apps are
 * given.
 */
import { Err, Ok, isPromiseLike, map, randomHex, type Clock, type Fault, type Result } from "../core/index.ts";
import {
  Cancelled,
  InvalidInput,
  Internal,
  type Contract,
  type EnqueueFault,
  type EnqueueOptions,
  type Job,
  type JobBatch,
  type JobRef,
  type Jobs,
  type PreparedJob,
} from "../contract/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import type { Defect } from "./attempt-runner.ts";
import { BackPressure } from "./back-pressure.ts";
import { DeadLetterOffice } from "./dead-letters.ts";
import { EnqueueBatch } from "./enqueue-batch.ts";
import { codecOf, compileJobs, type JobCodec, type JobCodecs } from "./job-codec.ts";
import { Graph, planBatch, type PlannedJob } from "./graph.ts";
import { jobInfo } from "./job-info.ts";
import { readResult } from "./job-result.ts";
import { JobSignals } from "./job-signals.ts";
import { withJobLimits, type JobLimits } from "./limits.ts";
import { newJob, type NewJobResult } from "./new-job.ts";
import { nextTurn } from "./next-turn.ts";
import { plainSealing, sealedSession, type Sealing } from "./sealing/index.ts";
import type { EnqueueReceipt, NewJob, StoreSession } from "./store.ts";

export interface JobsOptions {
  readonly contract: Contract;
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits?: Partial<JobLimits>;
  /** How texts are sealed and opened. Default: nothing is sealed, and what is compressed can be read. */
  readonly sealing?: Sealing | undefined;
}

/** Makes the `Jobs` of a contract on an open store. Needs no worker: a process may only enqueue. */
export function createJobs(options: JobsOptions): Jobs {
  return new StoreJobs(options);
}

type InvalidInputFault = ReturnType<typeof InvalidInput>;

/** Inputs of an `enqueueMany` that are written before others get their turn. */
const inputsOfTurn = 500;

class StoreJobs implements Jobs {
  readonly #options: JobsOptions;
  readonly #limits: JobLimits;
  readonly #sealing: Sealing;
  readonly #codecs: JobCodecs;
  readonly #batch: EnqueueBatch<JobCodec, JobRef>;
  readonly #pressure: BackPressure;
  readonly #find: ResultFinder = (codec, id, signal) => this.#result(codec, id, signal);
  readonly enqueue: Jobs["enqueue"];
  readonly enqueueMany: Jobs["enqueueMany"];
  readonly prepare: Jobs["prepare"];
  readonly ref: Jobs["ref"];
  readonly graph: Jobs["graph"];
  readonly batch: Jobs["batch"];
  readonly deadLetters: Jobs["deadLetters"];
  readonly redrive: Jobs["redrive"];
  readonly signal: Jobs["signal"];
  readonly pause: Jobs["pause"];
  readonly resume: Jobs["resume"];
  readonly paused: Jobs["paused"];

  constructor(options: JobsOptions) {
    this.#limits = withJobLimits(options.limits);
    this.#sealing = options.sealing ?? plainSealing(Math.max(this.#limits.payloadBytes, this.#limits.resultBytes));
    const session = sealedSession(options.session, this.#sealing);
    const clock = session.clock ?? options.clock;
    this.#options = { ...options, session, clock };
    this.#codecs = compileJobs(options.contract, this.#limits.payloadBytes);
    this.#pressure = new BackPressure(session, clock, options.contract.jobs);
    this.#batch = new EnqueueBatch({ ...this.#options, limits: this.#limits, refTo: this.#refTo });
    // Inside, jobs are alike; what `J` says of input and output holds because the codec is made from the same job.
    this.enqueue = this.#enqueue.bind(this) as Jobs["enqueue"];
    this.enqueueMany = this.#enqueueMany.bind(this) as Jobs["enqueueMany"];
    this.prepare = this.#prepare.bind(this) as Jobs["prepare"];
    this.graph = (parent = {}) => new Graph(this.#enqueuePlanned.bind(this), parent, this.#limits.enqueueMany);
    this.batch = this.#enqueueBatch.bind(this) as Jobs["batch"];
    const office = new DeadLetterOffice(session, clock, this.#limits);
    this.deadLetters = (filter = {}) => office.find(filter);
    this.redrive = (filter, how = {}) => office.redrive(filter, how);
    const signals = new JobSignals(this.#options, this.#codecs, this.#limits);
    this.signal = (job, id, name, value) => signals.signal(job, id, name, value);
    this.pause = (target) => signals.pause(target);
    this.resume = (target) => signals.resume(target);
    this.paused = () => signals.paused();
    this.ref = (job, id) => this.#refTo(codecOf(this.#codecs, job), { id, duplicate: false });
  }

  async get(id: string): ReturnType<Jobs["get"]> {
    return map(await this.#options.session.get(id), (record) => (record === undefined ? undefined : jobInfo(record)));
  }

  async list(filter: Parameters<Jobs["list"]>[0] = {}): ReturnType<Jobs["list"]> {
    return map(await this.#options.session.list(filter), (records) => records.map(jobInfo));
  }

  counts(name?: string): ReturnType<Jobs["counts"]> {
    return this.#options.session.counts(name);
  }

  cancel(id: string): ReturnType<Jobs["cancel"]> {
    return this.#options.session.cancel(id);
  }

  retry(id: string): ReturnType<Jobs["retry"]> {
    return this.#options.session.retry(id);
  }

  #enqueue(job: Job, input: unknown, options?: EnqueueOptions): Promise<Result<JobRef, EnqueueFault>> {
    const codec = codecOf(this.#codecs, job);
    if (job.settings.backPressure === undefined || options?.backPressure === false) {
      return this.#make(codec, input, options);
    }
    const refused = this.#pressure.admit(job.name, 1);
    if (isPromiseLike(refused)) return refused.then((settled) => settled ?? this.#make(codec, input, options));
    return refused === undefined ? this.#make(codec, input, options) : Promise.resolve(refused);
  }

  #make(codec: JobCodec, input: unknown, options?: EnqueueOptions): Promise<Result<JobRef, EnqueueFault>> {
    const made = newJob(codec, input, options, this.#options.clock, this.#limits);
    return isPromiseLike(made) ? made.then((settled) => this.#send(codec, settled)) : this.#send(codec, made);
  }

  #send(codec: JobCodec, made: NewJobResult): Promise<Result<JobRef, EnqueueFault>> {
    if (!made.ok) return Promise.resolve(made);
    return this.#batch.add(made.value, codec);
  }

  async #enqueueMany(
    job: Job,
    inputs: readonly unknown[],
    options?: Omit<EnqueueOptions, "uniqueKey">,
  ): Promise<Result<readonly JobRef[], EnqueueFault>> {
    const most = this.#limits.enqueueMany;
    if (inputs.length > most) {
      throw new TypeError(`enqueueMany() takes at most ${most} inputs, not ${inputs.length}. Call it with parts.`);
    }
    return this.#enqueuePlanned(inputs.map((input) => ({ job, input, options })));
  }

  /** In one commit, all or nothing. */
  async #enqueuePlanned(planned: readonly PlannedJob[]): Promise<Result<readonly JobRef[], EnqueueFault>> {
    const refused = await this.#pressure.admitAll(pressing(planned));
    if (refused !== undefined) return refused;
    const records: NewJob[] = [];
    for (const [index, { job, input, options }] of planned.entries()) {
      const made = newJob(codecOf(this.#codecs, job), input, options, this.#options.clock, this.#limits);
      const settled = isPromiseLike(made) ? await made : made;
      if (!settled.ok) return new Err(atIndex(settled.fault, index));
      records.push(settled.value);
      if (records.length % inputsOfTurn === 0) await new Promise<void>(nextTurn);
    }
    if (records.length === 0) return new Ok([]);
    const receipts = await this.#options.session.enqueue(records);
    if (receipts.ok) announceEnqueued(this.#options.events, records, receipts.value);
    return map(receipts, (all) =>
      all.map((receipt, index) => this.#refTo(codecOf(this.#codecs, (planned[index] as PlannedJob).job), receipt)),
    );
  }

  async #enqueueBatch(...[job, inputs, last, options]: BatchCall): Promise<Result<JobBatch, EnqueueFault>> {
    const most = this.#limits.enqueueMany - 1;
    if (inputs.length > most) {
      throw new TypeError(`batch() takes at most ${most} inputs, not ${inputs.length}. Call it with parts.`);
    }
    const made = await this.#enqueuePlanned(planBatch(job, inputs, last, options));
    // The last of them is the last job's.
    return map(made, (refs) => ({ jobs: refs.slice(0, -1), last: refs.at(-1) as JobRef }));
  }

  async #prepare(job: Job, input: unknown, options?: EnqueueOptions): Promise<Result<PreparedJob, InvalidInputFault>> {
    const made = await newJob(codecOf(this.#codecs, job), input, options, this.#options.clock, this.#limits);
    if (!made.ok) return made;
    // It goes to the store itself, past the session.
    const { name, payload } = made.value;
    const record = this.#sealing.seals(name, payload) ? await this.#sealing.record(made.value) : made.value;
    return new Ok({ job, record });
  }

  readonly #refTo = (codec: JobCodec, receipt: EnqueueReceipt): JobRef => new StoredRef(this.#find, codec, receipt);

  async #result(codec: JobCodec, id: string, signal: AbortSignal | undefined): Promise<Result<unknown, Fault>> {
    if (signal?.aborted) return new Err(Cancelled());
    const found = await untilAborted(this.#options.session.finished(id, signal), signal);
    if (found === undefined) return new Err(Cancelled());
    return found.ok ? readResult(id, found.value, codec, this.#defect) : found;
  }

  readonly #defect: Defect = (where, error) => {
    const incident = randomHex();
    this.#options.events.emit("defect", { incident, where, error });
    return Internal({ incident });
  };
}

type BatchCall = Parameters<typeof planBatch>;
type ResultFinder = (codec: JobCodec, id: string, signal: AbortSignal | undefined) => ReturnType<JobRef["result"]>;

/** A class rather than an object with a function of its own, because there is one for each job. */
class StoredRef implements JobRef {
  readonly id: string;
  readonly duplicate: boolean;
  readonly #find: ResultFinder;
  readonly #codec: JobCodec;

  constructor(find: ResultFinder, codec: JobCodec, { id, duplicate }: EnqueueReceipt) {
    this.id = id;
    this.duplicate = duplicate;
    this.#find = find;
    this.#codec = codec;
  }

  result(signal?: AbortSignal): ReturnType<JobRef["result"]> {
    return this.#find(this.#codec, this.id, signal);
  }
}

/** How many jobs of each name ask for room at once. One that waits for others asks whether there is room, and takes none of it yet. */
function pressing(planned: readonly PlannedJob[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { job, options } of planned) {
    if (job.settings.backPressure === undefined || options?.backPressure === false) continue;
    counts.set(job.name, (counts.get(job.name) ?? 0) + (options?.after === undefined ? 1 : 0));
  }
  return counts;
}

/** The issues of one input among many, with its index in front of each pointer. */
function atIndex(fault: InvalidInputFault, index: number): InvalidInputFault {
  return InvalidInput({
    issues: fault.data.issues.map((issue) => ({ ...issue, pointer: `/${index}${issue.pointer}` })),
  });
}

/** Undefined when the signal aborts first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
