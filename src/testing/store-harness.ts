/**
 * What the conformance tests need of a store: to open it on a clean place, to open the same place again, and a consumer that can be
 * awaited job by job.
 */
import assert from "node:assert/strict";
import { manualClock, sleep, systemClock, type ManualClock, type Timer } from "../core/index.ts";
import type {
  AttemptError,
  ClaimedJob,
  Consumer,
  CrashedJobs,
  EnqueueReceipt,
  JobCounts,
  JobPolicy,
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

/** A place where jobs are kept: a file, a database. A clock of its own (a database's) follows the one that it is opened with. */
export interface StorePlace {
  /** A new Store on this place. Called again after a crash or a restart: it must find what was committed. */
  store(): Store;
  /** Removes the place. Every store on it is closed. */
  remove(): Promise<void>;
}

export type MakePlace = () => Promise<StorePlace>;

/** Its jobs show that the store has had its turn. No test sees them. */
const sentinel = "~sentinel";

export const keepMany: Retention = {
  succeeded: { ageMs: 86_400_000, count: 1_000_000 },
  failed: { ageMs: 86_400_000, count: 1_000_000 },
  cancelled: { ageMs: 86_400_000, count: 1_000_000 },
};

export interface BenchOptions {
  readonly retention?: Retention;
  readonly maxWaiting?: number;
  readonly maxAttempts?: (name: string) => number;
  readonly policy?: (name: string) => JobPolicy | undefined;
}

/** An open store on a place of its own, with a clock that stands still. */
export class StoreBench {
  readonly clock: ManualClock;
  /** Of what it was told that processes had left running. */
  readonly crashed: CrashedJobs[] = [];
  readonly #place: StorePlace;
  readonly #options: StoreOpenOptions;
  #session: StoreSession | undefined;
  #hands: Hands[] = [];

  constructor(place: StorePlace, options: BenchOptions, clock: ManualClock = manualClock()) {
    this.clock = clock;
    this.#place = place;
    this.#options = {
      clock: this.clock,
      retention: options.retention ?? keepMany,
      maxWaiting: options.maxWaiting ?? 1_000_000,
      maxAttempts: options.maxAttempts ?? (() => 5),
      policy: (name) => (name === sentinel ? undefined : options.policy?.(name)),
      onCrashed: (crashed) => this.crashed.push(...crashed),
    };
  }

  get now(): number {
    return this.clock.now();
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
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

  /** Stops the consumer, so that other hands may take. */
  async letGo(): Promise<void> {
    for (const hands of this.#hands.splice(0)) await hands.stop();
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

  /** Waits until the job is in the state: a store may need a turn of its own for what time or another job brings about. */
  async reaches(id: string, state: JobState): Promise<void> {
    const end = systemClock.monotonic() + patienceMs;
    for (;;) {
      const now = await this.state(id);
      if (now === state) return;
      if (systemClock.monotonic() > end) assert.equal(now, state, `job ${id} should have become ${state}`);
      await sleep(systemClock, 2);
    }
  }

  async counts(name?: string): Promise<JobCounts> {
    return value(await this.session.counts(name));
  }
}

/** How long a test waits for what must happen before it fails. What passes never waits so long. */
const patienceMs = 20_000;

/** A consumer whose jobs can be awaited. */
export class Hands {
  readonly claimed: ClaimedJob[] = [];
  readonly cancelRequests: string[] = [];
  readonly lost: string[] = [];
  readonly troubles: StoreFault[] = [];
  /** How many jobs came in each call. */
  readonly batches: number[] = [];
  readonly #session: StoreSession;
  readonly #consumer: Consumer;
  readonly #sentinels: ClaimedJob[] = [];
  #taken = 0;
  #wanted: { readonly holds: () => boolean; readonly resolve: () => void } | undefined;

  constructor(session: StoreSession, names: readonly string[]) {
    this.#session = session;
    this.#consumer = session.consume({
      names: [...names, sentinel],
      onClaimed: (jobs) => {
        const own = jobs.filter((job) => job.name !== sentinel);
        this.claimed.push(...own);
        this.#sentinels.push(...jobs.filter((job) => job.name === sentinel));
        if (own.length > 0) this.batches.push(own.length);
        if (this.#wanted?.holds() === true) this.#wanted.resolve();
      },
      onCancelRequested: (id) => void this.cancelRequests.push(id),
      onLost: (ids) => void this.lost.push(...ids),
      onTrouble: (fault) => void this.troubles.push(fault),
    });
  }

  grant(name: string, credit: number): void {
    this.#consumer.grant(name, credit);
  }

  /** The next `count` jobs, in the order in which they were handed over. Waits for them. */
  async take(count: number): Promise<ClaimedJob[]> {
    const upTo = this.#taken + count;
    await this.#until(() => this.claimed.length >= upTo, `${count} jobs`);
    const jobs = this.claimed.slice(this.#taken, upTo);
    this.#taken = upTo;
    return jobs;
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return;
    let patience: Timer | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#wanted = { holds, resolve };
      const late = new Error(`${what} should have been handed over; ${this.untaken} were.`);
      patience = systemClock.setTimer(patienceMs, () => reject(late), true);
    });
    patience?.cancel();
    this.#wanted = undefined;
  }

  /**
   * After this, what the store could hand over by now has been handed over. A job that is enqueued and taken meanwhile shows it; twice, because the
   * first may have come with a turn that had begun before.
   */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      this.grant(sentinel, 1);
      // With a delay, of nothing: a plain job may be handed over in the commit of its enqueueing, which says nothing of the others.
      value(await this.#session.enqueue([{ name: sentinel, priority: 0, payload: "null", delayMs: 0 }]));
      await this.#until(() => this.#sentinels.length > 0, "the sentinel");
      const jobs = this.#sentinels.splice(0);
      value(await this.#session.settle(jobs.map((job) => ({ job, to: "succeeded" }))));
    }
  }

  /** Nothing is handed over, although the store had its turn. */
  async nothing(): Promise<void> {
    await this.quiet();
    assert.equal(this.untaken, 0, `${this.untaken} jobs were handed over that should not have been`);
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

/** By its fence, whichever part of it says so. */
export function isLater({ fence: one }: ClaimedJob, { fence: two }: ClaimedJob): boolean {
  if (one.order !== undefined && two.order !== undefined) return one.order > two.order;
  return one.epoch === two.epoch ? one.claim > two.claim : one.epoch > two.epoch;
}

/** An element that must be there. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  assert.ok(element !== undefined, `nothing at ${index} of ${list.length}`);
  return element;
}

/** Spread into another object a job may lose what it reads from bytes when it is asked; its copy has all of it. */
export function copyOf(job: ClaimedJob): ClaimedJob {
  return JSON.parse(JSON.stringify(job)) as ClaimedJob;
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
