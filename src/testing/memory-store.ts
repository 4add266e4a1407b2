/**
 * A job store in memory: the whole seam, for unit tests of apps and of the engine. Nothing survives the process, but everything
 * survives a session, so that a test can close, crash and open again.
 */
import { err, ok, type Result, type Timer } from "../core/index.ts";
import {
  QueueFull,
  StoreUnavailable,
  isFinished,
  type ClaimedJob,
  type ConsumeOptions,
  type Consumer,
  type EnqueueReceipt,
  type JobCounts,
  type JobFilter,
  type JobRecord,
  type JobState,
  type NewJob,
  type Settlement,
  type SettleReceipt,
  type Store,
  type StoreFault,
  type StoreOpenOptions,
  type StoreResult,
  type StoreSession,
} from "../jobs/index.ts";
import { MemoryJobs, type MemoryJob } from "./memory-jobs.ts";

export interface MemoryStore extends Store {
  /** Ends the session as `kill -9` would: nothing more is settled, and the next `open` finds the running jobs crashed. */
  crash(): void;
  /** From now on every verb is refused with `STORE_UNAVAILABLE`, until it is called with undefined. */
  breakDown(reason: string | undefined): void;
}

/**
 * @example
 * const opened = await memoryStore().open({ clock, retention, maxWaiting: 1_000, maxAttempts: () => 5 });
 */
export function memoryStore(): MemoryStore {
  const jobs = new MemoryJobs();
  let session: MemorySession | undefined;
  let trouble: string | undefined;
  return {
    kind: "memory",
    async open(options) {
      if (session !== undefined && !session.ended) {
        throw new TypeError("This store is open already. Close its session before it is opened again.");
      }
      session = new MemorySession(jobs, options, () => trouble);
      return ok(session);
    },
    crash: () => session?.crash(),
    breakDown: (reason) => {
      trouble = reason;
    },
  };
}

class MemorySession implements StoreSession {
  ended = false;
  readonly #jobs: MemoryJobs;
  readonly #options: StoreOpenOptions;
  readonly #trouble: () => string | undefined;
  readonly #waiters = new Map<string, ((answer: Result<JobRecord, StoreFault>) => void)[]>();
  readonly #credit = new Map<string, number>();
  #consume: ConsumeOptions | undefined;
  #claims = 0;
  #delivering = false;
  #timer: Timer | undefined;

  constructor(jobs: MemoryJobs, options: StoreOpenOptions, trouble: () => string | undefined) {
    this.#jobs = jobs;
    this.#options = options;
    this.#trouble = trouble;
    jobs.epoch++;
    this.#recover();
    this.#promote();
  }

  enqueue(records: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    return this.#commit(() => {
      const { maxWaiting } = this.#options;
      if (this.#jobs.waiting + records.length > maxWaiting)
        return err(QueueFull({ limit: maxWaiting, retryAfterMs: 1_000 }));
      const now = this.#options.clock.now();
      const receipts = records.map((record) => this.#enqueueOne(record, now));
      this.#promote();
      return ok(receipts);
    });
  }

  #enqueueOne(record: NewJob, now: number): EnqueueReceipt {
    const holder = this.#jobs.holder(record);
    if (holder !== undefined) return { id: holder.id, duplicate: true };
    const { occurrence } = record;
    if (occurrence !== undefined) {
      if (occurrence.at <= (this.#jobs.occurrences.get(occurrence.schedule) ?? -Infinity))
        return { id: "", duplicate: true };
      this.#jobs.occurrences.set(occurrence.schedule, occurrence.at);
    }
    return { id: this.#jobs.add(record, now).id, duplicate: false };
  }

  consume(options: ConsumeOptions): Consumer {
    if (this.#consume !== undefined) throw new TypeError("A session has one consumer. Stop the first one.");
    this.#consume = options;
    return {
      grant: (name, credit) => {
        this.#credit.set(name, (this.#credit.get(name) ?? 0) + credit);
        this.#deliverSoon();
      },
      stop: async () => {
        this.#consume = undefined;
        this.#credit.clear();
      },
    };
  }

  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]> {
    return this.#commit(() => {
      const receipts = settlements.map((settlement) => this.#settleOne(settlement));
      this.#promote();
      return ok(receipts);
    });
  }

  #settleOne(settlement: Settlement): SettleReceipt {
    const { fence } = settlement.job;
    const job = this.#jobs.byId.get(settlement.job.id);
    if (job?.state !== "running" || job.fence?.epoch !== fence.epoch || job.fence.claim !== fence.claim) return "stale";
    const now = this.#options.clock.now();
    if ("error" in settlement && settlement.error !== undefined) job.addError(settlement.error);
    switch (settlement.to) {
      case "succeeded":
        job.move("succeed", now);
        job.result = settlement.result;
        break;
      case "failed":
        job.move("fail", now);
        break;
      case "cancelled":
        job.move("cancel", now);
        break;
      case "retry":
        job.move("retry", now);
        job.runAt = settlement.runAt;
        break;
      case "snoozed":
        job.attempt--;
        job.move("snooze", now);
        job.runAt = settlement.runAt;
        break;
      case "waiting":
        job.attempt--;
        job.move("wait", now);
        break;
      case "released":
        job.attempt--;
        job.move("release", now);
        break;
    }
    this.#moved(job, settlement.to === "released");
    return "settled";
  }

  /** Keeps the books after a job left `running` or was moved by hand. */
  #moved(job: MemoryJob, back = false): void {
    if (job.state === "ready") this.#jobs.makeReady(job, back);
    if (job.state === "scheduled") this.#jobs.scheduled.add(job);
    if (!isFinished(job.state)) this.#jobs.waiting++;
    if (isFinished(job.state)) {
      this.#jobs.finish(job);
      this.#tell(job.id, ok(job.record()));
    }
    this.#deliverSoon();
  }

  cancel(id: string): StoreResult<JobState | undefined> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      if (job?.state === "ready" || job?.state === "scheduled") {
        this.#jobs.waiting--;
        job.move("cancel", this.#options.clock.now());
        this.#moved(job);
      } else if (job?.state === "running") {
        this.#consume?.onCancelRequested(id);
      }
      return ok(job?.state);
    });
  }

  retry(id: string): StoreResult<JobState | undefined> {
    return this.#commit(() => {
      const job = this.#jobs.byId.get(id);
      // A job that meanwhile holds the same key is the one that runs.
      const again = (job?.state === "failed" || job?.state === "cancelled") && this.#jobs.holder(job.job) === undefined;
      if (job !== undefined && again) {
        job.move("redrive", this.#options.clock.now());
        this.#jobs.unfinish(job);
        this.#jobs.holdKey(job);
        this.#moved(job);
      }
      return ok(job?.state);
    });
  }

  get(id: string): StoreResult<JobRecord | undefined> {
    return this.#commit(() => ok(this.#jobs.byId.get(id)?.record()));
  }

  async finished(id: string, signal?: AbortSignal): StoreResult<JobRecord | undefined> {
    const found = await this.get(id);
    if (!found.ok || found.value === undefined || isFinished(found.value.state)) return found;
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(id) ?? [];
      this.#waiters.set(id, waiters);
      waiters.push(resolve);
      const onAbort = (): void => {
        waiters.splice(waiters.indexOf(resolve), 1);
        reject(signal?.reason as Error);
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
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
    return this.#commit(() => {
      return ok(this.#jobs.prune(this.#options.retention, this.#options.clock.now()));
    });
  }

  async close(): Promise<void> {
    // What was called before is under way, and ends first.
    await Promise.resolve();
    this.crash();
    for (const [id] of this.#waiters) this.#tell(id, err(StoreUnavailable({ reason: "the session is closed" })));
  }

  crash(): void {
    this.ended = true;
    this.#consume = undefined;
    this.#timer?.cancel();
  }

  /** Every verb takes a turn, as a commit would. */
  async #commit<T>(act: () => Result<T, StoreFault>): StoreResult<T> {
    await Promise.resolve();
    const reason = this.ended ? "the session is closed" : this.#trouble();
    if (reason !== undefined) return err(StoreUnavailable({ reason }));
    this.#jobs.prune(this.#options.retention, this.#options.clock.now());
    return act();
  }

  #tell(id: string, answer: Result<JobRecord, StoreFault>): void {
    for (const waiter of this.#waiters.get(id) ?? []) waiter(answer);
    this.#waiters.delete(id);
  }

  /** What a crash left running: its attempt counts. */
  #recover(): void {
    const now = this.#options.clock.now();
    for (const job of this.#jobs.byId.values()) {
      if (job.state !== "running") continue;
      job.addError({
        attempt: job.attempt,
        at: now,
        code: "CRASHED",
        message: "The process ended during the attempt.",
      });
      job.move(job.attempt >= this.#options.maxAttempts(job.job.name) ? "crash_out" : "crash", now);
      this.#moved(job, true);
    }
  }

  /** Makes ready what is due, and sets one timer for what is next. */
  #promote(): void {
    const { clock } = this.#options;
    const now = clock.now();
    let next = Infinity;
    for (const job of this.#jobs.scheduled) {
      const at = job.runAt ?? now;
      if (job.state === "scheduled" && at > now) {
        next = Math.min(next, at);
        continue;
      }
      this.#jobs.scheduled.delete(job);
      if (job.state !== "scheduled") continue;
      job.move("promote", now);
      this.#jobs.makeReady(job);
    }
    this.#deliverSoon();
    this.#timer?.cancel();
    this.#timer = next === Infinity || this.ended ? undefined : clock.setTimer(next - now, () => this.#promote());
  }

  /** One delivery per turn of the event loop. */
  #deliverSoon(): void {
    if (this.#delivering || this.ended) return;
    this.#delivering = true;
    setImmediate(() => {
      this.#delivering = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const consume = this.#consume;
    if (consume === undefined || this.ended || this.#trouble() !== undefined) return;
    const fence = { epoch: this.#jobs.epoch, claim: ++this.#claims };
    const claimed: ClaimedJob[] = [];
    for (const name of consume.names) {
      const credit = this.#credit.get(name) ?? 0;
      if (credit === 0) continue;
      const taken = this.#jobs.takeReady(name, credit);
      this.#credit.set(name, credit - taken.length);
      for (const job of taken) {
        job.move("claim", 0);
        job.attempt++;
        job.fence = fence;
        this.#jobs.waiting--;
        const { id, attempt, enqueuedAt } = job;
        const { priority, payload, context } = job.job;
        const kept = context === undefined ? {} : { context };
        claimed.push({ id, name, priority, payload, ...kept, attempt, enqueuedAt, fence });
      }
    }
    claimed.sort((a, b) => a.priority - b.priority);
    if (claimed.length > 0) consume.onClaimed(claimed);
  }
}
