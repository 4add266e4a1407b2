/**
 * The row path as calls: every one is one statement and one commit. What they throw is the database's error; a deadlock or a serialization failure is tried
 * again here, since nothing of it was kept.
 */
import {
  CrashTally,
  type Backlog,
  type ClaimedJob,
  type CrashedJobs,
  type DependencyRecord,
  type EnqueueReceipt,
  type Fence,
  type JobCounts,
  type JobFilter,
  type JobId,
  type JobNote,
  type JobPolicy,
  type JobRecord,
  type JobState,
  type NewJob,
  type Retention,
  type Settlement,
  type SettleReceipt,
} from "../../jobs/index.ts";
import type { Sql, SqlParameter } from "../connection.ts";
import { sqlStateOf } from "../trouble.ts";
import { toldRowKeys } from "./claim-sql.ts";
import { isJobId, recordOf, stateOf, textOf, type SqlRow } from "./codec.ts";
import { Names } from "./names.ts";
import { byteTexts, numbers, texts, type Statement } from "./pack.ts";
import {
  enqueueStatement,
  last,
  listStatement,
  recordsStatement,
  settleStatement,
  turnStatement,
  type Position,
  type Wanted,
} from "./statements.ts";

/** What one turn brought. */
export interface Turn {
  readonly claimed: readonly ClaimedJob[];
  /** Running jobs of this process that somebody asked to stop; each turn names them again until they are settled. */
  readonly cancelled: readonly JobId[];
  /** Jobs that ended because what they waited for did not succeed. */
  readonly ended: readonly JobId[];
  /** Milliseconds until something is due; undefined: nothing is. */
  readonly wakeMs: number | undefined;
  /** Of names with a `before`: the first ready row that was not claimed. */
  readonly heads: ReadonlyMap<string, Position>;
  /** There was more to do than one turn does. */
  readonly more: boolean;
  /** Of names of which blocks are served ahead: keys of rows that wait; undefined: there are many. */
  readonly keys: ReadonlyMap<string, readonly string[] | undefined>;
  /** Of these names, those that are paused. */
  readonly paused: readonly string[];
}

const tries = 8;

export class RowPath {
  readonly names: Names;
  readonly #sql: Sql;

  constructor(sql: Sql, policy?: (name: string) => JobPolicy | undefined) {
    this.#sql = sql;
    this.names = new Names((statement) => this.#run(statement), policy);
  }

  /** Throws an error with the SQLSTATE `queueFull` when more than `most` jobs would wait; null: not counted now. */
  async enqueue(jobs: readonly NewJob[], most: number | null): Promise<readonly EnqueueReceipt[]> {
    if (!this.names.know(jobs)) await this.names.learn(jobs);
    const ids = jobs.map(({ name }) => this.names.id(name));
    const rows = await this.#run(enqueueStatement(jobs, ids, true, most));
    return rows.map(({ id, duplicate }) => ({ id: id === 0 ? "" : String(id), duplicate: duplicate === true }));
  }

  /** For another connection's transaction: see `enqueueStatement`. */
  async enqueueStatement(jobs: readonly NewJob[]): Promise<Statement> {
    if (!this.names.know(jobs)) await this.names.learn(jobs);
    return enqueueStatement(
      jobs,
      jobs.map(({ name }) => this.names.id(name)),
      false,
      null,
    );
  }

  /** @param credit Of a name without it is only told whether it is paused. @param before Per name, only what comes before is claimed. */
  async turn(
    fence: Fence,
    credit: ReadonlyMap<string, number>,
    claimBytes: number,
    durable: boolean,
    before: ReadonlyMap<string, Position> = new Map(),
  ): Promise<Turn> {
    const named = [...credit.keys()].map((name) => ({ name }));
    if (!this.names.know(named)) await this.names.learn(named);
    const wanted: Wanted[] = named.map(({ name }) => ({
      name: this.names.id(name),
      credit: credit.get(name) ?? 0,
      before: before.get(name) ?? last,
    }));
    const rows = await this.#run(turnStatement(fence, wanted, claimBytes, durable));
    const of = (kind: number): SqlRow[] => rows.filter((row) => row["kind"] === kind);
    const end = of(3)[0];
    const due = end?.["due"];
    const ordered = { ...fence, order: Number(end?.["enqueued_at"]) };
    const told = of(5).map((row) => ({ name: this.names.name(Number(row["name_id"])), row }));
    const keys = new Map<string, string[]>(told.map(({ name }) => [name, []]));
    for (const { name, row } of told) if (row["key"] !== null) keys.get(name)?.push(textOf(row["key"]) ?? "");
    return {
      keys: new Map([...keys].map(([name, list]) => [name, list.length < toldRowKeys ? list : undefined])),
      paused: told.filter(({ row }) => row["priority"] === 1).map(({ name }) => name),
      claimed: of(0).map((row) => this.#claimedOf(row, ordered)),
      cancelled: of(1).map(({ id }) => String(id)),
      ended: of(2).map(({ id }) => String(id)),
      wakeMs: due === null || due === undefined ? undefined : Math.max(0, Number(due) - Number(end?.["id"])),
      more: end?.["attempt"] === 1,
      heads: new Map(
        of(4).map((row) => [
          this.names.name(Number(row["name_id"])),
          { priority: Number(row["priority"]), place: Number(row["due"]) },
        ]),
      ),
    };
  }

  #claimedOf(row: SqlRow, fence: Fence): ClaimedJob {
    const context = textOf(row["context"]);
    const key = textOf(row["key"]);
    const tenant = textOf(row["tenant"]);
    return {
      id: String(row["id"]),
      name: this.names.name(Number(row["name_id"])),
      priority: Number(row["priority"]),
      payload: textOf(row["payload"]) ?? "",
      ...(context === undefined ? undefined : { context }),
      attempt: Number(row["attempt"]),
      enqueuedAt: Number(row["enqueued_at"]),
      ...(key === undefined ? undefined : { key }),
      ...(tenant === undefined ? undefined : { tenant }),
      ...(row["noted"] === true ? { noted: true } : undefined),
      fence,
    };
  }

  /** @param again Which of them may have been committed before without an answer: those count as settled where their fence was the last. */
  async settle(
    settlements: readonly Settlement[],
    again: readonly boolean[],
  ): Promise<{ readonly receipts: readonly SettleReceipt[]; readonly ended: readonly JobId[] }> {
    const rows = await this.#run(settleStatement(settlements, again));
    const receipts: SettleReceipt[] = settlements.map(() => "stale");
    const ended: JobId[] = [];
    for (const { place, receipt, id } of rows) {
      if (place === 0) ended.push(String(id));
      else if (receipt === 1) receipts[Number(place) - 1] = "settled";
    }
    return { receipts, ended };
  }

  /** What processes of these epochs ran goes on, or has failed. Answers how many that were, and which jobs ended. */
  async rescue(
    epochs: readonly number[],
    maxAttempts: (name: string) => number,
  ): Promise<{ readonly crashed: readonly CrashedJobs[]; readonly ended: readonly JobId[] }> {
    const tally = new CrashTally();
    const ended: JobId[] = [];
    const list = numbers(epochs);
    for (;;) {
      const found = await this.#call("rows_running_names($1::bigint[]) AS name", [list]);
      if (found.length === 0) return { crashed: tally.take(), ended };
      const names = found.map(({ name }) => name as string);
      const most = names.map((name) => Math.min(maxAttempts(name), 2_147_483_647));
      const rows = await this.#call("rows_rescue($1::bigint[], $2::text[], $3::int[])", [
        list,
        texts(names),
        numbers(most),
      ]);
      for (const { id, finished, crashed } of rows) {
        if (finished === true) ended.push(String(id));
        if (typeof crashed === "string") tally.add(crashed, finished === true ? "failed" : "again");
      }
    }
  }

  /** `epoch` is set when the job runs: whose it is. */
  async cancel(id: JobId): Promise<{
    readonly state: JobState | undefined;
    readonly epoch: number | undefined;
    readonly ended: readonly JobId[];
  }> {
    const [row] = isJobId(id) ? await this.#call("rows_cancel($1::bigint)", [id]) : [];
    const state = stateOf(row?.["state"]);
    const others = (row?.["others"] ?? []) as readonly number[];
    return { state, epoch: state === "running" ? Number(row?.["epoch"]) : undefined, ended: others.map(String) };
  }

  async retry(id: JobId): Promise<JobState | undefined> {
    const [row] = isJobId(id) ? await this.#call("rows_retry($1::bigint) AS state", [id]) : [];
    return stateOf(row?.["state"]);
  }

  async records(ids: readonly JobId[]): Promise<readonly JobRecord[]> {
    const known = ids.filter(isJobId);
    return known.length === 0 ? [] : (await this.#run(recordsStatement(known))).map(recordOf);
  }

  async list(filter: JobFilter): Promise<readonly JobRecord[]> {
    return (await this.#run(listStatement(filter))).map(recordOf);
  }

  async counts(name?: string): Promise<JobCounts> {
    const [row] = await this.#call("rows_counts($1::text)", [name ?? null]);
    return row as JobCounts;
  }

  async backlog(names: readonly string[]): Promise<Backlog> {
    const [row] = await this.#call("rows_backlog($1::text[])", [texts(names)]);
    const since = row?.["ready_since"] as number | null | undefined;
    return { unstarted: Number(row?.["unstarted"]), ready: Number(row?.["ready"]), readySince: since ?? undefined };
  }

  async unstarted(): Promise<number> {
    const [row] = await this.#call("rows_unstarted(NULL)", []);
    return Number(row?.["unstarted"]);
  }

  async occurrences(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#call("occurrence WHERE at >= 0", []);
    return new Map(rows.map(({ schedule, at }) => [textOf(schedule) ?? "", Number(at)]));
  }

  /** Of these ids, those that are finished or gone: one statement for everybody who waits. */
  async ended(ids: readonly JobId[]): Promise<readonly JobId[]> {
    return (await this.#call("rows_ended($1::bigint[])", [numbers(ids)])).map(({ id }) => String(id));
  }

  async note(job: ClaimedJob, notes: readonly JobNote[], progress: string | undefined): Promise<SettleReceipt> {
    const types = "$1::bigint, $2::bigint, $3::bigint, $4::bytea[], $5::bytea[], $6::bytea";
    const [row] = await this.#call(`rows_note(${types}) AS written`, [
      job.id,
      job.fence.epoch,
      job.fence.claim,
      byteTexts(notes.map(({ name }) => name)),
      byteTexts(notes.map(({ value }) => value)),
      progress === undefined ? null : Buffer.from(progress),
    ]);
    return row?.["written"] === true ? "settled" : "stale";
  }

  async notes(id: JobId): Promise<readonly JobNote[]> {
    const there =
      "WHERE n.job = $1::bigint AND EXISTS (SELECT 1 FROM tensile.rows_all a WHERE a.id = n.job) ORDER BY n.ord";
    const rows = isJobId(id) ? await this.#call(`note n ${there}`, [id]) : [];
    return rows.map(({ name, value }) => ({ name: textOf(name) ?? "", value: textOf(value) ?? "" }));
  }

  async signal(id: JobId, name: string, value: string): Promise<JobState | undefined> {
    if (!isJobId(id)) return undefined;
    const [row] = await this.#call("rows_signal($1::bigint, $2::bytea, $3::bytea) AS state", [
      id,
      Buffer.from(name),
      Buffer.from(value),
    ]);
    return stateOf(row?.["state"]);
  }

  async dependencies(id: JobId): Promise<readonly DependencyRecord[]> {
    const rows = isJobId(id) ? await this.#call("rows_dependencies($1::bigint)", [id]) : [];
    return rows.map((row) => {
      const result = textOf(row["result"]);
      return {
        id: String(row["id"]),
        name: (row["name"] ?? "") as string,
        state: stateOf(row["state"]) ?? "cancelled",
        ...(result === undefined ? undefined : { result }),
      };
    });
  }

  async pause(names: readonly string[], paused: boolean): Promise<void> {
    const wanted = names.map((name) => ({ name }));
    if (!this.names.know(wanted)) await this.names.learn(wanted);
    await this.#run({
      text: "UPDATE tensile.name SET paused = $2::boolean WHERE name = ANY($1::text[]) AND paused <> $2::boolean",
      params: [texts(names), paused],
    });
  }

  async paused(): Promise<readonly string[]> {
    return (await this.#call("name WHERE paused ORDER BY name", [])).map(({ name }) => name as string);
  }

  /** One bounded step of retention of the failed and the cancelled. Answers how many were removed; call again while it answers `limit` or more. */
  async prune(keep: Retention, limit: number): Promise<number> {
    const types = "$1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::int";
    const [row] = await this.#call(`rows_prune_all(${types}) AS removed`, [...keptOf(keep).slice(2), limit]);
    return Number(row?.["removed"]);
  }

  /** Empties what is all below the floor, and goes on to the next slot where one is full. */
  async rotate(keep: Retention): Promise<void> {
    await this.#call(`rows_rotate_all(${keptTypes})`, keptOf(keep));
  }

  /** Folds the counts. */
  async fold(): Promise<void> {
    await this.#call("rows_fold()", []);
  }

  async sweep(): Promise<void> {
    await this.#run({ text: "SELECT tensile.rows_sweep()", params: [] });
  }

  #call(from: string, params: readonly SqlParameter[]): Promise<readonly SqlRow[]> {
    return this.#run({ text: `SELECT * FROM tensile.${from}`, params });
  }

  async #run({ text, params }: Statement): Promise<readonly SqlRow[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#sql.run<SqlRow>(text, params);
      } catch (error) {
        const state = sqlStateOf(error);
        if (attempt >= tries || (state !== "40P01" && state !== "40001")) throw error;
      }
    }
  }
}

const keptTypes = "$1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint";

function keptOf({ succeeded, failed, cancelled }: Retention): number[] {
  return [succeeded, failed, cancelled].flatMap(({ ageMs, count }) => [ageMs, count].map(bounded));
}

/** What is kept for ever is kept for a number that fits. */
function bounded(value: number): number {
  return Math.min(Math.ceil(value), 4_000_000_000_000_000);
}
