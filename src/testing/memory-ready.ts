/**
 * The ready jobs of one name in the order in which they are handed over: by priority (with ageing, by how long they have waited), then tenant
 * after tenant, then by place. Jobs that left are skipped when their turn comes.
 */
import type { Entry, MemoryJob } from "./memory-job.ts";

const priorities = 10;
const nobody = Symbol("no tenant");

export class ReadySet {
  readonly #lanes = Array.from({ length: priorities }, () => new Lane());

  add(job: MemoryJob): void {
    job.entry = { job, place: job.place, gone: false };
    this.#lanes[job.job.priority]?.add(job.entry);
  }

  /** The job whose turn it is. It stays until it is removed. */
  next(now: number, ageingMs: number | undefined): MemoryJob | undefined {
    let first: { readonly lane: Lane; readonly urgency: number } | undefined;
    for (const lane of this.#lanes) {
      const oldest = lane.oldest();
      if (oldest === undefined) continue;
      const urgency = urgencyOf(oldest, now, ageingMs);
      if (first === undefined || urgency < first.urgency) first = { lane, urgency };
    }
    return first?.lane.next();
  }

  /** Takes it out, and gives the next tenant its turn. */
  take(job: MemoryJob): void {
    leave(job);
    this.#lanes[job.job.priority]?.turn(job);
  }
}

/** A job leaves wherever it stands. */
export function leave(job: MemoryJob): void {
  if (job.entry !== undefined) job.entry.gone = true;
  job.entry = undefined;
}

/** The priority that a job counts with: one more urgent for each time that it has waited. */
export function urgencyOf(job: MemoryJob, now: number, ageingMs: number | undefined): number {
  return job.job.priority - (ageingMs === undefined ? 0 : Math.floor(Math.max(0, now - job.readySince) / ageingMs));
}

/** Jobs of one name and priority. */
class Lane {
  /** In the order of their turns. */
  readonly #tenants = new Map<string | symbol, Line>();

  add(entry: Entry): void {
    const tenant = entry.job.job.tenant ?? nobody;
    const line = this.#tenants.get(tenant) ?? new Line();
    this.#tenants.set(tenant, line);
    line.add(entry);
  }

  next(): MemoryJob | undefined {
    for (const [tenant, line] of this.#tenants) {
      const job = line.first();
      if (job !== undefined) return job;
      this.#tenants.delete(tenant);
    }
    return undefined;
  }

  oldest(): MemoryJob | undefined {
    let oldest: MemoryJob | undefined;
    for (const [tenant, line] of this.#tenants) {
      const job = line.first();
      if (job === undefined) this.#tenants.delete(tenant);
      else if (oldest === undefined || job.readySince < oldest.readySince) oldest = job;
    }
    return oldest;
  }

  /** The job's tenant has had its turn. */
  turn({ job }: MemoryJob): void {
    const tenant = job.tenant ?? nobody;
    const line = this.#tenants.get(tenant);
    if (line === undefined || this.#tenants.size === 1) return;
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, line);
  }
}

/** Jobs of one tenant, in order of their places. */
class Line {
  #entries: Entry[] = [];
  #head = 0;

  add(entry: Entry): void {
    const entries = this.#entries;
    const last = entries.at(-1);
    if (this.#head === entries.length || last === undefined || last.place < entry.place) {
      entries.push(entry);
      return;
    }
    // What comes back stands near the head.
    let at = this.#head;
    while ((entries[at]?.place ?? Infinity) < entry.place) at++;
    entries.splice(at, 0, entry);
  }

  first(): MemoryJob | undefined {
    while (this.#entries[this.#head]?.gone === true) {
      if (++this.#head >= 1_000 && this.#head * 2 > this.#entries.length) {
        this.#entries = this.#entries.slice(this.#head);
        this.#head = 0;
      }
    }
    return this.#entries[this.#head]?.job;
  }
}
