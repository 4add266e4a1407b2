/**
 * The tables of version 2 that hold what jobs wait for and what they keep between their runs, and every statement on them.
 *
 *   tensile_wait        a job in state `waiting`: how many jobs it still waits for, or the name of its signal
 *   tensile_dependency  a job and one that it named; `open` until the end of that one has reached it
 *   tensile_ended       a job that others named and that has ended: what they may ask of it, also when retention has removed it;
 *                       `told` is 0 until all of its dependents have heard of it
 *   tensile_note        what a job keeps; its progress has number 0
 */
export const flowSchema = `
CREATE TABLE tensile_wait (id INTEGER PRIMARY KEY, pending INTEGER NOT NULL, wants INTEGER NOT NULL, run_at INTEGER, signal TEXT);
CREATE TABLE tensile_dependency (child INTEGER NOT NULL, n INTEGER NOT NULL, parent INTEGER NOT NULL, open INTEGER NOT NULL, PRIMARY KEY (child, n)) WITHOUT ROWID;
CREATE INDEX tensile_dependency_parent ON tensile_dependency (parent, open, child);
CREATE TABLE tensile_ended (id INTEGER PRIMARY KEY, name INTEGER, state INTEGER NOT NULL, result TEXT, told INTEGER NOT NULL);
CREATE INDEX tensile_ended_untold ON tensile_ended (id) WHERE told = 0;
CREATE TABLE tensile_note (id INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id, n)) WITHOUT ROWID;
CREATE UNIQUE INDEX tensile_note_name ON tensile_note (id, name);
`;

export const flowStatements = {
  insertWait: "INSERT INTO tensile_wait VALUES (?, ?, ?, ?, ?)",
  getWait: "SELECT pending, wants, run_at AS runAt, signal FROM tensile_wait WHERE id = ?",
  setPending: "UPDATE tensile_wait SET pending = ? WHERE id = ?",
  deleteWait: "DELETE FROM tensile_wait WHERE id = ?",

  insertDependency: "INSERT INTO tensile_dependency VALUES (?, ?, ?, ?)",
  anyDependency: "SELECT 1 AS one FROM tensile_dependency LIMIT 1",
  dependenciesOf:
    "SELECT d.parent, e.name, e.state, e.result FROM tensile_dependency d LEFT JOIN tensile_ended e ON e.id = d.parent WHERE d.child = ? ORDER BY d.n",
  deleteDependencies: "DELETE FROM tensile_dependency WHERE child BETWEEN ? AND ?",
  isNamed: "SELECT 1 AS one FROM tensile_dependency WHERE parent BETWEEN ? AND ? LIMIT 1",
  openDependents: "SELECT child FROM tensile_dependency WHERE parent = ? AND open = 1 ORDER BY child LIMIT ?",
  closeDependency: "UPDATE tensile_dependency SET open = 0 WHERE parent = ? AND open = 1 AND child = ?",

  putEnded:
    "INSERT INTO tensile_ended VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, result = excluded.result, told = excluded.told",
  keepEnded: "INSERT INTO tensile_ended VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
  nextUntold: "SELECT id, name, state, result FROM tensile_ended WHERE told = 0 ORDER BY id LIMIT 1",
  setTold: "UPDATE tensile_ended SET told = 1 WHERE id = ?",
  deleteEnded: "DELETE FROM tensile_ended WHERE id = ?",
  dropEnded:
    "DELETE FROM tensile_ended WHERE id IN (SELECT parent FROM tensile_dependency WHERE child BETWEEN ?1 AND ?2) AND NOT EXISTS (SELECT 1 FROM tensile_dependency d WHERE d.parent = tensile_ended.id AND d.child NOT BETWEEN ?1 AND ?2)",

  anyNote: "SELECT 1 AS one FROM tensile_note LIMIT 1",
  putNote:
    "INSERT INTO tensile_note SELECT ?1, coalesce((SELECT max(n) FROM tensile_note WHERE id = ?1), 0) + 1, ?2, ?3 WHERE true ON CONFLICT (id, name) DO UPDATE SET value = excluded.value",
  putSignal:
    "INSERT INTO tensile_note SELECT ?1, coalesce((SELECT max(n) FROM tensile_note WHERE id = ?1), 0) + 1, ?2, ?3 WHERE true ON CONFLICT (id, name) DO NOTHING",
  putProgress: "INSERT INTO tensile_note VALUES (?, 0, '', ?) ON CONFLICT (id, n) DO UPDATE SET value = excluded.value",
  countNotes: "SELECT count(*) AS n FROM tensile_note WHERE id = ?",
  notesOf: "SELECT name, value FROM tensile_note WHERE id = ? AND n > 0 ORDER BY n",
  progressOf: "SELECT value FROM tensile_note WHERE id = ? AND n = 0",
  hasNote: "SELECT 1 AS one FROM tensile_note WHERE id = ? AND name = ?",
  hasNotes: "SELECT 1 AS one FROM tensile_note WHERE id BETWEEN ? AND ? AND n > 0 LIMIT 1",
  deleteNotes: "DELETE FROM tensile_note WHERE id BETWEEN ? AND ?",

  takeKey:
    "INSERT INTO tensile_unique VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT (name, key) DO UPDATE SET id = excluded.id, held = excluded.held, done = 0 WHERE done = 1 AND (held <= ?5 OR id = excluded.id)",
  holderOfKey: "SELECT id, held, done FROM tensile_unique WHERE name = ? AND key = ?",
  freeKey: "DELETE FROM tensile_unique WHERE name = ?1 AND key = ?2 AND id = ?3 AND held <= ?4",
  holdByTime: "UPDATE tensile_unique SET done = 1 WHERE name = ? AND key = ? AND id = ?",
  expireKeys:
    "DELETE FROM tensile_unique WHERE (name, key) IN (SELECT name, key FROM tensile_unique WHERE done = 1 AND held <= ? ORDER BY held LIMIT ?)",
  nextHeld: "SELECT held FROM tensile_unique WHERE done = 1 ORDER BY held LIMIT 1",
} as const;

/** An id; what cannot be one stays as it was said, with a question mark in front. */
export type ParentRef = number | `?${string}`;

/** What the statements that are read give back. */
export interface FlowRows {
  getWait: WaitRow;
  anyDependency: { one: number };
  /** All null but the first: its end has reached nobody. */
  dependenciesOf: { parent: ParentRef; name: number | null; state: number | null; result: string | null };
  isNamed: { one: number };
  openDependents: { child: number };
  nextUntold: EndedRow;
  anyNote: { one: number };
  countNotes: { n: number };
  notesOf: { name: string; value: string };
  progressOf: { value: string };
  hasNote: { one: number };
  hasNotes: { one: number };
  holderOfKey: { id: number; held: number; done: number };
  nextHeld: { held: number };
}

export interface EndedRow {
  readonly id: number;
  /** Null: no job had this id. */
  readonly name: number | null;
  readonly state: number;
  readonly result: string | null;
}

export interface WaitRow {
  /** Jobs that it still waits for; 0 where it waits for a signal. */
  readonly pending: number;
  /** `wantsSuccess` or `wantsEnd`. */
  readonly wants: number;
  readonly runAt: number | null;
  readonly signal: string | null;
}

export const wantsSuccess = 0;
export const wantsEnd = 1;

/** States of an ended job as stored. */
export const endedStates = ["succeeded", "failed", "cancelled"] as const;
export type EndedState = (typeof endedStates)[number];
