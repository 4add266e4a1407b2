/**
 * Everything that a file keeps, for another store. Reads one snapshot through a connection of its own, so that the process that owns the file goes on
 * meanwhile: its write-ahead log grows as long as this takes.
 */
import { DatabaseSync } from "node:sqlite";
import { ok } from "../core/index.ts";
import type { JobCounts, JobRecord, JobState, MovedJob, MoveRecord, StoreInspection } from "../jobs/index.ts";
import { stateNumber, type Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { waitOf } from "./move-waits.ts";
import { listRecords, readKeyText, readRecord } from "./reading.ts";
import { emptyCore, loadCore } from "./recovery.ts";
import { tablesVersion } from "./schema.ts";
import { uniqueScopeOf } from "./unique-key.ts";

const nothing = { ageMs: Infinity, count: Infinity };
const keepAll = { succeeded: nothing, failed: nothing, cancelled: nothing };

/** One snapshot of a file, also of one that another process has open. Throws where it is no store. */
function readSnapshot(path: string): Core {
  const db = new DatabaseSync(path, { readOnly: true, timeout: limits.lockWaitMs });
  try {
    db.exec("BEGIN");
    checkVersion(db, path);
    const core = emptyCore(db, keepAll);
    loadCore(core);
    return core;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/** Pages in the order of ids, then occurrences and pauses. */
export async function* exportFile(path: string): AsyncGenerator<readonly MoveRecord[]> {
  const core = readSnapshot(path);
  try {
    yield* jobPages(core);
    yield occurrences(core);
    yield paused(core);
  } finally {
    core.db.close();
  }
}

/** The store as it was when this was called. */
export function inspectFile(path: string): StoreInspection {
  const core = readSnapshot(path);
  return {
    get: async (id) => ok(readRecord(core, id)),
    list: async (filter) => ok(listRecords(core, filter)),
    counts: async (name) => ok(readCounts(core, name)),
    close: async () => core.db.close(),
  };
}

function readCounts(core: Core, name: string | undefined): JobCounts {
  const counts = name === undefined ? core.totals : core.names.get(name)?.counts;
  const of = (state: JobState): number => counts?.[stateNumber[state]] ?? 0;
  const running = countRunning(core, name);
  return {
    waiting: of("waiting"),
    scheduled: of("scheduled"),
    // What is claimed has not left its block, which is what was counted.
    ready: of("ready") - running,
    running,
    succeeded: of("succeeded"),
    failed: of("failed"),
    cancelled: of("cancelled"),
  };
}

/** Running jobs are few. */
function countRunning(core: Core, name: string | undefined): number {
  let running = 0;
  for (let after = "0"; ;) {
    const page = listRecords(core, {
      state: "running",
      after,
      limit: limits.listRecords,
      ...(name !== undefined && { name }),
    });
    running += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < limits.listRecords) return running;
    after = last.id;
  }
}

function checkVersion(db: DatabaseSync, path: string): void {
  const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tensile_meta'").get() !== undefined;
  const version = known
    ? db.prepare("SELECT value FROM tensile_meta WHERE key = 'version'").get()?.["value"]
    : undefined;
  if (version === tablesVersion) return;
  throw new TypeError(
    version === undefined
      ? `${path} is not a store of Tensile.`
      : `${path} has tables of version ${String(version)}, and this program reads version ${tablesVersion}. Run an app of this version on it once, or export it with the version that wrote it.`,
  );
}

function* jobPages(core: Core): Generator<readonly MoveRecord[]> {
  let after = "0";
  for (;;) {
    const page = listRecords(core, { after, limit: limits.listRecords });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page.map((record) => ({ type: "job", job: movedJob(core, record) }));
    after = last.id;
  }
}

/** What the record does not say. */
function movedJob(core: Core, record: JobRecord): MovedJob {
  const id = Number(record.id);
  const key = record.uniqueKey === undefined ? undefined : readKeyText(core, record.id);
  const unique = key === undefined ? undefined : uniqueScopeOf(key);
  const notes = core.sql.notesOf.all(id);
  return {
    ...record,
    ...waitOf(core, record),
    ...(unique !== undefined && { unique }),
    ...(notes.length > 0 && { notes: notes.map(({ name, value }) => ({ name, value })) }),
  };
}

function paused(core: Core): readonly MoveRecord[] {
  const rows = core.db.prepare("SELECT name FROM tensile_paused ORDER BY name").all();
  return rows.map(({ name }) => ({ type: "paused", name: String(name) }));
}

function occurrences(core: Core): readonly MoveRecord[] {
  return core.sql.occurrences.all().map(({ schedule, at }) => ({ type: "occurrence", schedule, at }));
}
