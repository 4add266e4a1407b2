/** Everything that a database keeps, for another store: one snapshot, while the processes of the fleet go on. */
import { err, ok } from "../core/index.ts";
import {
  StoreUnavailable,
  type JobNote,
  type JobRecord,
  type MovedJob,
  type MoveRecord,
  type StoreInspection,
  type StoreResult,
  type UniqueScope,
} from "../jobs/index.ts";
import type { Connection } from "./connection.ts";
import { postgresLimits as limits } from "./limits.ts";
import { takeSnapshot, type MoveTarget, type Snapshot } from "./snapshot.ts";
import { reasonOf } from "./trouble.ts";

/** The store as it is when this is called. */
export async function inspectDatabase(at: MoveTarget): StoreResult<StoreInspection> {
  let snapshot: Snapshot;
  try {
    snapshot = await takeSnapshot(at);
  } catch (thrown) {
    return err(StoreUnavailable({ reason: reasonOf(thrown) }));
  }
  const { connection, paths } = snapshot;
  const ask = async <T>(asked: Promise<T>): StoreResult<T> => {
    try {
      const value = await asked;
      connection.check();
      return ok(value);
    } catch (thrown) {
      return err(StoreUnavailable({ reason: reasonOf(thrown) }));
    }
  };
  return ok<StoreInspection>({
    get: (id) => ask(paths.reads.get(id)),
    list: (filter) => ask(paths.reads.list(filter)),
    counts: (name) => ask(paths.reads.counts(name)),
    close: () => connection.close(),
  });
}

/** Pages in the order of ids, then occurrences and pauses. */
export async function* exportDatabase(at: MoveTarget): AsyncGenerator<readonly MoveRecord[]> {
  const snapshot = await takeSnapshot(at);
  const { connection, paths } = snapshot;
  try {
    for (let after: string | undefined = "0"; after !== undefined;) {
      const page: readonly JobRecord[] = await paths.reads.list({ after, limit: limits.moveRecords });
      const jobs = await movedJobs(snapshot, page);
      connection.check();
      yield jobs.map((job) => ({ type: "job", job }));
      after = page.at(-1)?.id;
    }
    const [occurrences, paused] = await Promise.all([paths.occurrences(), paths.paused()]);
    connection.check();
    yield [...occurrences].map(([schedule, time]) => ({ type: "occurrence", schedule, at: time }));
    yield paused.map((name) => ({ type: "paused", name }));
  } finally {
    await connection.close();
  }
}

/** What the record does not say. */
interface Rest {
  readonly id: number;
  readonly unique_scope: Buffer | null;
  readonly unique_window: number | null;
  readonly unique_until: number | null;
  readonly dep_mode: number | null;
  readonly signal: Buffer | null;
  readonly due: number | null;
}

const restOf = `
SELECT id, unique_scope, unique_window, unique_until, dep_mode, signal, due FROM tensile.job WHERE id = ANY($1::bigint[])
UNION ALL SELECT id, unique_scope, unique_window, unique_until, CASE WHEN depends THEN 2 END, NULL, NULL FROM tensile.history WHERE id = ANY($1::bigint[])`;

async function movedJobs({ connection, paths }: Snapshot, page: readonly JobRecord[]): Promise<readonly MovedJob[]> {
  if (page.length === 0) return [];
  const ids = `{${page.map(({ id }) => id).join(",")}}`;
  const { sql } = connection;
  const [rows, notes] = await Promise.all([sql.run<Rest>(restOf, [ids]), notesOf(sql, ids)]);
  const rest = new Map(rows.map((row) => [String(row.id), row]));
  return Promise.all(
    page.map(async (record): Promise<MovedJob> => {
      const more = rest.get(record.id);
      const depends = more !== undefined && more.dep_mode !== null;
      const jobs = depends ? await paths.dependencies(record.id) : [];
      const kept = notes.get(record.id);
      return {
        ...record,
        ...uniqueOf(record, more),
        ...(kept !== undefined && { notes: kept }),
        ...(depends && { after: { jobs, on: more.dep_mode === 1 ? "succeeded" : "finished" } }),
        ...(record.state === "waiting" && waitOf(more)),
      };
    }),
  );
}

async function notesOf(sql: Connection, ids: string): Promise<ReadonlyMap<string, readonly JobNote[]>> {
  const rows = await sql.run<{ job: number; name: Buffer; value: Buffer }>(
    "SELECT job, name, value FROM tensile.note WHERE job = ANY($1::bigint[]) ORDER BY job, ord",
    [ids],
  );
  const notes = new Map<string, JobNote[]>();
  for (const { job, name, value } of rows) {
    const note = { name: name.toString(), value: value.toString() };
    const known = notes.get(String(job));
    if (known === undefined) notes.set(String(job), [note]);
    else known.push(note);
  }
  return notes;
}

/** Nothing where it is usual. */
function uniqueOf(record: JobRecord, rest: Rest | undefined): { unique?: UniqueScope } {
  if (record.uniqueKey === undefined || rest === undefined) return {};
  const scope = rest.unique_scope?.toString();
  const started = rest.unique_until !== null;
  const windowMs = rest.unique_window === null ? 0 : rest.unique_window - record.enqueuedAt;
  if (scope === record.name && !started && windowMs <= 0) return {};
  return {
    unique: {
      ...(scope !== undefined && scope !== record.name && { scope }),
      until: started ? "started" : "finished",
      ...(windowMs > 0 && { windowMs }),
    },
  };
}

/** For a signal, until a time; or for others, and then until its own time. */
function waitOf(rest: Rest | undefined): Pick<MovedJob, "signal" | "runAt"> {
  if (rest === undefined) return {};
  const due = rest.due ?? undefined;
  if (rest.signal === null) return due === undefined ? {} : { runAt: due };
  return { signal: { name: rest.signal.toString(), ...(due !== undefined && { until: due }) } };
}
