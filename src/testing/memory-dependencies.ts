/** Who waits for whom in the memory store, and what became of those that were waited for. */
import { isFinished, type AttemptError, type DependencyRecord, type JobState, type NewJob } from "../jobs/index.ts";
import type { MemoryJob } from "./memory-job.ts";

const mostDependencies = 100_000;

interface Waits {
  /** As the job named them. */
  readonly ids: readonly string[];
  readonly on: "succeeded" | "finished";
  readonly open: Set<string>;
  /** How those that ended did: also when retention has removed them since. */
  readonly ended: Map<string, JobState>;
}

/** What an ended dependency means to a job that waits: it may go on, it never will, or it waits for others still. */
export type Verdict = "unblock" | "abandon" | undefined;

export class MemoryDependencies {
  readonly #waits = new Map<MemoryJob, Waits>();
  readonly #dependents = new Map<string, Set<MemoryJob>>();
  readonly #find: (id: string) => MemoryJob | undefined;

  constructor(find: (id: string) => MemoryJob | undefined) {
    this.#find = find;
  }

  /** A job waits from now on. `ids`: of the jobs enqueued before it in the same call. */
  add(job: MemoryJob, ids: readonly string[]): Verdict {
    const { after } = job.job;
    if (after === undefined) return undefined;
    const named = after.jobs.map((id) => (typeof id === "number" ? (ids[id] ?? "") : id));
    const waits: Waits = { ids: named, on: after.on, open: new Set(named), ended: new Map() };
    this.#waits.set(job, waits);
    let verdict: Verdict;
    for (const id of waits.open) {
      const state = this.#find(id)?.state ?? "cancelled";
      if (isFinished(state)) verdict ??= this.#end(waits, id, state);
      else this.#dependentsOf(id).add(job);
    }
    return verdict;
  }

  /** A job has ended: who waited for it, and what that means. */
  end(job: MemoryJob): (readonly [MemoryJob, Verdict])[] {
    const dependents = this.#dependents.get(job.id);
    this.#dependents.delete(job.id);
    const verdicts: (readonly [MemoryJob, Verdict])[] = [];
    for (const dependent of dependents ?? []) {
      const waits = this.#waits.get(dependent);
      if (waits?.open.has(job.id) === true) verdicts.push([dependent, this.#end(waits, job.id, job.state)]);
    }
    return verdicts;
  }

  #end(waits: Waits, id: string, state: JobState): Verdict {
    waits.open.delete(id);
    waits.ended.set(id, state);
    if (waits.on === "succeeded" && state !== "succeeded") return "abandon";
    return waits.open.size === 0 ? "unblock" : undefined;
  }

  /** The job waits for none of them any more, however that came. */
  leave(job: MemoryJob): void {
    this.#waits.get(job)?.open.clear();
  }

  of(job: MemoryJob): DependencyRecord[] {
    const waits = this.#waits.get(job);
    return (waits?.ids ?? []).map((id) => {
      const found = this.#find(id);
      // The way it ended is what counted, also if it was redriven since.
      const state = waits?.ended.get(id) ?? found?.state ?? "cancelled";
      const { result } = found ?? {};
      return { id, name: found?.job.name ?? "", state, ...(result !== undefined && { result }) };
    });
  }

  forget(job: MemoryJob): void {
    this.#waits.delete(job);
  }

  #dependentsOf(id: string): Set<MemoryJob> {
    const dependents = this.#dependents.get(id) ?? new Set();
    this.#dependents.set(id, dependents);
    return dependents;
  }
}

/** Why a job that depended on another is cancelled. */
export function abandoned(job: MemoryJob, dependency: string, now: number): AttemptError {
  return {
    attempt: job.attempt,
    at: now,
    code: "DEPENDENCY_FAILED",
    message: `Job ${dependency}, which this one needs, did not succeed.`,
    data: JSON.stringify({ id: dependency }),
  };
}

/** Mistakes in the program. */
export function checkDependencies(jobs: readonly NewJob[]): void {
  for (const [place, { name, after }] of jobs.entries()) {
    if (after === undefined) continue;
    if (after.jobs.length === 0 || after.jobs.length > mostDependencies)
      throw new TypeError(`Job "${name}" is after ${after.jobs.length} jobs; 1 to ${mostDependencies} are possible.`);
    for (const id of after.jobs) {
      if (typeof id === "number" && !(Number.isInteger(id) && id >= 0 && id < place))
        throw new TypeError(
          `Job "${name}" at place ${place} is after place ${id}: only earlier places of a call count.`,
        );
    }
  }
}
