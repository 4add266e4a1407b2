/**
 * Calls that go together: what is asked for while a statement is under way is one statement afterwards. A batch that fails as a whole because of one of its calls
 * is taken apart, so that nobody fails for a neighbour.
 */
import { youngArray } from "../core/index.ts";
import type { JobId, NewJob } from "../jobs/index.ts";
import type { Pace } from "./pace.ts";
import { isBroken } from "./trouble.ts";

/** A class for the sake of V8: see blocks/block-job.ts. */
class Call<I, O> {
  readonly items: readonly I[];
  readonly resolve: (answers: readonly O[]) => void;
  readonly reject: (error: unknown) => void;

  constructor(items: readonly I[], resolve: Call<I, O>["resolve"], reject: Call<I, O>["reject"]) {
    this.items = items;
    this.resolve = resolve;
    this.reject = reject;
  }
}

export class Gatherer<I, O> {
  readonly #act: (items: readonly I[]) => Promise<readonly O[]>;
  readonly #most: number;
  readonly #shift: (item: I, by: number) => I;
  readonly #pace: Pace<I> | undefined;
  #calls: Call<I, O>[] = [];
  #running: Promise<void> | undefined;

  /**
   * @param shift What an item says about places in its call, where others come before.
   * @param pace When the next statement is sent. Absent: as soon as the one before is answered.
   */
  constructor(
    act: (items: readonly I[]) => Promise<readonly O[]>,
    most: number,
    shift: (item: I, by: number) => I = (item) => item,
    pace?: Pace<I>,
  ) {
    this.#act = act;
    this.#most = most;
    this.#shift = shift;
    this.#pace = pace;
  }

  add(items: readonly I[]): Promise<readonly O[]> {
    return new Promise((resolve, reject) => {
      this.#calls.push(new Call(items, resolve, reject));
      this.#pace?.add(items);
      this.#start();
    });
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // Asked for after the last look, and before this.
      if (this.#calls.length > 0) this.#start();
    });
  }

  /** Resolves when all that was asked for is answered. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#calls.length > 0) {
      await this.#pace?.next();
      let count = 0;
      let size = 0;
      for (; count < this.#calls.length && (count === 0 || size < this.#most); count++)
        size += this.#calls[count]?.items.length ?? 0;
      await this.#together(this.#calls.splice(0, count));
    }
  }

  #joined(calls: readonly Call<I, O>[]): readonly I[] {
    const all = youngArray<I>();
    for (const { items } of calls) {
      const by = all.length;
      for (const item of items) all.push(by === 0 ? item : this.#shift(item, by));
    }
    return all;
  }

  async #together(calls: readonly Call<I, O>[]): Promise<void> {
    const only = calls.length === 1 ? calls[0] : undefined;
    try {
      const answers = await this.#act(only === undefined ? this.#joined(calls) : only.items);
      let at = 0;
      for (const { items, resolve } of calls) resolve(answers.slice(at, (at += items.length)));
    } catch (error) {
      if (only !== undefined || isBroken(error)) for (const { reject } of calls) reject(error);
      else for (const call of calls) await this.#together([call]);
    }
  }
}

export function isNew(): (id: JobId) => boolean {
  const seen = new Set<JobId>();
  return (id) => !seen.has(id) && seen.add(id) !== undefined;
}

/** Places of earlier jobs are those of the call; this is what they are in a batch of several. */
export function shifted(job: NewJob, by: number): NewJob {
  if (job.after === undefined) return job;
  return { ...job, after: { ...job.after, jobs: job.after.jobs.map((on) => (typeof on === "number" ? on + by : on)) } };
}
