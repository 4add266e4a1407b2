/**
 * Enqueues of one turn as one batch: a hundred handlers that enqueue a job each cost the store one message and one commit.
 */
import { Err } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import { StoreUnavailable } from "./faults.ts";
import type { EnqueueReceipt, NewJob, StoreFault, StoreResult, StoreSession } from "./store.ts";

/** Who waits for one job: told once. An object with methods rather than a callback, because there is one for each job. */
export interface EnqueueWaiter {
  committed(receipt: EnqueueReceipt): void;
  refused(fault: Err<StoreFault>): void;
}

export class EnqueueBatch {
  readonly #session: StoreSession;
  readonly #most: number;
  readonly #events: Events;
  #jobs: NewJob[] = [];
  #waiting: EnqueueWaiter[] = [];
  #chars = 0;

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
    void this.#send(jobs, waiting);
  };

  /** A store throws for a record that it could never keep, such as a payload over its own limit: those who wait must hear of it. */
  async #enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]> {
    try {
      return await this.#session.enqueue(jobs);
    } catch (thrown) {
      return new Err(StoreUnavailable({ reason: thrown instanceof Error ? thrown.message : String(thrown) }));
    }
  }

  async #send(jobs: readonly NewJob[], waiting: readonly EnqueueWaiter[]): Promise<void> {
    const result = await this.#enqueue(jobs);
    if (result.ok) announceEnqueued(this.#events, jobs, result.value);
    for (let index = 0; index < waiting.length; index++) {
      const waiter = waiting[index] as EnqueueWaiter;
      if (result.ok) waiter.committed(result.value[index] as EnqueueReceipt);
      else waiter.refused(result);
    }
  }
}

/** A batch of large payloads goes on its way early, so that it can be freed. */
const charsOfBatch = 4_194_304;
