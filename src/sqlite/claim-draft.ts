/**
 * One claim while it is gathered: the jobs in the order in which they are handed over, and per block the ranges that its row on disk holds. A
 * claim that takes single jobs out of many blocks costs a row per block, not one per job.
 */
import { must } from "./must.ts";
import type { Block, Claim, Core } from "./core.ts";
import { notedSlots } from "./notes.ts";
import type { ClaimReply } from "./protocol.ts";
import { packRanges } from "./tables.ts";

export class ClaimDraft {
  readonly #claim: Claim;
  readonly #numbers: number[] = [];
  /** Where the bytes of each range are: where a claim takes single jobs, there are as many ranges as jobs. */
  readonly #bodies: Buffer[] = [];
  readonly #bounds: number[] = [];
  readonly #pairs = new Map<Block, number[]>();
  bytes = 0;

  constructor(id: number) {
    this.#claim = { id, ranges: [], size: 0, left: 0 };
  }

  get size(): number {
    return this.#claim.size;
  }

  /** Places `lo` up to `hi` of a block, whose entries are the bytes `from` up to `to` of its body. */
  add(block: Block, lo: number, hi: number, body: Buffer, from: number, to: number): void {
    const claim = this.#claim;
    const last = claim.ranges.at(-1);
    // Where many keys take turns, what their limits let go are mostly neighbours again: as one range they cost as little as jobs without keys.
    if (last?.block === block && last.hi === lo && this.#bodies.at(-1) === body) {
      last.hi = hi;
      this.#numbers[this.#numbers.length - 2] = hi - last.lo;
      this.#bounds[this.#bounds.length - 1] = to;
    } else {
      claim.ranges.push({ block, lo, hi, slot: claim.size });
      this.#numbers.push(block.lane.name.local, block.lane.priority, block.seq, lo, hi - lo, block.at);
      this.#bodies.push(body);
      this.#bounds.push(from, to);
    }
    claim.size += hi - lo;
    this.bytes += to - from;
    const pairs = this.#pairs.get(block);
    if (pairs === undefined) this.#pairs.set(block, [lo, hi]);
    else if (pairs.at(-1) === lo) pairs[pairs.length - 1] = hi;
    else pairs.push(lo, hi);
  }

  /** Writes the claim; undefined when nothing was gathered. */
  write(core: Core): ClaimReply | undefined {
    const claim = this.#claim;
    if (claim.size === 0) return undefined;
    core.nextClaim++;
    claim.left = claim.size;
    core.claims.set(claim.id, claim);
    core.journal.add(() => core.claims.delete(claim.id));
    for (const [block, pairs] of this.#pairs)
      core.sql.insertClaim.run(block.seq, claim.id, core.epoch, packRanges(pairs));
    const reply = { claim: claim.id, ranges: new Float64Array(this.#numbers), bytes: this.#join() };
    const noted = claim.ranges.flatMap(({ block, lo, hi, slot }) =>
      block.noted ? notedSlots(core, block, lo, hi, slot) : [],
    );
    return noted.length === 0 ? reply : { ...reply, noted };
  }

  /** As many bytes as the jobs have, because these live as long as the jobs do on the other side. */
  #join(): ArrayBuffer {
    const target = Buffer.allocUnsafeSlow(this.bytes);
    let at = 0;
    for (let part = 0; part < this.#bodies.length; part++) {
      at += must(this.#bodies[part]).copy(target, at, must(this.#bounds[part * 2]), must(this.#bounds[part * 2 + 1]));
    }
    return target.buffer;
  }
}

/** Where in a claim's ranges a slot is. */
export function rangeOfSlot(claim: Claim, slot: number): number {
  let low = 0;
  let high = claim.ranges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (must(claim.ranges[middle]).slot <= slot) low = middle;
    else high = middle - 1;
  }
  return low;
}
