/** Since when the oldest ready job of a name waits in blocks: at the head of its lanes, wherever these are by now, and however much waits behind. */
import type { Sql } from "../connection.ts";
import { last } from "../rows/index.ts";
import type { BlockNames } from "./drafts.ts";
import { Horizon } from "./horizon.ts";
import { lanesOf } from "./lanes.ts";

interface SinceRow {
  readonly lane: number;
  readonly first: number | null;
  readonly at: number | null;
  readonly last: number;
  readonly over: string;
  readonly below: string;
  readonly run: number;
}

export class Ages {
  readonly #desk: Sql;
  readonly #names: BlockNames;
  readonly #horizon = new Horizon();
  /** One question at a time. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(desk: Sql, names: BlockNames) {
    this.#desk = desk;
    this.#names = names;
  }

  /** Milliseconds since 1970; undefined: none waits. The numbers of these names are known. */
  since(names: readonly string[]): Promise<number | undefined> {
    const answer = this.#asking.then(() => this.#ask(names));
    this.#asking = answer.catch(() => undefined);
    return answer;
  }

  async #ask(names: readonly string[]): Promise<number | undefined> {
    const lanes = names.flatMap((name) => lanesOf(this.#names.id(name), 0, last)).map(({ lane }) => lane);
    const rows = await this.#desk.run<SinceRow>("SELECT * FROM tensile.blocks_since($1::int[], $2::bigint[])", [
      lanes,
      lanes.map((lane) => this.#horizon.from(lane)),
    ]);
    const [sight] = rows;
    if (sight !== undefined && this.#horizon.look(sight)) return this.#ask(names);
    for (const { lane, first } of rows) this.#horizon.seen(lane, first ?? Infinity);
    const all = rows.map(({ at }) => at).filter((at) => at !== null);
    return all.length === 0 ? undefined : Math.min(...all);
  }
}
