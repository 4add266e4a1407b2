/** A file that an earlier version of the store has written is brought up to date when it is opened, and nothing of it is lost. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import { sqlite } from "./index.ts";

const kept = { ageMs: 4_000_000_000_000, count: 1_000 };
const options = {
  retention: { succeeded: kept, failed: kept, cancelled: kept },
  maxWaiting: 1_000,
  maxAttempts: () => 3,
};

/** What version 1 made, as it was written in 0.1.0, with a job in each kind of place: ready, scheduled with a unique key, failed, running. */
const version1 = `
PRAGMA journal_mode = WAL;
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
INSERT INTO tensile_meta VALUES ('version', 1), ('next', 10), ('epoch', 4);
INSERT INTO tensile_name VALUES (1, 'a');
INSERT INTO tensile_block VALUES (1, 15, 1, 1000, 0, X'07000000003431'), (5, 15, 4, 1000, 0, X'07000000003435070000000034360700000000343707000000003438');
INSERT INTO tensile_claim VALUES (5, 0, 1, 4, 7), (5, 2, 4, 4, 7);
INSERT INTO tensile_live VALUES (15, 1, 1), (15, 5, 4);
INSERT INTO tensile_parked VALUES (2, 15, 0, 4000000000000, 1, 1000, 'k', X'3432'), (3, 15, 1, 2000, 2, 1000, NULL, X'3433');
INSERT INTO tensile_unique VALUES (1, 'k', 2);
`;

test("a file of version 1 is brought up to date at open: its jobs, keys, claims and attempts stay", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-versions-"));
  try {
    const path = join(folder, "jobs.db");
    const db = new DatabaseSync(path);
    db.exec(version1);
    db.close();
    const clock = manualClock();
    for (let round = 0; round < 2; round++) {
      const opened = await sqlite(path).open({ ...options, clock });
      assert.ok(opened.ok, opened.ok ? "" : opened.fault.message);
      const session = opened.value;
      const listed = await session.list({});
      assert.ok(listed.ok);
      assert.deepEqual(
        listed.value.map(({ id, state, attempt, payload, uniqueKey }) => [id, state, attempt, payload, uniqueKey]),
        [
          ["1", "ready", 0, "41", undefined],
          ["2", "scheduled", 1, "42", "k"],
          ["3", "failed", 2, "43", undefined],
          ["5", "ready", 1, "45", undefined],
          ["6", "ready", 0, "46", undefined],
          ["7", "ready", 1, "47", undefined],
          ["8", "ready", 1, "48", undefined],
        ],
      );
      const again = await session.enqueue([{ name: "a", priority: 5, payload: "0", uniqueKey: "k" }]);
      assert.ok(again.ok);
      assert.deepEqual(again.value, [{ id: "2", duplicate: true }]);
      await session.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
