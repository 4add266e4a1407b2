/**
 * The block path as calls. A job that does more than succeed is given over to the row path, with its id, its attempt and its claim; from then on it is one
 * of its rows.
 */
import { systemClock } from "../../core/index.ts";
import type { ClaimedJob, EnqueueReceipt, Fence, JobId, NewJob, Settlement } from "../../jobs/index.ts";
import type { Sql, SqlParameter } from "../connection.ts";
import { postgresLimits as limits } from "../limits.ts";
import { last, type Position } from "../rows/index.ts";
import {
  draftsOf,
  enqueueText,
  enqueueValues,
  hasSeparator,
  mark,
  takesOf,
  type BlockNames,
  type EnqueueRow,
  type Taking,
} from "./drafts.ts";
import { blockJobs, Holdings, type Held } from "./holdings.ts";
import { Horizon } from "./horizon.ts";
import type { RunningKeys } from "./running-keys.ts";
import { placesOf, restOf, type TurnRow } from "./turn-row.ts";
import { blockOf, lanesOf, priorities, rangesOf, type WantedLane } from "./lanes.ts";

export class BlockPath {
  readonly #work: Sql;
  readonly #settling: Sql;
  readonly #names: BlockNames;
  readonly #running: RunningKeys;
  readonly #holdings = new Holdings();
  /** Lanes that had work when they were last looked at, with the number of the job to go on from. */
  readonly #hot = new Map<number, number>();
  /** Lanes of which places were passed over, because their keys were taken: looked at by every turn. */
  readonly #passed = new Set<number>();
  /** Lanes that got jobs here since the statement under way was sent: what it says of them is old. */
  readonly #fresh = new Set<number>();
  readonly #horizon = new Horizon();
  #deepAt = -Infinity;
  /** Names whose lanes were looked into since then. */
  readonly #looked = new Set<string>();

  /** @param settling Where settlements go: a claim does not wait for their commit to be on disk. */
  constructor(work: Sql, settling: Sql, names: BlockNames, running: RunningKeys) {
    this.#work = work;
    this.#settling = settling;
    this.#names = names;
    this.#running = running;
  }

  /** One statement, and one commit, in which this process claims what there is room for. */
  async enqueue(
    sql: Sql,
    jobs: readonly NewJob[],
    taking?: Taking,
  ): Promise<{ readonly receipts: readonly EnqueueReceipt[]; readonly claimed: readonly ClaimedJob[] }> {
    const drafts = draftsOf(jobs, this.#names);
    const takes = taking === undefined ? null : takesOf(drafts, jobs, taking.room);
    const [row] = (await sql.run<EnqueueRow>(enqueueText, enqueueValues(drafts, takes, taking))) as readonly [
      EnqueueRow,
    ];
    const receipts: EnqueueReceipt[] = [];
    const claimed: ClaimedJob[] = [];
    drafts.forEach(({ lane, places }, index) => {
      const seq = row.seqs[index] as number;
      const took = row.took?.[index] ?? 0;
      places.forEach((place, at) => (receipts[place] = { id: String(seq + at), duplicate: false }));
      if (taking !== undefined && took > 0) {
        const fence = { ...taking.fence, order: Number(row.fence) };
        const taken = places.slice(0, took).map((_, at) => [at, at] as const);
        this.#holdings.add(row.slot, seq, taking.fence.epoch, taking.fence.claim, taken);
        for (let at = 0; at < took; at++) {
          const { name, priority, payload, context, key } = jobs[places[at] as number] as NewJob;
          const id = String(seq + at);
          claimed.push({ id, name, priority, payload, context, key, attempt: 1, enqueuedAt: row.made_at, fence });
        }
      }
      if (took === places.length) return;
      this.#hot.set(lane, Math.min(this.#hot.get(lane) ?? Infinity, seq + took));
      this.#fresh.add(lane);
    });
    return { receipts, claimed };
  }

  /** Per name, the first job that is known to wait in blocks. */
  heads(names: readonly string[]): ReadonlyMap<string, Position> {
    const heads = new Map<string, Position>();
    if (this.#hot.size === 0) return heads;
    for (const name of names) {
      const id = this.#names.known(name);
      if (id === undefined) continue;
      const priority = priorities.find((one) => this.#hot.has(id * 10 + one));
      if (priority !== undefined) heads.set(name, { priority, place: this.#hot.get(id * 10 + priority) ?? 0 });
    }
    return heads;
  }

  /**
   * Looks into every lane of these names, where it is time for that or `call` says so, and claims nothing: afterwards it is known where there is work.
   */
  async look(fence: Fence, all: readonly string[], call: boolean): Promise<void> {
    const now = systemClock.monotonic();
    if (call || now - this.#deepAt >= limits.deepLookMs) {
      this.#deepAt = now;
      this.#looked.clear();
    }
    const names = all.filter((name) => !this.#looked.has(name));
    if (names.length === 0) return;
    for (const name of names) this.#looked.add(name);
    const lanes = names.flatMap((name) => lanesOf(this.#names.id(name), 0, last));
    const from = lanes.map(({ lane }) => this.#horizon.from(lane));
    this.#fresh.clear();
    this.#learn(await this.#run(fence, lanes, from, true));
  }

  /** @param heads Per name, the first row that was left: only what comes before it is claimed. */
  async turn(
    fence: Fence,
    credit: ReadonlyMap<string, number>,
    heads: ReadonlyMap<string, Position>,
  ): Promise<{
    readonly claimed: readonly ClaimedJob[];
    readonly more: ReadonlySet<string>;
    readonly moved: ReadonlySet<string>;
  }> {
    const lanes = [...credit]
      .filter(([, count]) => count > 0)
      .flatMap(([name, count]) => lanesOf(this.#names.id(name), count, heads.get(name) ?? last))
      .filter(({ lane }) => this.#hot.has(lane) || this.#passed.has(lane));
    if (lanes.length === 0) return { claimed: [], more: new Set(), moved: new Set() };
    const from = lanes.map(({ lane }) => blockOf(this.#hot.get(lane)) ?? Number.MAX_SAFE_INTEGER);
    this.#fresh.clear();
    const rows = await this.#run(fence, lanes, from, false);
    const claimed = this.#take(rows, fence);
    const keyed = new Set(rows.filter(({ kind }) => kind === 7).map(({ lane }) => lane));
    const more = new Set(
      rows
        .filter(({ kind, hi, block }) => kind === 5 || (kind === 7 && (hi === 1 || (block as number | null) !== null)))
        .map(({ lane }) => this.#nameOf(lane)),
    );
    const moved = new Set(rows.filter(({ kind, hi }) => kind === 7 && hi === 1).map(({ lane }) => this.#nameOf(lane)));
    this.#pass(rows);
    const left = new Map(credit);
    for (const { name } of claimed) left.set(name, (left.get(name) ?? 0) - 1);
    for (const { lane, until } of lanes) {
      const name = this.#nameOf(lane);
      if (more.has(name) || (left.get(name) ?? 0) <= 0 || this.#fresh.has(lane)) continue;
      if (keyed.has(lane) && (this.#hot.has(lane) || until === Number.MAX_SAFE_INTEGER)) continue;
      // Nothing is left, or nothing before the row; or it is paused.
      if (!keyed.has(lane)) this.#passed.delete(lane);
      if (until === Number.MAX_SAFE_INTEGER) this.#hot.delete(lane);
      else this.#hot.set(lane, until + 1);
    }
    return { claimed, more, moved };
  }

  #nameOf(lane: number): string {
    return this.#names.name(Math.floor(lane / 10));
  }

  async #run(
    fence: Fence,
    lanes: readonly WantedLane[],
    from: readonly number[],
    deep: boolean,
  ): Promise<readonly TurnRow[]> {
    const ids = deep ? [] : [...new Set(lanes.map(({ lane }) => Math.floor(lane / 10)))];
    const keys = ids.map((id) => this.#running.of(this.#names.name(id), fence.epoch));
    return this.#work.run<TurnRow>(turnText, [
      ...[fence.epoch, fence.claim, lanes.map(({ lane }) => lane), lanes.map((one) => one.credit)],
      ...[from, lanes.map(({ until }) => until), deep, limits.claimBytes],
      ...[keys.flatMap((own, at) => own.map(() => ids[at] as number)), keys.flat()],
    ]);
  }

  #take(rows: readonly TurnRow[], fence: Fence): ClaimedJob[] {
    const claimed: ClaimedJob[] = [];
    const ordered = { ...fence, order: Number(rows.find(({ kind }) => kind === 6)?.at) };
    for (const row of rows) {
      // Passed over, since it was in others' hands: they may not take all of it.
      if (row.kind === 5 && (row.block as number | null) !== null) this.#hot.set(row.lane, row.block);
      if (row.kind !== 0 && row.kind !== 8) continue;
      const name = this.#nameOf(row.lane);
      const payloads = row.body.split(mark);
      const contexts = row.contexts === null ? undefined : row.contexts.split(mark);
      const keys = row.keys === null ? undefined : row.keys.split(mark);
      const places = placesOf(row);
      this.#holdings.add(row.slot, row.block, fence.epoch, fence.claim, places);
      for (const [place, at] of places) {
        claimed.push({
          id: String(row.block + place),
          name,
          priority: row.lane % 10,
          payload: payloads[at] ?? "",
          context: restOf(contexts?.[at]),
          key: restOf(keys?.[at]),
          attempt: 1,
          enqueuedAt: row.at,
          fence: ordered,
        });
      }
      // The rest of the block is next, or, where this was all of it, the block behind it. (Of names with limits per key it is said by itself.)
      this.#hot.set(row.lane, row.block + row.hi);
    }
    return claimed;
  }

  /** What is left of names with limits per key, and in which lanes places were passed over. */
  #pass(rows: readonly TurnRow[]): void {
    for (const { kind, lane, block, lo } of rows) {
      if (kind !== 7) continue;
      if (lo === 1) this.#passed.add(lane);
      else this.#passed.delete(lane);
      const next = block as number | null;
      if (next !== null) this.#hot.set(lane, next);
      else if (!this.#fresh.has(lane)) this.#hot.delete(lane);
    }
  }

  /** What a deep look tells of each lane: where to begin the next one. */
  #learn(rows: readonly TurnRow[]): void {
    const state = rows.find(({ kind }) => kind === 2);
    if (state !== undefined) this.#horizon.look({ last: state.block, over: state.body, below: state.contexts ?? "0" });
    for (const { kind, lane, block, lo } of rows) {
      if (kind !== 3) continue;
      const first = (block as number | null) ?? Infinity;
      // What was enqueued here meanwhile is known better.
      if (!this.#fresh.has(lane)) {
        if (first === Infinity) this.#hot.delete(lane);
        else this.#hot.set(lane, first + lo);
      }
      this.#horizon.seen(lane, first);
    }
  }

  /** Whether a job runs here as part of a block. */
  holds(job: ClaimedJob): boolean {
    return this.#holdings.of(job) !== undefined;
  }

  /** Whether the block path can take this settlement: it can keep nothing but a success. */
  succeeds(settlement: Settlement): boolean {
    return settlement.to === "succeeded" && (settlement.result === undefined || !hasSeparator(settlement.result));
  }

  /**
   * Commits successes of jobs that run here. Answers those that went to the row path meanwhile: they are still to be settled there.
   * Rejects when the lease is over, or when the answer is lost: then they may be offered again.
   */
  async succeed(epoch: number, settlements: readonly Settlement[]): Promise<readonly Settlement[]> {
    let open = settlements;
    const moved: Settlement[] = [];
    while (open.length > 0) {
      const parts = this.#parts(open);
      const marks = open.map((settlement) => this.#begin(settlement));
      const rows = await this.#settling.run<ApartRow>(settleText, valuesOf(epoch, parts)).catch((error: unknown) => {
        for (const { held, place, claim } of marks) held.claims[place] = claim;
        throw error;
      });
      const apart = new Map(rows.map(({ block, gone }) => [block, new Set(gone)]));
      const again: Settlement[] = [];
      open.forEach((settlement, index) => {
        const { held, place, claim } = marks[index] as Begun;
        const gone = apart.get(held.block);
        if (gone !== undefined && !gone.has(place)) {
          held.claims[place] = claim;
          again.push(settlement);
          return;
        }
        if (gone !== undefined) moved.push(settlement);
        this.#holdings.drop(held, place);
      });
      open = again;
    }
    return moved;
  }

  #begin({ job }: Settlement): Begun {
    const held = this.#holdings.of(job) as Held;
    const place = Number(job.id) % blockJobs;
    held.claims[place] = -job.fence.claim;
    return { held, place, claim: job.fence.claim };
  }

  #parts(settlements: readonly Settlement[]): readonly Part[] {
    const parts = new Map<Held, { held: Held; entries: { place: number; result: string }[] }>();
    for (const settlement of settlements) {
      const held = this.#holdings.of(settlement.job) as Held;
      let part = parts.get(held);
      if (part === undefined) parts.set(held, (part = { held, entries: [] }));
      const result = settlement.to === "succeeded" && settlement.result !== undefined ? `=${settlement.result}` : "";
      part.entries.push({ place: Number(settlement.job.id) % blockJobs, result });
    }
    // In the order of the blocks, as they are locked.
    const inOrder = [...parts.values()].toSorted((one, two) => one.held.block - two.held.block);
    return inOrder.map(({ held, entries }) => {
      entries.sort((one, two) => one.place - two.place);
      return { held, places: entries.map(({ place }) => place), results: entries.map(({ result }) => result) };
    });
  }

  /** What became of settlements whose answer was lost: the ids of those that were committed. */
  async committed(jobs: readonly ClaimedJob[]): Promise<ReadonlySet<JobId>> {
    const rows = await this.#settling.run<{ id: number }>(
      `SELECT u.id FROM unnest($1::bigint[]) AS u(id) JOIN tensile.outcome o ON o.block = u.id / 512 * 512 AND o.kind = 0 AND o.epoch = $2
        AND (u.id % 512)::int IN (SELECT p FROM tensile.blocks_places(o.ranges) AS p)`,
      [jobs.map(({ id }) => Number(id)), jobs[0]?.fence.epoch],
    );
    const done = new Set(rows.map(({ id }) => String(id)));
    for (const job of jobs) if (done.has(job.id)) this.#forget(job);
    return done;
  }

  /** Those of these jobs that are in blocks, unfinished, become rows: ready ones as ready, running ones as running under the claim that they have. */
  async takeOut(ids: readonly JobId[]): Promise<readonly JobId[]> {
    const [row] = await this.#settling.run<{ ids: number[] }>("SELECT tensile.blocks_take_out($1::bigint[]) AS ids", [
      ids.map(Number),
    ]);
    return (row?.ids ?? []).map(String);
  }

  /** The same for jobs that run here. */
  async giveOver(jobs: readonly ClaimedJob[]): Promise<void> {
    if (jobs.length === 0) return;
    await this.takeOut(jobs.map(({ id }) => id));
    for (const job of jobs) this.#forget(job);
  }

  #forget(job: ClaimedJob): void {
    const held = this.#holdings.of(job);
    if (held !== undefined) this.#holdings.drop(held, Number(job.id) % blockJobs);
  }

  /** What these epochs ran of blocks becomes rows that run under their claims; `claim`: of one of them alone. */
  async abandon(epochs: readonly number[], claim?: number): Promise<void> {
    for (let moved = Infinity; moved > 0;) {
      const [row] = await this.#work.run<{ moved: number }>(
        "SELECT tensile.blocks_abandon($1::bigint[], $2, $3) AS moved",
        [epochs, claim, limits.abandonJobs],
      );
      moved = row?.moved ?? 0;
    }
  }

  /** The lease is gone. */
  lose(): void {
    this.#holdings.clear();
    this.#running.clear();
  }
}

interface Part {
  readonly held: Held;
  readonly places: readonly number[];
  readonly results: readonly string[];
}

interface Begun {
  readonly held: Held;
  readonly place: number;
  readonly claim: number;
}

/** Of a block that was not settled: the places that went to the row path. */
interface ApartRow {
  readonly block: number;
  readonly gone: readonly number[];
}

const settleText =
  "SELECT * FROM tensile.blocks_settle($1, $2::smallint[], $3::bigint[], $4::int[], $5::text[], $6::text[])";

function valuesOf(epoch: number, parts: readonly Part[]): readonly SqlParameter[] {
  return [
    ...[epoch, parts.map(({ held }) => held.slot), parts.map(({ held }) => held.block)],
    ...[parts.map(({ places }) => places.length), parts.map(({ places }) => rangesOf(places))],
    parts.map(({ results }) => (results.some((result) => result !== "") ? results.join(mark) : null)),
  ];
}

const turnText =
  "SELECT * FROM tensile.blocks_turn($1, $2, $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7, $8, $9::int[], $10::text[])";
