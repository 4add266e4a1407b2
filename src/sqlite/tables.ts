/**
 * The tables of the store and every statement on them. A job rests in a block row with its neighbours; only what retries, fails, waits for a
 * time, is unique or is cancelled has rows of its own. No block row is ever updated: what happened to its jobs is appended to `outcome`.
 */
import { must } from "./must.ts";
import type { DatabaseSync, SQLInputValue, StatementResultingChanges } from "node:sqlite";
import { flowStatements, type FlowRows } from "./flow-tables.ts";

/** Parked jobs' states as stored. */
export const parkedStates = ["scheduled", "failed", "cancelled", "waiting"] as const;
export type ParkedState = (typeof parkedStates)[number];

export const blockMoved = 1;
export const blockKeyed = 2;
/** Some entry has a key of limits and order. */
export const blockLimited = 4;
export const blockTenants = 8;
/** Some key of the block is given up when its job starts. */
export const blockStarting = 64;
/** Length that stands for «no result». */
export const noResult = 0xffff_ffff;
/** Stands for the time of a parked job that waits for none. */
export const noTime = Number.MAX_SAFE_INTEGER;
export const outcomeSucceeded = 0;
export const outcomeGone = 1;

const statements = {
  ...flowStatements,

  kvGet: "SELECT value, version, ends FROM tensile_kv WHERE key = ?",
  kvPut:
    "INSERT INTO tensile_kv VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, ends = excluded.ends, pinned = excluded.pinned",
  kvDelete: "DELETE FROM tensile_kv WHERE key = ?",
  kvExpire:
    "DELETE FROM tensile_kv WHERE rowid IN (SELECT rowid FROM tensile_kv WHERE ends <= ? ORDER BY ends LIMIT ?)",
  kvEvict:
    "DELETE FROM tensile_kv WHERE rowid IN (SELECT rowid FROM tensile_kv WHERE pinned = 0 AND key <> ? ORDER BY ends LIMIT 1)",
  kvCount: "SELECT count(*) AS n FROM tensile_kv",

  getMeta: "SELECT value FROM tensile_meta WHERE key = ?",
  setMeta: "INSERT INTO tensile_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  allNames: "SELECT id, name FROM tensile_name ORDER BY id",
  insertName: "INSERT INTO tensile_name (name) VALUES (?)",

  insertBlock: "INSERT INTO tensile_block VALUES (?, ?, ?, ?, ?, ?)",
  getBlock: "SELECT seq, lane, n, at, flags, body FROM tensile_block WHERE seq = ?",
  blockFlags: "SELECT flags FROM tensile_block WHERE seq = ?",
  getBody: "SELECT body FROM tensile_block WHERE seq = ?",
  blockAtOrBefore: "SELECT seq, lane, n, flags FROM tensile_block WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
  blocksAfter: "SELECT seq, lane, n, at, flags, body FROM tensile_block WHERE seq > ? ORDER BY seq LIMIT ?",
  // The body is the last column, and stays unread where the lane is another's.
  blocksOfLanes:
    "SELECT seq, lane, n, at, flags, body FROM tensile_block WHERE seq > ? AND lane BETWEEN ? AND ? ORDER BY seq LIMIT ?",
  firstBlock: "SELECT min(seq) AS seq FROM tensile_block",
  deleteBlock: "DELETE FROM tensile_block WHERE seq = ?",

  insertLive: "INSERT INTO tensile_live VALUES (?, ?, ?)",
  setLive: "UPDATE tensile_live SET n = ? WHERE lane = ? AND seq = ?",
  deleteLive: "DELETE FROM tensile_live WHERE lane = ? AND seq = ?",
  isLive: "SELECT 1 AS one FROM tensile_live WHERE lane = ? AND seq = ?",
  firstLive:
    "SELECT l.seq, b.at FROM tensile_live l JOIN tensile_block b ON b.seq = l.seq WHERE l.lane = ? AND l.seq > ? ORDER BY l.seq LIMIT 1",
  liveAfter: "SELECT seq FROM tensile_live WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
  liveTotals: "SELECT lane, sum(n) AS n FROM tensile_live GROUP BY lane",

  insertClaim: "INSERT INTO tensile_claim VALUES (?, ?, ?, ?)",
  claimsOf: "SELECT ranges FROM tensile_claim WHERE block = ?",
  deleteClaims: "DELETE FROM tensile_claim WHERE block = ?",
  claimedBlocks: "SELECT DISTINCT block FROM tensile_claim ORDER BY block DESC LIMIT ?",
  claimedNames: "SELECT DISTINCT b.lane / 10 AS id FROM tensile_claim c JOIN tensile_block b ON b.seq = c.block",

  insertOutcome:
    "INSERT INTO tensile_outcome (block, lane, kind, count, at, ranges, results) VALUES (?, ?, ?, ?, ?, ?, ?)",
  outcomesOf: "SELECT n, kind, count, at, ranges, results FROM tensile_outcome WHERE block = ? ORDER BY n",
  deleteOutcomes: "DELETE FROM tensile_outcome WHERE block = ?",
  succeededTotals: "SELECT lane, sum(count) AS n FROM tensile_outcome WHERE kind = 0 GROUP BY lane",
  oldestSucceeded:
    "SELECT n, block, lane, count, at, ranges FROM tensile_outcome WHERE n > ? AND kind = 0 ORDER BY n LIMIT 1",
  resultsOf: "SELECT results FROM tensile_outcome WHERE n = ?",
  keptOf: "SELECT 1 AS one FROM tensile_outcome WHERE block = ? AND kind = 0 LIMIT 1",
  forgetOutcome: "UPDATE tensile_outcome SET kind = 1, results = NULL WHERE n = ?",
  shrinkOutcome: "UPDATE tensile_outcome SET count = ?, ranges = ?, results = ? WHERE n = ?",

  setPlaced: "INSERT INTO tensile_placed VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET block = excluded.block",
  getPlaced: "SELECT block FROM tensile_placed WHERE id = ?",
  placedAfter: "SELECT id, block FROM tensile_placed WHERE id > ? ORDER BY id LIMIT ?",
  deletePlaced: "DELETE FROM tensile_placed WHERE id = ?",

  insertParked:
    "INSERT INTO tensile_parked (id, lane, state, at, attempt, enqueued, key, payload, job_key, tenant) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  getParked:
    "SELECT id, lane, state, at, attempt, enqueued, key, payload, job_key AS jobKey, tenant FROM tensile_parked WHERE id = ?",
  olderOfKey:
    "SELECT 1 AS one FROM tensile_parked INDEXED BY tensile_parked_key WHERE lane / 10 = ? AND job_key = ? AND id < ? AND job_key IS NOT NULL AND state NOT IN (1, 2) LIMIT 1",
  pausedNames: "SELECT name FROM tensile_paused ORDER BY name",
  pauseName: "INSERT INTO tensile_paused VALUES (?) ON CONFLICT DO NOTHING",
  resumeName: "DELETE FROM tensile_paused WHERE name = ?",
  deleteParked: "DELETE FROM tensile_parked WHERE id = ?",
  dueParked:
    "SELECT id, lane, state, at, attempt, enqueued, key, payload, job_key AS jobKey, tenant FROM tensile_parked WHERE state = ? AND at <= ? ORDER BY at, id LIMIT ?",
  oldestParked: "SELECT id, lane, at FROM tensile_parked WHERE state = ? ORDER BY at LIMIT 1",
  parkedTotals: "SELECT lane, state, count(*) AS n FROM tensile_parked GROUP BY state, lane",
  parkedAfter:
    "SELECT id, lane, state, at, attempt, enqueued, key, payload, job_key AS jobKey, tenant FROM tensile_parked WHERE id > ? ORDER BY id LIMIT ?",
  parkedOfState:
    "SELECT id, lane, state, at, attempt, enqueued, key, payload, job_key AS jobKey, tenant FROM tensile_parked INDEXED BY tensile_parked_list WHERE state = ? AND lane = ? AND id > ? ORDER BY id LIMIT ?",

  insertError:
    "INSERT INTO tensile_error SELECT ?1, coalesce((SELECT max(n) FROM tensile_error WHERE id = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6",
  trimErrors: "DELETE FROM tensile_error WHERE id = ?1 AND n <= (SELECT max(n) FROM tensile_error WHERE id = ?1) - ?2",
  errorsOf: "SELECT attempt, at, code, message, data FROM tensile_error WHERE id = ? ORDER BY n",
  deleteErrors: "DELETE FROM tensile_error WHERE id = ?",

  recordOccurrence:
    "INSERT INTO tensile_occurrence VALUES (?, ?) ON CONFLICT (schedule) DO UPDATE SET at = excluded.at WHERE excluded.at > at",
  occurrences: "SELECT schedule, at FROM tensile_occurrence ORDER BY schedule",
} as const;

/** What the statements that are read give back. */
interface Rows extends FlowRows {
  kvGet: KvRow;
  kvCount: { n: number };
  getMeta: { value: number };
  allNames: { id: number; name: string };
  getBlock: BlockRow;
  blockFlags: { flags: number };
  getBody: { body: Uint8Array };
  blockAtOrBefore: { seq: number; lane: number; n: number; flags: number };
  blocksAfter: BlockRow;
  blocksOfLanes: BlockRow;
  firstBlock: { seq: number | null };
  firstLive: { seq: number; at: number };
  liveAfter: { seq: number };
  liveTotals: { lane: number; n: number };
  claimsOf: { ranges: Uint8Array };
  claimedBlocks: { block: number };
  claimedNames: { id: number };
  outcomesOf: OutcomeRow;
  succeededTotals: { lane: number; n: number };
  oldestSucceeded: OutcomeHead;
  resultsOf: { results: Uint8Array | null };
  getPlaced: { block: number };
  placedAfter: { id: number; block: number };
  getParked: ParkedRow;
  pausedNames: { name: string };
  dueParked: ParkedRow;
  oldestParked: { id: number; lane: number; at: number };
  parkedTotals: { lane: number; state: number; n: number };
  parkedAfter: ParkedRow;
  parkedOfState: ParkedRow;
  errorsOf: { attempt: number; at: number; code: string; message: string; data: string | null };
  occurrences: { schedule: string; at: number };
}

/** A prepared statement whose rows have a type. */
export interface Query<Row> {
  run(...params: SQLInputValue[]): StatementResultingChanges;
  get(...params: SQLInputValue[]): Row | undefined;
  all(...params: SQLInputValue[]): Row[];
}

export type Tables = { readonly [K in keyof typeof statements]: Query<K extends keyof Rows ? Rows[K] : unknown> };

export interface KvRow {
  readonly value: string;
  readonly version: number;
  readonly ends: number;
}

export interface BlockRow {
  readonly seq: number;
  readonly lane: number;
  readonly n: number;
  readonly at: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** An outcome without the results of its jobs. */
export interface OutcomeHead {
  readonly n: number;
  readonly block: number;
  readonly lane: number;
  readonly count: number;
  readonly at: number;
  readonly ranges: Uint8Array;
}

export interface OutcomeRow extends OutcomeHead {
  readonly kind: number;
  readonly results: Uint8Array | null;
}

export interface ParkedRow {
  readonly id: number;
  readonly lane: number;
  readonly state: number;
  readonly at: number;
  readonly attempt: number;
  readonly enqueued: number;
  readonly key: string | null;
  readonly payload: Uint8Array;
  readonly jobKey: string | null;
  readonly tenant: string | null;
}

export function prepareTables(db: DatabaseSync): Tables {
  const prepared = Object.entries(statements).map(([name, text]) => [name, db.prepare(text)] as const);
  // The types of rows are what the statements above say; SQLite knows them only at run time.
  return Object.fromEntries(prepared) as unknown as Tables;
}

/** Ranges of places in a block, as pairs [lo, hi). */
export function packRanges(pairs: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(pairs.length * 2);
  for (let i = 0; i < pairs.length; i++) bytes.writeUInt16LE(must(pairs[i]), i * 2);
  return bytes;
}

export function unpackRanges(bytes: Uint8Array): number[] {
  const pairs: number[] = [];
  for (let i = 0; i + 1 < bytes.length; i += 2) pairs.push(must(bytes[i]) | (must(bytes[i + 1]) << 8));
  return pairs;
}
