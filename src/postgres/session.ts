/**
 * The open store of one process. Enqueues and settlements made while a commit is under way go together in the next one; one turn at a time promotes what is due
 * and claims what there is credit for.
 */
import { err, ok, systemClock, type Clock, type Timer } from "../core/index.ts";
import {
  StoreUnavailable,
  type ConsumeOptions,
  type Consumer,
  type EnqueueReceipt,
  type Fence,
  type JobCounts,
  type JobFilter,
  type JobId,
  type JobRecord,
  type JobState,
  type NewJob,
  type SettleReceipt,
  type Settlement,
  type StoreFault,
  type StoreFlow,
  type StoreOpenOptions,
  type StoreResult,
  type StoreSession,
} from "../jobs/index.ts";
import { checkJobs } from "./check-job.ts";
import { flowVerbs } from "./flow.ts";
import { Gatherer, isNew, shifted } from "./gatherer.ts";
import { postgresLimits as limits } from "./limits.ts";
import type { Life } from "./life.ts";
import type { Paths } from "./paths.ts";
import { isJobId } from "./rows/index.ts";
import { queueFull, reasonOf, sqlStateOf, Unreachable } from "./trouble.ts";
import { Waiters } from "./waiters.ts";

export class Session implements StoreSession {
  readonly #rows: Paths;
  readonly #options: StoreOpenOptions;
  readonly #life: Life;
  readonly #clock: Clock;
  readonly #waiters: Waiters;
  readonly #enqueues: Gatherer<NewJob, EnqueueReceipt>;
  readonly #plainEnqueues: Gatherer<NewJob, EnqueueReceipt>;
  readonly #settles: Gatherer<Settlement, SettleReceipt>;
  /** Settlements whose commit is in doubt, by job and fence: offered again, they are settled where they were. */
  readonly #doubted = new Set<string>();
  readonly #asked = new Set<JobId>();
  /** Jobs that were handed over and are not settled. */
  readonly #running = new Set<JobId>();
  /** Claims whose answer was lost: nobody runs their jobs. */
  #orphans: Fence[] = [];
  #inTrouble = false;
  #calledAt = -Infinity;
  /** Another process has called, or a while has passed: nothing that was known of the queues holds. */
  #called = true;
  #pollMs: number = limits.busyPollMs;
  readonly #timers = new Set<Timer>();
  #consumer: { readonly options: ConsumeOptions; readonly credit: Map<string, number> } | undefined;
  #turning: Promise<void> | undefined;
  #again = false;
  #claims = 0;
  #wake: Timer[] = [];
  #ended: string | undefined;
  #closed: Promise<void> | undefined;
  /** Jobs that may be enqueued before it is counted again how many wait. */
  #headroom = 0;
  readonly note: StoreFlow["note"];
  readonly notes: StoreFlow["notes"];
  readonly signal: StoreFlow["signal"];
  readonly dependencies: StoreFlow["dependencies"];
  readonly pause: StoreFlow["pause"];
  readonly resume: StoreFlow["resume"];
  readonly paused: StoreFlow["paused"];
  readonly backlog: StoreFlow["backlog"];

  constructor(life: Life, options: StoreOpenOptions) {
    const rows = (this.#rows = life.paths);
    this.#options = options;
    this.#life = life;
    this.#clock = options.clock;
    const flow = flowVerbs(rows, this.#act.bind(this), this.#announce.bind(this, true));
    ({ note: this.note, notes: this.notes, signal: this.signal, dependencies: this.dependencies } = flow);
    ({ pause: this.pause, resume: this.resume, paused: this.paused, backlog: this.backlog } = flow);
    this.#waiters = new Waiters(
      (id) => this.get(id),
      (ids) => this.#act(() => rows.ended(ids)),
      limits.finishedWaiters,
    );
    this.#enqueues = new Gatherer((jobs) => this.#enqueue(jobs, false), limits.batchJobs, shifted);
    this.#plainEnqueues = new Gatherer((jobs) => this.#enqueue(jobs, true), limits.batchJobs);
    this.#settles = new Gatherer((settlements) => this.#settle(settlements), limits.batchJobs);
    life.events = {
      onCall: () => this.#hear(),
      onLost: () => this.#lose(),
      onEnded: (ids) => void this.#waiters.tell(ids),
      onTrouble: (reason) => this.#noteTrouble(reason),
    };
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
    if (jobs.length > this.#options.maxWaiting) return Promise.resolve(err(queueFull(this.#options.maxWaiting)));
    return this.#gather(this.#rows.arePlain(jobs) ? this.#plainEnqueues : this.#enqueues, jobs);
  }

  async #enqueue(jobs: readonly NewJob[], plain: boolean): Promise<readonly EnqueueReceipt[]> {
    const { maxWaiting } = this.#options;
    const count = this.#headroom < jobs.length;
    const most = count ? maxWaiting : null;
    const receipts = await (plain ? this.#rows.enqueuePlain(jobs, most) : this.#rows.enqueue(jobs, most));
    if (count) this.#headroom = Math.floor((maxWaiting - (await this.#rows.unstarted())) / 4);
    else this.#headroom -= jobs.length;
    this.#announce();
    return receipts;
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    return this.#gather(this.#settles, settlements);
  }

  async #settle(settlements: readonly Settlement[]): Promise<readonly SettleReceipt[]> {
    const keys = settlements.map(({ job }) => `${job.id} ${job.fence.epoch} ${job.fence.claim}`);
    const again = keys.map((key) => this.#doubted.size > 0 && this.#doubted.has(key));
    try {
      const { receipts, ended } = await this.#rows.settle(this.#life.epoch, settlements, again);
      for (const { job } of settlements) this.#running.delete(job.id);
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
    this.#life.hold(true);
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
        this.#life.hold(false);
      },
    };
  }

  async cancel(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.cancel(id));
    if (!done.ok) return done;
    const { state, epoch, ended } = done.value;
    if (epoch === this.#life.epoch) this.#askToStop(id);
    else if (state === "running") this.#life.call();
    if (state === "cancelled") void this.#waiters.tell([id, ...ended]);
    if (state === "cancelled") this.#turnSoon();
    return ok(state);
  }

  async retry(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.retry(id));
    this.#announce();
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

  prune(): StoreResult<number> {
    return this.#act(() => this.#rows.retain(this.#options.retention));
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ended = "the session is closed";
    for (const timer of [...this.#timers, ...this.#wake]) timer?.cancel();
    await Promise.allSettled([this.#enqueues.idle(), this.#plainEnqueues.idle(), this.#settles.idle()]);
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
    this.#hear();
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
      if (this.#again && !this.#inTrouble) this.#turnSoon();
    });
  }

  async #turns(): Promise<void> {
    // Credit and work that come in the same turn of the event loop are one turn here.
    await Promise.resolve();
    while (this.#again && this.#ended === undefined) {
      this.#again = false;
      const fence = { epoch: this.#life.epoch, claim: ++this.#claims };
      try {
        await this.#turn(fence);
        this.#noteTrouble(undefined);
      } catch (error) {
        this.#orphans.push(fence);
        this.#called = true;
        this.#noteTrouble(reasonOf(error));
        return this.#planWake(limits.reconnectLeastMs);
      }
    }
  }

  async #turn(fence: Fence): Promise<void> {
    if (this.#orphans.length > 0) await this.#handBack(fence.epoch);
    const consumer = this.#consumer;
    const sentAt = this.#clock.now();
    const called = this.#called;
    this.#called = false;
    const turn = await this.#rows.turn(fence, new Map(consumer?.credit), called);
    // Counted from before the question: early is only one question more.
    if (turn.wakeMs !== undefined && sentAt + turn.wakeMs <= this.#clock.now()) this.#again = true;
    else this.#planWake(this.#untilPoll(turn.wakeMs, sentAt));
    if (turn.more) this.#again = true;
    if (turn.ended.length > 0) void this.#waiters.tell(turn.ended);
    for (const id of turn.cancelled) this.#askToStop(id);
    if (turn.claimed.length === 0 || consumer === undefined) return;
    this.#pollMs = limits.busyPollMs;
    for (const { name, id } of turn.claimed) {
      consumer.credit.set(name, (consumer.credit.get(name) ?? 0) - 1);
      this.#running.add(id);
    }
    consumer.options.onClaimed(turn.claimed.toSorted((one, two) => one.priority - two.priority));
  }

  /** Where nobody's calls are heard, it looks often after there was work, and less and less often. */
  #untilPoll(wakeMs: number | undefined, sentAt: number): number | undefined {
    const due = wakeMs === undefined ? undefined : sentAt + wakeMs - this.#clock.now();
    if (this.#life.hears || this.#consumer === undefined || this.#pollMs >= limits.pollMs) return due;
    this.#pollMs = Math.min(limits.pollMs, this.#pollMs * 1.5);
    return Math.min(due ?? Infinity, this.#pollMs);
  }

  async #handBack(epoch: number): Promise<void> {
    for (const fence of [...this.#orphans]) {
      if (fence.epoch === epoch) await this.#rows.handBack(fence);
      this.#orphans = this.#orphans.filter((orphan) => orphan !== fence);
    }
  }

  /** There is work: here, and, where this process has no room for it, for the others. `look`: perhaps where none was known, in what was paused. */
  #announce(look = false): void {
    this.#called ||= look;
    this.#turnSoon();
    const now = this.#clock.monotonic();
    if (now - this.#calledAt < limits.notifyMs) return;
    for (const credit of this.#consumer?.credit.values() ?? []) if (credit > 0) return;
    this.#calledAt = now;
    this.#life.call();
  }

  #hear(): void {
    this.#called = true;
    this.#turnSoon();
  }

  /** The lease is over: the attempts that run here are others' now. */
  #lose(): void {
    const ids = [...this.#running];
    this.#running.clear();
    this.#orphans = [];
    if (ids.length > 0) this.#consumer?.options.onLost?.(ids);
    this.#hear();
  }

  #noteTrouble(reason: string | undefined): void {
    if (reason !== undefined && !this.#inTrouble) this.#consumer?.options.onTrouble(StoreUnavailable({ reason }));
    this.#inTrouble = reason !== undefined;
  }

  #planWake(ms: number | undefined): void {
    for (const timer of this.#wake.splice(0)) timer.cancel();
    if (ms === undefined || this.#ended !== undefined) return;
    const due = this.#clock.setTimer(Math.min(ms, limits.longestSleepMs), () => this.#turnSoon(), true);
    // Whatever was missed is found by looking, in real time.
    this.#wake = [due, systemClock.setTimer(limits.pollMs, () => this.#hear(), true)];
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
    return sqlStateOf(error) === "TN001"
      ? queueFull(this.#options.maxWaiting)
      : StoreUnavailable({ reason: reasonOf(error) });
  }
}
