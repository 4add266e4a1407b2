/**
 * Enqueues of one turn as one batch: a hundred handlers that enqueue a job each cost the store one message and one commit.
 */
import { Err, type Clock, type Result } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import { StoreUnavailable } from "./faults.ts";
import type { JobLimits } from "./limits.ts";
import { nextTurn } from "./next-turn.ts";
import type { EnqueueReceipt, NewJob, StoreFault, StoreResult, StoreSession } from "./store.ts";

/** Who waits for one job: told once. An object with methods rather than a callback, because there is one for each job. */
export interface EnqueueWaiter {
  committed(receipt: EnqueueReceipt): void;
  refused(fault: Err<StoreFault>): void;
}

type Answer = Result<readonly EnqueueReceipt[], StoreFault>;

/** Those who wait for a batch whose answer is there. */
interface Answered {
  readonly waiting: readonly EnqueueWaiter[];
  readonly answer: Answer;
}

export interface EnqueueBatchOptions {
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
}

export class EnqueueBatch {
  readonly #options: EnqueueBatchOptions;
  #jobs: NewJob[] = [];
  #waiting: EnqueueWaiter[] = [];
  #chars = 0;
  /** In the order in which they were answered; of the first so many have been told. */
  readonly #answered: Answered[] = [];
  #told = 0;
  /** The next few are told as soon as the last have gone on. */
  #goesOn = false;
  /** What is left of this turn's share: waiters, and until when (monotonic). */
  #turnIsOpen = false;
  #left = 0;
  #until = 0;

  constructor(options: EnqueueBatchOptions) {
    this.#options = options;
  }

  /** The waiter hears when the job is committed, or refused. */
  add(job: NewJob, waiter: EnqueueWaiter): void {
    if (this.#jobs.length === 0) queueMicrotask(this.#flush);
    this.#jobs.push(job);
    this.#waiting.push(waiter);
    this.#chars += job.payload.length;
    if (this.#jobs.length >= this.#options.limits.enqueueBatch || this.#chars >= charsOfBatch) this.#flush();
  }

  readonly #flush = (): void => {
    if (this.#jobs.length === 0) return;
    const jobs = this.#jobs;
    const waiting = this.#waiting;
    this.#jobs = [];
    this.#waiting = [];
    this.#chars = 0;
    const answer = this.#enqueue(jobs);
    // Where nobody listens nothing here holds the jobs while their commit is under way: a store has packed them already.
    if (this.#options.events.heard("job.enqueued")) this.#announceWith(answer, jobs, waiting);
    else void answer.then((settled) => this.#tell(waiting, settled));
  };

  #announceWith(answer: Promise<Answer>, jobs: readonly NewJob[], waiting: readonly EnqueueWaiter[]): void {
    void answer.then((settled) => {
      if (settled.ok) announceEnqueued(this.#options.events, jobs, settled.value);
      this.#tell(waiting, settled);
    });
  }

  /** A store throws for a record that it could never keep, such as a payload over its own limit: those who wait must hear of it. */
  #enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    try {
      return this.#options.session.enqueue(jobs).then(undefined, broken);
    } catch (thrown) {
      return Promise.resolve(broken(thrown));
    }
  }

  #tell(waiting: readonly EnqueueWaiter[], answer: Answer): void {
    this.#answered.push({ waiting, answer });
    if (!this.#goesOn) this.#tellSome();
  }

  /**
   * A commit answers thousands at once, and each of those who wait goes on as soon as this returns. So many in one turn would keep everything else in the
   * process from its turn: a few are told, and when they have gone on the next few, until the turn's share of time is used up.
   */
  readonly #tellSome = (): void => {
    const { clock, limits } = this.#options;
    this.#goesOn = false;
    if (!this.#turnIsOpen) {
      this.#turnIsOpen = true;
      this.#left = waitersOfTurn;
      this.#until = clock.monotonic() + limits.sliceMs;
      nextTurn(this.#newTurn);
    } else if (this.#left <= 0 || clock.monotonic() >= this.#until) {
      return;
    }
    this.#tellFew();
    if (this.#answered.length === 0) return;
    this.#goesOn = true;
    queueMicrotask(this.#tellSome);
  };

  readonly #newTurn = (): void => {
    this.#turnIsOpen = false;
    if (this.#answered.length > 0) this.#tellSome();
  };

  #tellFew(): void {
    const first = this.#answered[0] as Answered;
    const { waiting, answer } = first;
    const until = Math.min(waiting.length, this.#told + waitersAtOnce);
    this.#left -= until - this.#told;
    for (let index = this.#told; index < until; index++) {
      const waiter = waiting[index] as EnqueueWaiter;
      if (answer.ok) waiter.committed(answer.value[index] as EnqueueReceipt);
      else waiter.refused(answer);
    }
    this.#told = until;
    if (until < waiting.length) return;
    this.#answered.shift();
    this.#told = 0;
  }
}

function broken(thrown: unknown): Err<StoreFault> {
  return new Err(StoreUnavailable({ reason: thrown instanceof Error ? thrown.message : String(thrown) }));
}

/** The more so where the clock stands still. */
const waitersOfTurn = 256;
const waitersAtOnce = 16;

/** A batch of large payloads goes on its way early, so that it can be freed. */
const charsOfBatch = 4_194_304;
