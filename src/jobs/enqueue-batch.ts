/**
 * Enqueues of one turn as one batch: a hundred handlers that enqueue a job each cost the store one message and one commit.
 */
import { Err, Ok, youngArray, type Clock, type Result } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { announceEnqueued } from "./announce.ts";
import { StoreUnavailable } from "./faults.ts";
import { Fifo } from "./fifo.ts";
import type { JobLimits } from "./limits.ts";
import { nextTurn } from "./next-turn.ts";
import type { EnqueueReceipt, NewJob, StoreFault, StoreResult, StoreSession } from "./store.ts";

type Answer = Result<readonly EnqueueReceipt[], StoreFault>;

export interface EnqueueBatchOptions<Kind, Ref> {
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  /** What the caller of a committed job is given. */
  readonly refTo: (kind: Kind, receipt: EnqueueReceipt) => Ref;
}

/** `Kind`: what a job has in common with others of its name. */
export class EnqueueBatch<Kind, Ref> {
  readonly #options: EnqueueBatchOptions<Kind, Ref>;
  #jobs = youngArray<NewJob>();
  #groups = youngArray<Group<Kind, Ref>>();
  #chars = 0;
  /** In the order in which they were answered. */
  readonly #answered = new Fifo<Group<Kind, Ref>>();
  /** The next few are told as soon as the last have gone on. */
  #goesOn = false;
  /** What is left of this turn's share: callers, and until when (monotonic). */
  #turnIsOpen = false;
  #left = 0;
  #until = 0;

  constructor(options: EnqueueBatchOptions<Kind, Ref>) {
    this.#options = options;
  }

  /** Resolves when the job is committed, or refused. */
  add(job: NewJob, kind: Kind): Promise<Result<Ref, StoreFault>> {
    if (this.#jobs.length === 0) queueMicrotask(this.#flush);
    const place = this.#jobs.push(job) - 1;
    if (place % callersAtOnce === 0) this.#groups.push(new Group(place, this.#options.refTo));
    const told = (this.#groups.at(-1) as Group<Kind, Ref>).add(kind);
    this.#chars += job.payload.length;
    if (this.#jobs.length >= this.#options.limits.enqueueBatch || this.#chars >= charsOfBatch) this.#flush();
    return told;
  }

  readonly #flush = (): void => {
    if (this.#jobs.length === 0) return;
    const jobs = this.#jobs;
    const groups = this.#groups;
    this.#jobs = youngArray();
    this.#groups = youngArray();
    this.#chars = 0;
    const answer = this.#enqueue(jobs);
    // Where nobody listens nothing here holds the jobs while their commit is under way: a store has packed them already.
    if (this.#options.events.heard("job.enqueued")) this.#announceWith(answer, jobs, groups);
    else void answer.then((settled) => this.#tell(groups, settled));
  };

  #announceWith(answer: Promise<Answer>, jobs: readonly NewJob[], groups: readonly Group<Kind, Ref>[]): void {
    void answer.then((settled) => {
      if (settled.ok) announceEnqueued(this.#options.events, jobs, settled.value);
      this.#tell(groups, settled);
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

  #tell(groups: readonly Group<Kind, Ref>[], answer: Answer): void {
    for (const group of groups) {
      group.answer = answer;
      this.#answered.push(group);
    }
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
      this.#left = callersOfTurn;
      this.#until = clock.monotonic() + limits.sliceMs;
      nextTurn(this.#newTurn);
    } else if (this.#left <= 0 || clock.monotonic() >= this.#until) {
      return;
    }
    const group = this.#answered.take();
    if (group === undefined) return;
    this.#left -= group.size;
    group.tell();
    if (this.#answered.isEmpty) return;
    this.#goesOn = true;
    queueMicrotask(this.#onceTold);
  };

  /** The callers' promises are settled now; after this they have gone on. */
  readonly #onceTold = (): void => queueMicrotask(this.#tellSome);

  readonly #newTurn = (): void => {
    this.#turnIsOpen = false;
    if (!this.#answered.isEmpty) this.#tellSome();
  };
}

/**
 * Callers who are told at once. What waits for its commit should be small, because each collection of garbage copies it: the promise of each caller
 * follows the group's, and has no functions of its own. What follows one promise runs in the order in which it came, so each finds its receipt by counting.
 */
class Group<Kind, Ref> {
  answer: Answer | undefined;
  /** Resolves the promise that all follow. */
  tell: () => void = () => undefined;
  readonly #kinds = youngArray<Kind>();
  readonly #from: number;
  readonly #refTo: EnqueueBatchOptions<Kind, Ref>["refTo"];
  readonly #told = new Promise<void>((resolve) => (this.tell = resolve));
  #next = 0;

  /** `from`: the place of its first in the batch. */
  constructor(from: number, refTo: EnqueueBatchOptions<Kind, Ref>["refTo"]) {
    this.#from = from;
    this.#refTo = refTo;
  }

  get size(): number {
    return this.#kinds.length;
  }

  add(kind: Kind): Promise<Result<Ref, StoreFault>> {
    this.#kinds.push(kind);
    return this.#told.then(this.#answerNext);
  }

  readonly #answerNext = (): Result<Ref, StoreFault> => {
    const answer = this.answer as Answer;
    const place = this.#next++;
    if (!answer.ok) return answer;
    return new Ok(this.#refTo(this.#kinds[place] as Kind, answer.value[this.#from + place] as EnqueueReceipt));
  };
}

function broken(thrown: unknown): Err<StoreFault> {
  return new Err(StoreUnavailable({ reason: thrown instanceof Error ? thrown.message : String(thrown) }));
}

/** The more so where the clock stands still. */
const callersOfTurn = 256;
const callersAtOnce = 16;

/** A batch of large payloads goes on its way early, so that it can be freed. */
const charsOfBatch = 4_194_304;
