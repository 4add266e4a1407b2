/**
 * The open store of one process. Enqueues and settlements made while a commit is under way go together in the next one; one turn at a time promotes what is due
 * and claims what there is credit for.
 */
import { err, ok, type Clock, type Timer } from "../core/index.ts";
import {
  QueueFull,
  StoreUnavailable,
  type Backlog,
  type ClaimedJob,
  type ConsumeOptions,
  type Consumer,
  type DependencyRecord,
  type EnqueueReceipt,
  type JobCounts,
  type JobFilter,
  type JobId,
  type JobNote,
  type JobRecord,
  type JobState,
  type NewJob,
  type SettleReceipt,
  type Settlement,
  type StoreFault,
  type StoreOpenOptions,
  type StoreResult,
  type StoreSession,
} from "../jobs/index.ts";
import { checkJobs } from "./check-job.ts";
import { Gatherer } from "./gatherer.ts";
import { postgresLimits as limits } from "./limits.ts";
import { isJobId, type RowPath } from "./rows/index.ts";
import { reasonOf, sqlStateOf, Unreachable } from "./trouble.ts";
import { Waiters } from "./waiters.ts";

export interface SessionLife {
  /** The epoch under which this process claims. */
  readonly epoch: number;
  /** Gives up ownership: whatever is still claimed is rescued by whoever comes next. */
  end(): Promise<void>;
}

export class Session implements StoreSession {
  readonly #rows: RowPath;
  readonly #options: StoreOpenOptions;
  readonly #life: SessionLife;
  readonly #clock: Clock;
  readonly #waiters: Waiters;
  readonly #enqueues: Gatherer<NewJob, EnqueueReceipt>;
  readonly #settles: Gatherer<Settlement, SettleReceipt>;
  /** Settlements whose commit is in doubt, by job and fence: offered again, they are settled where they were. */
  readonly #doubted = new Set<string>();
  readonly #asked = new Set<JobId>();
  readonly #timers = new Set<Timer>();
  #consumer: { readonly options: ConsumeOptions; readonly credit: Map<string, number> } | undefined;
  #turning: Promise<void> | undefined;
  #again = false;
  #troubled = false;
  #claims = 0;
  #wake: Timer | undefined;
  #ended: string | undefined;
  #closed: Promise<void> | undefined;
  /** Jobs that may be enqueued before it is counted again how many wait. */
  #headroom = 0;

  constructor(rows: RowPath, options: StoreOpenOptions, life: SessionLife) {
    this.#rows = rows;
    this.#options = options;
    this.#life = life;
    this.#clock = options.clock;
    this.#waiters = new Waiters(
      (id) => this.get(id),
      (ids) => this.#act(() => rows.ended(ids)),
      limits.finishedWaiters,
    );
    this.#enqueues = new Gatherer((jobs) => this.#enqueue(jobs), limits.batchJobs, shifted);
    this.#settles = new Gatherer((settlements) => this.#settle(settlements), limits.batchJobs);
    this.#every(limits.pruneMs, () => this.prune());
    this.#every(limits.foldMs, () => this.#act(() => this.#fold()));
    this.#every(limits.pollMs, () => this.#poll());
    this.#turnSoon();
  }

  get closing(): boolean {
    return this.#ended !== undefined;
  }

  enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    checkJobs(jobs);
    if (jobs.length > this.#options.maxWaiting) return Promise.resolve(err(this.#full()));
    return this.#gather(this.#enqueues, jobs);
  }

  async #enqueue(jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    const { maxWaiting } = this.#options;
    const count = this.#headroom < jobs.length;
    const receipts = await this.#rows.enqueue(jobs, count ? maxWaiting : null);
    if (count) this.#headroom = Math.floor((maxWaiting - (await this.#rows.unstarted())) / 4);
    else this.#headroom -= jobs.length;
    this.#turnSoon();
    return receipts;
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    return this.#gather(this.#settles, settlements);
  }

  async #settle(settlements: readonly Settlement[]): Promise<readonly SettleReceipt[]> {
    const keys = settlements.map(({ job }) => `${job.id} ${job.fence.epoch} ${job.fence.claim}`);
    const again = keys.map((key) => this.#doubted.size > 0 && this.#doubted.has(key));
    try {
      const { receipts, ended } = await this.#rows.settle(settlements, again);
      for (const key of this.#doubted.size > 0 ? keys : []) this.#doubted.delete(key);
      if (this.#asked.size > 0) for (const { job } of settlements) this.#asked.delete(job.id);
      if (this.#waiters.size > 0)
        void this.#waiters.tell([...settlements.map(({ job }) => job.id), ...ended].filter(isNew()));
      this.#turnSoon();
      return receipts;
    } catch (error) {
      if (error instanceof Unreachable && this.#doubted.size < limits.doubted)
        for (const key of keys) this.#doubted.add(key);
      throw error;
    }
  }

  consume(options: ConsumeOptions): Consumer {
    if (this.#consumer !== undefined)
      throw new TypeError("This store is being consumed already. Stop the first consumer before starting another.");
    const consumer = { options, credit: new Map<string, number>() };
    this.#consumer = consumer;
    return {
      grant: (name, credit) => {
        if (this.#consumer !== consumer || credit <= 0) return;
        if (!options.names.includes(name))
          throw new TypeError(`Credit for "${name}", which is not among the names of consume().`);
        consumer.credit.set(name, (consumer.credit.get(name) ?? 0) + credit);
        this.#turnSoon();
      },
      stop: async () => {
        if (this.#consumer !== consumer) return;
        consumer.credit.clear();
        // What is being claimed still arrives first.
        await this.#turning;
        if (this.#consumer === consumer) this.#consumer = undefined;
      },
    };
  }

  async cancel(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.cancel(id));
    if (!done.ok) return done;
    const { state, epoch, ended } = done.value;
    if (epoch === this.#life.epoch) this.#askToStop(id);
    if (state === "cancelled") void this.#waiters.tell([id, ...ended]);
    if (state === "cancelled") this.#turnSoon();
    return ok(state);
  }

  async retry(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.retry(id));
    this.#turnSoon();
    return done;
  }

  get(id: JobId): StoreResult<JobRecord | undefined> {
    return this.#act(() => this.#rows.get(id));
  }

  finished(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    if (this.#ended !== undefined) return Promise.resolve(err(StoreUnavailable({ reason: this.#ended })));
    if (!isJobId(id)) return Promise.resolve(ok(undefined));
    return this.#waiters.wait(id, signal);
  }

  list(filter: JobFilter): StoreResult<readonly JobRecord[]> {
    return this.#act(() => this.#rows.list(filter));
  }

  counts(name?: string): StoreResult<JobCounts> {
    return this.#act(() => this.#rows.counts(name));
  }

  occurrences(): StoreResult<ReadonlyMap<string, number>> {
    return this.#act(() => this.#rows.occurrences());
  }

  note(job: ClaimedJob, notes: readonly JobNote[], progress?: string): StoreResult<SettleReceipt> {
    return this.#act(() => this.#rows.note(job, notes, progress));
  }

  notes(id: JobId): StoreResult<readonly JobNote[]> {
    return this.#act(() => this.#rows.notes(id));
  }

  async signal(id: JobId, name: string, value: string): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.signal(id, name, value));
    if (done.ok && done.value === "ready") this.#turnSoon();
    return done;
  }

  dependencies(id: JobId): StoreResult<readonly DependencyRecord[]> {
    return this.#act(() => this.#rows.dependencies(id));
  }

  pause(names: readonly string[]): StoreResult<void> {
    return this.#act(() => this.#rows.pause(names, true));
  }

  async resume(names: readonly string[]): StoreResult<void> {
    const done = await this.#act(() => this.#rows.pause(names, false));
    this.#turnSoon();
    return done;
  }

  paused(): StoreResult<readonly string[]> {
    return this.#act(() => this.#rows.paused());
  }

  backlog(names: readonly string[]): StoreResult<Backlog> {
    return this.#act(() => this.#rows.backlog(names));
  }

  prune(): StoreResult<number> {
    return this.#act(async () => {
      const { retention } = this.#options;
      let removed = 0;
      for (let step: number = limits.pruneStep; step >= limits.pruneStep; removed += step)
        step = await this.#rows.prune(retention, limits.pruneStep);
      await this.#rows.rotate(retention);
      await this.#rows.sweep();
      return removed;
    });
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ended = "the session is closed";
    for (const timer of [...this.#timers, this.#wake]) timer?.cancel();
    await Promise.allSettled([this.#enqueues.idle(), this.#settles.idle()]);
    this.#consumer?.credit.clear();
    await this.#turning;
    this.#consumer = undefined;
    this.#waiters.fail(StoreUnavailable({ reason: this.#ended }));
    await this.#life.end();
  }

  async #fold(): Promise<void> {
    await this.#rows.fold();
    this.#headroom = Math.floor((this.#options.maxWaiting - (await this.#rows.unstarted())) / 4);
  }

  async #poll(): Promise<void> {
    this.#turnSoon();
    await this.#waiters.look();
  }

  /** Again so long after the last time has ended. */
  #every(ms: number, act: () => Promise<unknown>): void {
    if (this.#ended !== undefined) return;
    const timer = this.#clock.setTimer(
      ms,
      () => {
        this.#timers.delete(timer);
        void act().finally(() => this.#every(ms, act));
      },
      true,
    );
    this.#timers.add(timer);
  }

  #askToStop(id: JobId): void {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.#consumer?.options.onCancelRequested(id);
  }

  /** One turn at a time; what is asked for meanwhile is the next. */
  #turnSoon(): void {
    if (this.#ended !== undefined) return;
    this.#again = true;
    this.#turning ??= this.#turns().finally(() => {
      this.#turning = undefined;
      // Asked for after the last look, and before this.
      if (this.#again && !this.#troubled) this.#turnSoon();
    });
  }

  async #turns(): Promise<void> {
    // Credit and work that come in the same turn of the event loop are one turn here.
    await Promise.resolve();
    while (this.#again && this.#ended === undefined) {
      this.#again = false;
      try {
        await this.#turn();
        this.#troubled = false;
      } catch (error) {
        // The next poll tries again.
        this.#troubled = true;
        this.#consumer?.options.onTrouble(StoreUnavailable({ reason: reasonOf(error) }));
        return;
      }
    }
  }

  async #turn(): Promise<void> {
    const consumer = this.#consumer;
    const asked = new Map(consumer?.credit);
    const fence = { epoch: this.#life.epoch, claim: ++this.#claims };
    const sentAt = this.#clock.now();
    const turn = await this.#rows.turn(fence, asked, limits.claimBytes, true);
    // Counted from before the question: early is only one question more.
    if (turn.wakeMs !== undefined && sentAt + turn.wakeMs <= this.#clock.now()) this.#again = true;
    else this.#planWake(turn.wakeMs === undefined ? undefined : sentAt + turn.wakeMs - this.#clock.now());
    if (turn.more) this.#again = true;
    if (turn.ended.length > 0) void this.#waiters.tell(turn.ended);
    for (const id of turn.cancelled) this.#askToStop(id);
    if (turn.claimed.length === 0 || consumer === undefined) return;
    for (const { name } of turn.claimed) consumer.credit.set(name, (consumer.credit.get(name) ?? 0) - 1);
    consumer.options.onClaimed(turn.claimed.toSorted((one, two) => one.priority - two.priority));
  }

  #planWake(ms: number | undefined): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    if (ms === undefined || this.#ended !== undefined) return;
    this.#wake = this.#clock.setTimer(Math.min(ms, limits.longestSleepMs), () => this.#turnSoon(), true);
  }

  #full(): StoreFault {
    return QueueFull({ limit: this.#options.maxWaiting, retryAfterMs: 1_000 });
  }

  async #gather<I, O>(gatherer: Gatherer<I, O>, items: readonly I[]): StoreResult<readonly O[]> {
    if (this.#ended !== undefined) return err(StoreUnavailable({ reason: this.#ended }));
    if (items.length === 0) return ok([]);
    try {
      return ok(await gatherer.add(items));
    } catch (error) {
      return err(this.#faultOf(error));
    }
  }

  async #act<T>(act: () => Promise<T>): StoreResult<T> {
    if (this.#ended !== undefined) return err(StoreUnavailable({ reason: this.#ended }));
    try {
      return ok(await act());
    } catch (error) {
      return err(this.#faultOf(error));
    }
  }

  #faultOf(error: unknown): StoreFault {
    return sqlStateOf(error) === "TN001" ? this.#full() : StoreUnavailable({ reason: reasonOf(error) });
  }
}

function isNew(): (id: JobId) => boolean {
  const seen = new Set<JobId>();
  return (id) => !seen.has(id) && seen.add(id) !== undefined;
}

/** Places of earlier jobs are those of the call; this is what they are in a batch of several. */
function shifted(job: NewJob, by: number): NewJob {
  if (job.after === undefined) return job;
  return { ...job, after: { ...job.after, jobs: job.after.jobs.map((on) => (typeof on === "number" ? on + by : on)) } };
}
