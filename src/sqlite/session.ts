/**
 * The open store on the calling thread: packs calls into messages, one or two on their way at a time, and turns replies into results. Time is
 * owned here: every message carries the wall clock, and one timer wakes the writer when something is due.
 */
import { err, ok, type Clock, type Result } from "../core/index.ts";
import type {
  ClaimedJob,
  ConsumeOptions,
  Consumer,
  DependencyRecord,
  EnqueueReceipt,
  JobCounts,
  JobFilter,
  JobId,
  JobNote,
  JobRecord,
  JobState,
  NewJob,
  Settlement,
  SettleReceipt,
  StoreFault,
  StoreFlow,
  StoreOpenOptions,
  StoreResult,
  StoreSession,
} from "../jobs/index.ts";
import type { KvWrite } from "../kv/index.ts";
import { checkJob } from "./check-job.ts";
import { unpackClaim, type SlottedJob } from "./claimed.ts";
import { Delivery } from "./delivery.ts";
import { FinishWaiters } from "./finish-waiters.ts";
import { FlowVerbs } from "./flow-verbs.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { Link, Opened } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { CommitReply, KvOp, Notice, OpReply, SqlStep, TransactionReply } from "./protocol.ts";
import { Reads } from "./reads.ts";
import { plainPolicy } from "./plain-policy.ts";
import { queueFull, unavailable } from "./receipt.ts";
import { WakeUp } from "./wake-up.ts";

export class Session implements StoreSession {
  /** Called when the file is not this session's any more: it was closed, or its writer died. */
  readonly onEnd = new Set<() => void>();
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  readonly #onCrashed: StoreOpenOptions["onCrashed"];
  readonly #outbox: Outbox;
  readonly #finishWaiters: FinishWaiters;
  readonly #reads = new Reads((op) => this.#operate(op));
  readonly #flow = new FlowVerbs((op, growth) => this.#operate(op, growth));
  readonly pause: StoreFlow["pause"] = (names) => this.#reads.pause(names, true);
  readonly resume: StoreFlow["resume"] = (names) => this.#reads.pause(names, false);
  readonly paused: StoreFlow["paused"] = () => this.#reads.paused();
  readonly backlog: StoreFlow["backlog"] = (names) => this.#reads.backlog(names);
  #link: Link | undefined;
  /** A thread that looks for the next owner of the file, or becomes it. */
  #seeking: Link | undefined;
  #epoch = 0;
  #waiting = 0;
  #commits = 0;
  #flushPlanned = false;
  #closed: Promise<void> | undefined;
  #closing = false;
  #resolveClosed: () => void = () => undefined;
  readonly #delivery = new Delivery({
    grant: (name, credit) => {
      if (this.#down !== undefined) return;
      this.#outbox.grant(name, credit);
      this.#planFlush();
    },
    stop: async () => {
      if (this.trouble === undefined) void (await this.#operate({ op: "stop" }));
    },
    onChange: () => this.#holdIfBusy(),
    handBack: (jobs) => this.#handBack(jobs),
  });
  readonly #wake: WakeUp;
  #inTrouble = false;
  /** Why nothing is taken: the writer is starting again. */
  #down: string | undefined;

  constructor(options: StoreOpenOptions) {
    this.#clock = options.clock;
    this.#maxWaiting = options.maxWaiting;
    this.#onCrashed = options.onCrashed;
    this.#outbox = new Outbox((name) => plainPolicy(options.policy, name), options.maxAttempts);
    this.#wake = new WakeUp(
      options.clock,
      () => this.#outbox.messagesInFlight > 0,
      () => this.#tick(),
    );
    this.#finishWaiters = new FinishWaiters(
      (id) => this.get(id),
      (id) => this.#reads.state(id),
    );
  }

  /** Commits so far: for benchmarks and health. */
  get commits(): number {
    return this.#commits;
  }

  enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    const fault = this.#refusal(jobs.length);
    if (fault !== undefined) return Promise.resolve(err(fault));
    // Every mistake is found before the first job is packed.
    let named = false;
    jobs.forEach((job, place) => {
      this.#check(job, place);
      named ||= job.after !== undefined;
    });
    if (jobs.length === 0) return Promise.resolve(ok([]));
    const now = this.#clock.now();
    const result = named ? this.#outbox.enqueueDependents(jobs, now) : this.#outbox.enqueue(jobs, now);
    this.#planFlush();
    return result;
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    const reason = this.trouble;
    if (reason !== undefined) return Promise.resolve(err(unavailable(reason)));
    if (settlements.length === 0) return Promise.resolve(ok([]));
    this.#delivery.settled(settlements);
    const result = this.#outbox.settle(settlements, this.#epoch);
    this.#planFlush();
    return this.#finishWaiters.size === 0 ? result : this.#announce(settlements, result);
  }

  async #announce(
    settlements: readonly Settlement[],
    result: StoreResult<readonly SettleReceipt[]>,
  ): StoreResult<readonly SettleReceipt[]> {
    const receipts = await result;
    if (receipts.ok) this.#finishWaiters.settled(settlements, receipts.value, this.#clock.now());
    return receipts;
  }

  consume(options: ConsumeOptions): Consumer {
    return this.#delivery.consume(options);
  }

  async cancel(id: JobId): StoreResult<JobState | undefined> {
    const result = await this.#operate({ op: "cancel", id });
    if (!result.ok) return result;
    const reply = result.value as { state: JobState; running?: boolean } | undefined;
    if (reply?.running === true) this.#delivery.cancelRequested(id);
    if (reply?.state === "cancelled") this.#finishWaiters.finished(id);
    return ok(reply?.state);
  }

  async retry(id: JobId): StoreResult<JobState | undefined> {
    const result = await this.#operate({ op: "retry", id });
    return result.ok ? ok((result.value as { state: JobState } | undefined)?.state) : result;
  }

  note(job: ClaimedJob, notes: readonly JobNote[], progress?: string): StoreResult<SettleReceipt> {
    this.#finishWaiters.noted(job);
    return this.#flow.note(job, notes, progress);
  }

  notes(id: JobId): StoreResult<readonly JobNote[]> {
    return this.#flow.notes(id);
  }

  signal(id: JobId, name: string, value: string): StoreResult<JobState | undefined> {
    return this.#flow.signal(id, name, value);
  }

  dependencies(id: JobId): StoreResult<readonly DependencyRecord[]> {
    return this.#flow.dependencies(id);
  }

  get(id: JobId): StoreResult<JobRecord | undefined> {
    return this.#reads.get(id);
  }

  finished(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    return this.#finishWaiters.wait(id, signal);
  }

  list(filter: JobFilter): StoreResult<readonly JobRecord[]> {
    return this.#reads.list(filter);
  }

  counts(name?: string): StoreResult<JobCounts> {
    return this.#reads.counts(name);
  }

  occurrences(): StoreResult<ReadonlyMap<string, number>> {
    return this.#reads.occurrences();
  }

  prune(): StoreResult<number> {
    return this.#reads.prune();
  }

  now(): number {
    return this.#clock.now();
  }

  kv(op: KvOp): Promise<Result<OpReply, StoreFault>> {
    return this.#operate(op, op.verb === "set" || op.verb === "advance");
  }

  async transact(
    steps: readonly SqlStep[],
    jobs: readonly NewJob[],
    writes: readonly KvWrite[],
  ): Promise<Result<TransactionReply, StoreFault>> {
    const fault = this.#refusal(jobs.length) ?? this.#tooManyOperations();
    if (fault !== undefined) return err(fault);
    jobs.forEach((job, place) => this.#check(job, place));
    const result = this.#outbox.operate({ op: "transaction", steps, jobs, writes }, true, jobs.length);
    this.#planFlush();
    const done = await result;
    return done.ok ? ok(done.value as TransactionReply) : done;
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#wake.cancel();
    this.#flush();
    const link = this.#link ?? this.#seeking;
    if (link !== undefined) {
      link.hold(true);
      await new Promise<void>((resolve) => {
        this.#resolveClosed = resolve;
        link.send({ kind: "close", now: this.#clock.now() }, []);
      });
    }
    this.#shutDown("it is closed");
  }

  /** The writer has opened the file: at first, or again after it died. */
  attach(link: Link, opened: Opened): void {
    if (this.#closing) return link.send({ kind: "close", now: this.#clock.now() }, []);
    this.#link = link;
    this.#seeking = undefined;
    this.#epoch = opened.epoch;
    this.#waiting = opened.waiting;
    this.#down = undefined;
    this.#delivery.attach(opened.guest);
    this.#wake.plan(opened.wakeAt);
    this.#holdIfBusy();
    void this.#finishWaiters.lookAgain();
    if (!this.#outbox.empty) this.#planFlush();
    if (opened.crashed.length > 0) this.#onCrashed?.(opened.crashed);
  }

  /** The writer died. Everybody who waits is told; what was running counts as crashed when it starts again. */
  detach(reason: string, seeking?: Link): void {
    this.#link = undefined;
    this.#seeking = seeking;
    for (const end of this.onEnd) end();
    const first = this.#down === undefined;
    this.#down = reason;
    this.#wake.cancel();
    this.#outbox.failEverything(reason);
    this.#delivery.lose();
    if (first) this.#delivery.trouble(unavailable(reason));
    if (this.#closing) this.#resolveClosed();
  }

  /** Another process of the file has done something that concerns this one. */
  onNotice(notice: Notice): void {
    if (notice.kind === "cancel") this.#delivery.cancelRequested(notice.id);
    else if (notice.kind === "tick") this.#tick();
    else void this.#finishWaiters.lookAgain(notice.ids);
  }

  closed(): void {
    this.#link = undefined;
    this.#resolveClosed();
  }

  get closing(): boolean {
    return this.#closing;
  }

  onCommitted(reply: CommitReply): void {
    this.#waiting = reply.waiting;
    this.#commits = reply.commits;
    this.#outbox.recycle(reply.arenas);
    for (const batch of reply.batches) this.#outbox.resolve(batch);
    for (const id of reply.abandoned ?? []) this.#finishWaiters.finished(String(id));
    // The next batch is on its way while handlers start.
    if (!this.#outbox.empty) this.#flush();
    if (reply.claim !== undefined) {
      const jobs = unpackClaim(reply.claim, this.#epoch, (local) => this.#outbox.nameOf(local));
      this.#delivery.deliver(jobs);
    }
    if (reply.crashed !== undefined) this.#onCrashed?.(reply.crashed);
    this.#noteTrouble(reply.trouble ?? reply.longLog);
    if (!this.#closing) this.#wake.plan(reply.wakeAt);
    this.#holdIfBusy();
  }

  /** The writer did not hear that the consumer stopped: its disk was full at that moment. */
  #handBack(jobs: readonly SlottedJob[]): void {
    if (this.trouble !== undefined) return;
    void this.#operate({ op: "stop" });
    void this.settle(jobs.map((job) => ({ job, to: "released" })));
  }

  #noteTrouble(reason: string | undefined): void {
    const now = reason !== undefined;
    if (now && !this.#inTrouble) this.#delivery.trouble(unavailable(reason));
    this.#inTrouble = now;
  }

  #check(job: NewJob, place: number): void {
    checkJob(job, place);
    this.#outbox.numberOf(job.name);
  }

  /** Why nothing is taken now. */
  get trouble(): string | undefined {
    return this.#closing ? "it is closed" : this.#down;
  }

  #refusal(jobs: number): StoreFault | undefined {
    const reason = this.trouble;
    if (reason !== undefined) return unavailable(reason);
    if (this.#waiting + this.#outbox.unsettledJobs + jobs > this.#maxWaiting)
      return queueFull(this.#maxWaiting, "jobs");
    if (this.#outbox.unsettledBytes > limits.unsentBytes)
      return queueFull(limits.unsentBytes, "bytes of jobs that are not yet on disk");
    return undefined;
  }

  #tooManyOperations(): StoreFault | undefined {
    return this.#outbox.operations >= limits.operations ? queueFull(limits.operations, "operations") : undefined;
  }

  #operate(op: Parameters<Outbox["operate"]>[0], growth = false): Promise<Result<OpReply, StoreFault>> {
    const reason = this.trouble;
    const fault = reason === undefined ? this.#tooManyOperations() : unavailable(reason);
    if (fault !== undefined) return Promise.resolve(err(fault));
    const result = this.#outbox.operate(op, growth);
    this.#planFlush();
    return result;
  }

  #planFlush(): void {
    if (this.#outbox.full && this.#outbox.messagesInFlight < limits.messagesInFlight) return this.#flush();
    if (this.#flushPlanned || this.#outbox.messagesInFlight >= limits.messagesInFlight) return;
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      if (this.#outbox.messagesInFlight < limits.messagesInFlight) this.#flush();
    });
  }

  #flush(): void {
    if (this.#link === undefined || this.#outbox.empty) return;
    const { batch, transfer } = this.#outbox.take(this.#clock.now());
    this.#link.hold(true);
    this.#link.send(batch, transfer);
  }

  /** The thread keeps the process alive while somebody waits for it, or while jobs may come. */
  #holdIfBusy(): void {
    this.#link?.hold(this.#closing || this.#delivery.consumed || this.#outbox.messagesInFlight > 0);
  }

  /** An empty message carries the time. */
  #tick(): void {
    if (this.#link === undefined) return;
    const { batch, transfer } = this.#outbox.take(this.#clock.now());
    this.#link.hold(true);
    this.#link.send(batch, transfer);
  }

  #shutDown(reason: string): void {
    for (const end of this.onEnd) end();
    this.#outbox.failEverything(reason);
    this.#finishWaiters.fail(unavailable(reason));
    this.#delivery.end();
  }
}
