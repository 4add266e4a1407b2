/** Jobs that have failed for good, to be looked at and run again many at a time: page by page, so that nothing is held up by it. */
import { Ok, type Clock, type Result } from "../core/index.ts";
import type { DeadLetterFilter, DeadLetters, EnqueueFault, Redriven, RedriveOptions } from "../contract/index.ts";
import { jobInfo } from "./job-info.ts";
import type { JobLimits } from "./limits.ts";
import type { JobRecord, StoreSession } from "./store.ts";

/** Records read at once. */
const pageSize = 500;
/** Jobs that are run again at once. */
const together = 50;

export class DeadLetterOffice {
  readonly #session: StoreSession;
  readonly #clock: Clock;
  readonly #limits: JobLimits;

  constructor(session: StoreSession, clock: Clock, limits: JobLimits) {
    this.#session = session;
    this.#clock = clock;
    this.#limits = limits;
  }

  async find(filter: DeadLetterFilter): Promise<Result<DeadLetters, EnqueueFault>> {
    const found = await this.#page(filter, Math.min(filter.limit ?? 100, this.#limits.deadLetters));
    return found.ok ? new Ok({ jobs: found.value.records.map(jobInfo), next: found.value.next }) : found;
  }

  async redrive(filter: DeadLetterFilter, options: RedriveOptions): Promise<Result<Redriven, EnqueueFault>> {
    const { perSecond = 1_000, signal } = options;
    if (!(perSecond > 0)) throw new TypeError(`redrive(): perSecond is a number above 0, not ${perSecond}.`);
    const most = Math.min(filter.limit ?? this.#limits.redrive, this.#limits.redrive);
    const started = this.#clock.monotonic();
    let redriven = 0;
    let left = 0;
    let next = filter.after;
    while (!isAborted(signal)) {
      const page = await this.#page(
        { ...filter, ...(next !== undefined && { after: next }) },
        Math.min(together, most - redriven - left),
      );
      if (!page.ok) return page;
      const answers = await Promise.all(page.value.records.map(({ id }) => this.#session.retry(id)));
      for (const answer of answers) {
        if (!answer.ok) return answer;
        // Another unfinished job holds its unique key, or somebody was faster.
        if (answer.value === "failed" || answer.value === undefined) left++;
        else redriven++;
      }
      next = page.value.next;
      if (next === undefined || redriven + left >= most || isAborted(signal)) break;
      await this.#wait(started + ((redriven + left) / perSecond) * 1_000, signal);
    }
    return new Ok({ redriven, left, next });
  }

  /** At most `most` that fit, out of a bounded number that is looked at. `next`: where to go on, undefined at the end. */
  async #page(
    filter: DeadLetterFilter,
    most: number,
  ): Promise<Result<{ records: JobRecord[]; next: string | undefined }, EnqueueFault>> {
    const records: JobRecord[] = [];
    let next = filter.after;
    for (let looked = 0; looked < this.#limits.deadLetters; looked += pageSize) {
      const page = await this.#session.list({
        state: "failed",
        limit: pageSize,
        ...(filter.job !== undefined && { name: filter.job }),
        ...(next !== undefined && { after: next }),
      });
      if (!page.ok) return page;
      for (const record of page.value) {
        next = record.id;
        if (!fits(record, filter)) continue;
        records.push(record);
        if (records.length >= most) return new Ok({ records, next });
      }
      if (page.value.length < pageSize) return new Ok({ records, next: undefined });
    }
    return new Ok({ records, next });
  }

  #wait(until: number, signal: AbortSignal | undefined): Promise<void> {
    const ms = until - this.#clock.monotonic();
    if (ms < 1 || isAborted(signal)) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve);
      signal?.addEventListener("abort", () => (timer.cancel(), resolve()), { once: true });
    });
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function fits({ errors, finishedAt = 0 }: JobRecord, { code, failedAfter, failedBefore }: DeadLetterFilter): boolean {
  if (code !== undefined && errors.at(-1)?.code !== code) return false;
  if (failedAfter !== undefined && finishedAt < failedAfter.getTime()) return false;
  return failedBefore === undefined || finishedAt < failedBefore.getTime();
}
