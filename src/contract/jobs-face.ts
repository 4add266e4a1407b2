/**
 * What handlers and apps can do with jobs. The engine (floor 3) implements it; it is declared here so that a handler's
 * arguments can name it without importing the engine.
 */
import type { Duration, Fault, Result } from "../core/index.ts";
import type { CallParent } from "./call-parent.ts";
import type { CallFaultOf, InputOf, OutputOf } from "./contract.ts";
import type { InvalidInput, InvalidPayload } from "./framework-faults.ts";
import type { Job } from "./job.ts";

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
  /** Instead of the key that the job's `unique` derives from the input. */
  readonly uniqueKey?: string;
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
    readonly uniqueKey?: string;
    readonly context?: string;
  };
}

export type JobInfoState = "waiting" | "scheduled" | "ready" | "running" | "succeeded" | "failed" | "cancelled";

/** A job as an operator sees it. Never holds the payload: it may hold personal data. */
export interface JobInfo {
  readonly id: string;
  readonly name: string;
  readonly state: JobInfoState;
  readonly priority: number;
  /** Runs begun so far. */
  readonly attempt: number;
  readonly enqueuedAt: Date;
  readonly runAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly errors: readonly {
    readonly attempt: number;
    readonly at: Date;
    readonly code: string;
    readonly message: string;
  }[];
}

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
}
