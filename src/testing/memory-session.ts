/** The verbs of a session on the memory store. */
import { err, ok, type Result, type Timer } from "../core/index.ts";
import {
  QueueFull,
  StoreUnavailable,
  isFinished,
  type Backlog,
  type ClaimedJob,
  type ConsumeOptions,
  type Consumer,
  type DependencyRecord,
  type EnqueueReceipt,
  type JobCounts,
  type JobFilter,
  type JobNote,
  type JobRecord,
  type JobState,
  type NewJob,
  type Settlement,
  type SettleReceipt,
  type StoreFault,
  type StoreFlow,
  type StoreOpenOptions,
  type StoreResult,
  type StoreSession,
} from "../jobs/index.ts";
import { MemoryDelivery } from "./memory-delivery.ts";
import { checkDependencies } from "./memory-dependencies.ts";
import type { MemoryJob } from "./memory-job.ts";
import type { MemoryJobs, MemoryPeer } from "./memory-jobs.ts";

interface SessionHooks {
  /** A reason to refuse every verb. */
  readonly trouble?: () => string | undefined;
  /** The session ends in order. */
  readonly closed?: () => void;
}

export class MemorySession implements StoreSession, StoreFlow, MemoryPeer {
  ended = false;
  epoch: number;
  readonly options: StoreOpenOptions;
  readonly #jobs: MemoryJobs;
  readonly #trouble: () => string | undefined;
  readonly #closed: () => void;
  readonly #delivery: MemoryDelivery;
  readonly #waiters = new Map<string, ((answer: Result<JobRecord, StoreFault>) => void)[]>();
  /** Takes no jobs, as a process that stands still. */
  frozen = false;
  #delivering = false;
  /** When a rate will let more jobs start. */
  #wake = Infinity;
  #timer: Timer | undefined;

  constructor(jobs: MemoryJobs, options: StoreOpenOptions, hooks: SessionHooks) {
    this.#jobs = jobs;
    this.options = options;
    this.#trouble = hooks.trouble ?? (() => undefined);
    this.#closed = hooks.closed ?? (() => undefined);
    this.#delivery = new MemoryDelivery(jobs);
    this.epoch = ++jobs.epoch;
    jobs.peers.add(this);
    jobs.policy = options.policy ?? (() => undefined);
    jobs.keys.openAll(this.#now);
  }

  get #now(): number {
    return this.options.clock.now();
  }

  enqueue(records: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    return this.#commit(() => {
      checkDependencies(records);
      const { maxWaiting } = this.options;
      if (this.#jobs.unstarted + records.length > maxWaiting)
        return err(QueueFull({ limit: maxWaiting, retryAfterMs: 1_000 }));
      const ids: string[] = [];
      const receipts = records.map((record) => {
        const receipt = this.#enqueueOne(record, ids);
        ids.push(receipt.id);
        return receipt;
      });
      return ok(receipts);
    });
  }

  #enqueueOne(record: NewJob, ids: readonly string[]): EnqueueReceipt {
    const holder = this.#jobs.unique.holder(record, this.#now);
    if (holder !== undefined) return { id: holder.id, duplicate: true };
    const { occurrence } = record;
    if (occurrence !== undefined) {
      if (occurrence.at <= (this.#jobs.occurrences.get(occurrence.schedule) ?? -Infinity))
        return { id: "", duplicate: true };
      this.#jobs.occurrences.set(occurrence.schedule, occurrence.at);
    }
    return { id: this.#jobs.add(record, ids, this.#now).id, duplicate: false };
  }

  consume(options: ConsumeOptions): Consumer {
    return this.#delivery.consume(options, () => this.changed());
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    return this.#commit(() => ok(settlements.map((settlement) => this.#settleOne(settlement))));
  }

  #settleOne(settlement: Settlement): SettleReceipt {
    const job = this.#running(settlement.job);
    if (job === undefined) return "stale";
    const now = this.#now;
    if ("error" in settlement && settlement.error !== undefined) job.addError(settlement.error);
    switch (settlement.to) {
      case "succeeded":
        job.result = settlement.result;
        this.#jobs.move(job, "succeed", now);
        break;
      case "failed":
        this.#jobs.move(job, "fail", now);
        break;
      case "cancelled":
        this.#jobs.move(job, "cancel", now);
        break;
      case "retry":
        job.runAt = settlement.runAt;
        this.#jobs.move(job, "retry", now);
        break;
      case "snoozed":
        job.attempt--;
        job.runAt = settlement.runAt;
        this.#jobs.move(job, "snooze", now);
        break;
      case "waiting":
        job.attempt--;
        this.#wait(job, settlement.signal, settlement.until);
        break;
      case "released":
        job.attempt--;
        this.#jobs.move(job, "release", now, true);
        break;
    }
    return "settled";
  }

  #wait(job: MemoryJob, signal: string, until: number | undefined): void {
    this.#jobs.move(job, "wait", this.#now);
    if (job.notes.has(noteOf(signal))) return this.#jobs.move(job, "unblock", this.#now);
    job.awaits = { signal, until };
    this.#jobs.watch(job);
  }

  /** The job, if the claim is still its newest. */
  #running({ id, fence }: ClaimedJob): MemoryJob | undefined {
    const job = this.#jobs.byId.get(id);
    const own = job?.state === "running" && job.fence?.epoch === fence.epoch && job.fence.claim === fence.claim;
    return own ? job : undefined;
  }

  cancel(id: string): StoreResult<JobState | undefined> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      if (job?.state === "ready" || job?.state === "scheduled" || job?.state === "waiting")
        this.#jobs.move(job, "cancel", this.#now);
      else if (job?.state === "running") {
        for (const peer of this.#jobs.peers) if (peer.epoch === job.fence?.epoch) peer.cancelAsked(id);
      }
      return ok(job?.state);
    });
  }

  retry(id: string): StoreResult<JobState | undefined> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      // A job that meanwhile holds the same key is the one that runs.
      if ((job?.state === "failed" || job?.state === "cancelled") && this.#jobs.unique.mayReturn(job, this.#now))
        this.#jobs.move(job, "redrive", this.#now);
      return ok(job?.state);
    });
  }

  note(claimed: ClaimedJob, notes: readonly JobNote[], progress?: string): StoreResult<SettleReceipt> {
    return this.#commit(() => {
      const job = this.#running(claimed);
      if (job === undefined) return ok("stale");
      for (const { name, value } of notes) job.notes.set(name, value);
      if (progress !== undefined) job.progress = progress;
      return ok("settled");
    });
  }

  notes(id: string): StoreResult<readonly JobNote[]> {
    return this.#commit(() => {
      const notes = this.#jobs.byId.get(id)?.notes ?? [];
      return ok([...notes].map(([name, value]) => ({ name, value })));
    });
  }

  signal(id: string, name: string, value: string): StoreResult<JobState | undefined> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      if (job === undefined || isFinished(job.state)) return ok(undefined);
      if (!job.notes.has(noteOf(name))) {
        job.notes.set(noteOf(name), value);
        if (job.awaits?.signal === name) this.#jobs.move(job, "unblock", this.#now);
      }
      return ok(job.state);
    });
  }

  dependencies(id: string): StoreResult<readonly DependencyRecord[]> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      return ok(job === undefined ? [] : this.#jobs.dependencies.of(job));
    });
  }

  pause(names: readonly string[]): StoreResult<void> {
    return this.#commit(() => {
      for (const name of names) this.#jobs.paused.add(name);
      return ok(undefined);
    });
  }

  resume(names: readonly string[]): StoreResult<void> {
    return this.#commit(() => {
      for (const name of names) this.#jobs.paused.delete(name);
      for (const peer of this.#jobs.peers) peer.changed();
      return ok(undefined);
    });
  }

  paused(): StoreResult<readonly string[]> {
    return this.#commit(() => ok([...this.#jobs.paused].toSorted()));
  }

  backlog(names: readonly string[]): StoreResult<Backlog> {
    return this.#commit(() => ok(this.#jobs.backlog(names)));
  }

  get(id: string): StoreResult<JobRecord | undefined> {
    return this.#commit(() => ok(this.#jobs.byId.get(id)?.record()));
  }

  async finished(id: string, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Result<JobRecord, StoreFault>>();
    // Looks and waits in one step: what ends a moment later is heard.
    const found = await this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      if (job !== undefined && !isFinished(job.state))
        this.#waiters.set(id, [...(this.#waiters.get(id) ?? []), resolve]);
      return ok(job?.record());
    });
    if (!found.ok || found.value === undefined || isFinished(found.value.state)) return found;
    const onAbort = (): void => {
      this.#waiters.set(
        id,
        (this.#waiters.get(id) ?? []).filter((waiter) => waiter !== resolve),
      );
      reject(signal?.reason as Error);
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  }

  list({ state, name, limit = 100, after = "0" }: JobFilter): StoreResult<readonly JobRecord[]> {
    return this.#commit(() => {
      const found: JobRecord[] = [];
      for (const job of this.#jobs.byId.values()) {
        if (found.length >= Math.min(1_000, Math.max(1, limit))) break;
        if (Number(job.id) <= Number(after)) continue;
        if ((state ?? job.state) === job.state && (name ?? job.job.name) === job.job.name) found.push(job.record());
      }
      return ok(found);
    });
  }

  counts(name?: string): StoreResult<JobCounts> {
    return this.#commit(() => {
      const counts = { waiting: 0, scheduled: 0, ready: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
      for (const job of this.#jobs.byId.values()) if ((name ?? job.job.name) === job.job.name) counts[job.state]++;
      return ok(counts);
    });
  }

  occurrences(): StoreResult<ReadonlyMap<string, number>> {
    return this.#commit(() => ok(new Map(this.#jobs.occurrences)));
  }

  prune(): StoreResult<number> {
    return this.#commit(() => ok(this.#jobs.prune(this.options.retention, this.#now)));
  }

  async close(): Promise<void> {
    // What was called before is under way, and ends first.
    await Promise.resolve();
    if (!this.ended) this.#closed();
    this.crash();
    for (const id of this.#waiters.keys()) this.#tell(id, err(StoreUnavailable({ reason: "the session is closed" })));
  }

  crash(): void {
    this.ended = true;
    this.#jobs.peers.delete(this);
    this.#delivery.end();
    this.#timer?.cancel();
  }

  /** Every verb takes a turn, as a commit would. */
  async #commit<T>(act: () => Result<T, StoreFault>): StoreResult<T> {
    await Promise.resolve();
    const reason = this.ended ? "the session is closed" : this.#trouble();
    if (reason !== undefined) return err(StoreUnavailable({ reason }));
    this.#jobs.prune(this.options.retention, this.#now);
    const answer = act();
    this.tick();
    return answer;
  }

  /** Makes ready what is due, and sets one timer for what is next. */
  tick(): void {
    const now = this.#now;
    const next = Math.min(this.#wake, this.#jobs.promote(now));
    this.#timer?.cancel();
    const rouse = (): void => {
      this.tick();
      this.changed();
    };
    const ms = Math.max(1, Math.ceil(next - now));
    this.#timer = next === Infinity || this.ended ? undefined : this.options.clock.setTimer(ms, rouse);
  }

  jobFinished(job: MemoryJob): void {
    if (this.#waiters.has(job.id)) this.#tell(job.id, ok(job.record()));
  }

  /** One delivery per turn of the event loop. */
  changed(): void {
    if (this.#delivering || this.ended) return;
    this.#delivering = true;
    setImmediate(() => {
      this.#delivering = false;
      if (this.ended || this.frozen || this.#trouble() !== undefined) return;
      this.#wake = this.#delivery.deliver(this.epoch, this.#now);
      this.tick();
    });
  }

  cancelAsked(id: string): void {
    this.#delivery.consumer?.onCancelRequested(id);
  }

  lost(ids: readonly string[]): void {
    if (ids.length > 0) this.#delivery.consumer?.onLost?.(ids);
  }

  #tell(id: string, answer: Result<JobRecord, StoreFault>): void {
    for (const waiter of this.#waiters.get(id) ?? []) waiter(answer);
    this.#waiters.delete(id);
  }
}

function noteOf(signal: string): string {
  return `signal:${signal}`;
}
