/**
 * From where on a lane is looked into. Blocks are numbered when they are made and seen when their transactions commit, so a look may go on behind what it has seen only as
 * far as all transactions are over that may still bring blocks. Each that looks has a horizon of its own: answers must come in the order of the questions.
 * A crash of the server may lose claims, so that there is work again where none was: with a new run of the server all begins anew.
 */
export interface Sight {
  /** The last number that was given before the look's own transaction had a number. */
  readonly last: number;
  /** That of the look's transaction: whoever has taken a block's number up to there has a lower one. */
  readonly below: string;
  /** All transactions with lower numbers are over, and their blocks are seen. */
  readonly over: string;
  /** Of the server: another one after each crash. */
  readonly run: number;
}

export class Horizon {
  /** Per lane: no block below has unclaimed jobs, also none that a transaction under way will bring. */
  readonly #settledBelow = new Map<number, number>();
  #mark: { readonly last: number; readonly below: bigint } | undefined;
  #horizon = 0;
  #run: number | undefined;

  from(lane: number): number {
    return this.#settledBelow.get(lane) ?? 0;
  }

  /** Before `seen` of the same look. Answers whether all begins anew, so that this look has not seen everything. */
  look({ last, below, over, run }: Sight): boolean {
    const isNew = this.#run !== run;
    const again = isNew && this.#run !== undefined;
    if (isNew) {
      this.#settledBelow.clear();
      this.#mark = undefined;
      this.#horizon = 0;
      this.#run = run;
    }
    if (this.#mark !== undefined && BigInt(over) >= this.#mark.below) {
      this.#horizon = this.#mark.last + 1;
      this.#mark = undefined;
    }
    this.#mark ??= { last, below: BigInt(below) };
    return again;
  }

  /** The first block with unclaimed jobs of a lane, or Infinity. */
  seen(lane: number, first: number): void {
    this.#settledBelow.set(lane, Math.min(first, Math.max(this.#horizon, this.from(lane))));
  }
}
