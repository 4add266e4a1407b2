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
   * Rejects when the lease is over, when the server is in another run than `run`, or when the answer is lost: then they may be offered again.
   */
  async commit(
    run: number | undefined,
    epoch: number,
    settlements: readonly Settlement[],
  ): Promise<readonly Settlement[]> {
    let open = settlements;
    const moved: Settlement[] = [];
    while (open.length > 0) {
      const parts = this.#parts(open);
      const marks = open.map((settlement) => this.#begin(settlement));
      const values = [run ?? null, epoch, ...valuesOf(parts)];
      const rows = await this.#settling.run<ApartRow>(settleText, values).catch((error: unknown) => {
        // Unless it was dropped meanwhile.
        for (const { held, place, claim } of marks) if (held.claims[place] === -claim) held.claims[place] = claim;
        throw error;
      });
      const apart = new Map(rows.map(({ block, gone }) => [block, new Set(gone)]));
      const again: Settlement[] = [];
      open.forEach((settlement, index) => {
        const { held, place, claim } = marks[index] as Begun;
        const gone = apart.get(held.block);
        if (gone !== undefined && !gone.has(place) && held.claims[place] === -claim) {
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
  "SELECT * FROM tensile.blocks_settle($1, $2, $3::smallint[], $4::bigint[], $5::int[], $6::text[], $7::text[])";

function valuesOf(parts: readonly Part[]): readonly SqlParameter[] {
  return [
    ...[parts.map(({ held }) => held.slot), parts.map(({ held }) => held.block)],
    ...[parts.map(({ places }) => places.length), parts.map(({ places }) => rangesOf(places))],
    parts.map(({ results }) => (results.some((result) => result !== "") ? results.join(mark) : null)),
  ];
}
