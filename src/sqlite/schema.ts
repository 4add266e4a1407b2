/**
 * The tables of the store as they are made, and the steps from one version of them to the next. A new file takes every step as well, so that there is
 * one way to each version. Only ever add a step to the end.
 */
import type { DatabaseSync } from "node:sqlite";
import { flowSchema } from "./flow-tables.ts";
import { packRanges } from "./tables.ts";

/** The tables of a file of version 1. What later versions add stands below: a new file gets all of them, an older one those that it lacks. */
const version1 = `
CREATE TABLE tensile_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tensile_name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE tensile_block (seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, flags INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE tensile_live (lane INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (lane, seq)) WITHOUT ROWID;
CREATE TABLE tensile_claim (block INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, epoch INTEGER NOT NULL, claim INTEGER NOT NULL, PRIMARY KEY (block, lo)) WITHOUT ROWID;
CREATE TABLE tensile_outcome (n INTEGER PRIMARY KEY, block INTEGER NOT NULL, lane INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL, ranges BLOB NOT NULL, results BLOB);
CREATE INDEX tensile_outcome_block ON tensile_outcome (block);
CREATE TABLE tensile_placed (id INTEGER PRIMARY KEY, block INTEGER NOT NULL);
CREATE TABLE tensile_parked (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL, attempt INTEGER NOT NULL, enqueued INTEGER NOT NULL, key TEXT, payload BLOB NOT NULL);
CREATE INDEX tensile_parked_at ON tensile_parked (state, at);
CREATE INDEX tensile_parked_list ON tensile_parked (state, lane, id);
CREATE TABLE tensile_error (id INTEGER NOT NULL, n INTEGER NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, data TEXT, PRIMARY KEY (id, n)) WITHOUT ROWID;
CREATE TABLE tensile_unique (name INTEGER NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID;
CREATE TABLE tensile_occurrence (schedule TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tensile_migration (number INTEGER PRIMARY KEY, hash TEXT NOT NULL, at INTEGER NOT NULL);
`;

const version2 = `
ALTER TABLE tensile_parked ADD COLUMN job_key TEXT;
ALTER TABLE tensile_parked ADD COLUMN tenant TEXT;
ALTER TABLE tensile_unique ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tensile_unique ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tensile_unique_held ON tensile_unique (held) WHERE done = 1;
${flowSchema}`;

/** Step `i` leads to version `i + 1`. */
const versions: readonly ((db: DatabaseSync) => void)[] = [
  (db) => db.exec(version1),
  (db) => db.exec(version2),
  packClaims,
];

/** Of the tables that this program makes. */
export const tablesVersion = versions.length;

/** Came after version 1: made where it is missing, and of no concern to a program that does not know it. */
const kvSchema = `
CREATE TABLE IF NOT EXISTS tensile_kv (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, version INTEGER NOT NULL, ends REAL NOT NULL, pinned INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS tensile_kv_ends ON tensile_kv (ends);
`;

/** Creates the tables in a new file, and those that an older file lacks; refuses a file that a later version has written. */
export function createTables(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tensile_meta'").get() !== undefined;
    const version = known ? db.prepare("SELECT value FROM tensile_meta WHERE key = 'version'").get()?.["value"] : 0;
    if (typeof version !== "number" || version > versions.length) {
      throw new Error(
        `its tables have version ${String(version)}, this program knows version ${versions.length}; run the program that wrote it, or a newer one`,
      );
    }
    for (const step of versions.slice(version)) step(db);
    db.prepare("INSERT OR REPLACE INTO tensile_meta VALUES ('version', ?)").run(versions.length);
    db.exec(kvSchema);
    db.exec("COMMIT");
  } catch (thrown) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw thrown;
  }
}

/** To version 3: a claim has one row per block, with all its ranges. */
function packClaims(db: DatabaseSync): void {
  const rows = db
    .prepare("SELECT block, claim, epoch, lo, hi FROM tensile_claim ORDER BY block, epoch, claim, lo")
    .all();
  const packed = new Map<string, { readonly row: (typeof rows)[number]; readonly pairs: number[] }>();
  for (const row of rows) {
    const id = `${row["block"]} ${row["epoch"]} ${row["claim"]}`;
    const pairs = packed.get(id)?.pairs ?? [];
    pairs.push(Number(row["lo"]), Number(row["hi"]));
    packed.set(id, { row, pairs });
  }
  db.exec(`
    DROP TABLE tensile_claim;
    CREATE TABLE tensile_claim (block INTEGER NOT NULL, claim INTEGER NOT NULL, epoch INTEGER NOT NULL, ranges BLOB NOT NULL, PRIMARY KEY (block, claim, epoch)) WITHOUT ROWID;
    CREATE INDEX tensile_parked_key ON tensile_parked (lane / 10, job_key, id) WHERE job_key IS NOT NULL AND state NOT IN (1, 2);
    CREATE TABLE tensile_paused (name TEXT PRIMARY KEY) WITHOUT ROWID;
  `);
  const insert = db.prepare("INSERT INTO tensile_claim VALUES (?, ?, ?, ?)");
  for (const { row, pairs } of packed.values())
    insert.run(row["block"] ?? 0, row["claim"] ?? 0, row["epoch"] ?? 0, packRanges(pairs));
}
