/**
 * What handlers and apps can do with jobs. The engine (floor 3) implements it; it is declared here so that a handler's
 * arguments can name it without importing the engine.
 */
import type { Duration, Fault, Result } from "../core/index.ts";
import type { CallParent } from "./call-parent.ts";
import type { Json } from "../schema/index.ts";
import type { CallFaultOf, InputOf, OutputOf, SignalsOf } from "./contract.ts";
import type { InvalidInput, InvalidPayload, SignalTimedOut } from "./framework-faults.ts";
import type { Job } from "./job.ts";
import type { Written } from "./operation.ts";

export interface EnqueueOptions {
  /** Not before this much time has passed. */
  readonly delay?: Duration;
  /** Not before this moment. Together with `delay`: a TypeError. */
  readonly at?: Date;
  /** 0 (most urgent) to 9; default: the job's. */
  readonly priority?: number;
  /**
   * By when the job must be done: so long from now, a moment, or `"inherit"`: when the call that enqueues it must be. Once it has
   * passed the job does not start, nor start again: it fails with DEADLINE_EXCEEDED. Default: never.
   */
  readonly deadline?: Duration | Date | "inherit";
  /** The call that this belongs to: its trace, and its time where that is inherited. Handlers' own `jobs` fill it in. */
  readonly parent?: CallParent;
  /** `false`: enqueues though the job's `backPressure` says no. Default: true. */
  readonly backPressure?: boolean;
  /** Instead of the key that the job's `unique` derives from the input. */
  readonly uniqueKey?: string;
  /** Instead of what the job's `key` makes of the input. Of a job without `perKey` it changes nothing. */
  readonly key?: string;
  /** Instead of what the job's `tenant` makes of the input. */
  readonly tenant?: string;
  /** Not before these have ended: references or ids, at most 100,000. One that is not kept any more counts as cancelled. */
  readonly after?: readonly (JobRef | string)[];
  /**
   * How those of `after` must end. `succeeded`: if one fails for good or is cancelled, this job is cancelled, and so on. `finished`: however they
   * end. Default `succeeded`.
   */
  readonly on?: "succeeded" | "finished";
}

export type EnqueueFault =
  | ReturnType<typeof InvalidInput>
  | Fault<"STORE_UNAVAILABLE", { readonly reason: string }>
  | Fault<"QUEUE_FULL", { readonly limit: number; readonly retryAfterMs: number }>;

/** Why an awaited job has no value. */
export type JobEndFault =
  | Fault<"JOB_CANCELLED", { readonly id: string }>
  | Fault<"JOB_NOT_FOUND", { readonly id: string }>
  | Fault<"JOB_CRASHED", { readonly id: string }>
  | ReturnType<typeof InvalidPayload>
  | Fault<"PAYLOAD_LOCKED", { readonly key: string }>
  | Fault<"PAYLOAD_NEWER", { readonly version: number; readonly known: number }>
  | ReturnType<typeof SignalTimedOut>
  | Fault<"QUEUE_FULL", { readonly limit: number; readonly retryAfterMs: number }>
  | Fault<"STORE_UNAVAILABLE", { readonly reason: string }>;

export interface JobRef<J extends Job = Job> {
  /** Stable through every retry. Keep it to ask for the job later. */
  readonly id: string;
  /** True: an unfinished job with the same unique key was there, and this is that one. */
  readonly duplicate: boolean;
  /** Waits until the job is finished. A failed job gives the fault of its last attempt. */
  result(signal?: AbortSignal): Promise<Result<OutputOf<J>, CallFaultOf<J> | JobEndFault>>;
}

/** A checked job, not yet enqueued: pass it to a store's transaction. `record` is what the store keeps. */
export interface PreparedJob<J extends Job = Job> {
  readonly job: J;
  readonly record: {
    readonly name: string;
    readonly priority: number;
    readonly payload: string;
    readonly runAt?: number;
    readonly delayMs?: number;
    readonly uniqueKey?: string;
    readonly unique?: { readonly scope?: string; readonly until?: "finished" | "started"; readonly windowMs?: number };
    readonly key?: string;
    readonly tenant?: string;
    readonly after?: { readonly jobs: readonly (string | number)[]; readonly on: "succeeded" | "finished" };
    readonly context?: string;
  };
}

/** Which of the jobs that have failed for good. Without a member: all. */
export interface DeadLetterFilter {
  /** The job's name. */
  readonly job?: string;
  /** Of its last error: a fault's code, `INTERNAL`, `CRASHED`. */
  readonly code?: string;
  readonly failedAfter?: Date;
  readonly failedBefore?: Date;
  /** Default 100 to look at, and 10,000 to run again, which is the most for both. */
  readonly limit?: number;
  /** Continues after this id: `next` of the last answer. */
  readonly after?: string;
}

export interface DeadLetters {
  readonly jobs: readonly JobInfo[];
  /** Where to go on; undefined: that was all. */
  readonly next: string | undefined;
}

export interface RedriveOptions {
  /** Jobs in a second, so that what failed together does not come back together. Default 1,000. */
  readonly perSecond?: number;
  /** Stops between two jobs. */
  readonly signal?: AbortSignal;
}

export interface Redriven {
  readonly redriven: number;
  /** Left as they were: another unfinished job holds their unique key. */
  readonly left: number;
  /** Where to go on; undefined: that was all. */
  readonly next: string | undefined;
}

export type JobInfoState = "waiting" | "scheduled" | "ready" | "running" | "succeeded" | "failed" | "cancelled";

/** A job as an operator sees it. Never holds the payload: it may hold personal data. */
export interface JobInfo {
  readonly id: string;
  readonly name: string;
  readonly state: JobInfoState;
  readonly priority: number;
  /** Attempts begun so far. */
  readonly attempt: number;
  readonly enqueuedAt: Date;
  readonly runAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  /** What the running job last said by `job.progress`. */
  readonly progress: Json | undefined;
  readonly errors: readonly {
    readonly attempt: number;
    readonly at: Date;
    readonly code: string;
    readonly message: string;
  }[];
}

/** A job of a graph that is not enqueued yet. */
export interface GraphNode<J extends Job = Job> {
  readonly job: J;
  /** Its place in the graph, from 0. */
  readonly place: number;
}

export interface NodeOptions extends Omit<EnqueueOptions, "after" | "parent"> {
  /** Nodes of the same graph, and jobs that are enqueued already. */
  readonly after?: readonly (GraphNode | JobRef | string)[];
}

export interface JobGraph {
  /** Adds a job. Throws a TypeError for a node of another graph, and for more than 100,000 nodes. */
  add<J extends Job>(job: J, input: InputOf<J>, options?: NodeOptions): GraphNode<J>;
  /** Checks every input and enqueues all in one commit, or nothing. A graph is enqueued once. */
  enqueue(): Promise<Result<StartedGraph, EnqueueFault>>;
}

export interface StartedGraph {
  /** In the order in which they were added. */
  readonly refs: readonly JobRef[];
  ref<J extends Job>(node: GraphNode<J>): JobRef<J>;
}

export interface JobBatch<J extends Job = Job, C extends Job = Job> {
  readonly jobs: readonly JobRef<J>[];
  /** The one that runs when they have ended. */
  readonly last: JobRef<C>;
}

/** What is paused and resumed: a job, or every job of a queue. */
export type PauseTarget = Job | { readonly queue: string };

export interface Jobs {
  /** Checks the input and makes the job durable. `ok` means committed. */
  enqueue<J extends Job>(job: J, input: InputOf<J>, options?: EnqueueOptions): Promise<Result<JobRef<J>, EnqueueFault>>;
  /** The same for many inputs in one commit: all or nothing. At most 100,000. */
  enqueueMany<J extends Job>(
    job: J,
    inputs: readonly InputOf<J>[],
    options?: Omit<EnqueueOptions, "uniqueKey">,
  ): Promise<Result<readonly JobRef<J>[], EnqueueFault>>;
  /** Checks the input and returns what a store's transaction takes, so that a job is enqueued together with other writes. */
  prepare<J extends Job>(
    job: J,
    input: InputOf<J>,
    options?: EnqueueOptions,
  ): Promise<Result<PreparedJob<J>, ReturnType<typeof InvalidInput>>>;
  /**
   * Jobs that depend on each other, to be enqueued in one commit.
   *
   * @example
   * const graph = running.jobs.graph();
   * const pay = graph.add(charge, { order: 7 });
   * graph.add(ship, { order: 7 }, { after: [pay] });
   * const started = await graph.enqueue();
   */
  graph(options?: Pick<EnqueueOptions, "parent">): JobGraph;
  /**
   * Many jobs, and one that runs when all of them have ended (`on: "finished"`, the default) or have succeeded, in one commit. The
   * last one reads what they came to by `job.parents`.
   *
   * @example
   * const made = await running.jobs.batch(resize, photos, { job: announce, input: { album: "2026" } });
   */
  batch<J extends Job, C extends Job>(
    job: J,
    inputs: readonly InputOf<J>[],
    last: { readonly job: C; readonly input: InputOf<C>; readonly on?: "succeeded" | "finished" },
    options?: Omit<EnqueueOptions, "uniqueKey" | "on">,
  ): Promise<Result<JobBatch<J, C>, EnqueueFault>>;
  /** A job by id, to await it after a restart. Does not look whether it exists; `result` does. */
  ref<J extends Job>(job: J, id: string): JobRef<J>;
  get(id: string): Promise<Result<JobInfo | undefined, EnqueueFault>>;
  list(filter?: {
    state?: JobInfoState;
    name?: string;
    limit?: number;
    after?: string;
  }): Promise<Result<readonly JobInfo[], EnqueueFault>>;
  counts(name?: string): Promise<Result<{ readonly [S in JobInfoState]: number }, EnqueueFault>>;
  /** Waiting: cancelled at once. Running: its signal aborts. Undefined: no such job; else the state after. */
  cancel(id: string): Promise<Result<JobInfoState | undefined, EnqueueFault>>;
  /** Runs a failed or cancelled job again. Undefined: no such job; else the state after. */
  retry(id: string): Promise<Result<JobInfoState | undefined, EnqueueFault>>;
  /**
   * Jobs that have failed for good, in the order of their ids.
   *
   * @example
   * const dead = await running.jobs.deadLetters({ job: "mail", code: "SMTP_BUSY" });
   */
  deadLetters(filter?: DeadLetterFilter): Promise<Result<DeadLetters, EnqueueFault>>;
  /**
   * Runs failed jobs again, many at a time: a page after the other, no faster than `perSecond`. Attempts count on.
   *
   * @example
   * const again = await running.jobs.redrive({ job: "mail", failedAfter: new Date("2026-11-26") }, { perSecond: 50 });
   */
  redrive(filter: DeadLetterFilter, options?: RedriveOptions): Promise<Result<Redriven, EnqueueFault>>;
  /**
   * Tells a job what it waits for, or will wait for. The first value of a name counts. Undefined: no such job, or it has ended; else its state after.
   *
   * @example
   * const state = await running.jobs.signal(order, id, "approved", { by: "ada" });
   */
  signal<J extends Job, N extends keyof SignalsOf<J> & string>(
    job: J,
    id: string,
    name: N,
    value: Written<SignalsOf<J>[N]>,
  ): Promise<Result<JobInfoState | undefined, EnqueueFault>>;
  /** Of what is paused no job begins, in no process, until it is resumed, also after restarts. What runs goes on, and enqueueing too. */
  pause(target: PauseTarget): Promise<Result<void, EnqueueFault>>;
  resume(target: PauseTarget): Promise<Result<void, EnqueueFault>>;
  /** Names of the jobs that are paused. */
  paused(): Promise<Result<readonly string[], EnqueueFault>>;
}
