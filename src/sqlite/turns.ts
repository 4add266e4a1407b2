/**
 * Takes jobs of a lane whose jobs have limits or tenants, one turn after the other. What a key holds back is left with the key; a key that is open
 * again stands before what has not been looked at, so nothing is looked at twice and nothing starves.
 */
import { must } from "./must.ts";
import type { ClaimDraft } from "./claim-draft.ts";
import {
  running,
  setPlaces,
  stateNumber,
  waiting,
  type Block,
  type Core,
  type JobName,
  type Key,
  type Lane,
  type Turn,
} from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { enterKey, keyOpensAt, openByTime, touch } from "./limiting.ts";
import { headOf } from "./lanes.ts";
import { idAt, type PlaceQueue } from "./place-queue.ts";
import {
  bodyOf,
  closeBodies,
  earliestOf,
  isOrdered,
  keyAt,
  line,
  queueIndex,
  queueOf,
  routeEarliest,
  routeFront,
  routeNext,
  turnOf,
  turnsOf,
} from "./routing.ts";
import { blockLimited, blockStarting } from "./tables.ts";
import { freeStarted } from "./unique-key.ts";

/** How many places may be looked at in one commit, so that a long row of blocked jobs does not hold up everything else. */
export interface Budget {
  places: number;
  /** The same for what is looked at so that every tenant is known. */
  ahead: number;
}

/** Whether the jobs of a lane are taken in turns. Once they are, that stays: the turns know places that the lane does not. */
export function takesTurns(lane: Lane): boolean {
  return lane.tenanted || lane.name.limits?.perKey !== undefined || lane.turns !== undefined;
}

/** Before anything of a name is taken: what was handed back comes first, and keys that may have opened are asked. */
export function prepareName(core: Core, name: JobName, budget: Budget): void {
  const ordered = isOrdered(name);
  for (const lane of name.lanes) if (lane !== undefined && takesTurns(lane)) routeFront(core, lane);
  // After a restart they are on disk, before all others. Until they are known no key of an ordered name opens: its oldest job may be among them.
  if (ordered) while ((earliestOf(core, name)?.blocks.first()?.seq ?? 0) < 0) if (!routeEarliest(core, name)) return;
  openTouched(core, name, budget);
}

/** Keys about which something has changed go into the turns of the jobs that they hold, where these may start now. */
function openTouched(core: Core, name: JobName, budget: Budget): void {
  const nameLimits = name.limits;
  if (nameLimits === undefined || nameLimits.touched.length === 0) return;
  const ordered = isOrdered(name);
  const touched = nameLimits.touched;
  nameLimits.touched = [];
  for (const key of touched) {
    key.touched = false;
    if (ordered) openOrdered(core, key, budget);
    else listAll(key);
  }
}

function listAll(key: Key): void {
  for (let index = 0; index < key.queues.length; index++) if ((key.queues[index]?.size ?? 0) > 0) list(key, index);
}

/** Puts a key into the turn that the first of its held places belongs to. */
function list(key: Key, index: number): void {
  const bit = 1 << index;
  const queue = must(key.queues[index]);
  if (key.listed & bit) return;
  key.listed |= bit;
  const turn = turnOf(queue.block, queue.lo);
  turn.open.push(key);
  line(turn);
}

/** Lists an ordered key when the oldest of its unfinished jobs is ready. */
function openOrdered(core: Core, key: Key, budget: Budget): void {
  const queue = key.queues[0];
  if (queue === undefined || key.running > 0 || !dropGone(core, key, queue)) return;
  const at = keyOpensAt(core, key);
  if (at > core.now) return openByTime(core, key, at);
  const id = idAt(queue.block, queue.lo);
  if (!readUpTo(core, key.name, id, budget)) touch(key);
  else if (!isPreceded(core, key, idAt(queue.block, queue.lo))) list(key, 0);
}

/** Reads all that is older than a job: one that was scheduled comes to the front, and an older one of its key may stand far behind. */
function readUpTo(core: Core, name: JobName, id: number, budget: Budget): boolean {
  for (;;) {
    const earliest = earliestOf(core, name)?.blocks.first();
    if (earliest === undefined || earliest.seq > id) return true;
    if (budget.ahead <= 0) return false;
    budget.ahead -= earliest.n;
    if (!routeEarliest(core, name)) return false;
  }
}

/** Whether an older job of the key has a row of its own: it is scheduled, backs off, or waits. It opens the key when that ends. */
function isPreceded(core: Core, { name, text }: Key, id: number): boolean {
  const { counts } = name;
  if (counts[stateNumber.scheduled] === 0 && counts[stateNumber.waiting] === 0) return false;
  const jobKey = Buffer.from(text, "latin1").toString("utf8");
  return core.sql.olderOfKey.get(name.id, jobKey, id) !== undefined;
}

/** Passes held places whose jobs were cancelled meanwhile. False: nothing is left. */
function dropGone(core: Core, key: Key, queue: PlaceQueue<Block>): boolean {
  while (queue.size > 0 && queue.block.places[queue.lo] !== waiting) letGo(core, key, queue);
  return queue.size > 0;
}

function letGo(core: Core, key: Key, queue: PlaceQueue<Block>): void {
  const { block, lo } = queue;
  queue.popFront(1);
  key.parked--;
  core.journal.add(() => {
    queue.pushFront(block, lo, lo + 1);
    key.parked++;
  });
}

/** Takes up to `most` jobs of a lane. */
export function takeInTurns(core: Core, draft: ClaimDraft, lane: Lane, most: number, budget: Budget): number {
  lookAhead(core, lane, budget);
  let taken = 0;
  while (taken < most && draft.bytes < limits.claimBytes && budget.places > 0) {
    const turn = nextTurn(core, lane, budget);
    if (turn === undefined) break;
    const alone = turnsOf(lane).line.size === 1 && !lane.tenanted;
    taken += takeOf(core, draft, turn, alone ? most - taken : 1, budget);
    if (!alone) rotate(lane);
  }
  return taken;
}

/** Tenants that are far behind have their turn as well, so all of the lane is looked through, as far as the budget goes. */
function lookAhead(core: Core, lane: Lane, budget: Budget): void {
  const ordered = isOrdered(lane.name);
  while (lane.tenanted && budget.ahead > 0) {
    const block = lane.blocks.first();
    if (ordered ? !routeEarliest(core, lane.name) : !routeNext(core, lane)) return;
    budget.ahead -= block?.n ?? limits.blockJobs;
  }
}

/** The turn at the head of the line that has something in it; reads on where no turn has. */
function nextTurn(core: Core, lane: Lane, budget: Budget): Turn | undefined {
  const { line: waitingTurns } = turnsOf(lane);
  for (;;) {
    const turn = waitingTurns.first();
    if (turn === undefined) {
      const more = isOrdered(lane.name) ? routeOrdered(core, lane, budget) : routeNext(core, lane);
      if (!more || budget.places <= 0) return undefined;
      budget.places -= isOrdered(lane.name) ? limits.blockJobs : 1;
    } else if (turn.queue.size > 0 || turn.open.size > 0) {
      return turn;
    } else {
      waitingTurns.shift();
      turn.listed = false;
    }
  }
}

/** Reads on in an ordered name; what that opens may be in another lane. False where the lane itself has nothing more to read. */
function routeOrdered(core: Core, lane: Lane, budget: Budget): boolean {
  if (headOf(core, lane) === undefined || !routeEarliest(core, lane.name)) return false;
  openTouched(core, lane.name, budget);
  return true;
}

function rotate(lane: Lane): void {
  const { line: waitingTurns } = turnsOf(lane);
  const turn = waitingTurns.shift();
  if (turn !== undefined) waitingTurns.push(turn);
}

function takeOf(core: Core, draft: ClaimDraft, turn: Turn, most: number, budget: Budget): number {
  let taken = 0;
  while (taken < most && budget.places > 0) {
    if (turn.open.size > 0) taken += takeHeld(core, draft, turn);
    else if (turn.queue.size > 0) taken += walk(core, draft, turn, most - taken, budget);
    else break;
    budget.places--;
    if (draft.bytes >= limits.claimBytes) break;
  }
  return taken;
}

/** One job that its key held back, or none: then the key is not listed here any more. */
function takeHeld(core: Core, draft: ClaimDraft, turn: Turn): number {
  const key = must(turn.open.shift());
  const index = queueIndex(key, turn.lane);
  key.listed &= ~(1 << index);
  const queue = must(key.queues[index]);
  if (!dropGone(core, key, queue)) return 0;
  const at = keyOpensAt(core, key);
  if (at > core.now) {
    openByTime(core, key, at);
    return 0;
  }
  const { block, lo: place } = queue;
  // Its first place may be another tenant's now, or another lane's; or an older job came back.
  const moved = turnOf(block, place) !== turn;
  if (isOrdered(key.name) && isPreceded(core, key, idAt(block, place))) return 0;
  if (moved) {
    list(key, index);
    return 0;
  }
  const { arrival } = key;
  queue.popFront(1);
  key.parked--;
  enterKey(core, key);
  block.places[place] = running;
  core.journal.add(() => {
    block.places[place] = waiting;
    key.running--;
    key.arrival = arrival;
    queue.pushFront(block, place, place + 1);
    key.parked++;
  });
  handOver(core, draft, block, place, place + 1);
  if (queue.size > 0) askAgain(core, key, index);
  return 1;
}

/** More of a key may start at once, or in time; what runs asks when it ends. */
function askAgain(core: Core, key: Key, index: number): void {
  const at = keyOpensAt(core, key);
  if (at <= core.now) list(key, index);
  else openByTime(core, key, at);
}

/** Takes from the first range of a turn; what may not start now is left with its key. */
function walk(core: Core, draft: ClaimDraft, turn: Turn, most: number, budget: Budget): number {
  const { queue, lane } = turn;
  const { block, lo, hi } = queue;
  if (block.left === 0) return pass(core, queue);
  const body = bodyOf(core, block);
  const keyed = (block.flags & blockLimited) !== 0 && lane.name.limits?.perKey !== undefined && !isOrdered(lane.name);
  const held: Key[] = [];
  const started: (readonly [Key, number])[] = [];
  let place = lo;
  let from = lo;
  let taken = 0;
  const flush = (): void => {
    if (from < place) start(core, draft, block, from, place);
    from = place + 1;
  };
  for (; place < hi && taken < most; place++) {
    if (block.places[place] !== waiting) {
      flush();
      continue;
    }
    const key = keyed ? keyAt(core, block, place, body) : undefined;
    if (key !== undefined) {
      const at = keyOpensAt(core, key);
      if (at > core.now) {
        flush();
        hold(key, block, place);
        held.push(key);
        openByTime(core, key, at);
        continue;
      }
      started.push([key, key.arrival]);
      enterKey(core, key);
    }
    taken++;
  }
  flush();
  budget.places -= place - lo;
  queue.popFront(place - lo);
  const upTo = place;
  core.journal.add(() => {
    queue.pushFront(block, lo, upTo);
    for (const key of held.toReversed()) {
      must(key.queues[lane.priority]).popBack(1);
      key.parked--;
    }
    for (const [key, arrival] of started.toReversed()) {
      key.running--;
      key.arrival = arrival;
    }
  });
  return taken;
}

/** Every job of the block was cancelled or has ended since it was routed: it may be gone from disk, so that its body cannot be read any more. */
function pass(core: Core, queue: PlaceQueue<Block>): 0 {
  const { block, lo, hi } = queue;
  queue.popFront(hi - lo);
  core.journal.add(() => queue.pushFront(block, lo, hi));
  return 0;
}

function hold(key: Key, block: Block, place: number): void {
  queueOf(key, block.lane).pushBack(block, place, place + 1);
  key.parked++;
}

/** Places of a block are claimed. */
function start(core: Core, draft: ClaimDraft, block: Block, lo: number, hi: number): void {
  setPlaces(block.places, running, lo, hi);
  core.journal.add(() => setPlaces(block.places, waiting, lo, hi));
  handOver(core, draft, block, lo, hi);
}

function handOver(core: Core, draft: ClaimDraft, block: Block, lo: number, hi: number): void {
  const { bytes, offsets } = bodyOf(core, block);
  const from = must(offsets[lo]);
  draft.add(block, lo, hi, bytes, from, must(offsets[hi]));
  if (block.flags & blockStarting) freeStarted(core, block, bytes, from, lo, hi - lo);
}

/** The block of the job that has been ready the longest of those that may start now; undefined: there are none. */
export function oldestReady(core: Core, lane: Lane, budget: Budget): Block | undefined {
  lookAhead(core, lane, budget);
  if (nextTurn(core, lane, budget) === undefined) return undefined;
  const { nobody, byTenant } = turnsOf(lane);
  let oldest: Block | undefined;
  for (const turn of [nobody, ...byTenant.values()]) {
    const held = turn.open.first()?.queues[isOrdered(lane.name) ? 0 : lane.priority];
    for (const queue of [turn.queue, held])
      if (queue !== undefined && queue.size > 0 && isOlder(queue.block, oldest)) oldest = queue.block;
  }
  return oldest;
}

export function isOlder(one: Block, two: Block | undefined): boolean {
  return two === undefined || one.at < two.at || (one.at === two.at && one.seq < two.seq);
}

/** After a failed commit: what the journal does not keep is made anew from what it does. */
export function rebuildTurns(core: Core): void {
  closeBodies(core);
  for (const name of core.namesById.values()) {
    for (const lane of name.lanes) if (lane?.turns !== undefined) relist(lane.turns);
    const nameLimits = name.limits;
    if (nameLimits === undefined) continue;
    nameLimits.touched = [];
    for (const key of nameLimits.keys.values()) {
      key.listed = 0;
      key.touched = false;
      touch(key);
    }
  }
}

function relist(turns: NonNullable<Lane["turns"]>): void {
  turns.line.clear();
  for (const turn of [turns.nobody, ...turns.byTenant.values()]) {
    turn.open.clear();
    turn.listed = false;
    if (turn.queue.size > 0) line(turn);
  }
}
