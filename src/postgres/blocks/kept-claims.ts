/**
 * Whether what this process runs of blocks is claimed still. A claim's commit waits for no disk, so a crash of the server, or a failover, may lose the last ones while their
 * jobs run; others claim these again. Every run of the server has a number (`tensile.server_run`): each claim tells that of its own, and a settlement in another run than
 * that of all claims is refused, until it was asked which of them are there.
 */
import type { ClaimedJob, JobId } from "../../jobs/index.ts";
import type { Sql } from "../connection.ts";
import type { Holdings } from "./holdings.ts";
import type { KeyGates } from "./key-gates.ts";

/** A crash of the server has lost the claims of these. @param free What may run instead. */
export type OnLost = (lost: readonly JobId[], free: readonly ClaimedJob[]) => void;

const text = "SELECT run, lost FROM tensile.blocks_recheck($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[])";

export class KeptClaims {
  readonly #sql: Sql;
  readonly #holdings: Holdings;
  readonly #gates: KeyGates;
  readonly #onLost: OnLost;
  /** The run in which all that is held is claimed; undefined: that is to be asked. */
  #run: number | undefined;
  #asking: Promise<void> | undefined;
  /** Runs in which something was claimed while it is asked. */
  readonly #meanwhile = new Set<number>();

  constructor(sql: Sql, holdings: Holdings, gates: KeyGates, onLost: OnLost) {
    this.#sql = sql;
    this.#holdings = holdings;
    this.#gates = gates;
    this.#onLost = onLost;
  }

  /** For a settlement. */
  get run(): number | undefined {
    return this.#run;
  }

  /** Something is told of this run. Before what it claims is held. */
  told(run: number): void {
    if (this.#asking !== undefined) this.#meanwhile.add(run);
    if (this.#run !== run) this.#run = this.#holdings.size === 0 ? run : undefined;
  }

  /** Asks where it is to be asked, and loses what is not there. */
  async check(): Promise<void> {
    if (this.#run === undefined && this.#holdings.size > 0) await this.ask();
  }

  ask(): Promise<void> {
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  async #ask(): Promise<void> {
    this.#meanwhile.clear();
    const all = [...this.#holdings.all()];
    const ids = all.map(({ held, place }) => held.block + place);
    const [row] = await this.#sql.run<{ run: number; lost: readonly number[] }>(text, [
      ...[all.map(({ held }) => held.epoch), all.map(({ held }) => held.slot), ids, all.map(({ claim }) => claim)],
    ]);
    if (row === undefined) return;
    const isSame = [...this.#meanwhile].every((run) => run === row.run);
    this.#run = isSame ? row.run : undefined;
    const gone = new Set(row.lost);
    const lost = new Set<JobId>();
    for (const [at, { held, place, claim }] of all.entries()) {
      if (!gone.has(ids[at] as number) || Math.abs(held.claims[place] ?? 0) !== claim) continue;
      this.#holdings.drop(held, place);
      lost.add(String(ids[at]));
    }
    if (lost.size > 0) this.#onLost([...lost], this.#gates.lost(lost));
  }
}
