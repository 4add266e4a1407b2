/**
 * What the calling thread and the writer thread say to each other: one message per batch each way. The many small things (jobs, successes)
 * are packed into arenas, which are transferred, not copied; the few large ones (failures, reads, transactions) are plain objects.
 *
 * An arena is a sequence of sections:
 *   jobs:      u8 1, u8 special, u32 lane, u32 count, u32 bytes, f64 enqueuedAt, then `count` entries (entries.ts)
 *   successes: u8 2, u8 results, f64 claim, u32 slot, u32 count, u32 bytes, then `count` times u32 length + UTF-8 when `results` is 1
 *
 * A lane is `name number * 10 + priority`; names are numbered by the calling thread and told once. `special` says what some entry has: with
 * a unique key, a time or an occurrence (1) the writer must look inside; entries with a key of limits (2) or a tenant (4) rest as they come.
 */
import type {
  AttemptError,
  Backlog,
  CrashedJobs,
  DependencyRecord,
  EnqueueReceipt,
  JobCounts,
  JobFilter,
  JobNote,
  JobPolicy,
  JobRecord,
  JobState,
  NewJob,
  Retention,
} from "../jobs/index.ts";
import { blockLimited, blockTenants } from "./tables.ts";
import type { KvAdvanced, KvEntry, KvWrite } from "../kv/index.ts";

export const sectionJobs = 1;
export const sectionSuccesses = 2;
export const jobsHeader = 22;
export const successesHeader = 22;
export const runSpecial = 1;
export const runLimited = 2;
export const runTenants = 4;

export function blockFlagsOfRun(special: number): number {
  return (special & runLimited ? blockLimited : 0) | (special & runTenants ? blockTenants : 0);
}

export interface Arena {
  readonly buffer: ArrayBuffer;
  readonly used: number;
}

/** Params that SQLite takes as they are. */
export type SqlValue = string | number | bigint | null | Uint8Array;

export interface SqlStep {
  readonly sql: string;
  readonly rows: readonly (readonly SqlValue[])[];
}

export interface SqlChanges {
  readonly changes: number;
  readonly lastInsertRowid: number;
}

/** Names one attempt: by claim and slot where the job came from this session, else by id under the fence it carried. */
export type AttemptRef =
  | { readonly claim: number; readonly slot: number }
  | { readonly epoch: number; readonly claim: number; readonly id: string };

export type SettleOp = { readonly op: "settle"; readonly ref: AttemptRef } & (
  | { readonly to: "succeeded"; readonly result: string | undefined }
  | { readonly to: "retry"; readonly runAt: number; readonly error: AttemptError }
  | { readonly to: "failed"; readonly error: AttemptError }
  | { readonly to: "cancelled"; readonly error: AttemptError | undefined }
  | { readonly to: "snoozed"; readonly runAt: number }
  | { readonly to: "waiting"; readonly signal: string; readonly until: number | undefined }
  | { readonly to: "released" }
  /** Its process is gone. `attempts`: how many jobs of its name have. */
  | { readonly to: "crashed"; readonly attempts: number }
);

/** Notes of a running attempt. */
export interface NoteOp {
  readonly op: "note";
  readonly ref: AttemptRef;
  readonly notes: readonly JobNote[];
  readonly progress: string | undefined;
}

/** The jobs of a call that name others, and where the rest of that call is among the message's jobs. */
export interface DependentsOp {
  readonly op: "dependents";
  readonly jobs: readonly NewJob[];
  /** The place of each in the call. */
  readonly places: readonly number[];
  readonly others: readonly CallPart[];
}

/** Neighbours of a call (from place `index` on) that are neighbours in a run as well. */
export interface CallPart {
  readonly index: number;
  readonly run: number;
  readonly start: number;
  readonly count: number;
}

export type Op =
  | SettleOp
  | NoteOp
  | DependentsOp
  | { readonly op: "cancel" | "retry" | "get" | "state" | "notes" | "dependencies"; readonly id: string }
  | { readonly op: "signal"; readonly id: string; readonly name: string; readonly value: string }
  | { readonly op: "list"; readonly filter: JobFilter }
  | { readonly op: "counts"; readonly name: string | undefined }
  | { readonly op: "occurrences" }
  | { readonly op: "pause" | "resume" | "backlog"; readonly names: readonly string[] }
  | { readonly op: "paused" }
  | { readonly op: "prune" }
  | { readonly op: "stop" }
  | KvOp
  | {
      readonly op: "transaction";
      readonly steps: readonly SqlStep[];
      readonly jobs: readonly NewJob[];
      readonly writes: readonly KvWrite[];
    };

/** One step on a short-lived record. `mostRecords`: how many there may be. */
export type KvOp = { readonly op: "kv"; readonly key: string; readonly mostRecords: number } & (
  | { readonly verb: "get" }
  | { readonly verb: "set"; readonly write: KvWrite }
  | { readonly verb: "delete"; readonly version: number | undefined }
  | { readonly verb: "advance"; readonly byMs: number; readonly mostMs: number }
);

/** `full`: there is no room but for what must not be dropped. */
export type KvReply =
  | { readonly entry: KvEntry | undefined }
  | { readonly version: number | undefined }
  | { readonly deleted: boolean }
  | { readonly advanced: KvAdvanced }
  | { readonly full: true };

export interface Batch {
  readonly kind: "batch";
  readonly number: number;
  readonly now: number;
  readonly arenas: readonly Arena[];
  /** Names told for the first time; the first has number `namesFrom`. */
  readonly namesFrom: number;
  readonly names: readonly string[];
  /** One for each of `names`, like `attempts`. */
  readonly policies: readonly (JobPolicy | undefined)[];
  readonly attempts: readonly number[];
  readonly ops: readonly Op[];
  /** Pairs of name number and credit. */
  readonly grants: readonly number[];
}

export interface WriterOptions {
  readonly path: string;
  readonly durability: "full" | "normal";
  readonly migrations: readonly string[];
  readonly retention: Retention;
  readonly maxPageCount: number | undefined;
  readonly lockWaitMs: number;
  readonly pid: number;
  readonly now: number;
  /** How the file is shared with other processes. */
  readonly shared: Shared;
  readonly leaseMs: number;
  /** Added to the thread's own. */
  readonly nice: number;
}

/** `visit`: joins the owner where there is one, and is none for others. */
export type Shared = "no" | "yes" | "visit";

export type ToWriter =
  | Batch
  | {
      readonly kind: "recover";
      readonly now: number;
      readonly attempts: readonly number[];
      readonly policies: readonly (JobPolicy | undefined)[];
    }
  /** The calling thread has heard that the owner was lost: what it sends from now on is for the next one. */
  | { readonly kind: "heard" }
  | { readonly kind: "close"; readonly now: number };

/** What became of the jobs of one section: ids follow from the first, or are listed when the section was special. */
export interface JobsReply {
  readonly first: number;
  readonly ids?: Float64Array;
  readonly duplicates?: Uint8Array;
}

export type OpReply =
  | undefined
  | "settled"
  | "stale"
  | number
  | { readonly state: JobState; readonly running?: boolean }
  | { readonly kv: KvReply }
  | { readonly full: number }
  | { readonly receipts: readonly EnqueueReceipt[] }
  | { readonly notes: readonly JobNote[] }
  | { readonly dependencies: readonly DependencyRecord[] }
  | { readonly record: JobRecord }
  | { readonly records: readonly JobRecord[] }
  | { readonly counts: JobCounts }
  | { readonly paused: readonly string[] }
  | { readonly backlog: Backlog }
  | { readonly occurrences: readonly (readonly [string, number])[] }
  | {
      readonly changes: readonly SqlChanges[];
      readonly receipts: readonly { readonly id: string; readonly duplicate: boolean }[];
    }
  | { readonly rejected: string; readonly sqlCode: number }
  /** A read failed; why. */
  | { readonly unread: string };

/** What is known of a transaction's fate. */
export type TransactionReply =
  | { readonly changes: readonly SqlChanges[]; readonly receipts: readonly EnqueueReceipt[] }
  | { readonly rejected: string; readonly sqlCode: number };

export interface BatchReply {
  readonly number: number;
  /** Set when nothing of the batch was kept. */
  readonly fault?: string;
  /** Set when the jobs and transactions of the batch were not kept, while everything else was. */
  readonly growthFault?: string;
  readonly jobs: readonly JobsReply[];
  /** Pairs of section number (counting success sections) and place in it. */
  readonly stale: readonly number[];
  readonly ops: readonly OpReply[];
}

/** Claimed jobs: `ranges` holds, six numbers each: lane's name number, priority, block's first seq, first index, count, enqueuedAt. */
export interface ClaimReply {
  readonly claim: number;
  readonly ranges: Float64Array;
  readonly bytes: ArrayBuffer;
  /** Slots of jobs that have notes, counted from the first job here. */
  readonly noted?: readonly number[];
  /** The slot of the first job; 0 when absent. Where processes share a file, each has a part of the claim. */
  readonly slot?: number;
}

export interface CommitReply {
  readonly kind: "committed";
  readonly batches: readonly BatchReply[];
  readonly claim: ClaimReply | undefined;
  readonly arenas: readonly ArrayBuffer[];
  readonly waiting: number;
  /** Wall-clock milliseconds at which the writer wants to be woken, or Infinity. */
  readonly wakeAt: number;
  readonly trouble: string | undefined;
  /** Jobs that were cancelled because one that they depend on failed. */
  readonly abandoned?: readonly number[];
  /** What processes ran that are gone. */
  readonly crashed?: readonly CrashedJobs[];
  /** Set while the write-ahead log is longer than it should be. */
  readonly longLog?: string;
  readonly commits: number;
}

/** Something that another process of the file has done. */
export type Notice =
  /** A job that this process runs is to be cancelled. */
  | { readonly kind: "cancel"; readonly id: string }
  /** A process is gone, and what it ran is to be given back: what is the time? */
  | { readonly kind: "tick" }
  /** These jobs may have ended; undefined: any. */
  | { readonly kind: "ended"; readonly ids: readonly string[] | undefined };

export type FromWriter =
  | CommitReply
  | Notice
  /** The owner of the file is gone, or unheard; `opened` follows when there is one again. */
  | { readonly kind: "lost"; readonly reason: string }
  /** Names whose jobs were running, and all that the file knows. */
  | { readonly kind: "names"; readonly names: readonly string[]; readonly known: readonly string[] }
  | {
      readonly kind: "opened";
      readonly epoch: number;
      readonly waiting: number;
      readonly wakeAt: number;
      readonly crashed: readonly CrashedJobs[];
      /** The file is another process's. */
      readonly guest: boolean;
    }
  | { readonly kind: "refused"; readonly reason: string; readonly programming: boolean }
  | { readonly kind: "closed" };
