/**
 * The open store of one process. Enqueues and settlements made while a commit is under way go together in the next one; one turn at a time promotes what is due
 * and claims what there is credit for.
 */
import { err, ok, systemClock, type Clock } from "../core/index.ts";
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
import { Caller } from "./caller.ts";
import { checkJobs } from "./check-job.ts";
import { Delivery } from "./delivery.ts";
import { Doubts } from "./doubts.ts";
import { flowVerbs } from "./flow.ts";
import { Gatherer, shifted } from "./gatherer.ts";
import { HeldJobs } from "./held-jobs.ts";
import { Headroom } from "./headroom.ts";
import { postgresLimits as limits } from "./limits.ts";
import type { Life } from "./life.ts";
import type { Paths } from "./paths.ts";
import { Pace } from "./pace.ts";
import { PlainIntake } from "./plain-intake.ts";
import { Regular } from "./regular.ts";
import { isJobId } from "./rows/index.ts";
import { ownStates, queueFull, reasonOf, sqlStateOf, Unreachable } from "./trouble.ts";
import { Waiters } from "./waiters.ts";
import { Wake } from "./wake.ts";

export class Session implements StoreSession {
  readonly #rows: Paths;
  readonly #options: StoreOpenOptions;
  readonly #life: Life;
  readonly #waiters: Waiters;
  readonly #enqueues: Gatherer<NewJob, EnqueueReceipt>;
  readonly #plainEnqueues: Gatherer<NewJob, EnqueueReceipt>;
  readonly #settles: Gatherer<Settlement, SettleReceipt>;
  readonly #pace: Pace<Settlement>;
  readonly #others: Caller;
  readonly #doubts = new Doubts();
  readonly #asked = new Set<JobId>();
  readonly #held: HeldJobs;
  #inTrouble = false;
  /** Another process has called, or a while has passed: nothing that was known of the queues holds. */
  #called = true;
  /** Something may have come of rows. */
  #stirred = true;
  readonly #regular: Regular;
  #consumer: Delivery | undefined;
  #turning: Promise<void> | undefined;
  #again = false;
  #claims = 0;
  readonly #wake: Wake;
  #ended: string | undefined;
  #closed: Promise<void> | undefined;
  readonly #headroom: Headroom;
  readonly #intake: PlainIntake;
  readonly clock: Clock;
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
    this.clock = life.clock;
    const flow = flowVerbs(rows, this.#act.bind(this), this.#announceAll.bind(this));
    ({ note: this.note, notes: this.notes, signal: this.signal, dependencies: this.dependencies } = flow);
    ({ pause: this.pause, resume: this.resume, paused: this.paused, backlog: this.backlog } = flow);
    this.#waiters = new Waiters(
      (ids) => this.#act(() => rows.reads.records(ids)),
      (ids) => this.#act(() => rows.reads.ended(ids)),
      limits.finishedWaiters,
    );
    this.#enqueues = new Gatherer((jobs) => this.#enqueue(jobs), limits.batchJobs, shifted);
    this.#plainEnqueues = new Gatherer((jobs) => this.#intake.enqueue(jobs), limits.batchJobs);
    this.#pace = new Pace(systemClock, (one) => !rows.endsAlone(one) || this.#waiters.has(one.job.id));
    this.#settles = new Gatherer((settlements) => this.#settle(settlements), limits.batchJobs, undefined, this.#pace);
    this.#wake = new Wake(options.clock, {
      onDue: () => (life.hears ? this.#stir() : this.#hear()),
      onPoll: () => this.#hear("doubt"),
      deaf: () => !life.hears && this.#consumer !== undefined,
    });
    this.#headroom = new Headroom(options.maxWaiting, () => rows.reads.unstarted());
    this.#intake = new PlainIntake(rows, this.#headroom, {
      consumer: () => (this.#inTrouble ? undefined : this.#consumer),
      newFence: () => this.#newFence(),
      onWaiting: (jobs) => this.#admit(jobs),
      onDoubt: (fence) => {
        this.#held.orphan(fence);
        this.#hear();
      },
    });
    this.#held = new HeldJobs(rows, {
      consumer: () => this.#consumer,
      settle: (settlements) => this.#settles.add(settlements),
      onTrouble: (error) => this.#noteTrouble(reasonOf(error)),
    });
    rows.onLost = (ids, free) => this.#consumer?.lose(ids, free);
    this.#others = new Caller(() => life.call());
    life.events = {
      onCall: () => this.#hear(),
      onOver: () => this.#held.lose(),
      onLost: () => this.#lose(),
      onEnded: (ids) => void this.#waiters.tell(ids),
      onTrouble: (reason) => this.#noteTrouble(reason),
    };
    this.#regular = new Regular(options.clock);
    this.#regular.every(limits.pruneMs, () => this.prune());
    this.#regular.every(limits.foldMs, () => this.#act(() => rows.fold().then(() => this.#headroom.look())));
    this.#regular.every(limits.clockMs, () => this.#act(() => life.clock.look(() => rows.now())));
    this.#regular.every(limits.pollMs, () => this.#waiters.look());
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

  async #enqueue(jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    const receipts = await this.#headroom.use(jobs.length, (most) => this.#rows.enqueue(jobs, most));
    this.#stir();
    this.#announce(jobs);
    return receipts;
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    if (this.#ended === undefined) this.#held.offered(settlements);
    return this.#gather(this.#settles, settlements);
  }

  async #settle(settlements: readonly Settlement[]): Promise<readonly SettleReceipt[]> {
    const again = this.#doubts.of(settlements);
    try {
      const { receipts, ended, stirred, freed, others } = await this.#rows.settle(this.#life.epoch, settlements, again);
      this.#consumer?.settled(settlements);
      this.#doubts.end(settlements);
      if (this.#asked.size > 0) for (const { job } of settlements) this.#asked.delete(job.id);
      if (this.#waiters.size > 0) void this.#waiters.settled(settlements, ended);
      if (stirred) this.#stir();
      // A turn under way has the credit, and may have looked before.
      else if (freed && (this.#turning !== undefined || this.#consumer?.wants === true)) this.#turnSoon();
      // A key or a gate may have room for one of a name that has none here.
      if (stirred || others) this.#announce(settlements.map(({ job }) => job));
      return receipts;
    } catch (error) {
      if (error instanceof Unreachable) this.#doubts.add(settlements);
      throw error;
    }
  }

  consume(options: ConsumeOptions): Consumer {
    if (this.#consumer !== undefined)
      throw new TypeError("This store is being consumed already. Stop the first consumer before starting another.");
    const consumer = new Delivery(options, (name) => this.#rows.gateOf(name));
    this.#consumer = consumer;
    this.#life.hold(true);
    return {
      grant: (name, credit) => {
        if (this.#consumer !== consumer || credit === 0) return;
        if (consumer.grant(name, credit)) this.#turnSoon();
      },
      stop: async () => {
        if (this.#consumer !== consumer) return;
        consumer.stop();
        this.#pace.hurry();
        // What is being claimed still arrives first.
        await Promise.all([this.#turning, this.#intake.idle]);
        await this.#held.release();
        if (this.#consumer === consumer) this.#consumer = undefined;
        this.#life.hold(false);
      },
    };
  }

  async cancel(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.cancel(id));
    if (!done.ok) return done;
    const { state, epoch, ended } = done.value;
    // It was claimed ahead, and runs nowhere.
    if (epoch === this.#life.epoch && (await this.#held.cancel(id))) return ok("cancelled");
    if (epoch === this.#life.epoch) this.#askToStop(id);
    else if (state === "running") this.#life.call();
    if (state === "cancelled") void this.#waiters.tell([id, ...ended]);
    if (state === "cancelled") this.#stir();
    return ok(state);
  }

  async retry(id: JobId): StoreResult<JobState | undefined> {
    const done = await this.#act(() => this.#rows.retry(id));
    this.#announceAll();
    return done;
  }

  get(id: JobId): StoreResult<JobRecord | undefined> {
    return this.#act(() => this.#rows.reads.get(id));
  }

  finished(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    if (this.#ended !== undefined) return Promise.resolve(err(StoreUnavailable({ reason: this.#ended })));
    if (!isJobId(id)) return Promise.resolve(ok(undefined));
    this.#pace.hurry();
    return this.#waiters.wait(id, signal);
  }

  list(filter: JobFilter): StoreResult<readonly JobRecord[]> {
    return this.#act(() => this.#rows.reads.list(filter));
  }

  counts(name?: string): StoreResult<JobCounts> {
    return this.#act(() => this.#rows.reads.counts(name));
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
    for (const part of [this.#regular, this.#wake, this.#others]) part.close();
    this.#pace.hurry();
    await Promise.allSettled([this.#enqueues.idle(), this.#plainEnqueues.idle(), this.#settles.idle()]);
    this.#consumer?.stop();
    await this.#turning;
    await this.#held.release();
    this.#consumer = undefined;
    this.#waiters.fail(StoreUnavailable({ reason: this.#ended }));
    await this.#life.end();
  }

  #askToStop(id: JobId): void {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.#consumer?.options.onCancelRequested(id);
  }

  /** Something may have come of rows. @param known `doubt`: nobody has said so, but it is time for a look. */
  #stir(known: "forget" | "doubt" = "forget"): void {
    this.#stirred = true;
    this.#consumer?.[known]();
    this.#turnSoon();
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
      const fence = this.#newFence();
      try {
        await this.#turn(fence);
        this.#noteTrouble(undefined);
      } catch (error) {
        this.#held.orphan(fence);
        this.#called = true;
        this.#noteTrouble(reasonOf(error));
        return this.#wake.in(limits.reconnectLeastMs);
      }
    }
  }

  #newFence(): Fence {
    return { epoch: this.#life.epoch, claim: ++this.#claims };
  }

  /** Some of these wait. */
  #admit(jobs: readonly NewJob[]): void {
    if (this.#consumer?.wants === true) this.#turnSoon();
    this.#announce(jobs);
  }

  async #turn(fence: Fence): Promise<void> {
    await this.#held.retry(fence.epoch);
    const consumer = this.#consumer;
    const sentAt = this.#options.clock.now();
    const cause = { called: this.#called, stirred: this.#stirred };
    this.#called = this.#stirred = false;
    const room = consumer?.takeForTurn() ?? new Map<string, number>();
    const turn = await this.#rows.turn(fence, room, cause).catch((error: unknown) => {
      consumer?.forget();
      consumer?.endTurn(room, [], [], []);
      throw error;
    });
    if ("wakeMs" in turn && this.#wake.plan(turn.wakeMs, sentAt)) this.#stirred = this.#again = true;
    if (turn.ended.length > 0) void this.#waiters.tell(turn.ended);
    for (const id of turn.cancelled) void this.#held.cancel(id).then((held) => !held && this.#askToStop(id));
    if (turn.paused.length > 0) void this.#held.release(turn.paused);
    if (turn.claimed.length > 0) this.#wake.busy();
    consumer?.endTurn(room, turn.claimed, turn.free, turn.all);
    if (turn.more || consumer?.missed === true) this.#again = true;
  }

  /** There is work for the others, where this process has no room for all of it. */
  #announce(jobs: readonly Pick<NewJob, "name">[]): void {
    if (jobs.some(({ name }, at) => name !== jobs[at - 1]?.name && this.#consumer?.has(name) !== true))
      this.#others.call();
  }

  /** There may be work anywhere: in what was paused, or where it is not known. */
  #announceAll(): void {
    this.#hear();
    this.#others.call();
  }

  #hear(known?: "forget" | "doubt"): void {
    this.#called = true;
    this.#stir(known);
  }

  /** The lease is over: the attempts that run here are others' now. */
  #lose(): void {
    this.#consumer?.lose();
    this.#hear();
  }

  #noteTrouble(reason: string | undefined): void {
    if (reason !== undefined && !this.#inTrouble) this.#consumer?.options.onTrouble(StoreUnavailable({ reason }));
    this.#inTrouble = reason !== undefined;
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
    return sqlStateOf(error) === ownStates.queueFull
      ? queueFull(this.#options.maxWaiting)
      : StoreUnavailable({ reason: reasonOf(error) });
  }
}
