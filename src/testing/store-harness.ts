/**
 * What the conformance tests need of a store: to open it on a clean place, to open the same place again, and a consumer that can be
 * awaited job by job.
 */
import assert from "node:assert/strict";
import { manualClock, type ManualClock } from "../core/index.ts";
import type {
  AttemptError,
  ClaimedJob,
  Consumer,
  EnqueueReceipt,
  JobCounts,
  JobRecord,
  JobState,
  NewJob,
  Retention,
  Settlement,
  SettleReceipt,
  Store,
  StoreFault,
  StoreOpenOptions,
  StoreSession,
} from "../jobs/index.ts";

/** A place where jobs are kept: a file, a database. */
export interface StorePlace {
  /** A new Store on this place. Called again after a crash or a restart: it must find what was committed. */
  store(): Store;
  /** Removes the place. Every store on it is closed. */
  remove(): Promise<void>;
}

export type MakePlace = () => Promise<StorePlace>;

export const keepMany: Retention = {
  succeeded: { ageMs: 86_400_000, count: 1_000_000 },
  failed: { ageMs: 86_400_000, count: 1_000_000 },
  cancelled: { ageMs: 86_400_000, count: 1_000_000 },
};

export interface BenchOptions {
  readonly retention?: Retention;
  readonly maxWaiting?: number;
  readonly maxAttempts?: (name: string) => number;
}

/** An open store on a place of its own, with a clock that stands still. */
export class StoreBench {
  readonly clock: ManualClock = manualClock();
  readonly #place: StorePlace;
  readonly #options: StoreOpenOptions;
  #session: StoreSession | undefined;
  #hands: Hands[] = [];

  constructor(place: StorePlace, options: BenchOptions) {
    this.#place = place;
    this.#options = {
      clock: this.clock,
      retention: options.retention ?? keepMany,
      maxWaiting: options.maxWaiting ?? 1_000_000,
      maxAttempts: options.maxAttempts ?? (() => 5),
    };
  }

  get session(): StoreSession {
    assert.ok(this.#session, "the store is not open");
    return this.#session;
  }

  async open(): Promise<StoreSession> {
    const opened = await this.#place.store().open(this.#options);
    assert.ok(opened.ok, opened.ok ? "" : String(opened.fault));
    this.#session = opened.value;
    return opened.value;
  }

  /** Ends this life of the store with its claims unsettled, and opens the place again: what a crash leaves behind is recovered. */
  async reopen(): Promise<StoreSession> {
    await this.close();
    return this.open();
  }

  async close(): Promise<void> {
    this.#hands = [];
    await this.#session?.close();
    this.#session = undefined;
  }

  async end(): Promise<void> {
    await this.close();
    await this.#place.remove();
  }

  /** Hands that take jobs of these names. */
  hands(...names: string[]): Hands {
    const hands = new Hands(this.session, names);
    this.#hands.push(hands);
    return hands;
  }

  async enqueue(...jobs: readonly (Partial<NewJob> & { readonly name: string })[]): Promise<readonly EnqueueReceipt[]> {
    return value(await this.session.enqueue(jobs.map((job) => ({ priority: 5, payload: "null", ...job }))));
  }

  /** Enqueues one job and returns its id. */
  async enqueueOne(job: Partial<NewJob> & { readonly name: string }): Promise<string> {
    const [receipt] = await this.enqueue(job);
    assert.ok(receipt);
    return receipt.id;
  }

  async settle(...settlements: readonly Settlement[]): Promise<readonly SettleReceipt[]> {
    return value(await this.session.settle(settlements));
  }

  async record(id: string): Promise<JobRecord> {
    const record = value(await this.session.get(id));
    assert.ok(record, `job ${id} is not in the store`);
    return record;
  }

  async state(id: string): Promise<JobState | undefined> {
    return value(await this.session.get(id))?.state;
  }

  async counts(name?: string): Promise<JobCounts> {
    return value(await this.session.counts(name));
  }
}

/** A consumer whose jobs can be awaited. */
export class Hands {
  readonly claimed: ClaimedJob[] = [];
  readonly cancelRequests: string[] = [];
  readonly troubles: StoreFault[] = [];
  /** How many jobs came in each call. */
  readonly batches: number[] = [];
  readonly #consumer: Consumer;
  #taken = 0;
  #wanted: { readonly count: number; readonly resolve: () => void } | undefined;

  constructor(session: StoreSession, names: readonly string[]) {
    this.#consumer = session.consume({
      names,
      onClaimed: (jobs) => {
        this.claimed.push(...jobs);
        this.batches.push(jobs.length);
        if (this.#wanted !== undefined && this.claimed.length >= this.#wanted.count) this.#wanted.resolve();
      },
      onCancelRequested: (id) => void this.cancelRequests.push(id),
      onTrouble: (fault) => void this.troubles.push(fault),
    });
  }

  grant(name: string, credit: number): void {
    this.#consumer.grant(name, credit);
  }

  /** The next `count` jobs, in the order in which they were handed over. Waits for them. */
  async take(count: number): Promise<ClaimedJob[]> {
    const upTo = this.#taken + count;
    if (this.claimed.length < upTo) {
      await new Promise<void>((resolve) => (this.#wanted = { count: upTo, resolve }));
      this.#wanted = undefined;
    }
    const jobs = this.claimed.slice(this.#taken, upTo);
    this.#taken = upTo;
    return jobs;
  }

  /** Credit for one job, and that job. */
  async takeOne(name: string): Promise<ClaimedJob> {
    this.grant(name, 1);
    const [job] = await this.take(1);
    assert.ok(job);
    return job;
  }

  /** Jobs that were handed over and not yet taken. */
  get untaken(): number {
    return this.claimed.length - this.#taken;
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }
}

/** The value of a result that must be a success. */
export function value<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: unknown },
): T {
  assert.ok(result.ok, result.ok ? "" : String(result.fault));
  return result.value;
}

/** An element that must be there. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  assert.ok(element !== undefined, `nothing at ${index} of ${list.length}`);
  return element;
}

export function failure(job: ClaimedJob, code = "BROKEN", at = 1): AttemptError {
  return { attempt: job.attempt, at, code, message: `attempt ${job.attempt} failed` };
}

export type WithBench = (options: BenchOptions, run: (bench: StoreBench) => Promise<void>) => () => Promise<void>;

/** Wraps a test: its store is on a clean place, and is gone afterwards. */
export function withBench(makePlace: MakePlace): WithBench {
  return (options, run) => async () => {
    const bench = new StoreBench(await makePlace(), options);
    try {
      await bench.open();
      await run(bench);
    } finally {
      await bench.end();
    }
  };
}
