/**
 * Claiming: written before the jobs are handed over, so that an attempt counts even when its process dies.
 */
import { must } from "./must.ts";
import { ClaimDraft } from "./claim-draft.ts";
import { moveCount, running, type Block, type Core, type JobName, waiting } from "./core.ts";
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

/** Uses up the credit of the calling side, most urgent first, within the bytes that one commit may hand over. */
export function claimJobs(core: Core, consuming: readonly JobName[]): Claimed {
  const draft = new ClaimDraft(core.nextClaim);
  let more = false;
  for (let priority = 0; priority < 10 && !more; priority++) {
    for (const name of consuming) {
      if (name.credit === 0 || name.lanes[priority] === undefined) continue;
      takeFrom(core, draft, name, priority);
      more = draft.bytes >= limits.claimBytes;
      if (more) break;
    }
  }
  const reply = draft.write(core);
  return { reply, more: more && reply !== undefined };
}

function takeFrom(core: Core, draft: ClaimDraft, name: JobName, priority: number): void {
  const lane = must(name.lanes[priority]);
  let taken = 0;
  while (taken < name.credit && draft.bytes < limits.claimBytes) {
    const block = headOf(core, lane);
    if (block === undefined) break;
    const { next: lo, offset: from } = block;
    advance(core, block, name.credit - taken, limits.claimBytes - draft.bytes);
    draft.add(block, lo, block.next, must(block.body), from, block.offset);
    if (block.flags & blockStarting) freeStarted(core, block, must(block.body), from, lo, block.next - lo);
    taken += block.next - lo;
    if (block.next === block.n) leaveLane(core, block);
  }
  name.credit -= taken;
  core.journal.add(() => (name.credit += taken));
  moveCount(core, name, "ready", "running", taken);
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
