/**
 * What happened in a run with several workers, as somebody sees it who stands at the store's door: every call, what the store did with it, what the
 * caller heard of that, every claim, every attempt. `check.ts` judges it. The simulation and the chaos with real processes write the same history.
 */
import type { Fence, JobId, JobRecord, NewJob, Settlement, SettleReceipt } from "../../src/jobs/index.ts";

/** One life of one worker process: `w1.2` is the second life of `w1`. */
export type WorkerLife = string;

export type Verb = "enqueue" | "settle" | "cancel" | "retry" | "signal" | "note" | "pause" | "resume";

/** What a call asked for, as far as the checker wants to know. */
export interface Asked {
  readonly jobs?: readonly AskedJob[];
  readonly settlements?: readonly AskedSettlement[];
  readonly id?: JobId;
  /** Of a signal, of notes, or of what is paused. */
  readonly names?: readonly string[];
  readonly fence?: Fence;
  /** Of a signal. */
  readonly value?: string;
}

export type AskedJob = Pick<
  NewJob,
  "name" | "key" | "uniqueKey" | "unique" | "tenant" | "occurrence" | "after" | "runAt" | "delayMs"
>;

export interface AskedSettlement {
  readonly id: JobId;
  readonly fence: Fence;
  readonly attempt: number;
  readonly to: Settlement["to"];
  /** Of a retry or a snooze. */
  readonly runAt?: number;
}

/** What the store answered, whether or not the caller heard it. */
export interface Done {
  readonly ids?: readonly { readonly id: JobId; readonly duplicate: boolean }[];
  readonly receipts?: readonly SettleReceipt[];
  readonly state?: string | undefined;
}

export interface Claim {
  readonly id: JobId;
  readonly name: string;
  readonly key?: string | undefined;
  readonly attempt: number;
  readonly fence: Fence;
}

export type HistoryEvent = { readonly at: number } & (
  | {
      readonly kind: "call";
      readonly call: number;
      readonly worker: WorkerLife;
      readonly verb: Verb;
      /** The store's wall clock when the call was made, where that is known. */
      readonly wall?: number;
      readonly asked: Asked;
    }
  | { readonly kind: "done"; readonly call: number; readonly done: Done }
  /** The caller has its answer. `ok` false: it heard that nothing was kept, which is a lie when the store has done it. */
  | { readonly kind: "answered"; readonly call: number; readonly ok: boolean }
  | {
      readonly kind: "claimed";
      readonly worker: WorkerLife;
      /** The wall clock by which the store made them, where that is known. */
      readonly wall?: number;
      readonly claims: readonly Claim[];
    }
  | { readonly kind: "began"; readonly worker: WorkerLife; readonly id: JobId; readonly attempt: number }
  | { readonly kind: "step"; readonly worker: WorkerLife; readonly id: JobId; readonly name: string }
  /** A wait for a signal has ended in the handler. Without a value it has timed out. */
  | {
      readonly kind: "heard";
      readonly worker: WorkerLife;
      readonly id: JobId;
      readonly name: string;
      readonly value?: string | undefined;
    }
  /** From here on this life may have lost what it had claimed: it crashed, stood still for longer than a lease, or clocks moved. */
  | {
      readonly kind: "lost";
      readonly worker: WorkerLife;
      /** Of whose loss it was told now; it may have lost them long before. */
      readonly ids?: readonly JobId[];
      /** That time (of `at`) is over in which it may have lost things, also what it claimed meanwhile. */
      readonly since?: number;
      readonly why: string;
    }
  | { readonly kind: "fault"; readonly what: string }
  /** The store's wall clock was put forward, or back. */
  | { readonly kind: "clock"; readonly by: number }
  /** Something threw that should not. */
  | { readonly kind: "defect"; readonly what: string }
  | { readonly kind: "final"; readonly records: readonly JobRecord[] }
);

/** What the run promised to keep, by job name. */
export interface Promised {
  readonly maxAttempts: number;
  /** At most so many of one key at a time. */
  readonly perKey?: number;
  /** Of one key one after the other, in the order of their enqueueing. */
  readonly ordered?: boolean;
  /** At most so many of the name at a time. */
  readonly concurrency?: number;
  /** Starts of the name, or of one key of it, are no closer than that. */
  readonly rate?: { readonly limit: number; readonly periodMs: number; readonly of: "name" | "key" };
  /** Tenants take turns. */
  readonly turns?: boolean;
}

export type Promises = (name: string) => Promised;

export function isEnd(to: string): boolean {
  return to === "succeeded" || to === "failed" || to === "cancelled";
}
