/**
 * The import: a durable job that reads the data set in batches. The rows of a batch and the checkpoint after it are one transaction,
 * so a process that dies at any moment leaves both or neither, and the next run goes on after the last commit.
 */
import { attempt, compile, ok, type JobTools } from "tensile";
import type { SqliteStore, SqlValue } from "tensile/sqlite";
import type { Cities, ImportRow } from "./cities.ts";
import { City, refreshCountries, SourceBroken } from "./contract.ts";
import { fold } from "./fold.ts";
import { beginning, openSource, type SourceRecord } from "./source.ts";
import { save } from "./store.ts";

/**
 * Rows in one transaction. Between two batches requests are answered: while it imports, 99 % of them within 7 ms on a busy machine with
 * 2 cores. With 1,000 rows it is 25 ms, and the import is no faster, because the writer's thread is what it waits for.
 */
const batchRows = 250;

/** Told after each commit. */
export type OnProgress = (progress: ImportRow) => void;

interface ImportCall extends JobTools {
  /** Only the first rows: for tests. */
  readonly input: { readonly rows?: number };
  readonly store: SqliteStore;
  readonly cities: Cities;
  readonly onProgress: OnProgress;
}

/** `yield*` takes the value of a Result, or ends the job with its fault, and the job's retry policy decides what that means. */
export async function* runImport({ input, job, jobs, signal, store, cities, onProgress }: ImportCall) {
  const source = yield* await attempt(openSource, broken);
  const afterwards = yield* await jobs.prepare(refreshCountries, {});
  const total = Math.min(source.total, input.rows ?? source.total);
  let at = cities.import(job.id) ?? newImport(job.id, total);

  onProgress(at);
  while (at.finished_at === null) {
    signal.throwIfAborted();
    const from = at;
    const { records, next } = yield* attempt(
      () => source.read(from, Math.min(batchRows, from.total - from.rows)),
      broken,
    );
    const { fit, unfit } = await sortOut(records, from.rows);
    const rows = from.rows + records.length;
    at = {
      ...from,
      ...next,
      rows,
      imported: from.imported + fit.length,
      rejected: from.rejected + unfit.length,
      finished_at: rows >= from.total ? Date.now() : null,
    };
    const { finished_at } = at;
    const checkpoint = checkpointOf(at);
    yield* await save(store, (tx) => {
      tx.runMany(upsertCity, fit);
      tx.runMany(
        insertReject,
        unfit.map((reject) => [job.id, ...reject]),
      );
      tx.run(upsertImport, checkpoint);
      if (finished_at !== null) tx.enqueue(afterwards.record);
    });
    onProgress(at);
  }
  return ok({ imported: at.imported, rejected: at.rejected });
}

const broken = (thrown: unknown) => SourceBroken({ reason: thrown instanceof Error ? thrown.message : String(thrown) });

function newImport(job: string, total: number): ImportRow {
  return { job, ...beginning, rows: 0, total, imported: 0, rejected: 0, started_at: Date.now(), finished_at: null };
}

const city = compile(City);

/** Rows for the `city` table, and rows for the `reject` table with the reason: nothing is dropped. */
async function sortOut(records: readonly SourceRecord[], before: number) {
  const fit: SqlValue[][] = [];
  const unfit: SqlValue[][] = [];
  for (const [index, record] of records.entries()) {
    const checked = await city.parse(record);
    if (checked.ok) {
      const { id, name, country, region, feature, population, lat, lon } = checked.value;
      fit.push([id, name, fold(name), country, region, feature, population, lat, lon]);
    } else {
      unfit.push([before + index + 1, checked.fault.message, JSON.stringify(record)]);
    }
  }
  return { fit, unfit };
}

/** Importing the same data again changes nothing, and writes nothing. */
const upsertCity = `
  INSERT INTO city (id, name, folded, country, region, feature, population, lat, lon) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, folded = excluded.folded, country = excluded.country, region = excluded.region,
    feature = excluded.feature, population = excluded.population, lat = excluded.lat, lon = excluded.lon
  WHERE (name, folded, country, region, feature, population, lat, lon) IS NOT (excluded.name, excluded.folded,
    excluded.country, excluded.region, excluded.feature, excluded.population, excluded.lat, excluded.lon)`;

const insertReject = `INSERT INTO reject (job, "row", reason, record) VALUES (?, ?, ?, ?)`;

const upsertImport = `
  INSERT OR REPLACE INTO import (job, "offset", lat, lon, "rows", total, imported, rejected, started_at, finished_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function checkpointOf(at: ImportRow): SqlValue[] {
  const { job, offset, lat, lon, rows, total, imported, rejected, started_at, finished_at } = at;
  return [job, offset, lat, lon, rows, total, imported, rejected, started_at, finished_at];
}
