/**
 * One attempt of a job while this process has it: what its handler is told, its signal, and how its run can be left. Whatever costs something is made when it is
 * first read.
 */
import { Aborted, Err, type Fault } from "../core/index.ts";
import { JobSuspended, type JobAttempt, type JobRun, type Signals } from "../contract/index.ts";
import type { TraceContext } from "../exchange/index.ts";
import { JobFlow, type FlowRun, type FlowTools, type Suspension } from "./flow.ts";
import { readContext, type JobContext } from "./job-context.ts";
import type { ClaimedJob, Fence } from "./store.ts";

/** What the handler is told. The costly texts and the tools are made when they are read. */
class Run implements JobRun<Signals> {
  readonly id: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly #attempt: Attempt;

  constructor(attempt: Attempt, maxAttempts: number) {
    this.id = attempt.job.id;
    this.attempt = attempt.job.attempt;
    this.maxAttempts = maxAttempts;
    this.#attempt = attempt;
  }

  get enqueuedAt(): Date {
    return new Date(this.#attempt.job.enqueuedAt);
  }

  /** Holds the time as well, because a store that was set up anew counts its ids from the start again. */
  get idempotencyKey(): string {
    const { name, id, enqueuedAt } = this.#attempt.job;
    return `${name}-${id}-${enqueuedAt.toString(36)}`;
  }

  get fence(): string {
    return fenceText(this.#attempt.job.fence);
  }

  get draining(): AbortSignal {
    return this.#attempt.needFlow().draining;
  }

  get step(): JobRun["step"] {
    return this.#attempt.needFlow().step;
  }

  get sleep(): JobRun["sleep"] {
    return this.#attempt.needFlow().sleep;
  }

  get waitFor(): JobRun<Signals>["waitFor"] {
    // The flow decodes with the schema of the signal that is named.
    return this.#attempt.needFlow().waitFor;
  }

  get progress(): JobRun["progress"] {
    return this.#attempt.needFlow().progress;
  }

  get parents(): JobRun["parents"] {
    // Outputs are decoded with the schema of the job that is named.
    return this.#attempt.needFlow().parents as JobRun["parents"];
  }
}

/** Sorts as text in the order of claims, so that a downstream store can compare it with `<`. */
function fenceText({ epoch, claim, order }: Fence): string {
  if (order !== undefined) return `${String(order).padStart(16, "0")}-${String(epoch).padStart(10, "0")}`;
  return `${String(epoch).padStart(10, "0")}-${String(claim).padStart(16, "0")}`;
}

/** A claimed job while this process has it. */
export class Attempt implements JobAttempt, FlowRun {
  readonly job: ClaimedJob;
  /** Monotonic milliseconds; undefined: when its payload has been read. */
  startedAt: number | undefined;
  /** Somebody asked the job to stop. */
  cancelAsked = false;
  /** The claim is gone: the outcome is nobody's. */
  lost = false;
  /** The handler is told nothing more, and is asked for nothing more. */
  ended = false;
  /** Set when the deadline answered while the handler still runs: settles when it ends. */
  abandoned: Promise<unknown> | undefined;
  /** Set when the attempt did not succeed. */
  fault: Fault | undefined;
  /** Set when the run was left, to go on later. */
  suspension: Suspension | undefined;
  leave: JobAttempt["leave"];
  /** Among those of this process, while its handler runs. */
  number = 0;
  readonly #maxAttempts: number;
  readonly #tools: FlowTools;
  #run: JobRun | undefined;
  #context: JobContext | undefined;
  #controller: AbortController | undefined;
  #flow: JobFlow | undefined;

  constructor(job: ClaimedJob, maxAttempts: number, tools: FlowTools, startedAt: number) {
    this.job = job;
    this.startedAt = startedAt;
    this.#maxAttempts = maxAttempts;
    this.#tools = tools;
  }

  /** Made for the first that asks for it: many a handler looks at its input alone. */
  get run(): JobRun {
    return (this.#run ??= new Run(this, this.#maxAttempts));
  }

  /** Made for the first handler that asks for one of its tools. */
  needFlow(): JobFlow {
    return (this.#flow ??= new JobFlow(this, this.#tools));
  }

  get flow(): JobFlow | undefined {
    return this.#flow;
  }

  get isOver(): boolean {
    return this.ended || this.lost || this.abandoned !== undefined || this.#tools.drain.over;
  }

  suspend(suspension: Suspension): void {
    this.suspension = suspension;
    this.quit();
  }

  quit(): void {
    this.leave?.(new Err(JobSuspended()));
  }

  lose(): void {
    if (this.lost) return;
    this.lost = true;
    this.abort("lost");
    const { id, name, attempt } = this.job;
    this.#tools.events.emit("job.lost", { id, name, attempt });
  }

  /** What the job keeps of the call that enqueued it. */
  get context(): JobContext {
    return (this.#context ??= readContext(this.job.context));
  }

  /** Wall-clock milliseconds by which the job must be done; Infinity: never. */
  get deadline(): number {
    return this.job.context === undefined ? Infinity : (this.context.deadline ?? Infinity);
  }

  get callerTimeoutMs(): number | undefined {
    const { deadline } = this;
    return deadline === Infinity ? undefined : Math.max(0, deadline - this.#tools.clock.now());
  }

  get trace(): TraceContext | undefined {
    return this.context.trace;
  }

  /** Read only by a handler that looks at its signal: most never do. */
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  abort(why: "cancelled" | "shutdown" | "lost"): void {
    if (why === "cancelled") this.cancelAsked = true;
    (this.#controller ??= new AbortController()).abort(new Aborted(why));
  }

  onAbandoned(ended: Promise<unknown>): void {
    this.abandoned = ended;
  }
}
