/**
 * Claiming: written before the jobs are handed over, so that an attempt counts even when its process dies.
 */
import { must } from "./must.ts";
import { ClaimDraft } from "./claim-draft.ts";
import { moveCount, running, type Block, type Core, type JobName, type Lane, waiting } from "./core.ts";
import { headOf, leaveLane } from "./lanes.ts";
import { allowance, enterGates, takeTimers } from "./limiting.ts";
import { sqliteLimits as limits } from "./limits.ts";
import type { ClaimReply } from "./protocol.ts";
import { blockStarting } from "./tables.ts";
import { isOlder, oldestReady, prepareName, takeInTurns, takesTurns, type Budget } from "./turns.ts";
import { freeStarted } from "./unique-key.ts";

export interface Claimed {
  readonly reply: ClaimReply | undefined;
  /** Credit and work are left: the next commit should follow at once. */
  readonly more: boolean;
}

/** Uses up the credit of the calling side, most urgent first, within the bytes that one commit may hand over. */
export function claimJobs(core: Core, consuming: readonly JobName[]): Claimed {
  const draft = new ClaimDraft(core.nextClaim);
  const budget: Budget = { places: limits.placesPerCommit, ahead: limits.placesAhead };
  takeTimers(core);
  const names = consuming.filter(({ credit, name }) => credit > 0 && !core.routing.paused.has(name));
  for (const name of names) prepareName(core, name, budget);
  if (names.some(isRanked)) claimRanked(core, draft, names, budget);
  else claimByPriority(core, draft, names, budget);
  const reply = draft.write(core);
  return {
    reply,
    more: (draft.bytes >= limits.claimBytes && reply !== undefined) || budget.places <= 0 || budget.ahead <= 0,
  };
}

function claimByPriority(core: Core, draft: ClaimDraft, names: readonly JobName[], budget: Budget): void {
  for (let priority = 0; priority < 10; priority++) {
    for (const name of names) {
      const lane = name.lanes[priority];
      if (lane === undefined || name.credit === 0) continue;
      takeFrom(core, draft, lane, Infinity, budget);
      if (draft.bytes >= limits.claimBytes) return;
    }
  }
}

/** Names whose jobs become more urgent while they wait, or that share a gate with others: then it matters who is first. */
function isRanked({ limits: nameLimits }: JobName): boolean {
  return nameLimits !== undefined && (nameLimits.ageingMs !== undefined || nameLimits.gates.length > 0);
}

interface Rank {
  readonly lane: Lane;
  readonly urgency: number;
  readonly block: Block;
}

/** The most urgent first, and among those what has been ready the longest; a piece at a time, because the next piece may be less urgent. */
function claimRanked(core: Core, draft: ClaimDraft, names: readonly JobName[], budget: Budget): void {
  const lanes = new Set(names.flatMap((name) => name.lanes.filter((lane) => lane !== undefined)));
  while (draft.bytes < limits.claimBytes && budget.places > 0) {
    let first: Rank | undefined;
    for (const lane of lanes) {
      const rank = rankOf(core, lane, budget);
      if (rank === undefined) lanes.delete(lane);
      else if (first === undefined || isBefore(rank, first)) first = rank;
    }
    if (first === undefined) return;
    const { lane } = first;
    const most = takesTurns(lane) || (lane.name.limits?.gates.length ?? 0) > 0 ? 1 : limits.blockJobs;
    if (takeFrom(core, draft, lane, most, budget) === 0) lanes.delete(lane);
  }
}

function isBefore(one: Rank, two: Rank): boolean {
  return one.urgency < two.urgency || (one.urgency === two.urgency && isOlder(one.block, two.block));
}

/** Undefined: nothing of the lane may start in this commit. */
function rankOf(core: Core, lane: Lane, budget: Budget): Rank | undefined {
  const { credit, limits: nameLimits } = lane.name;
  if (credit === 0 || (nameLimits !== undefined && allowance(core, nameLimits) === 0)) return undefined;
  const block = takesTurns(lane) ? oldestReady(core, lane, budget) : headOf(core, lane);
  if (block === undefined) return undefined;
  const ageingMs = nameLimits?.ageingMs ?? Infinity;
  return { lane, urgency: lane.priority - Math.floor(Math.max(0, core.now - block.at) / ageingMs), block };
}

/** Takes up to `most` jobs of a lane, as far as credit and gates go. */
function takeFrom(core: Core, draft: ClaimDraft, lane: Lane, most: number, budget: Budget): number {
  const { name } = lane;
  const nameLimits = name.limits;
  const room = Math.min(most, name.credit, nameLimits === undefined ? Infinity : allowance(core, nameLimits));
  if (room <= 0) return 0;
  const taken = takesTurns(lane) ? takeInTurns(core, draft, lane, room, budget) : takeInOrder(core, draft, lane, room);
  if (taken === 0) return 0;
  name.credit -= taken;
  core.journal.add(() => (name.credit += taken));
  if (nameLimits !== undefined) enterGates(core, nameLimits, taken);
  moveCount(core, name, "ready", "running", taken);
  return taken;
}

/** One block after the other: nothing holds the jobs of the lane back. */
function takeInOrder(core: Core, draft: ClaimDraft, lane: Lane, most: number): number {
  let taken = 0;
  while (taken < most && draft.bytes < limits.claimBytes) {
    const block = headOf(core, lane);
    if (block === undefined) break;
    const { next: lo, offset: from } = block;
    advance(core, block, most - taken, limits.claimBytes - draft.bytes);
    draft.add(block, lo, block.next, must(block.body), from, block.offset);
    if (block.flags & blockStarting) freeStarted(core, block, must(block.body), from, lo, block.next - lo);
    taken += block.next - lo;
    if (block.next === block.n) leaveLane(core, block);
  }
  return taken;
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
