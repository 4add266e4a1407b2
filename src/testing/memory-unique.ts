/** The unique keys of the memory store: who holds one, and for how long. */
import { isFinished, type NewJob } from "../jobs/index.ts";
import type { MemoryJob } from "./memory-job.ts";

interface Hold {
  readonly job: MemoryJob;
  /** Held up to then, whatever becomes of the job. */
  readonly until: number;
}

export class MemoryUnique {
  readonly #holds = new Map<string, Hold>();

  /** The job that holds the key of this one. */
  holder(job: NewJob, now: number): MemoryJob | undefined {
    const id = idOf(job);
    const hold = id === undefined ? undefined : this.#holds.get(id);
    if (id === undefined || hold === undefined) return undefined;
    if (now < hold.until || needsKey(hold.job)) return hold.job;
    this.#holds.delete(id);
    return undefined;
  }

  /** The key is free, and this job takes it if it needs it. */
  hold(job: MemoryJob, now: number): void {
    const id = idOf(job.job);
    const until = job.enqueuedAt + (job.job.unique?.windowMs ?? 0);
    if (id !== undefined && (needsKey(job) || now < until)) this.#holds.set(id, { job, until });
  }

  /** A job may be unfinished again unless another holds its key. */
  mayReturn(job: MemoryJob, now: number): boolean {
    const holder = this.holder(job.job, now);
    return holder === undefined || holder === job || startedOut(job);
  }

  /** The job is finished: what nothing holds any more need not be kept. */
  release(job: MemoryJob, now: number): void {
    const id = idOf(job.job);
    const hold = id === undefined ? undefined : this.#holds.get(id);
    if (id !== undefined && hold?.job === job && now >= hold.until) this.#holds.delete(id);
  }
}

function needsKey(job: MemoryJob): boolean {
  return !isFinished(job.state) && !startedOut(job);
}

/** Its key was free as soon as it started. */
function startedOut({ job, started }: MemoryJob): boolean {
  return started && job.unique?.until === "started";
}

function idOf({ name, uniqueKey, unique }: NewJob): string | undefined {
  return uniqueKey === undefined ? undefined : `${unique?.scope ?? name}\n${uniqueKey}`;
}
