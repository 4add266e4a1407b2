/** Successes of jobs that run here as parts of blocks, and how they are told: block by block, as ranges of places. */
import type { ClaimedJob, JobId, Settlement } from "../../jobs/index.ts";
import type { Sql, SqlParameter } from "../connection.ts";
import { mark } from "./drafts.ts";
import { blockJobs, type Held, type Holdings } from "./holdings.ts";
import { rangesOf } from "./lanes.ts";

export class Successes {
  readonly #settling: Sql;
  readonly #holdings: Holdings;

  constructor(settling: Sql, holdings: Holdings) {
    this.#settling = settling;
    this.#holdings = holdings;
  }

  /**
   * Commits successes of jobs that run here. Answers those that went to the row path meanwhile: they are still to be settled there.
   * Rejects when the lease is over, when the server is in another run than `run`, or when the answer is lost: then they may be offered again, but for those in `committed`.
   */
  async commit(
    run: number | undefined,
    epoch: number,
    settlements: readonly Settlement[],
    committed: Settlement[],
  ): Promise<readonly Settlement[]> {
    let open = settlements;
    const moved: Settlement[] = [];
    while (open.length > 0) {
      const parts = this.#parts(open);
      const marks: Begun[] = [];
      for (const settlement of open) marks.push(this.#begin(settlement));
      const values = [run ?? null, epoch, ...valuesOf(parts)];
      const rows = await this.#settling.run<ApartRow>(settleText, values).catch((error: unknown) => {
        // Unless it was dropped meanwhile.
        for (const { held, place, claim } of marks) if (held.claims[place] === -claim) held.claims[place] = claim;
        throw error;
      });
      const apart = new Map(rows.map(({ block, gone }) => [block, new Set(gone)]));
      const again: Settlement[] = [];
      for (let index = 0; index < open.length; index++) {
        const settlement = open[index] as Settlement;
        const { held, place, claim } = marks[index] as Begun;
        const gone = apart.size === 0 ? undefined : apart.get(held.block);
        if (gone !== undefined && !gone.has(place) && held.claims[place] === -claim) {
          held.claims[place] = claim;
          again.push(settlement);
          continue;
        }
        if (gone !== undefined) moved.push(settlement);
        // Where another statement follows, which may fail.
        else if (apart.size > 0) committed.push(settlement);
        this.#holdings.drop(held, place);
      }
      open = again;
    }
    return moved;
  }

  /** What became of successes whose answer was lost: the ids of those that were committed. */
  async committed(jobs: readonly ClaimedJob[]): Promise<ReadonlySet<JobId>> {
    const rows = await this.#settling.run<{ id: number }>(
      `SELECT u.id FROM unnest($1::bigint[]) AS u(id) JOIN tensile.outcome o ON o.block = u.id / 512 * 512 AND o.kind = 0 AND o.epoch = $2
        AND (u.id % 512)::int IN (SELECT p FROM tensile.blocks_places(o.ranges) AS p)`,
      [jobs.map(({ id }) => Number(id)), jobs[0]?.fence.epoch],
    );
    return new Set(rows.map(({ id }) => String(id)));
  }

  #begin({ job }: Settlement): Begun {
    const held = this.#holdings.of(job) as Held;
    const place = Number(job.id) % blockJobs;
    held.claims[place] = -job.fence.claim;
    return { held, place, claim: job.fence.claim };
  }

  #parts(settlements: readonly Settlement[]): readonly Part[] {
    const parts = new Map<Held, Part>();
    for (const settlement of settlements) {
      const held = this.#holdings.of(settlement.job) as Held;
      let part = parts.get(held);
      if (part === undefined) parts.set(held, (part = new Part(held)));
      part.add(settlement);
    }
    for (const part of parts.values()) part.order();
    // In the order of the blocks, as they are locked.
    return [...parts.values()].toSorted((one, two) => one.held.block - two.held.block);
  }
}

/** What is settled of one block. */
class Part {
  readonly held: Held;
  #places: number[] = [];
  #results: string[] = [];
  #withResults = false;
  #isInOrder = true;

  constructor(held: Held) {
    this.held = held;
  }

  add(settlement: Settlement): void {
    const place = Number(settlement.job.id) % blockJobs;
    const result = settlement.to === "succeeded" ? settlement.result : undefined;
    this.#isInOrder &&= place >= (this.#places.at(-1) ?? 0);
    this.#places.push(place);
    this.#results.push(result === undefined ? "" : `=${result}`);
    this.#withResults ||= result !== undefined;
  }

  /** By place from here on. */
  order(): void {
    if (this.#isInOrder) return;
    const places = this.#places;
    const order = places.map((_, at) => at).toSorted((one, two) => (places[one] ?? 0) - (places[two] ?? 0));
    this.#places = order.map((at) => places[at] ?? 0);
    this.#results = order.map((at) => this.#results[at] ?? "");
  }

  get size(): number {
    return this.#places.length;
  }

  get ranges(): string {
    return rangesOf(this.#places);
  }

  /** Null: none of them has one. */
  get results(): string | null {
    return this.#withResults ? this.#results.join(mark) : null;
  }
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
  "SELECT * FROM tensile.blocks_settle($1, $2, $3::smallint[], $4::bigint[], $5::int[], $6::text[], $7::text[])";

function valuesOf(parts: readonly Part[]): readonly SqlParameter[] {
  return [
    ...[parts.map(({ held }) => held.slot), parts.map(({ held }) => held.block)],
    ...[parts.map(({ size }) => size), parts.map(({ ranges }) => ranges), parts.map(({ results }) => results)],
  ];
}
