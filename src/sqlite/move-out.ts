/**
 * Everything that a file keeps, for another store. Reads one snapshot through a connection of its own, so that the process that owns the file goes on
 * meanwhile: its write-ahead log grows as long as this takes.
 */
import { DatabaseSync } from "node:sqlite";
import type { JobRecord, MovedJob, MoveRecord } from "../jobs/index.ts";
import type { Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { listRecords, readKeyText } from "./reading.ts";
import { emptyCore, loadCore } from "./recovery.ts";
import { tablesVersion } from "./schema.ts";
import { uniqueScopeOf } from "./unique-key.ts";

const nothing = { ageMs: Infinity, count: Infinity };
const keepAll = { succeeded: nothing, failed: nothing, cancelled: nothing };

/** Pages in the order of ids, then occurrences and pauses. */
export async function* exportFile(path: string): AsyncGenerator<readonly MoveRecord[]> {
  const db = new DatabaseSync(path, { readOnly: true, timeout: limits.lockWaitMs });
  try {
    db.exec("BEGIN");
    checkVersion(db, path);
    const core = emptyCore(db, keepAll);
    loadCore(core);
    yield* jobPages(core);
    yield occurrences(core);
  } finally {
    db.close();
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
    ...(unique !== undefined && { unique }),
    ...(notes.length > 0 && { notes: notes.map(({ name, value }) => ({ name, value })) }),
  };
}

function occurrences(core: Core): readonly MoveRecord[] {
  return core.sql.occurrences.all().map(({ schedule, at }) => ({ type: "occurrence", schedule, at }));
}
