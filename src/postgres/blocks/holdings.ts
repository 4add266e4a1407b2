/** What this process has claimed of blocks and not settled: the memory that a settlement is held against before the database is asked. */
import { NumberTable } from "../../core/index.ts";
import type { ClaimedJob, Fence } from "../../jobs/index.ts";

/** Places of a block, and ids between one block and the next. */
export const blockJobs = 512;

export interface Held {
  readonly slot: number;
  readonly block: number;
  readonly epoch: number;
  /** By place: the claim under which it runs; 0: not here; negative: its settlement is under way. */
  readonly claims: Float64Array;
  left: number;
}

export class Holdings {
  readonly #blocks = new NumberTable<Held>();

  add(slot: number, block: number, fence: Fence, places: readonly (readonly [place: number, at: number])[]): void {
    const held = this.#held(slot, block, fence.epoch);
    for (const [place] of places) held.claims[place] = fence.claim;
    held.left += places.length;
  }

  /** The first places of a new block. */
  addFirst(slot: number, block: number, fence: Fence, count: number): void {
    const held = this.#held(slot, block, fence.epoch);
    held.claims.fill(fence.claim, 0, count);
    held.left += count;
  }

  #held(slot: number, block: number, epoch: number): Held {
    let held = this.#blocks.get(block);
    if (held === undefined || held.epoch !== epoch)
      this.#blocks.set(block, (held = { slot, block, epoch, claims: new Float64Array(blockJobs), left: 0 }));
    return held;
  }

  /** The block of a job that runs here under this fence, and whose settlement is not under way. */
  of({ id, fence }: ClaimedJob): Held | undefined {
    const place = Number(id) % blockJobs;
    const held = this.#blocks.get(Number(id) - place);
    return held !== undefined && held.claims[place] === fence.claim && held.epoch === fence.epoch ? held : undefined;
  }

  drop(held: Held, place: number): void {
    if (held.claims[place] === 0) return;
    held.claims[place] = 0;
    if (--held.left === 0 && this.#blocks.get(held.block) === held) this.#blocks.delete(held.block);
  }

  /** All of them, those whose settlement is under way too. */
  *all(): Iterable<{ readonly held: Held; readonly place: number; readonly claim: number }> {
    for (const held of this.#blocks.values)
      for (const [place, claim] of held.claims.entries())
        if (claim !== 0) yield { held, place, claim: Math.abs(claim) };
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** Everything: the lease is gone. */
  clear(): void {
    this.#blocks.clear();
  }
}
