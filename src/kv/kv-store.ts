/**
 * The seam for short-lived records: sessions, rate limits, stored answers. Narrow on purpose, so that memory, SQLite and
 * PostgreSQL can each do every verb in one atomic step. Values are text; every record has an end.
 *
 * Answers may come at once or as a promise: whoever calls handles both, so that a store in memory costs no promise.
 */
import type { Fault, MaybePromise, Result } from "../core/index.ts";

export interface KvEntry {
  readonly value: string;
  /** Another number after every write of this key, also after a deletion: what `if` compares. */
  readonly version: number;
}

export interface KvSetOptions {
  /** Milliseconds until the record is gone. */
  readonly ttlMs: number;
  /** Writes only when there is no record ("absent"), or when it still has this version. Default: always. */
  readonly if?: "absent" | number;
  /**
   * Never dropped to make room before its end: for leases, whose loss would let two do the same work. A store that is full of
   * pinned records refuses more with STORE_UNAVAILABLE. Default false.
   */
  readonly pinned?: boolean;
}

/** A `set` as a value: what a transaction can take along. */
export interface KvWrite extends KvSetOptions {
  readonly key: string;
  readonly value: string;
}

export interface KvAdvanced {
  readonly accepted: boolean;
  /** How far the value is ahead of the store's clock after this step, in milliseconds; at least 0. */
  readonly aheadMs: number;
}

/** The store cannot be reached, or has no room for what must not be dropped. Nothing was changed, as far as is known. */
export type KvFault = Fault<"STORE_UNAVAILABLE", { readonly reason: string }>;
export type KvResult<T> = MaybePromise<Result<T, KvFault>>;

/** Keys are 1 to 512 characters; a longer one, or a value over `maxValueChars`, is a mistake in the program: a TypeError. */
export interface KvStore {
  /** Longest value, in UTF-16 code units. */
  readonly maxValueChars: number;
  /** Undefined when there is no such record, or its time is over. */
  get(key: string): KvResult<KvEntry | undefined>;
  /** The version of what was written; undefined when `if` did not hold, and nothing was written. */
  set(key: string, value: string, options: KvSetOptions): KvResult<number | undefined>;
  /** Whether a record was deleted. `version`: only while it has this version. */
  delete(key: string, version?: number): KvResult<boolean>;
  /**
   * Moves a point in time forward: the one step of a rate limiter (GCRA's theoretical arrival time). From the stored point, or
   * from now when that is over, by `byMs`; accepted only if that is at most `mostMs` ahead of now, and a hundredth of a millisecond
   * for what rounding adds up. A refusal changes nothing.
   * A point that a clock stepped back has left too far ahead counts as `mostMs`. The record ends when its point is reached.
   * Keys of `advance` and keys of `set` are kept apart by their caller.
   */
  advance(key: string, byMs: number, mostMs: number): KvResult<KvAdvanced>;
}

/** Milliseconds since 1970 have a few ten-thousandths as their last digit. */
export const roundingMs = 0.01;

/** Characters of a key at most. */
const longestKey = 512;

/** @throws TypeError for a key or a value that no store takes. */
export function checkRecord(key: string, value: string, maxValueChars: number): void {
  if (key.length === 0 || key.length > longestKey)
    throw new TypeError(`A key of a store has 1 to ${longestKey} characters, not ${key.length}.`);
  if (value.length > maxValueChars)
    throw new TypeError(`A value of this store has at most ${maxValueChars} characters, not ${value.length}.`);
}
