/**
 * Enqueues of one turn as one batch: a hundred handlers that enqueue a job each cost the store one message and one commit.
 */
import { Err, type Result } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import { StoreUnavailable } from "./faults.ts";
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

export class EnqueueBatch {
  readonly #session: StoreSession;
  readonly #most: number;
  readonly #events: Events;
  #jobs: NewJob[] = [];
  #waiting: EnqueueWaiter[] = [];
  #chars = 0;
  /** In the order in which they were answered; of the first so many have been told. */
  readonly #answered: Answered[] = [];
  #told = 0;

  /** `most`: jobs of one batch. */
  constructor(session: StoreSession, most: number, events: Events) {
    this.#session = session;
    this.#events = events;
    this.#most = most;
  }

  /** The waiter hears when the job is committed, or refused. */
  add(job: NewJob, waiter: EnqueueWaiter): void {
    if (this.#jobs.length === 0) queueMicrotask(this.#flush);
    this.#jobs.push(job);
    this.#waiting.push(waiter);
    this.#chars += job.payload.length;
    if (this.#jobs.length >= this.#most || this.#chars >= charsOfBatch) this.#flush();
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
    if (this.#events.heard("job.enqueued")) this.#announceWith(answer, jobs, waiting);
    else void answer.then((settled) => this.#tell(waiting, settled));
  };

  #announceWith(answer: Promise<Answer>, jobs: readonly NewJob[], waiting: readonly EnqueueWaiter[]): void {
    void answer.then((settled) => {
      if (settled.ok) announceEnqueued(this.#events, jobs, settled.value);
      this.#tell(waiting, settled);
    });
  }

  /** A store throws for a record that it could never keep, such as a payload over its own limit: those who wait must hear of it. */
  #enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    try {
      return this.#session.enqueue(jobs).then(undefined, broken);
    } catch (thrown) {
      return Promise.resolve(broken(thrown));
    }
  }

  #tell(waiting: readonly EnqueueWaiter[], answer: Answer): void {
    this.#answered.push({ waiting, answer });
    if (this.#answered.length === 1) this.#tellSome();
  }

  /**
   * A commit answers thousands at once, and each goes on as soon as this returns. So many in one turn would keep everything else in the
   * process from its turn.
   */
  readonly #tellSome = (): void => {
    let left = waitersOfTurn;
    for (let first = this.#answered[0]; first !== undefined; first = this.#answered[0]) {
      const { waiting, answer } = first;
      const until = Math.min(waiting.length, this.#told + left);
      left -= until - this.#told;
      for (let index = this.#told; index < until; index++) {
        const waiter = waiting[index] as EnqueueWaiter;
        if (answer.ok) waiter.committed(answer.value[index] as EnqueueReceipt);
        else waiter.refused(answer);
      }
      this.#told = until;
      if (until < waiting.length) return nextTurn(this.#tellSome);
      this.#answered.shift();
      this.#told = 0;
      if (left === 0 && this.#answered.length > 0) return nextTurn(this.#tellSome);
    }
  };
}

function broken(thrown: unknown): Err<StoreFault> {
  return new Err(StoreUnavailable({ reason: thrown instanceof Error ? thrown.message : String(thrown) }));
}

const waitersOfTurn = 128;

/** A batch of large payloads goes on its way early, so that it can be freed. */
const charsOfBatch = 4_194_304;
