/**
 * The keys of what this process runs, of blocks and of rows. It tells them with each claim of a name with limits per key, so that the database looks only for what
 * others run. A job is among them from its claim until its settlement is answered: longer than it runs by the database's book, never shorter.
 */
import type { ClaimedJob, Fence, JobId } from "../../jobs/index.ts";
import { hasSeparator } from "./drafts.ts";

export class RunningKeys {
  readonly #names = new Map<string, Map<JobId, ClaimedJob>>();

  begin(jobs: readonly ClaimedJob[]): void {
    for (const job of jobs) {
      if (job.key === undefined) continue;
      const running = this.#names.get(job.name) ?? new Map<JobId, ClaimedJob>();
      this.#names.set(job.name, running.set(job.id, job));
    }
  }

  /** Its settlement was answered. Nothing where the job runs here once more, under a later claim. */
  end({ id, name, key, fence }: ClaimedJob): void {
    if (key === undefined) return;
    const running = this.#names.get(name);
    const known = running?.get(id)?.fence;
    if (known !== undefined && known.claim === fence.claim && known.epoch === fence.epoch) running?.delete(id);
  }

  /** A claim whose answer was lost was given back: what had been heard of it runs nowhere. */
  giveBack(fence: Fence): void {
    for (const running of this.#names.values())
      for (const [id, job] of running)
        if (job.fence.claim === fence.claim && job.fence.epoch === fence.epoch) running.delete(id);
  }

  /** As blocks keep them; a key that no block can hold is left out. */
  of(name: string, epoch: number): readonly string[] {
    const keys: string[] = [];
    for (const { key, fence } of this.#names.get(name)?.values() ?? [])
      if (key !== undefined && fence.epoch === epoch && !hasSeparator(key)) keys.push(`=${key}`);
    return keys;
  }

  /** The lease is gone: they are others' to look for. */
  clear(): void {
    this.#names.clear();
  }
}
