/**
 * The block path as calls. A job that does more than succeed is given over to the row path, with its id, its attempt and its claim; from then on it is one
 * of its rows.
 */
import { systemClock } from "../../core/index.ts";
import type { ClaimedJob, EnqueueReceipt, Fence, JobId, JobRecord, NewJob, Settlement } from "../../jobs/index.ts";
import type { Sql, SqlParameter } from "../connection.ts";
import { postgresLimits as limits } from "../limits.ts";
import { blockJobs, Holdings, type Held } from "./holdings.ts";

/** The numbers of job names. */
export interface BlockNames {
  id(name: string): number;
  name(id: number): string;
}

const mark = "\u0001";
const between = "\u0002";

interface Draft {
  readonly lane: number;
  readonly places: number[];
  readonly bodies: string[];
  readonly contexts: string[];
  chars: number;
  withContext: boolean;
}

interface TurnRow {
  readonly kind: number;
  readonly slot: number;
  readonly block: number;
  readonly lane: number;
  readonly lo: number;
  readonly hi: number;
  readonly at: number;
  readonly body: string;
  readonly contexts: string | null;
  readonly gone: readonly number[] | null;
}

export class BlockPath {
  readonly #work: Sql;
  readonly #names: BlockNames;
  readonly #holdings = new Holdings();
  /** Lanes that had work when they were last looked at, with the number of the block to go on from. */
  readonly #hot = new Map<number, number>();
  /** Per lane: no block below has unclaimed jobs, also none that a transaction under way will bring. */
  readonly #settledBelow = new Map<number, number>();
  /** A look at the sequence, and the transactions that must be over before all up to there is seen. */
  #mark: { readonly last: number; readonly xmax: bigint } | undefined;
  #horizon = 0;
  #deepAt = -Infinity;

  constructor(work: Sql, names: BlockNames) {
    this.#work = work;
    this.#names = names;
  }

  /** One statement, and one commit. */
  async enqueue(sql: Sql, jobs: readonly NewJob[]): Promise<readonly EnqueueReceipt[]> {
    const drafts = this.#drafts(jobs);
    const values: SqlParameter[] = [
      drafts.map(({ lane }) => lane),
      drafts.map(({ places }) => places.length),
      drafts.map(({ bodies }) => bodies.join(mark)).join(between),
      drafts.map(({ contexts, withContext }) => (withContext ? contexts.join(mark) : "")).join(between),
    ];
    const text = "SELECT tensile.blocks_enqueue($1::int[], $2::int[], $3, $4) AS seqs";
    const [row] = await sql.run<{ seqs: number[] }>(text, values);
    const receipts: EnqueueReceipt[] = [];
    drafts.forEach(({ lane, places }, index) => {
      const seq = row?.seqs[index] ?? 0;
      places.forEach((place, at) => (receipts[place] = { id: String(seq + at), duplicate: false }));
      this.#hot.set(lane, Math.min(this.#hot.get(lane) ?? seq, seq));
    });
    return receipts;
  }

  #drafts(jobs: readonly NewJob[]): readonly Draft[] {
    const open = new Map<number, Draft>();
    const drafts: Draft[] = [];
    jobs.forEach(({ name, priority, payload, context }, place) => {
      const lane = this.#names.id(name) * 10 + priority;
      let draft = open.get(lane);
      if (
        draft === undefined ||
        draft.places.length === blockJobs ||
        draft.chars + payload.length > limits.blockChars
      ) {
        draft = { lane, places: [], bodies: [], contexts: [], chars: 0, withContext: false };
        open.set(lane, draft);
        drafts.push(draft);
      }
      draft.places.push(place);
      draft.bodies.push(payload);
      draft.contexts.push(context === undefined ? "" : `=${context}`);
      draft.chars += payload.length;
      draft.withContext ||= context !== undefined;
    });
    return drafts;
  }

  /** @param call Somebody has called: look into every lane. */
  async turn(
    fence: Fence,
    credit: ReadonlyMap<string, number>,
    call: boolean,
  ): Promise<{ readonly claimed: readonly ClaimedJob[]; readonly more: boolean }> {
    const wanted = [...credit]
      .filter(([, count]) => count > 0)
      .map(([name, count]) => [this.#names.id(name), count] as const);
    if (wanted.length === 0) return { claimed: [], more: false };
    const now = systemClock.monotonic();
    const hot = wanted.flatMap(([id, count]) => lanesOf(id, count).filter(({ lane }) => this.#hot.has(lane)));
    const deep = call || hot.length === 0 || now - this.#deepAt >= limits.deepLookMs;
    if (deep) this.#deepAt = now;
    const lanes = deep ? wanted.flatMap(([id, count]) => lanesOf(id, count)) : hot;
    const from = lanes.map(({ lane }) => (deep ? this.#settledBelow.get(lane) : this.#hot.get(lane)) ?? 0);
    const rows = await this.#run(fence, [], lanes, from, deep);
    const claimed = this.#take(rows, fence);
    if (deep) this.#learn(rows);
    else
      for (const { lane } of hot) if (!rows.some((row) => row.kind === 0 && row.lane === lane)) this.#hot.delete(lane);
    return { claimed, more: !deep };
  }

  async #run(
    fence: Fence,
    parts: readonly Part[],
    lanes: readonly { readonly lane: number; readonly credit: number }[],
    from: readonly number[],
    deep: boolean,
  ): Promise<readonly TurnRow[]> {
    return this.#work.run<TurnRow>(turnText, [
      ...[fence.epoch, fence.claim, parts.map(({ held }) => held.slot), parts.map(({ held }) => held.block)],
      ...[parts.map(({ places }) => places.length), parts.map(({ places }) => rangesOf(places))],
      ...[parts.map(({ results }) => (results.some((result) => result !== "") ? results.join(mark) : null))],
      ...[lanes.map(({ lane }) => lane), lanes.map((one) => one.credit), from, deep, limits.claimBytes],
    ]);
  }

  #take(rows: readonly TurnRow[], fence: Fence): ClaimedJob[] {
    const claimed: ClaimedJob[] = [];
    for (const row of rows) {
      if (row.kind !== 0) continue;
      const held = this.#holdings.add(row.slot, row.block, fence.epoch, fence.claim, row.lo, row.hi);
      const name = this.#names.name(Math.floor(row.lane / 10));
      const payloads = row.body.split(mark);
      const contexts = row.contexts === null ? undefined : row.contexts.split(mark);
      const gone = row.gone === null ? undefined : new Set(row.gone);
      for (let place = row.lo; place < row.hi; place++) {
        if (gone?.has(place) === true) {
          this.#holdings.drop(held, place);
          continue;
        }
        const context = contexts?.[place - row.lo];
        claimed.push({
          id: String(row.block + place),
          name,
          priority: row.lane % 10,
          payload: payloads[place - row.lo] ?? "",
          context: context === undefined || context === "" ? undefined : context.slice(1),
          attempt: 1,
          enqueuedAt: row.at,
          fence,
        });
      }
      // Of a block that was claimed in part the rest is next.
      this.#hot.set(row.lane, row.block);
    }
    return claimed;
  }

  /** What a deep look tells of each lane: where to begin the next one. */
  #learn(rows: readonly TurnRow[]): void {
    const state = rows.find(({ kind }) => kind === 2);
    if (state !== undefined) {
      if (this.#mark !== undefined && BigInt(state.body) >= this.#mark.xmax) {
        this.#horizon = this.#mark.last + 1;
        this.#mark = undefined;
      }
      this.#mark ??= { last: state.block, xmax: BigInt(state.contexts ?? "0") };
    }
    for (const { kind, lane, block } of rows) {
      if (kind !== 3) continue;
      const first = (block as number | null) ?? Infinity;
      if (first === Infinity) this.#hot.delete(lane);
      else if (!this.#hot.has(lane)) this.#hot.set(lane, first);
      this.#settledBelow.set(lane, Math.min(first, Math.max(this.#horizon, this.#settledBelow.get(lane) ?? 0)));
    }
  }

  /** Whether a job runs here as part of a block. */
  holds(job: ClaimedJob): boolean {
    return this.#holdings.of(job) !== undefined;
  }

  /** Whether the block path can take this settlement: it can keep nothing but a success. */
  succeeds(settlement: Settlement): boolean {
    return (
      settlement.to === "succeeded" && (settlement.result === undefined || !/[\u0000-\u0002]/.test(settlement.result))
    );
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
      const fence = { epoch, claim: 0 };
      const rows = await this.#run(fence, parts, [], [], false).catch((error: unknown) => {
        for (const { held, place, claim } of marks) held.claims[place] = claim;
        throw error;
      });
      const apart = new Map(rows.filter(({ kind }) => kind === 4).map(({ block, gone }) => [block, new Set(gone)]));
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
    return [...parts.values()].map(({ held, entries }) => {
      entries.sort((one, two) => one.place - two.place);
      return { held, places: entries.map(({ place }) => place), results: entries.map(({ result }) => result) };
    });
  }

  /** What became of settlements whose answer was lost: the ids of those that were committed. */
  async committed(jobs: readonly ClaimedJob[]): Promise<ReadonlySet<JobId>> {
    const rows = await this.#work.run<{ id: number }>(
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
    const [row] = await this.#work.run<{ ids: number[] }>("SELECT tensile.blocks_take_out($1::bigint[]) AS ids", [
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

const turnText =
  "SELECT * FROM tensile.blocks_turn($1, $2, $3::smallint[], $4::bigint[], $5::int[], $6::text[], $7::text[], $8::int[], $9::int[], $10::bigint[], $11, $12)";

function lanesOf(id: number, credit: number): { readonly lane: number; readonly credit: number }[] {
  return Array.from({ length: 10 }, (_, priority) => ({ lane: id * 10 + priority, credit }));
}

/** Sorted places as PostgreSQL's text of an array: from, to (excluded), from, to ... */
function rangesOf(places: readonly number[]): string {
  const ranges: number[] = [];
  for (const place of places) {
    if (ranges.at(-1) === place) ranges[ranges.length - 1] = place + 1;
    else ranges.push(place, place + 1);
  }
  return `{${ranges.join(",")}}`;
}

export interface BlockRow {
  readonly id: number;
  readonly name: string;
  readonly priority: number;
  readonly state: number;
  readonly at: number;
  readonly finished_at: number | null;
  readonly payload: string;
  readonly context: Buffer | null;
  readonly result: string | null;
}

export function blockRecordOf(row: BlockRow): JobRecord {
  const state = row.state === 10 ? "succeeded" : row.state === 4 ? "running" : "ready";
  return {
    id: String(row.id),
    name: row.name,
    state,
    priority: row.priority,
    payload: row.payload,
    ...(row.context === null ? undefined : { context: row.context.toString() }),
    attempt: state === "ready" ? 0 : 1,
    enqueuedAt: row.at,
    ...(row.finished_at === null ? undefined : { finishedAt: row.finished_at }),
    ...(row.result === null ? undefined : { result: row.result }),
    errors: [],
  };
}
