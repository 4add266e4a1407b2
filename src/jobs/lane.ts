/**
 * The jobs of one name in this process: those claimed and waiting for a slot, the credit that the store still holds, and how much
 * credit is worth granting.
 *
 * Claimed jobs have their attempt counted, so a crash costs every one of them an attempt, begun or not. Therefore a lane claims one job first
 * and doubles with each delivery: a job that kills its process is claimed alone again after each restart, and cannot use up its
 * neighbours' attempts. A lane whose jobs have a single attempt never claims ahead of a free slot.
 */
import type { AttemptRunner } from "./attempt-runner.ts";
import { Fifo } from "./fifo.ts";
import type { ClaimedJob } from "./store.ts";

const priorities = 10;
/** Weight of a measurement falls to 1/e after this many milliseconds. */
const memoryMs = 50;
/** A lane that was handed nothing for so many times what it claims ahead is idle: what it was granted may go to others. */
const idleTimes = 5;
/** A way to the store that takes longer is not made up for by claiming more. */
const longestRoundTripMs = 250;

export interface LaneOptions {
  readonly name: string;
  readonly runner: AttemptRunner;
  readonly maxAttempts: number;
  /** Slots of this lane. */
  readonly concurrency: number;
  /** Milliseconds of work to claim ahead. */
  readonly prefetchMs: number;
  readonly prefetchJobs: number;
}

export class Lane {
  readonly name: string;
  readonly runner: AttemptRunner;
  readonly maxAttempts: number;
  readonly concurrency: number;
  /** Slots in use. */
  running = 0;
  /** Granted to the store and not yet used. Below 0: more came than was wanted, because some was taken back too late. */
  credit = 0;
  /** Claimed and waiting for a slot. */
  queued = 0;
  queuedBytes = 0;
  readonly #queues: (Fifo<ClaimedJob> | undefined)[] = Array.from({ length: priorities }, () => undefined);
  readonly #prefetchMs: number;
  readonly #maxPrefetch: number;
  #headPriority = priorities;
  #ramp = 1;
  #prefetch = 0;
  /** Attempts ended per millisecond. */
  #rate = 0;
  #measuredAt = 0;
  /** Attempts that ended since then. */
  #ended = 0;
  #averageBytes = 1_024;
  /** Milliseconds from a grant to its delivery, when the store had the work. */
  #roundTrip = 0;
  /** Monotonic time of a grant that found the lane with nothing; 0: none. */
  #starvedAt = 0;
  #endedSinceDelivery = 0;
  #deliveredAt = 0;

  constructor(options: LaneOptions) {
    this.name = options.name;
    this.runner = options.runner;
    this.maxAttempts = options.maxAttempts;
    this.concurrency = options.concurrency;
    this.#prefetchMs = options.prefetchMs;
    this.#maxPrefetch = options.maxAttempts === 1 ? 0 : options.prefetchJobs;
  }

  /** The most urgent waiting priority; 10 when nothing waits. */
  get headPriority(): number {
    return this.#headPriority;
  }

  get freeSlots(): number {
    return this.concurrency - this.running;
  }

  push(job: ClaimedJob): void {
    (this.#queues[job.priority] ??= new Fifo()).push(job);
    if (job.priority < this.#headPriority) this.#headPriority = job.priority;
    this.queued++;
    const size = sizeOf(job);
    this.queuedBytes += size;
    this.#averageBytes += (size - this.#averageBytes) / 64;
  }

  /** The most urgent job, oldest first. */
  take(): ClaimedJob | undefined {
    const job = this.#queues[this.#headPriority]?.take();
    if (job === undefined) return undefined;
    this.queued--;
    this.queuedBytes -= sizeOf(job);
    if (this.queued === 0) this.#headPriority = priorities;
    else while (this.#queues[this.#headPriority]?.isEmpty ?? true) this.#headPriority++;
    return job;
  }

  has(id: string): boolean {
    return this.#queues.some((queue) => queue?.some((job) => job.id === id) === true);
  }

  /** Takes out what waits here of these: their claims are gone. */
  drop(ids: ReadonlySet<string>): void {
    for (let priority = this.#headPriority; priority < priorities; priority++) {
      for (const job of this.#queues[priority]?.drop(({ id }) => ids.has(id)) ?? []) {
        this.queued--;
        this.queuedBytes -= sizeOf(job);
      }
    }
    while (this.#headPriority < priorities && (this.#queues[this.#headPriority]?.isEmpty ?? true)) this.#headPriority++;
  }

  /** An attempt ended. */
  ended(): void {
    this.#ended++;
    this.#endedSinceDelivery++;
  }

  granted(count: number, now: number): void {
    if (this.credit <= 0 && this.queued === 0) this.#starvedAt = now;
    this.credit += count;
  }

  /** Gives up what it was granted beyond `slots`, if the store had nothing for it lately. Answers how much that is. */
  yield(slots: number, now: number): number {
    const count = this.credit - Math.max(1, slots);
    if (count <= 0 || this.queued > 0 || now - this.#deliveredAt < idleTimes * this.#ahead()) return 0;
    this.credit -= count;
    this.#prefetch = 0;
    return count;
  }

  /** `count` jobs were delivered and pushed. All of the credit used: the store has more, so more is worth granting. */
  delivered(count: number, now: number): void {
    this.credit -= count;
    if (this.#ramp < this.#maxPrefetch + this.concurrency) this.#ramp *= 2;
    if (this.credit <= 0) {
      if (this.#starvedAt > 0) {
        const took = Math.min(longestRoundTripMs, now - this.#starvedAt);
        this.#roundTrip += (took - this.#roundTrip) / 4;
      }
      // What took longer to run than to fetch is not worth more.
      const soon = now - this.#deliveredAt < this.#ahead();
      const ranDry = soon && this.queued === count && this.freeSlots > 0 && this.#endedSinceDelivery >= count / 2;
      if (ranDry) this.#prefetch = Math.min(this.#maxPrefetch, Math.max(16, this.#prefetch * 2));
    }
    this.#starvedAt = 0;
    this.#endedSinceDelivery = 0;
    this.#deliveredAt = now;
  }

  /** Takes the rate of the time since it was last taken. */
  measure(now: number): void {
    const elapsed = now - this.#measuredAt;
    if (elapsed < 4) return;
    const weight = 1 - Math.exp(-elapsed / memoryMs);
    this.#rate += (this.#ended / elapsed - this.#rate) * weight;
    this.#measuredAt = now;
    this.#ended = 0;
    const enough = Math.round(this.#rate * this.#ahead());
    // What a full delivery doubled stays while it is used up in time.
    if (this.queued > enough || this.#prefetch < enough || elapsed > 1_000) {
      this.#prefetch = Math.min(this.#maxPrefetch, enough);
    }
  }

  /** Milliseconds of work to hold. Less than the way to the store takes would make the rate fall, and with it what seems enough. */
  #ahead(): number {
    return Math.max(this.#prefetchMs, 2 * this.#roundTrip);
  }

  /** How many jobs to have on their way or waiting here. `slots`: this lane's share of the free ones. `bytes`: left for payloads. */
  wanted(slots: number, bytes: number): number {
    const ahead = Math.min(this.#prefetch, Math.floor(bytes / this.#averageBytes));
    return Math.min(this.#ramp, slots + Math.max(0, ahead));
  }
}

function sizeOf(job: ClaimedJob): number {
  return job.size ?? job.payload.length;
}
