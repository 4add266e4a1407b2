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
  type Retention,
} from "../jobs/index.ts";

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
  /** Its place among the ready jobs of its priority: kept when it is handed back, new when it is made ready again. */
  place = 0;
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
      ...(job.context !== undefined && { context: job.context }),
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
  readonly #ready = new Map<string, Line[]>();
  /** Finished jobs by state, in the order in which they finished. */
  readonly #finished = {
    succeeded: new Set<MemoryJob>(),
    failed: new Set<MemoryJob>(),
    cancelled: new Set<MemoryJob>(),
  };
  #lastId = 0;
  #lastPlace = 0;
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

  /** `back`: it was claimed and comes back, to where it stood. */
  makeReady(job: MemoryJob, back = false): void {
    if (!back || job.place === 0) job.place = ++this.#lastPlace;
    if (job.listed) return;
    job.listed = true;
    const { name, priority } = job.job;
    const lines = this.#ready.get(name) ?? Array.from({ length: 10 }, () => new Line());
    this.#ready.set(name, lines);
    lines[priority]?.add(job);
  }

  /** Up to `count` ready jobs of a name, most urgent first. */
  takeReady(name: string, count: number): MemoryJob[] {
    const taken: MemoryJob[] = [];
    for (const line of this.#ready.get(name) ?? []) {
      while (taken.length < count) {
        const job = line.take();
        if (job === undefined) break;
        job.listed = false;
        if (job.state === "ready") taken.push(job);
      }
    }
    return taken;
  }

  finish(job: MemoryJob): void {
    if (job.state === "succeeded" || job.state === "failed" || job.state === "cancelled")
      this.#finished[job.state].add(job);
  }

  /** Removes what retention no longer keeps; the oldest first. */
  prune(retention: Retention, now: number): number {
    let removed = 0;
    for (const state of ["succeeded", "failed", "cancelled"] as const) {
      const { ageMs, count } = retention[state];
      const finished = this.#finished[state];
      for (const job of finished) {
        const gone = job.state !== state;
        if (!gone && finished.size <= count && now - (job.finishedAt ?? now) < ageMs) break;
        finished.delete(job);
        if (gone) continue;
        this.byId.delete(job.id);
        removed++;
      }
    }
    return removed;
  }

  /** A job left the finished by hand. */
  unfinish(job: MemoryJob): void {
    for (const finished of Object.values(this.#finished)) finished.delete(job);
  }
}

/** Jobs of one name and priority, in order of their places. */
class Line {
  #jobs: MemoryJob[] = [];
  #head = 0;

  add(job: MemoryJob): void {
    const jobs = this.#jobs;
    const last = jobs.at(-1);
    if (this.#head === jobs.length || last === undefined || last.place < job.place) {
      jobs.push(job);
      return;
    }
    // What comes back stands near the head.
    let at = this.#head;
    while ((jobs[at]?.place ?? Infinity) < job.place) at++;
    jobs.splice(at, 0, job);
  }

  take(): MemoryJob | undefined {
    const job = this.#jobs[this.#head];
    if (job === undefined) return undefined;
    if (++this.#head >= 1_000 && this.#head * 2 > this.#jobs.length) {
      this.#jobs = this.#jobs.slice(this.#head);
      this.#head = 0;
    }
    return job;
  }
}
