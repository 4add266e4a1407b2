/** One job of the memory store: its record, and what the books know of it. The moves are those of the state table and no others. */
import {
  isFinished,
  moveJob,
  type AttemptError,
  type Fence,
  type JobMove,
  type JobRecord,
  type JobState,
  type NewJob,
} from "../jobs/index.ts";

const errorsKept = 32;

/** A job's stand in a line of ready or parked jobs. Gone: it left the line. */
export interface Entry {
  readonly job: MemoryJob;
  readonly place: number;
  gone: boolean;
}

/** A job's record that can change. */
export class MemoryJob {
  readonly id: string;
  readonly job: NewJob;
  readonly enqueuedAt: number;
  state: JobState;
  attempt = 0;
  /** Of a scheduled job: when it becomes ready. Of one that waits for others: when it may begin at the earliest. */
  runAt: number | undefined;
  finishedAt: number | undefined;
  result: string | undefined;
  progress: string | undefined;
  errors: readonly AttemptError[] = [];
  fence: Fence | undefined;
  /** In the order in which their names were first written. */
  readonly notes = new Map<string, string>();
  /** The signal that it waits for, and until when. */
  awaits: { readonly signal: string; readonly until: number | undefined } | undefined;
  /** Was claimed, once at least. */
  started = false;
  /** Its place among the ready jobs of its priority: kept when it is handed back, new when it is made ready again. */
  place = 0;
  readySince = 0;
  /** Where it stands among the ready or the parked. */
  entry: Entry | undefined;
  /** The gates that it holds a slot of while it runs. */
  gates: readonly string[] = [];

  constructor(id: string, job: NewJob, now: number) {
    this.id = id;
    this.job = job;
    this.enqueuedAt = now;
    const at = job.delayMs === undefined ? job.runAt : now + job.delayMs;
    this.runAt = at !== undefined && at > now ? at : undefined;
    if (job.after !== undefined) this.state = "waiting";
    else this.state = this.runAt === undefined ? "ready" : "scheduled";
  }

  /** Makes a legal move; an illegal one is a mistake in the store. */
  move(move: JobMove, now: number): void {
    const to = moveJob(this.state, move);
    if (to === undefined) throw new Error(`A memory store tried to ${move} a job that is ${this.state}.`);
    this.state = to;
    this.fence = undefined;
    this.awaits = undefined;
    if (to !== "scheduled") this.runAt = undefined;
    this.finishedAt = isFinished(to) ? now : undefined;
  }

  addError(error: AttemptError): void {
    this.errors = [...this.errors, error].slice(-errorsKept);
  }

  /** When time alone moves it on; undefined: never. */
  get dueAt(): number | undefined {
    if (this.state === "scheduled") return this.runAt;
    return this.state === "waiting" ? this.awaits?.until : undefined;
  }

  record(): JobRecord {
    const { id, job, state, attempt, enqueuedAt, runAt, finishedAt, result, progress, errors } = this;
    return {
      id,
      name: job.name,
      state,
      priority: job.priority,
      payload: job.payload,
      ...(job.context !== undefined && { context: job.context }),
      attempt,
      enqueuedAt,
      ...(state === "scheduled" && runAt !== undefined && { runAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      ...(job.uniqueKey !== undefined && { uniqueKey: job.uniqueKey }),
      ...(job.key !== undefined && { key: job.key }),
      ...(job.tenant !== undefined && { tenant: job.tenant }),
      ...(progress !== undefined && { progress }),
      ...(result !== undefined && { result }),
      errors,
    };
  }
}
