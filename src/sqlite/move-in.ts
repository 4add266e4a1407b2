/**
 * Takes in what another store kept: ids, attempts, times, errors and keys stay as they were. One transaction on a file that nobody has open, so that an import
 * that does not come to its end has changed nothing.
 */
import { DatabaseSync } from "node:sqlite";
import { jobStates, type MovedJob, type MoveRecord } from "../jobs/index.ts";
import { count, laneOf, makeName, type Core, type JobName, type Lane } from "./core.ts";
import { writeEntry, type StoredEntry } from "./entries.ts";
import { placeMoved, takeSeq } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { takeOwnership } from "./ownership.ts";
import { placeDependencies, placeWaiting } from "./move-waits.ts";
import { park, recordError } from "./parking.ts";
import { writePayload } from "./payload-bytes.ts";
import { locate } from "./reading.ts";
import { emptyCore, loadCore } from "./recovery.ts";
import { createTables } from "./schema.ts";
import { blockMoved, noResult, packRanges } from "./tables.ts";
import { freeKey, keyFlags, takeKey, writeUniqueKey } from "./unique-key.ts";

const nothing = { ageMs: Infinity, count: Infinity };
const keepAll = { succeeded: nothing, failed: nothing, cancelled: nothing };

/** Rejects with a TypeError where the file holds jobs (unless `merge`), an id is taken, or a record does not fit. */
export async function importFile(
  path: string,
  records: AsyncIterable<readonly MoveRecord[]>,
  options: { readonly merge: boolean; readonly now: number },
): Promise<void> {
  const ownership = takeOwnership(path, process.pid);
  const db = new DatabaseSync(path, { timeout: limits.lockWaitMs });
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536");
    createTables(db);
    const core = emptyCore(db, keepAll);
    loadCore(core);
    if (!options.merge && jobStates.some((_, state) => (core.totals[state] ?? 0) > 0)) {
      throw new TypeError(`${path} holds jobs already. Give an empty file, or say that both are to be merged.`);
    }
    core.now = options.now;
    db.exec("BEGIN IMMEDIATE");
    const taking = new Import(core, path);
    for await (const page of records) taking.take(page);
    taking.end();
    db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    // A transaction that is open is rolled back with its connection.
    db.close();
    ownership.release();
  }
}

interface Finished {
  readonly entry: StoredEntry;
  readonly finishedAt: number;
  readonly result: string | undefined;
}

class Import {
  readonly #core: Core;
  readonly #path: string;
  #lastId = 0;

  constructor(core: Core, path: string) {
    this.#core = core;
    this.#path = path;
  }

  take(page: readonly MoveRecord[]): void {
    const core = this.#core;
    const ready = new Map<Lane, StoredEntry[]>();
    const succeeded = new Map<Lane, Finished[]>();
    for (const record of page) {
      if (record.type === "job") this.#job(record.job, ready, succeeded);
      else if (record.type === "occurrence") core.sql.recordOccurrence.run(record.schedule, record.at);
      else core.db.prepare("INSERT OR IGNORE INTO tensile_paused VALUES (?)").run(record.name);
    }
    for (const [lane, entries] of ready) {
      placeMoved(core, lane, entries, false);
      count(core, lane.name, "ready", entries.length);
    }
    for (const [lane, jobs] of succeeded) keepSucceeded(core, lane, jobs);
    // What was undone here would be undone by the file itself.
    core.journal.clear();
  }

  /** Ids that come later are above all that came in. */
  end(): void {
    const core = this.#core;
    core.nextSeq = Math.max(core.nextSeq, this.#lastId + 1);
    core.sql.setMeta.run("next", core.nextSeq);
  }

  #job(job: MovedJob, ready: Map<Lane, StoredEntry[]>, succeeded: Map<Lane, Finished[]>): void {
    const core = this.#core;
    const id = Number(job.id);
    if (!Number.isSafeInteger(id) || id <= 0) throw new TypeError(`The id "${job.id}" is no whole number above 0.`);
    if (locate(core, job.id) !== undefined) throw new TypeError(`${this.#path} has a job ${job.id} already.`);
    this.#lastId = Math.max(this.#lastId, id);
    const lane = laneOf(this.#name(job.name), job.priority);
    const key = writeUniqueKey(job);
    const { attempt, enqueuedAt, key: jobKey, tenant } = job;
    const entry: StoredEntry = { id, attempt, enqueuedAt, key, jobKey, tenant, payload: writePayload(job) };
    const finished = job.state === "succeeded" || job.state === "failed" || job.state === "cancelled";
    if (!takeKey(core, lane.name, entry) && !finished) {
      throw new TypeError(`Job ${job.id} has the unique key "${job.uniqueKey ?? ""}", which another holds.`);
    }
    for (const error of job.errors) recordError(core, id, error);
    for (const { name, value } of job.notes ?? []) core.sql.putNote.run(id, name, value);
    if (job.progress !== undefined) core.sql.putProgress.run(id, job.progress);
    placeDependencies(core, job, (name) => this.#name(name).id);
    switch (job.state) {
      case "running":
        recordError(core, id, { attempt, at: core.now, code: "CRASHED", message: wasRunning });
        push(ready, lane, entry);
        break;
      case "ready":
        push(ready, lane, entry);
        break;
      case "succeeded":
        freeKey(core, lane.name, entry);
        push(succeeded, lane, { entry, finishedAt: job.finishedAt ?? core.now, result: job.result });
        break;
      case "waiting":
        placeWaiting(core, lane, entry, job);
        break;
      default: {
        const at = job.state === "scheduled" ? job.runAt : job.finishedAt;
        park(core, lane, entry, job.state, at ?? core.now);
        count(core, lane.name, job.state, 1);
      }
    }
  }

  #name(text: string): JobName {
    const core = this.#core;
    const known = core.names.get(text);
    if (known !== undefined) return known;
    if (core.names.size >= limits.names) throw new TypeError(`A file holds at most ${limits.names} job names.`);
    const name = makeName(Number(core.sql.insertName.run(text).lastInsertRowid), text);
    core.names.set(text, name);
    core.namesById.set(name.id, name);
    return name;
  }
}

const wasRunning = "The job was running when its store was exported.";

function push<T>(lists: Map<Lane, T[]>, lane: Lane, item: T): void {
  const list = lists.get(lane);
  if (list === undefined) lists.set(lane, [item]);
  else list.push(item);
}

/** A block that is finished, with an outcome for each time at which some of its jobs were. */
function keepSucceeded(core: Core, lane: Lane, jobs: Finished[]): void {
  jobs.sort((a, b) => a.finishedAt - b.finishedAt);
  for (let from = 0; from < jobs.length;) {
    let bytes = 0;
    let to = from;
    while (to < jobs.length && to - from < limits.blockJobs && (to === from || bytes < limits.blockBytes)) {
      bytes += (jobs[to++] as Finished).entry.payload.length;
    }
    keepBlock(core, lane, jobs.slice(from, to));
    from = to;
  }
  count(core, lane.name, "succeeded", jobs.length);
}

function keepBlock(core: Core, lane: Lane, jobs: readonly Finished[]): void {
  const seq = takeSeq(core, jobs.length);
  const flags = jobs.reduce((all, { entry }) => all | keyFlags(entry.key), blockMoved);
  // A block counts the attempts before the one that succeeded.
  const bodies = jobs.map(({ entry }) => writeEntry({ ...entry, attempt: Math.max(0, entry.attempt - 1) }, true));
  core.sql.insertBlock.run(seq, lane.number, jobs.length, core.now, flags, Buffer.concat(bodies));
  for (const { entry } of jobs) core.sql.setPlaced.run(entry.id, seq);
  for (let lo = 0; lo < jobs.length;) {
    const at = (jobs[lo] as Finished).finishedAt;
    let hi = lo;
    while (jobs[hi]?.finishedAt === at) hi++;
    const some = jobs.slice(lo, hi);
    const results = some.some(({ result }) => result !== undefined) ? Buffer.concat(some.map(packResult)) : null;
    core.sql.insertOutcome.run(seq, lane.number, 0, hi - lo, at, packRanges([lo, hi]), results);
    lo = hi;
  }
}

function packResult({ result }: Finished): Buffer {
  const text = result === undefined ? undefined : Buffer.from(result, "utf8");
  const bytes = Buffer.allocUnsafe(4 + (text?.length ?? 0));
  bytes.writeUInt32LE(text?.length ?? noResult, 0);
  if (text !== undefined) bytes.set(text, 4);
  return bytes;
}
