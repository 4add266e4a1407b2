/** Hands ready jobs of the memory store over to a session's consumer: as far as credit, pauses, gates and keys let it, most urgent first. */
import type { ClaimedJob, ConsumeOptions, Consumer } from "../jobs/index.ts";
import type { MemoryJob } from "./memory-job.ts";
import type { MemoryJobs } from "./memory-jobs.ts";
import { urgencyOf } from "./memory-ready.ts";

export class MemoryDelivery {
  readonly #jobs: MemoryJobs;
  readonly #credit = new Map<string, number>();
  #consume: ConsumeOptions | undefined;
  #claims = 0;

  constructor(jobs: MemoryJobs) {
    this.#jobs = jobs;
  }

  get consumer(): ConsumeOptions | undefined {
    return this.#consume;
  }

  consume(options: ConsumeOptions, changed: () => void): Consumer {
    if (this.#consume !== undefined) throw new TypeError("A session has one consumer. Stop the first one.");
    this.#consume = options;
    return {
      grant: (name, credit) => {
        this.#credit.set(name, (this.#credit.get(name) ?? 0) + credit);
        changed();
      },
      stop: async () => this.end(),
    };
  }

  end(): void {
    this.#consume = undefined;
    this.#credit.clear();
  }

  /** Answers when time alone will let more of them start, or Infinity. */
  deliver(epoch: number, now: number): number {
    if (this.#consume === undefined) return Infinity;
    let wake = this.#jobs.keys.tick(now);
    const fence = { epoch, claim: ++this.#claims, order: ++this.#jobs.claims };
    const claimed: ClaimedJob[] = [];
    for (;;) {
      const [job, opensAt] = this.#next(this.#consume.names, now);
      wake = Math.min(wake, opensAt);
      if (job === undefined) break;
      claimed.push(this.#claim(job, fence, now));
    }
    // A key may have come to its rate just now, or a job to a key whose rate holds it.
    wake = Math.min(wake, this.#jobs.keys.tick(now));
    claimed.sort((one, two) => one.priority - two.priority);
    if (claimed.length > 0) this.#consume.onClaimed(claimed);
    return wake;
  }

  /** Over all names the job that may start and is the most urgent, then the one that has been ready the longest. */
  #next(names: readonly string[], now: number): readonly [MemoryJob | undefined, number] {
    let first: { readonly job: MemoryJob; readonly urgency: number } | undefined;
    let wake = Infinity;
    for (const name of names) {
      if ((this.#credit.get(name) ?? 0) <= 0 || this.#jobs.paused.has(name)) continue;
      const policy = this.#jobs.policy(name);
      const opensAt = this.#jobs.gates.opensAt(policy, now);
      if (opensAt > now) {
        wake = Math.min(wake, opensAt);
        continue;
      }
      const job = this.#jobs.next(name, now);
      if (job === undefined) continue;
      const urgency = urgencyOf(job, now, policy?.ageingMs);
      const before = first === undefined || urgency < first.urgency;
      if (before || (urgency === first?.urgency && job.place < first.job.place)) first = { job, urgency };
    }
    return [first?.job, wake];
  }

  #claim(job: MemoryJob, fence: ClaimedJob["fence"], now: number): ClaimedJob {
    this.#jobs.claim(job, now);
    job.fence = fence;
    const { id, attempt, enqueuedAt, notes } = job;
    const { name, priority, payload, context, key, tenant } = job.job;
    this.#credit.set(name, (this.#credit.get(name) ?? 0) - 1);
    return {
      id,
      name,
      priority,
      payload,
      ...(context !== undefined && { context }),
      attempt,
      enqueuedAt,
      ...(key !== undefined && { key }),
      ...(tenant !== undefined && { tenant }),
      ...(notes.size > 0 && { noted: true }),
      fence,
    };
  }
}
