/**
 * Claiming: one row per range of neighbours, written before the jobs are handed over, so that an attempt counts even when its process dies.
 */
import { must } from "./must.ts";
import { moveCount, running, type Block, type Claim, type Core, type JobName, waiting } from "./core.ts";
import { headOf, leaveLane } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { ClaimReply } from "./protocol.ts";
import { blockStarting } from "./tables.ts";
import { freeStarted } from "./unique-key.ts";

export interface Claimed {
  readonly reply: ClaimReply | undefined;
  /** Credit and work are left: the next commit should follow at once. */
  readonly more: boolean;
}

interface Part {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

/** Uses up the credit of the calling side, most urgent first, within the bytes that one commit may hand over. */
export function claimJobs(core: Core, consuming: readonly JobName[]): Claimed {
  const claim: Claim = { id: core.nextClaim, ranges: [], size: 0, left: 0 };
  const numbers: number[] = [];
  const parts: Part[] = [];
  let bytes = 0;
  let more = false;
  for (let priority = 0; priority < 10 && !more; priority++) {
    for (const name of consuming) {
      if (name.credit === 0 || name.lanes[priority] === undefined) continue;
      bytes += takeFrom(core, claim, name, priority, limits.claimBytes - bytes, numbers, parts);
      more = bytes >= limits.claimBytes;
      if (more) break;
    }
  }
  if (claim.size === 0) return { reply: undefined, more: false };
  core.nextClaim++;
  claim.left = claim.size;
  core.claims.set(claim.id, claim);
  core.journal.add(() => core.claims.delete(claim.id));
  return { reply: { claim: claim.id, ranges: numbers, bytes: join(core, parts, bytes) }, more };
}

function takeFrom(
  core: Core,
  claim: Claim,
  name: JobName,
  priority: number,
  maxBytes: number,
  numbers: number[],
  parts: Part[],
): number {
  const lane = must(name.lanes[priority]);
  let bytes = 0;
  let taken = 0;
  while (taken < name.credit && bytes < maxBytes) {
    const block = headOf(core, lane);
    if (block === undefined) break;
    const { next: lo, offset: from } = block;
    advance(core, block, name.credit - taken, maxBytes - bytes);
    const size = block.next - lo;
    claim.ranges.push({ block, lo, hi: block.next, slot: claim.size });
    numbers.push(name.local, priority, block.seq, lo, size, block.at);
    parts.push({ bytes: must(block.body), from, to: block.offset });
    core.sql.insertClaim.run(block.seq, lo, block.next, core.epoch, claim.id);
    if (block.flags & blockStarting) freeStarted(core, block, from, size);
    claim.size += size;
    taken += size;
    bytes += block.offset - from;
    if (block.next === block.n) leaveLane(core, block);
  }
  name.credit -= taken;
  core.journal.add(() => (name.credit += taken));
  moveCount(core, name, "ready", "running", taken);
  return bytes;
}

/** Marks the waiting neighbours from the block's next place on as running. */
function advance(core: Core, block: Block, maxJobs: number, maxBytes: number): void {
  const { next, offset } = block;
  const body = must(block.body);
  const end = Math.min(block.n, next + maxJobs);
  while (block.next < end && block.places[block.next] === waiting && block.offset - offset < maxBytes) {
    block.offset += body.readUInt32LE(block.offset);
    block.next++;
  }
  block.places.fill(running, next, block.next);
  const upTo = block.next;
  core.journal.add(() => {
    block.places.fill(waiting, next, upTo);
    block.next = next;
    block.offset = offset;
  });
}

/** Small claims go into a buffer that has come back from the calling thread, where there is one. */
function join(core: Core, parts: readonly Part[], bytes: number): ArrayBuffer {
  const standard = bytes <= limits.arenaBytes;
  const buffer = (standard ? core.spent.pop() : undefined) ?? new ArrayBuffer(standard ? limits.arenaBytes : bytes);
  const target = new Uint8Array(buffer);
  let at = 0;
  for (const part of parts) {
    target.set(part.bytes.subarray(part.from, part.to), at);
    at += part.to - part.from;
  }
  return buffer;
}
