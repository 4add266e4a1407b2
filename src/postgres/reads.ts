/** What a reader sees of both ways of a job through the store: records, lists, counts. A job that is on its way from a block to a row is seen once. */
import type { Backlog, JobCounts, JobFilter, JobId, JobRecord, JobState } from "../jobs/index.ts";
import { Ages, blockRecordOf, type BlockRow } from "./blocks/index.ts";
import type { Sql } from "./connection.ts";
import type { RowPath } from "./rows/index.ts";

export class Reads {
  readonly #desk: Sql;
  readonly #rows: RowPath;
  readonly #ages: Ages;

  constructor(desk: Sql, rows: RowPath) {
    this.#desk = desk;
    this.#rows = rows;
    this.#ages = new Ages(desk, rows.names);
  }

  async get(id: JobId): Promise<JobRecord | undefined> {
    return (await this.records([id])).get(id);
  }

  /** Those that are there. */
  async records(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, JobRecord>> {
    // A job goes from blocks to rows at most once: looked for in this order, it is missed by neither.
    const found = new Map((await this.inBlocks(ids)).map((record) => [record.id, record]));
    const rest = ids.filter((id) => !found.has(id));
    if (rest.length > 0) for (const record of await this.#rows.records(rest)) found.set(record.id, record);
    return found;
  }

  async list(filter: JobFilter): Promise<readonly JobRecord[]> {
    const limit = Math.max(1, Math.min(filter.limit ?? 100, 1_000));
    const state = filter.state === undefined ? undefined : blockStates[filter.state];
    const resting =
      filter.state !== undefined && state === undefined
        ? []
        : await this.#desk.run<BlockRow>("SELECT * FROM tensile.blocks_list($1, $2::smallint, $3, $4)", [
            ...[filter.name, state, numberOf(filter.after) ?? -1, limit],
          ]);
    const all = new Map((await this.#rows.list(filter)).map((record) => [record.id, record]));
    for (const row of resting) if (!all.has(String(row.id))) all.set(String(row.id), blockRecordOf(row));
    return [...all.values()].toSorted((one, two) => Number(one.id) - Number(two.id)).slice(0, limit);
  }

  async counts(name?: string): Promise<JobCounts> {
    const names = name === undefined ? null : [name];
    const [rows, blocks] = await Promise.all([
      this.#rows.counts(name),
      this.#desk.run<{ kept: number }>("SELECT tensile.blocks_kept($1::text[]) AS kept", [names]),
    ]);
    return { ...rows, succeeded: rows.succeeded + (blocks[0]?.kept ?? 0) };
  }

  /** Costs the same however much waits. */
  async backlog(names: readonly string[]): Promise<Backlog> {
    const wanted = names.map((name) => ({ name }));
    if (!this.#rows.names.know(wanted)) await this.#rows.names.learn(wanted);
    const [rows, inBlocks] = await Promise.all([this.#rows.backlog(names), this.#ages.since(names)]);
    const since = [rows.readySince, inBlocks].filter((at) => at !== undefined);
    return { ...rows, readySince: since.length === 0 ? undefined : Math.min(...since) };
  }

  unstarted(): Promise<number> {
    return this.#rows.unstarted();
  }

  async ended(ids: readonly JobId[]): Promise<readonly JobId[]> {
    const resting = await this.#desk.run<{ id: number }>("SELECT tensile.blocks_unfinished($1::bigint[]) AS id", [
      ids.map((id) => numberOf(id) ?? -1),
    ]);
    const open = new Set(resting.map(({ id }) => String(id)));
    return (await this.#rows.ended(ids)).filter((id) => !open.has(id));
  }

  async inBlocks(ids: readonly JobId[]): Promise<readonly JobRecord[]> {
    const numbers = ids.map(numberOf).filter((number) => number !== undefined);
    if (numbers.length === 0) return [];
    return (await this.#desk.run<BlockRow>("SELECT * FROM tensile.blocks_records($1::bigint[])", [numbers])).map(
      blockRecordOf,
    );
  }
}

const blockStates: { readonly [S in JobState]?: number } = { ready: 3, running: 4, succeeded: 10 };

export function numberOf(id: JobId | undefined): number | undefined {
  return id !== undefined && /^[0-9]{1,15}$/.test(id) ? Number(id) : undefined;
}
