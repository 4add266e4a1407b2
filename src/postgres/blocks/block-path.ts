/**
 * The block path as calls. A job that does more than succeed is given over to the row path, with its id, its attempt and its claim; from then on it is one
 * of its rows.
 */
import { systemClock } from "../../core/index.ts";
import type { ClaimedJob, EnqueueReceipt, Fence, JobId, NewJob, Settlement } from "../../jobs/index.ts";
import type { Sql } from "../connection.ts";
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
  type Draft,
  type EnqueueRow,
  type Taking,
} from "./drafts.ts";
import { blockJobs, Holdings } from "./holdings.ts";
import { BlockJob, BlockReceipt } from "./block-job.ts";
import { Horizon } from "./horizon.ts";
import { KeptClaims, type OnLost } from "./kept-claims.ts";
import type { KeyGates } from "./key-gates.ts";
import { placesOf, restOf, waitingOf, type TurnRow } from "./turn-row.ts";
import { blockOf, lanesOf, priorities, type WantedLane } from "./lanes.ts";
import { Successes } from "./successes.ts";

export class BlockPath {
  readonly #work: Sql;
  readonly #settling: Sql;
  readonly #successes: Successes;
  readonly #names: BlockNames;
  readonly #running: KeyGates;
  readonly #holdings = new Holdings();
  readonly #kept: KeptClaims;
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
  constructor(work: Sql, settling: Sql, names: BlockNames, running: KeyGates, onLost: OnLost) {
    this.#work = work;
    this.#settling = settling;
    this.#successes = new Successes(settling, this.#holdings);
    this.#names = names;
    this.#running = running;
    this.#kept = new KeptClaims(settling, this.#holdings, running, onLost);
  }

  /** One statement, and one commit, in which this process claims what there is room for. */
  async enqueue(
    sql: Sql,
    jobs: readonly NewJob[],
    taking?: Taking,
  ): Promise<{
    readonly receipts: readonly EnqueueReceipt[];
    readonly claimed: readonly ClaimedJob[];
    /** Names of which jobs were to be claimed and were not. */
    readonly refused: ReadonlySet<string>;
  }> {
    const drafts = draftsOf(jobs, this.#names, taking?.chosen);
    const takes = taking === undefined ? null : takesOf(drafts, jobs, taking.room);
    const mostOf = (lane: number): number => this.#mostOf(lane);
    const [row] = (await sql.run<EnqueueRow>(enqueueText, enqueueValues(drafts, takes, taking, mostOf))) as readonly [
      EnqueueRow,
    ];
    if (row.run !== null) this.#kept.told(row.run);
    const receipts: EnqueueReceipt[] = [];
    const claimed: ClaimedJob[] = [];
    const refused = new Set<string>();
    for (let index = 0; index < drafts.length; index++) {
      const { lane, chosen, places } = drafts[index] as Draft;
      const seq = row.seqs[index] as number;
      const took = row.took?.[index] ?? 0;
      for (let at = 0; at < places.length; at++) receipts[places[at] as number] = new BlockReceipt(String(seq + at));
      if (taking !== undefined && took > 0) {
        const fence = { ...taking.fence, order: row.fence ?? 0 };
        this.#holdings.addFirst(row.slot, seq, fence, took);
        const claim = { name: this.#nameOf(lane), priority: lane % 10, enqueuedAt: row.made_at, fence };
        for (let at = 0; at < took; at++) {
          const { payload, context, key } = jobs[places[at] as number] as NewJob;
          const { id } = receipts[places[at] as number] as EnqueueReceipt;
          claimed.push(new BlockJob(id, claim, payload, context, key));
        }
      }
      if (took === places.length) continue;
      if (chosen) refused.add(this.#nameOf(lane));
      this.#hot.set(lane, Math.min(this.#hot.get(lane) ?? Infinity, seq + took));
      this.#fresh.add(lane);
    }
    return { receipts, claimed, refused };
  }

  /** Jobs with a key of names that are claimed when they are enqueued, which run for so long that the blocks between would be too many: they become rows. */
  async giveOverSlow(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) await this.giveOver(this.#running.of(name).lookBack());
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
    for (let whole = false; !whole;) {
      const from = lanes.map(({ lane }) => this.#horizon.from(lane));
      this.#fresh.clear();
      whole = this.#learn(await this.#ask(fence, lanes, from, true));
    }
    await this.#kept.check();
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
    /** Per name with limits per key: what was told of it (see KeyGate); nothing waits in blocks of those that are not named. */
    readonly told: ReadonlyMap<string, { readonly owned: boolean; readonly waiting: readonly string[] | undefined }>;
  }> {
    const lanes = [...credit]
      .filter(([, count]) => count > 0)
      // In one order, as their rows of keyed are locked.
      .toSorted(([one], [two]) => this.#names.id(one) - this.#names.id(two))
      .flatMap(([name, count]) => lanesOf(this.#names.id(name), count, heads.get(name) ?? last))
      .filter(({ lane }) => this.#hot.has(lane) || this.#passed.has(lane))
      .filter(({ lane }) => this.#running.limited(this.#nameOf(lane))?.isFull !== true || this.#hasPassed(lane));
    if (lanes.length === 0) return { claimed: [], more: new Set(), moved: new Set(), told: new Map() };
    const from = lanes.map(({ lane }) => blockOf(this.#hot.get(lane)) ?? Number.MAX_SAFE_INTEGER);
    await this.giveOverSlow(new Set(lanes.map(({ lane }) => this.#nameOf(lane))));
    this.#fresh.clear();
    const swept = this.#sweep(lanes);
    const rows = await this.#ask(fence, lanes, from, false, swept);
    const number = rows.find(({ kind }) => kind === 6);
    if (number !== undefined) this.#kept.told(number.block);
    // What is claimed once more must not seem to run already.
    await this.#kept.check();
    const claimed = this.#take(rows, { ...fence, order: number?.at ?? 0 });
    const keyed = new Set(rows.filter(({ kind }) => kind === 7).map(({ lane }) => lane));
    const more = new Set(
      rows
        .filter(({ kind, hi, block }) => kind === 5 || (kind === 7 && (hi === 1 || (block as number | null) !== null)))
        .map(({ lane }) => this.#nameOf(lane)),
    );
    const moved = new Set(rows.filter(({ kind, hi }) => kind === 7 && hi === 1).map(({ lane }) => this.#nameOf(lane)));
    const told = new Map(
      rows
        .filter(({ kind }) => kind === 9)
        .map(
          ({ lane, lo, keys }) =>
            [
              this.#nameOf(lane),
              { owned: lo === 1, waiting: heads.has(this.#nameOf(lane)) ? undefined : waitingOf(keys) },
            ] as const,
        ),
    );
    const left = new Map(credit);
    for (const [lane, room] of swept) left.set(this.#nameOf(lane), room);
    for (const { name } of claimed) left.set(name, (left.get(name) ?? 0) - 1);
    for (const { lane } of lanes) {
      const name = this.#nameOf(lane);
      const all = swept.has(lane) && (left.get(name) ?? 0) > 0 && !more.has(name) && !heads.has(name);
      if (!told.has(name)) told.set(name, { owned: swept.has(lane), waiting: all ? [] : undefined });
    }
    this.#pass(rows);
    for (const { lane, until } of lanes) {
      const name = this.#nameOf(lane);
      if (more.has(name) || (left.get(name) ?? 0) <= 0 || this.#fresh.has(lane)) continue;
      if (keyed.has(lane) && (this.#hot.has(lane) || until === Number.MAX_SAFE_INTEGER)) continue;
      // Nothing is left, or nothing before the row; or it is paused.
      if (!keyed.has(lane)) this.#passed.delete(lane);
      if (until === Number.MAX_SAFE_INTEGER) this.#hot.delete(lane);
      else this.#hot.set(lane, until + 1);
    }
    return { claimed, more, moved, told };
  }

  /**
   * Lanes with limits per key of which this process may take whatever comes, and how many: where it owns the name, and nothing was passed over, so that claims have
   * no gaps.
   */
  #sweep(lanes: readonly WantedLane[]): ReadonlyMap<number, number> {
    const sweeps = new Map<number, number>();
    for (const { lane, credit } of lanes) {
      if (this.#hasPassed(lane)) continue;
      const room = this.#running.limited(this.#nameOf(lane))?.sweep(credit) ?? 0;
      if (room > 0) sweeps.set(lane, room);
    }
    return sweeps;
  }

  /** Whether places of this name were passed over. */
  #hasPassed(lane: number): boolean {
    const first = lane - (lane % 10);
    return this.#passed.size > 0 && priorities.some((one) => this.#passed.has(first + one));
  }

  /** The limit that is kept here: what is said where it is claimed without saying what runs. */
  #mostOf(lane: number): number {
    return this.#running.of(this.#nameOf(lane)).most;
  }

  /** Whether jobs of a name are known to wait in blocks. */
  waits(name: string): boolean {
    const id = this.#names.id(name);
    return priorities.some((one) => this.#hot.has(id * 10 + one) || this.#passed.has(id * 10 + one));
  }

  #nameOf(lane: number): string {
    return this.#names.name(Math.floor(lane / 10));
  }

  async #ask(
    fence: Fence,
    lanes: readonly WantedLane[],
    from: readonly number[],
    deep: boolean,
    swept: ReadonlyMap<number, number> = noLanes,
  ): Promise<readonly TurnRow[]> {
    const ids = deep
      ? []
      : [...new Set(lanes.filter(({ lane }) => !swept.has(lane)).map(({ lane }) => Math.floor(lane / 10)))];
    const mosts = swept.size === 0 ? null : lanes.map(({ lane }) => (swept.has(lane) ? this.#mostOf(lane) : null));
    const keys = ids.map((id) => this.#running.of(this.#names.name(id)).unsettled(fence.epoch));
    const aheads = lanes.map(({ lane }) => (deep ? 0 : (this.#running.limited(this.#nameOf(lane))?.aheadRoom ?? 0)));
    return this.#work.run<TurnRow>(turnText, [
      ...[fence.epoch, fence.claim, lanes.map(({ lane }) => lane)],
      ...[lanes.map(({ lane, credit }) => swept.get(lane) ?? credit), from, lanes.map(({ until }) => until)],
      ...[deep, limits.claimBytes, keys.flatMap((own, at) => own.map(() => ids[at] as number)), keys.flat()],
      ...[aheads, mosts],
    ]);
  }

  #take(rows: readonly TurnRow[], fence: Fence): ClaimedJob[] {
    const claimed: ClaimedJob[] = [];
    for (const row of rows) {
      // Passed over, since it was in others' hands: they may not take all of it.
      if (row.kind === 5 && (row.block as number | null) !== null) this.#hot.set(row.lane, row.block);
      if (row.kind !== 0 && row.kind !== 8) continue;
      const name = this.#nameOf(row.lane);
      const payloads = row.body.split(mark);
      const contexts = row.contexts === null ? undefined : row.contexts.split(mark);
      const keys = row.keys === null ? undefined : row.keys.split(mark);
      const places = placesOf(row);
      this.#holdings.add(row.slot, row.block, fence, places);
      const claim = { name, priority: row.lane % 10, enqueuedAt: row.at, fence };
      for (const [place, at] of places) {
        const [context, key] = [restOf(contexts?.[at]), restOf(keys?.[at])];
        claimed.push(new BlockJob(String(row.block + place), claim, payloads[at] ?? "", context, key));
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

  /** What a deep look tells of each lane: where to begin the next one. Answers whether it has seen all there is. */
  #learn(rows: readonly TurnRow[]): boolean {
    const state = rows.find(({ kind }) => kind === 2);
    const run = Number(state?.keys);
    const again =
      state !== undefined &&
      this.#horizon.look({ last: state.block, over: state.body, below: state.contexts ?? "0", run });
    if (state !== undefined) this.#kept.told(run);
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
    return !again;
  }

  /** The server may have crashed: asks what is claimed still. */
  recheck(): Promise<void> {
    return this.#kept.ask();
  }

  /** Whether a job runs here as part of a block. */
  holds(job: ClaimedJob): boolean {
    return this.#holdings.of(job) !== undefined;
  }

  /** Whether the block path can take this settlement: it can keep nothing but a success. */
  succeeds(settlement: Settlement): boolean {
    return settlement.to === "succeeded" && (settlement.result === undefined || !hasSeparator(settlement.result));
  }

  /** See `Successes`. */
  succeed(epoch: number, settlements: readonly Settlement[], committed: Settlement[]): Promise<readonly Settlement[]> {
    return this.#successes.commit(this.#kept.run, epoch, settlements, committed);
  }

  /** What became of settlements whose answer was lost: the ids of those that were committed. */
  async committed(jobs: readonly ClaimedJob[]): Promise<ReadonlySet<JobId>> {
    const done = await this.#successes.committed(jobs);
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
    this.#running.moved(job);
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
  lose(epoch: number): void {
    this.#holdings.clear();
    this.#running.clear(epoch);
  }
}

const noLanes: ReadonlyMap<number, number> = new Map();

const turnText =
  "SELECT * FROM tensile.blocks_turn($1, $2, $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7, $8, $9::int[], $10::text[], $11::int[], $12::int[])";
