/**
 * One claim while it is gathered: the jobs in the order in which they are handed over, and per block the ranges that its row on disk holds. A
 * claim that takes single jobs out of many blocks costs a row per block, not one per job.
 */
import { must } from "./must.ts";
import type { Block, Claim, Core } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { notedSlots } from "./notes.ts";
import type { ClaimReply } from "./protocol.ts";
import { packRanges } from "./tables.ts";

interface Part {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

export class ClaimDraft {
  readonly #claim: Claim;
  readonly #numbers: number[] = [];
  readonly #parts: Part[] = [];
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
    const name = block.lane.name;
    claim.ranges.push({ block, lo, hi, slot: claim.size });
    claim.size += hi - lo;
    this.#numbers.push(name.local, block.lane.priority, block.seq, lo, hi - lo, block.at);
    this.#parts.push({ bytes: body, from, to });
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
    const reply = { claim: claim.id, ranges: this.#numbers, bytes: this.#join(core) };
    const noted = claim.ranges.flatMap(({ block, lo, hi, slot }) =>
      block.noted ? notedSlots(core, block, lo, hi, slot) : [],
    );
    return noted.length === 0 ? reply : { ...reply, noted };
  }

  /** Small claims go into a buffer that has come back from the calling thread, where there is one. */
  #join(core: Core): ArrayBuffer {
    const standard = this.bytes <= limits.arenaBytes;
    const size = standard ? limits.arenaBytes : this.bytes;
    const buffer = (standard ? core.spent.pop() : undefined) ?? new ArrayBuffer(size);
    const target = new Uint8Array(buffer);
    let at = 0;
    for (const part of this.#parts) {
      target.set(part.bytes.subarray(part.from, part.to), at);
      at += part.to - part.from;
    }
    return buffer;
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
