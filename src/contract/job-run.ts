/**
 * What a job's handler is told about its run, and the tools with which a run is taken apart into steps that are kept: the seam between
 * handlers and the engine (floor 3), which implements it.
 *
 * A job that sleeps or waits for long does not stay in the process: its run ends where it stands, and another run begins from the top when it is
 * time. So the code between the steps runs again in every run, and must do the same then; what has an effect belongs into a step.
 */
import type { Duration, Fault, Result } from "../core/index.ts";
import type { Json } from "../schema/index.ts";
import type { OutputOf } from "./contract.ts";
import type { SignalTimedOut } from "./framework-faults.ts";
import type { Job, Signals } from "./job.ts";
import type { JobInfoState } from "./jobs-face.ts";
import type { Decoded, SchemaLike } from "./operation.ts";

/** What a job handler is told about its run. */
export interface JobRun<S extends Signals = Record<never, never>> {
  readonly id: string;
  /** 1 for the first. A run that went on after a sleep or a signal belongs to the same attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: Date;
  /** The same through every attempt: give it to downstream services, so that a repeated run has one effect. */
  readonly idempotencyKey: string;
  /**
   * Names the claim. In a store that one process owns (SQLite) it grows with every claim, so that a downstream store which keeps the highest
   * one seen can refuse a run that was given up; between processes on one PostgreSQL it does not grow from one to the other.
   */
  readonly fence: string;
  /** Aborts when the process begins to drain: a long run can end early. A run with steps does so by itself at its next step. */
  readonly draining: AbortSignal;
  /**
   * Does something once for the job, through all its runs: what `act` returned is kept before the step answers, and given again by later
   * runs. A step that was cut off by a crash runs again (at least once), so pass its `idempotencyKey` on.
   *
   * A fault is kept for the attempt: later runs of the same attempt get it again, a retry runs the step again. What `act` throws is
   * thrown on and not kept. Values travel as JSON, or by the schema `output`. Names are unique within a job; in a loop put an id
   * into them. At most 1,000 names of steps, sleeps and waits in one job.
   *
   * @example
   * const charge = yield* await given.job.step("charge", ({ idempotencyKey }) => payments.charge(input.card, idempotencyKey));
   */
  step<T>(name: string, act: (step: StepRun) => T, options?: StepOptions): Promise<Awaited<T>>;
  /**
   * Goes on after so long, also after restarts. Longer than a second it ends the run, which frees its slot; the next begins when it is time.
   * At most 366 days.
   *
   * @example
   * await given.job.sleep("trial", "14d");
   */
  sleep(name: string, duration: Duration): Promise<void>;
  /**
   * The value that `jobs.signal(job, id, name, value)` gave to this job, also before it was waited for; of several the first. Ends the run until it comes. One that
   * has not come after `timeout` (default and at most 366 days) is the fault SIGNAL_TIMED_OUT, for good. A run waits for one signal
   * at a time.
   *
   * @example
   * const { by } = yield* await given.job.waitFor("approved", { timeout: "3d" });
   */
  waitFor<N extends keyof S & string>(
    name: N,
    options?: WaitOptions,
  ): Promise<Result<Decoded<S[N]>, ReturnType<typeof SignalTimedOut>>>;
  /**
   * Lets whoever looks at the job (`jobs.get`) know how far it is: JSON of at most 4,096 characters. Written in the background, the
   * latest first; gone when the job has ended.
   */
  progress(value: Json): void;
  /**
   * What the jobs have come to that this one waited for (`after`), in the order in which it named them; those of one job with its
   * output.
   *
   * @example
   * const sizes = (await given.job.parents(resize)).map(({ output }) => output?.bytes);
   */
  parents(): Promise<readonly JobParent[]>;
  parents<J extends Job>(of: J): Promise<readonly JobParent<OutputOf<J>>[]>;
}

/** What a step is told. */
export interface StepRun {
  /** The same in every run, and another than that of other steps. */
  readonly idempotencyKey: string;
}

export interface StepOptions {
  /** How the value is kept where it is more than JSON: dates, bytes, decimals. Default: as JSON, and nothing else is accepted. */
  readonly output?: SchemaLike;
}

export interface WaitOptions {
  readonly timeout?: Duration;
}

/** A job that this one waited for. */
export interface JobParent<T = unknown> {
  readonly id: string;
  readonly name: string;
  readonly state: JobInfoState;
  /** Set where it succeeded and has one. */
  readonly output: T | undefined;
}

/** What stands for an asynchronous handler of a job while it runs. */
export interface Leavable {
  /** Set by the waist: answers at once with the result, and leaves the handler where it stands. */
  leave?: ((result: Result<never, Fault>) => void) | undefined;
}
