/**
 * What a memory store holds while no session is open: jobs, keys and occurrences. The moves are those of the state table and no others.
 */
import {
  isFinished,
  moveJob,
  type AttemptError,
  type Fence,
  type JobMove,
  type JobRecord,
  type JobState,
  type NewJob,
} from "../src/jobs/index.ts";

const errorsKept = 32;

/** A job's record that can change. */
export class MemoryJob {
  readonly id: string;
  readonly job: NewJob;
  readonly enqueuedAt: number;
  state: JobState;
  attempt = 0;
  runAt: number | undefined;
  finishedAt: number | undefined;
  result: string | undefined;
  errors: readonly AttemptError[] = [];
  fence: Fence | undefined;
  cancelAsked = false;
  /** Stands in the list of ready jobs, perhaps without being ready any more. */
  listed = false;

  constructor(id: string, job: NewJob, now: number) {
    this.id = id;
    this.job = job;
    this.enqueuedAt = now;
    this.state = job.runAt !== undefined && job.runAt > now ? "scheduled" : "ready";
    this.runAt = this.state === "scheduled" ? job.runAt : undefined;
  }

  /** Makes a legal move; an illegal one is a mistake in the store. */
  move(move: JobMove, now: number): void {
    const to = moveJob(this.state, move);
    if (to === undefined) throw new Error(`A memory store tried to ${move} a job that is ${this.state}.`);
    this.state = to;
    this.fence = undefined;
    if (to !== "scheduled") this.runAt = undefined;
    this.finishedAt = isFinished(to) ? now : undefined;
    if (to !== "running") this.cancelAsked = false;
  }

  addError(error: AttemptError): void {
    this.errors = [...this.errors, error].slice(-errorsKept);
  }

  record(): JobRecord {
    const { id, job, state, attempt, enqueuedAt, runAt, finishedAt, result, errors } = this;
    return {
      id,
      name: job.name,
      state,
      priority: job.priority,
      payload: job.payload,
      attempt,
      enqueuedAt,
      ...(runAt !== undefined && { runAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      ...(job.uniqueKey !== undefined && { uniqueKey: job.uniqueKey }),
      ...(result !== undefined && { result }),
      errors,
    };
  }
}

export class MemoryJobs {
  readonly byId = new Map<string, MemoryJob>();
  readonly occurrences = new Map<string, number>();
  readonly #holders = new Map<string, MemoryJob>();
  readonly scheduled = new Set<MemoryJob>();
  /** Ready jobs by name; a job that is no longer ready is skipped when its turn comes. */
  readonly #ready = new Map<string, MemoryJob[]>();
  #lastId = 0;
  epoch = 0;
  waiting = 0;

  /** The unfinished job that holds the key. */
  holder({ name, uniqueKey }: NewJob): MemoryJob | undefined {
    if (uniqueKey === undefined) return undefined;
    const holder = this.#holders.get(`${name}\n${uniqueKey}`);
    return holder === undefined || isFinished(holder.state) ? undefined : holder;
  }

  add(job: NewJob, now: number): MemoryJob {
    const added = new MemoryJob(String(++this.#lastId), job, now);
    this.byId.set(added.id, added);
    this.waiting++;
    this.holdKey(added);
    if (added.state === "ready") this.makeReady(added);
    else this.scheduled.add(added);
    return added;
  }

  holdKey(job: MemoryJob): void {
    if (job.job.uniqueKey !== undefined) this.#holders.set(`${job.job.name}\n${job.job.uniqueKey}`, job);
  }

  makeReady(job: MemoryJob): void {
    if (job.listed) return;
    job.listed = true;
    const { name, priority } = job.job;
    const list = this.#ready.get(name) ?? [];
    this.#ready.set(name, list);
    // Mostly at the end: searching from there is cheap.
    let at = list.length;
    while (at > 0 && (list[at - 1] as MemoryJob).job.priority > priority) at--;
    list.splice(at, 0, job);
  }

  /** Up to `count` ready jobs of a name, most urgent first. */
  takeReady(name: string, count: number): MemoryJob[] {
    const list = this.#ready.get(name) ?? [];
    const taken: MemoryJob[] = [];
    let looked = 0;
    while (looked < list.length && taken.length < count) {
      const job = list[looked++] as MemoryJob;
      job.listed = false;
      if (job.state === "ready") taken.push(job);
    }
    list.splice(0, looked);
    return taken;
  }
}
