/**
 * Takes in what another store kept: ids, attempts, times, errors and keys stay as they were. One transaction, so that an import that does not come to its end
 * has changed nothing. Every job becomes a row.
 */
import { Buffer } from "node:buffer";
import { isFinished, jobStates, type MovedJob, type MoveRecord } from "../jobs/index.ts";
import type { Connection, SqlParameter } from "./connection.ts";
import { channelOf } from "./hearing.ts";
import { postgresLimits as limits } from "./limits.ts";
import { migrate } from "./migrations.ts";
import * as statements from "./move-sql.ts";
import { Blob, booleans, errorText, isJobId, numbers } from "./rows/index.ts";
import { MoveConnection, pathsOn, type MoveTarget } from "./snapshot.ts";
import { reasonOf, sqlStateOf } from "./trouble.ts";

/** Rejects with a TypeError where the database holds jobs (unless `merge`), an id is taken, or a record does not fit. */
export async function importDatabase(
  at: MoveTarget,
  records: AsyncIterable<readonly MoveRecord[]>,
  options: { readonly merge: boolean },
): Promise<void> {
  const connection = new MoveConnection(at);
  const { sql } = connection;
  try {
    await migrate(sql, at.schema);
    await sql.run("BEGIN");
    if (!options.merge) await refuseJobs(sql);
    for (const text of statements.makeMoveTables) await sql.run(text);
    const [time] = await sql.run<{ now: number }>("SELECT tensile.now() AS now");
    for await (const page of records) {
      for (const part of portions(page)) await layPage(sql, part, time?.now ?? 0);
      connection.check();
    }
    await settleDown(sql, at.schema);
    connection.check();
    await sql.run("COMMIT");
    connection.check();
  } catch (thrown) {
    throw named(thrown);
  } finally {
    // A transaction that is open is rolled back with its connection.
    await connection.close();
  }
}

async function refuseJobs(sql: Connection): Promise<void> {
  const counts = await pathsOn(sql).reads.counts();
  if (jobStates.every((state) => counts[state] === 0)) return;
  throw new TypeError("The database holds jobs already. Give an empty one, or say that both are to be merged.");
}

/** Of at most so many characters, unless a single record has more. */
function* portions(page: readonly MoveRecord[]): Generator<readonly MoveRecord[]> {
  let from = 0;
  let chars = 0;
  for (let to = 0; to < page.length; to++) {
    const record = page[to] as MoveRecord;
    const more = record.type === "job" ? record.job.payload.length + (record.job.result?.length ?? 0) : 0;
    if (to > from && chars + more > limits.moveChars) {
      yield page.slice(from, to);
      from = to;
      chars = 0;
    }
    chars += more;
  }
  if (from < page.length) yield page.slice(from);
}

async function layPage(sql: Connection, page: readonly MoveRecord[], now: number): Promise<void> {
  const jobs = page.flatMap((record) => (record.type === "job" ? [record.job] : []));
  if (jobs.length > 0) await sql.run(statements.layJobs, jobParameters(jobs, now));
  const parts = jobs.flatMap((job) => partsOf(job, now));
  if (parts.length > 0) await sql.run(statements.layParts, partParameters(parts));
  for (const record of page) {
    if (record.type === "occurrence")
      await sql.run(statements.layOccurrence, [Buffer.from(record.schedule), record.at]);
    else if (record.type === "paused") await sql.run(statements.layPaused, [record.name]);
  }
}

function jobParameters(jobs: readonly MovedJob[], now: number): readonly SqlParameter[] {
  const blob = new Blob();
  const number = (of: (job: MovedJob) => number | string | undefined): string => numbers(jobs.map(of));
  const field = (of: (job: MovedJob) => string | undefined): readonly [string, string] => blob.fields(jobs.map(of));
  const fields = [
    ...field((job) => job.name),
    ...field((job) => job.key),
    ...field((job) => job.tenant),
    ...field((job) => (job.uniqueKey === undefined ? undefined : (job.unique?.scope ?? job.name))),
    ...field((job) => job.uniqueKey),
    ...field((job) => (job.state === "waiting" ? job.signal?.name : undefined)),
    ...field((job) => job.progress),
    ...field((job) => job.context),
    ...field((job) => job.payload),
    ...field((job) => job.result),
  ];
  return [
    blob.bytes(),
    number(({ id }) => checkedId(id)),
    number(stateOf),
    number((job) => job.priority),
    number((job) => job.attempt),
    number((job) => job.enqueuedAt),
    number((job) => whole(job.state === "waiting" && job.signal !== undefined ? job.signal.until : dueOf(job))),
    number((job) => (isFinished(job.state) ? (job.finishedAt ?? now) : undefined)),
    number(({ unique, enqueuedAt }) =>
      unique?.windowMs === undefined ? undefined : enqueuedAt + whole(unique.windowMs),
    ),
    // 1: its key is free when it starts. 2: it has started.
    number(({ unique, attempt }) => (unique?.until === "started" ? (attempt > 0 ? 2 : 1) : undefined)),
    number(({ after }) => (after === undefined ? undefined : after.on === "succeeded" ? 1 : 2)),
    booleans(jobs.map(({ notes = [] }) => notes.length > 0)),
    ...fields,
  ];
}

function checkedId(id: string): string {
  if (!isJobId(id)) throw new TypeError(`The id "${id}" is no whole number above 0.`);
  return id;
}

const codes = { scheduled: 2, ready: 3, running: 3, succeeded: 10, failed: 11, cancelled: 12 } as const;

function stateOf({ id, state, signal, after }: MovedJob): number {
  if (state !== "waiting") return codes[state];
  if (signal !== undefined) return 1;
  if (after !== undefined) return 8;
  throw new TypeError(
    `Job ${id} waits, and the export does not say what for: a version of Tensile wrote it that could not.`,
  );
}

function dueOf({ state, runAt }: MovedJob): number | undefined {
  return state === "scheduled" || state === "waiting" ? runAt : undefined;
}

function whole(value: number): number;
function whole(value: number | undefined): number | undefined;
function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.ceil(value);
}

interface Part {
  readonly job: string;
  readonly kind: 0 | 1 | 2;
  readonly onJob?: string;
  readonly outcome?: number | undefined;
  readonly name?: string;
  readonly value?: string | undefined;
}

const errorsKept = 32;

function partsOf(job: MovedJob, now: number): readonly Part[] {
  const { id, state, attempt, notes = [], after } = job;
  const crashed = { attempt, at: now, code: "CRASHED", message: "The job was running when its store was exported." };
  const errors = (state === "running" ? [...job.errors, crashed] : job.errors).slice(-errorsKept);
  return [
    ...errors.map((error): Part => ({ job: id, kind: 0, value: errorText(error) })),
    ...notes.map(({ name, value }): Part => ({ job: id, kind: 1, name, value })),
    ...(after?.jobs ?? []).map((on): Part => {
      const outcome = on.state !== "waiting" && isFinished(on.state) ? codes[on.state] : undefined;
      const known = isJobId(on.id);
      return {
        job: id,
        kind: 2,
        onJob: known ? on.id : "0",
        outcome,
        value: known ? undefined : on.id.replaceAll("\0", ""),
      };
    }),
  ];
}

function partParameters(parts: readonly Part[]): readonly SqlParameter[] {
  const blob = new Blob();
  const fields = [...blob.fields(parts.map(({ name }) => name)), ...blob.fields(parts.map(({ value }) => value))];
  return [
    blob.bytes(),
    numbers(parts.map(({ job }) => job)),
    numbers(parts.map(({ kind }) => kind)),
    numbers(parts.map((_, place) => place + 1)),
    numbers(parts.map(({ onJob }) => onJob)),
    numbers(parts.map(({ outcome }) => outcome)),
    ...fields,
  ];
}

/** All of it is there, and nothing is missing: to its place. */
async function settleDown(sql: Connection, schema: string): Promise<void> {
  await sql.run(statements.indexParts);
  await sql.run("ANALYZE tensile_moved");
  await sql.run("ANALYZE tensile_part");
  for (const text of statements.layNames) await sql.run(text);
  await sql.run(`SET LOCAL lock_timeout = ${limits.moveLockMs}`);
  await sql.run(statements.stopIds);
  const [taken] = await sql.run<{ id: number }>(statements.takenId);
  if (taken !== undefined) throw new TypeError(`The database has a job ${taken.id} already.`);
  for (const text of statements.takeUniqueKeys) await sql.run(text);
  const [held] = await sql.run<{ id: number; unique_key: Buffer }>(statements.heldKey);
  if (held !== undefined)
    throw new TypeError(`Job ${held.id} has the unique key "${held.unique_key.toString()}", which another holds.`);
  for (const text of statements.layEverything) await sql.run(text);
  await sql.run("SELECT pg_notify($1, '')", [channelOf(schema)]);
}

/** What the database says of an import, in a sentence. */
function named(thrown: unknown): unknown {
  switch (sqlStateOf(thrown)) {
    case "23505":
      return new TypeError(`Two jobs of the import are the same: ${reasonOf(thrown)}.`, { cause: thrown });
    case "55P03":
      return new TypeError(
        `A transaction that enqueues jobs was not over within ${limits.moveLockMs} ms. End it, and import again.`,
        { cause: thrown },
      );
    default:
      return thrown;
  }
}
