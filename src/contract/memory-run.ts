/**
 * The run of a job that is called in memory: one attempt, at once, without a store. Its steps are carried out and kept by nobody, and its
 * sleeps take no time. A test of what happens between runs is `testJobs` of `tensile/testing`.
 */
import { randomHex } from "../core/index.ts";
import type { Job, Signals } from "./job.ts";
import type { JobRun, StepRun } from "./job-run.ts";

export class MemoryRun implements JobRun<Signals> {
  readonly id = randomHex();
  readonly attempt = 1;
  readonly maxAttempts: number;
  readonly enqueuedAt: Date;
  readonly idempotencyKey = this.id;
  readonly fence = "0";
  readonly #name: string;

  constructor(job: Job, now: number) {
    this.maxAttempts = job.settings.attempts;
    this.enqueuedAt = new Date(now);
    this.#name = job.name;
  }

  get draining(): AbortSignal {
    return new AbortController().signal;
  }

  // What `act` returns, awaited, is what the type says.
  readonly step = (async (name: string, act: (step: StepRun) => unknown) =>
    act({ idempotencyKey: `${this.id}-${name}` })) as JobRun["step"];

  readonly sleep: JobRun["sleep"] = async () => undefined;

  readonly waitFor: JobRun<Signals>["waitFor"] = async (name) => {
    throw new TypeError(
      `Job "${this.#name}" waits for "${name}", and a call in memory has no store that could tell it. Test it with testJobs() of "tensile/testing".`,
    );
  };

  readonly progress: JobRun["progress"] = () => undefined;

  readonly parents: JobRun["parents"] = async () => [];
}
