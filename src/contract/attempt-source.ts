/** One attempt of a job, and what a call sees of it. */
import { ReplyFields, type Reply, type TraceContext } from "../exchange/index.ts";
import type { CallSource } from "./call-source.ts";
import type { JobRun, Leavable } from "./job-run.ts";

/** As the engine hands it over. */
export interface JobAttempt extends Leavable {
  /** Read only when the handler asks, or a middleware for the call's id. */
  readonly run: JobRun;
  /** Monotonic milliseconds at which it began; undefined: it begins with the call. */
  readonly startedAt?: number | undefined;
  /** Aborts when the job is cancelled. Read only when the handler reads its own signal. */
  readonly signal: AbortSignal | undefined;
  /** Milliseconds until the moment by which the job must be done. Read only when somebody must know. */
  readonly callerTimeoutMs?: number | undefined;
  /** Of the call that enqueued the job. */
  readonly trace?: TraceContext | undefined;
  /** Called when the attempt was answered by its deadline while the handler still runs; `ended` settles when it ends. */
  onAbandoned?(ended: Promise<unknown>): void;
}

/** Reads the attempt's signal only when the handler reads its own. */
export class AttemptSource implements CallSource {
  readonly #attempt: JobAttempt;

  constructor(attempt: JobAttempt) {
    this.#attempt = attempt;
  }

  get requestId(): string {
    return this.#attempt.run.id;
  }

  get signal(): AbortSignal | undefined {
    return this.#attempt.signal;
  }

  get callerTimeoutMs(): number | undefined {
    return this.#attempt.callerTimeoutMs;
  }

  get trace(): TraceContext | undefined {
    return this.#attempt.trace;
  }

  get remoteAddress(): string {
    return "";
  }

  /** Nobody is answered: what is set here goes nowhere. */
  get reply(): Reply {
    return new ReplyFields();
  }

  header(): undefined {
    return undefined;
  }
}
