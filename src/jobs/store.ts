/**
 * The seam between the job engine and whatever keeps jobs: narrow verbs over batches of plain records. SQLite implements it on
 * a writer thread, PostgreSQL over a pool. The engine decides *what* happens to a job (`state.ts`); a store makes it durable.
 *
 * Every promise that a store resolves means: committed. Every verb takes a batch, because one commit is what costs.
 * Nothing here knows about contracts, schemas or handlers: a payload is JSON text.
 */
import type { Clock, Fault, Result } from "../core/index.ts";
import type { JobState } from "./state.ts";

/** Opaque to users, stable for the life of a job through every retry. A decimal number as a string. */
export type JobId = string;

export interface NewJob {
  readonly name: string;
  /** Lower runs first. 0 (most urgent) to 9; 5 is the default. */
  readonly priority: number;
  /** JSON text. */
  readonly payload: string;
  /** What the job keeps of the call that enqueued it: a short text, opaque to the store, at most 4,096 UTF-8 bytes. */
  readonly context?: string;
  /** Wall-clock milliseconds; absent or in the past: ready at once. */
  readonly runAt?: number;
  /** Milliseconds from the commit on, by the store's own clock; instead of `runAt`. */
  readonly delayMs?: number;
  /** While an unfinished job of the same name holds this key, enqueueing answers with that job instead of a new one. */
  readonly uniqueKey?: string;
  /** How far the key reaches and how long it is held, where it is not the default. Only with `uniqueKey`. */
  readonly unique?: UniqueScope;
  /** The limits and the order of its policy's `perKey` apply to jobs of the same name and key. At most 1,024 UTF-8 bytes. */
  readonly key?: string;
  /** Whose work this is: among ready jobs of one name and priority, tenants take turns. At most 1,024 UTF-8 bytes; absent is a tenant as well. */
  readonly tenant?: string;
  /** The job is `waiting` until these have ended as it wants. */
  readonly after?: Dependencies;
  /** Set for a job made by a schedule: enqueued only if `at` is later than the last recorded occurrence of `schedule`. */
  readonly occurrence?: { readonly schedule: string; readonly at: number };
}

export interface UniqueScope {
  /** Jobs of every name with the same scope share its keys (a queue's, say). Absent: the job's name is the scope. */
  readonly scope?: string;
  /** `started`: the key is free as soon as the job is claimed for the first time. Default `finished`. */
  readonly until?: "finished" | "started";
  /** The key stays held so long from the enqueueing on, also when the job is finished before. */
  readonly windowMs?: number;
}

export interface Dependencies {
  /** An id, or the place of an earlier job of the same `enqueue` call. 1 to 100,000 of them. One that is unknown counts as cancelled. */
  readonly jobs: readonly (JobId | number)[];
  /**
   * `succeeded`: when one of them fails for good or is cancelled, this job is cancelled, with an error `DEPENDENCY_FAILED` that names it, and so on to those
   * that depend on it. `finished`: however they end.
   */
  readonly on: "succeeded" | "finished";
}

/** What a name's jobs share. Given at `open`; all processes of a fleet are expected to give the same. */
export interface JobPolicy {
  /** At most so many run and start, counted over the whole fleet and over every name that lists the gate's id. */
  readonly gates?: readonly Gate[];
  readonly perKey?: KeyPolicy;
  /** A ready job counts as one priority more urgent for each such time that it has waited (of the store's clock). */
  readonly ageingMs?: number;
}

export interface Gate {
  readonly id: string;
  readonly concurrency?: number;
  readonly rate?: Rate;
}

/** Per name and key, over the whole fleet. A job that may not start now leaves the ready set's way: it holds up no other key. */
export interface KeyPolicy {
  readonly concurrency?: number;
  readonly rate?: Rate;
  /** Jobs of one key run one after the other in the order of their enqueueing: the next begins when the one before has finished, retries included. */
  readonly ordered?: boolean;
}

/** GCRA: starts are spaced by `periodMs / limit`, and up to `limit` may come at once after a quiet period. */
export interface Rate {
  readonly limit: number;
  readonly periodMs: number;
}

/** What became of one NewJob. `duplicate`: an unfinished job holds the unique key, or the occurrence was already recorded (id ""). */
export interface EnqueueReceipt {
  readonly id: JobId;
  readonly duplicate: boolean;
}

/**
 * A job handed to this process to run. Its attempt is already counted on disk. A store may make it of getters that read its bytes: it is used as it is, and a
 * spread copy of it may lack what it has.
 */
export interface ClaimedJob {
  readonly id: JobId;
  readonly name: string;
  readonly priority: number;
  /** May be read anew from bytes each time that it is asked for. */
  readonly payload: string;
  /** Bytes of the payload, where the store knows them without making a text of it. */
  readonly size?: number;
  /** Calls `read` with the bytes in which the payload is, in UTF-8 from `start` up to `end`, where a store has it so: an attempt then makes no text of it. */
  readonly readPayload?: <T>(read: (bytes: Uint8Array, start: number, end: number) => T) => T;
  readonly context?: string | undefined;
  /** 1 for the first run. */
  readonly attempt: number;
  readonly enqueuedAt: number;
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
  /** True: there are notes of this job (`notes`): steps it has taken, signals it has received. */
  readonly noted?: boolean | undefined;
  /** Proof of ownership: a settlement with an older token than the store's changes nothing. */
  readonly fence: Fence;
}

/** `epoch` names the owner's life; `claim` the batch: they are compared as a pair, and are what a settlement is judged by. */
export interface Fence {
  readonly epoch: number;
  readonly claim: number;
  /**
   * Higher with every claim of a job, whichever process claims: what the handler is given for downstream writes. Absent where the pair itself is in that
   * order, because one process at a time owns the store.
   */
  readonly order?: number;
}

export interface AttemptError {
  readonly attempt: number;
  readonly at: number;
  /** The fault's code; `INTERNAL` for a defect, `CRASHED` for an attempt that its process did not survive. */
  readonly code: string;
  readonly message: string;
  /** JSON text of the fault's data, when it has some. */
  readonly data?: string;
}

/** The outcome of one attempt, decided by the engine. */
export type Settlement = { readonly job: ClaimedJob } & (
  | { readonly to: "succeeded"; readonly result?: string }
  | { readonly to: "retry"; readonly runAt: number; readonly error: AttemptError }
  | { readonly to: "failed"; readonly error: AttemptError }
  | { readonly to: "cancelled"; readonly error?: AttemptError }
  /** Goes on later; the attempt is not counted. */
  | { readonly to: "snoozed"; readonly runAt: number }
  /** Goes on when the signal comes, or at `until`; the attempt is not counted. Ready at once where the signal came before. */
  | { readonly to: "waiting"; readonly signal: string; readonly until?: number }
  /** Never started: handed back, and the attempt is not counted. */
  | { readonly to: "released" }
);

/** `stale`: the fence was old or the job was no longer running, so nothing was changed. */
export type SettleReceipt = "settled" | "stale";

export interface JobRecord {
  readonly id: JobId;
  readonly name: string;
  readonly state: JobState;
  readonly priority: number;
  readonly payload: string;
  readonly context?: string;
  readonly attempt: number;
  readonly enqueuedAt: number;
  readonly runAt?: number;
  readonly finishedAt?: number;
  readonly uniqueKey?: string;
  readonly key?: string;
  readonly tenant?: string;
  readonly progress?: string;
  readonly result?: string;
  /** Oldest first; bounded, see the store's limits. */
  readonly errors: readonly AttemptError[];
}

export interface JobFilter {
  readonly state?: JobState;
  readonly name?: string;
  /** 1 to 1,000; 100 when absent. */
  readonly limit?: number;
  /** Continue after this id of the last page. */
  readonly after?: JobId;
}

export type JobCounts = { readonly [S in JobState]: number };

/** How long finished jobs stay. Whatever limit is met first. */
export interface Retention {
  readonly succeeded: { readonly ageMs: number; readonly count: number };
  readonly failed: { readonly ageMs: number; readonly count: number };
  readonly cancelled: { readonly ageMs: number; readonly count: number };
}

export type StoreFault =
  /** The store cannot take work now: disk full, database locked or gone. Nothing of the batch was kept. */
  | Fault<"STORE_UNAVAILABLE", { readonly reason: string }>
  /** More waits than the limits allow. Nothing of the batch was kept. */
  | Fault<"QUEUE_FULL", { readonly limit: number; readonly retryAfterMs: number }>;

export type StoreResult<T> = Promise<Result<T, StoreFault>>;

/**
 * Delivery is by credit, so that nothing is ever claimed that has no room here: the store hands over at most the credit that
 * was granted, in one batch per commit, as soon as work is there. Credit is used up by a claimed job and is granted again by
 * the engine when there is room. No polling is visible on this side.
 */
export interface Consumer {
  /** Adds credit for one job name. A negative number takes some back; what is being claimed with it still comes, and later credit makes up for it first. */
  grant(name: string, credit: number): void;
  /** No more jobs are handed over after this resolves. Claims already made stay with the engine, which settles or releases them. */
  stop(): Promise<void>;
}

export interface ConsumeOptions {
  readonly names: readonly string[];
  /** Called with jobs whose claim is committed, most urgent first. Must not throw. */
  readonly onClaimed: (jobs: readonly ClaimedJob[]) => void;
  /** A running job of this process was asked to stop (`cancel`). */
  readonly onCancelRequested: (id: JobId) => void;
  /** These attempts are this process's no more (its lease ended, or the jobs were rescued): they can settle nothing, and should stop. */
  readonly onLost?: (ids: readonly JobId[]) => void;
  /** The store lost its file or connection and will try again by itself; for logs and health. */
  readonly onTrouble: (fault: StoreFault) => void;
}

/** What a job keeps between its runs, what it waits for, and what holds it back. */
export interface StoreFlow {
  /** Fenced like a settlement. Writes notes of a running job, each name once or over its last value; a progress replaces the last. Gone with the job. */
  note(job: ClaimedJob, notes: readonly JobNote[], progress?: string): StoreResult<SettleReceipt>;
  /** In the order in which their names were first written. */
  notes(id: JobId): StoreResult<readonly JobNote[]>;
  /**
   * Keeps a note `signal:<name>` for the job and makes it ready where it waits for it. The first signal of a name counts, a later one changes nothing.
   * Undefined: no such job, or it is finished; else its state after.
   */
  signal(id: JobId, name: string, value: string): StoreResult<JobState | undefined>;
  /** What the jobs that this one waited for have come to, in the order in which it named them. */
  dependencies(id: JobId): StoreResult<readonly DependencyRecord[]>;
  /** Of paused names nothing is claimed, in the whole fleet and after a restart, until they are resumed. What runs goes on. */
  pause(names: readonly string[]): StoreResult<void>;
  resume(names: readonly string[]): StoreResult<void>;
  paused(): StoreResult<readonly string[]>;
  /** How much waits and since when: cheap enough to ask for before an enqueue. */
  backlog(names: readonly string[]): StoreResult<Backlog>;
}

export interface StoreSession extends StoreFlow {
  /** The clock that the times of jobs are by, where it is not this process's: that of a server. */
  readonly clock?: Clock;
  enqueue(jobs: readonly NewJob[]): StoreResult<readonly EnqueueReceipt[]>;
  consume(options: ConsumeOptions): Consumer;
  settle(settlements: readonly Settlement[]): StoreResult<readonly SettleReceipt[]>;

  /** Waiting jobs become cancelled; a running one is asked to stop and settles by itself. Undefined: no such job; else its state after. */
  cancel(id: JobId): StoreResult<JobState | undefined>;
  /** Failed or cancelled -> ready, attempts counted on. Undefined: no such job; else its state after. */
  retry(id: JobId): StoreResult<JobState | undefined>;
  get(id: JobId): StoreResult<JobRecord | undefined>;
  /** Resolves with the record when the job is finished (succeeded, failed, cancelled), or with undefined when there is no such job. */
  finished(id: JobId, signal?: AbortSignal): StoreResult<JobRecord | undefined>;
  list(filter: JobFilter): StoreResult<readonly JobRecord[]>;
  counts(name?: string): StoreResult<JobCounts>;
  /** Wall-clock time of the last recorded occurrence of each schedule. */
  occurrences(): StoreResult<ReadonlyMap<string, number>>;
  /** Removes what retention no longer keeps, in bounded steps; resolves with how many were removed. Runs by itself as well. */
  prune(): StoreResult<number>;

  /** Waits for what is under way, checkpoints, and gives up ownership. Safe to call twice. */
  close(): Promise<void>;
}

/** Something that a job keeps from one run to the next. Names at most 200 characters, values JSON text (or sealed by the engine) within the payload limit. */
export interface JobNote {
  readonly name: string;
  readonly value: string;
}

export interface DependencyRecord {
  readonly id: JobId;
  readonly name: string;
  readonly state: JobState;
  readonly result?: string;
}

export interface Backlog {
  /** Scheduled, waiting and ready jobs. */
  readonly unstarted: number;
  readonly ready: number;
  /** When the oldest ready job became ready (or an earlier moment no more than a second off); undefined: none is. Paused and blocked ones count. */
  readonly readySince: number | undefined;
}

/** What `serve` and `work` are given: opens (migrates, takes ownership, recovers what a crash left behind) once. */
export interface Store {
  readonly kind: string;
  /** A second `open` before `close` is refused with a TypeError. */
  open(options: StoreOpenOptions): StoreResult<StoreSession>;
  /**
   * For a server of several threads, where a store has calls of its own beside the session's: one thread opens it, and the others'
   * calls go there. Absent: nothing but the session is needed.
   */
  readonly sharing?: StoreSharing;
}

/** What goes over is plain data: it is cloned from thread to thread. */
interface StoreSharing {
  /** In the thread that opened the store: answers what `ask` was given in another. */
  answer(call: unknown): Promise<unknown>;
  /** In another thread: this store will not be opened here; `ask` reaches the one that is. */
  join(ask: (call: unknown) => Promise<unknown>): void;
}

export interface StoreOpenOptions {
  readonly clock: Clock;
  readonly retention: Retention;
  /** How many jobs may wait (scheduled + ready) before `QUEUE_FULL`. */
  readonly maxWaiting: number;
  /** Attempts allowed per job name: recovery after a crash fails a job whose attempts are used up instead of running it for ever. */
  readonly maxAttempts: (name: string) => number;
  /** Absent or undefined: no limits beside credit. */
  readonly policy?: (name: string) => JobPolicy | undefined;
  /** Told when this store has taken attempts over that their process did not survive: at the open, and in a fleet whenever another process is gone. */
  readonly onCrashed?: (crashed: readonly CrashedJobs[]) => void;
}

/** Jobs of one name that were running when their process ended. */
export interface CrashedJobs {
  readonly name: string;
  /** Ready again: they have attempts left. */
  readonly again: number;
  readonly failed: number;
}

/** A store that can be moved to another: `tensile jobs export` and `import`. Neither verb needs an open store. */
export interface MovableStore extends Store {
  /** Looks into the store without owning it, also while another process has it open. The caller closes it. */
  inspect(): StoreResult<StoreInspection>;
  /** Everything that is kept, as it was at one moment, also while another process has the store open. Jobs in the order of their ids, then the rest. */
  exportRecords(): AsyncIterable<readonly MoveRecord[]>;
  /**
   * All or nothing: what comes to an end with a throw has changed nothing. A job that was running is ready again, its attempt counted, with an error `CRASHED`. Rejects with
   * a TypeError where the store holds jobs (unless `merge`), an id is there already, or a record does not fit.
   */
  importRecords(records: AsyncIterable<readonly MoveRecord[]>, options?: { readonly merge?: boolean }): Promise<void>;
}

export type StoreInspection = Pick<StoreSession, "get" | "list" | "counts" | "close">;

/** One thing that a store keeps, as it moves. */
export type MoveRecord =
  | { readonly type: "job"; readonly job: MovedJob }
  /** The last recorded occurrence of a schedule. */
  | { readonly type: "occurrence"; readonly schedule: string; readonly at: number }
  | { readonly type: "paused"; readonly name: string };

/** A job with all that belongs to it. Texts move as they are: sealed ones stay sealed, and open with the same keys. */
export interface MovedJob extends JobRecord {
  readonly unique?: UniqueScope;
  readonly notes?: readonly JobNote[];
  /** Of a job that waits for others, or has waited: what each has come to. */
  readonly after?: { readonly jobs: readonly DependencyRecord[]; readonly on: Dependencies["on"] };
  /** Of a job that waits for a signal. */
  readonly signal?: { readonly name: string; readonly until?: number };
}
