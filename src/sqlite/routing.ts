/**
 * Blocks of lanes with limits or tenants leave their lane here: each place goes to the turn of its tenant, or, where the name is ordered, to its key. A
 * place is looked at once; what may not start is held in memory by its key, as a place, while its body stays on disk and is read again.
 */
import { must } from "./must.ts";
import { Deque } from "./deque.ts";
import { entryJobKey, entryKey, entryMoved, entryOffsets, entryTenant } from "./entries.ts";
import { waiting, type Block, type Core, type Key, type JobName, type Lane, type OpenBody, type Turn } from "./core.ts";
import { headOf, leaveLane } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { keyOfBytes, touch } from "./limiting.ts";
import { PlaceQueue } from "./place-queue.ts";
import { bodyOfBlock } from "./sound-body.ts";
import { blockLimited, blockTenants } from "./tables.ts";

/** What a place takes in memory while it waits here, besides its share of the block. */
const placeBytes = 32;
const blockBytes = 600;

export function isOrdered(name: JobName): boolean {
  return name.limits?.perKey?.ordered === true;
}

export function turnsOf(lane: Lane): NonNullable<Lane["turns"]> {
  return (lane.turns ??= {
    nobody: makeTurn(lane),
    byTenant: new Map(),
    line: new Deque(),
    blocks: new Set(),
    routed: 0,
  });
}

function makeTurn(lane: Lane): Turn {
  return { lane, queue: new PlaceQueue(), open: new Deque(), listed: false };
}

/** Puts a turn that has something in it into its lane's line. */
export function line(turn: Turn): void {
  if (turn.listed) return;
  turn.listed = true;
  must(turn.lane.turns).line.push(turn);
}

/** Jobs that were handed back come first, also before what the turns know already. */
export function routeFront(core: Core, lane: Lane): void {
  const fronts: Block[] = [];
  for (let block = lane.blocks.first(); block !== undefined && block.seq < 0; block = lane.blocks.first()) {
    bodyOf(core, block);
    leaveLane(core, block);
    fronts.push(block);
  }
  for (const block of fronts.toReversed()) routeBlock(core, block, true);
}

/** Routes the lane's next block. False: there is none, or no room for it. */
export function routeNext(core: Core, lane: Lane): boolean {
  // Where memory is short, every lane may still have something to go on with.
  if (core.routing.bytes >= limits.routedBytes && turnsOf(lane).routed > 0) return false;
  const block = headOf(core, lane);
  if (block === undefined) return false;
  bodyOf(core, block);
  leaveLane(core, block);
  routeBlock(core, block, false);
  return true;
}

/** Of an ordered name the earliest block of all its lanes is routed next, because the order of a key does not care for priority. */
export function routeEarliest(core: Core, name: JobName): boolean {
  const lane = earliestOf(core, name);
  return lane !== undefined && routeNext(core, lane);
}

export function earliestOf(core: Core, name: JobName): Lane | undefined {
  let first: Lane | undefined;
  let seq = Infinity;
  for (const lane of name.lanes) {
    if (lane === undefined) continue;
    const block = headOf(core, lane);
    if (block === undefined || block.seq >= seq) continue;
    first = lane;
    seq = block.seq;
  }
  return first;
}

function routeBlock(core: Core, block: Block, front: boolean): void {
  const { lane } = block;
  const body = bodyOf(core, block);
  const cost = blockBytes + placeBytes * (block.n - block.next);
  account(core, block, cost);
  core.journal.add(() => account(core, block, 0));
  const ordered = isOrdered(lane.name) && (block.flags & blockLimited) !== 0;
  const tenants = lane.tenanted && (block.flags & blockTenants) !== 0;
  if (tenants) block.turns = Array.from({ length: block.n }, () => undefined);
  if (!ordered && !tenants) return queue(core, turnsOf(lane).nobody, block, block.next, block.n, front);
  let from = block.next;
  let last: Turn | undefined;
  const flush = (to: number): void => {
    if (last !== undefined && from < to) runs.push([last, from, to]);
    from = to;
  };
  const runs: (readonly [Turn, number, number])[] = [];
  for (let place = block.next; place < block.n; place++) {
    const turn = block.places[place] === waiting ? turnAt(core, block, place, body, tenants) : undefined;
    const key = turn !== undefined && ordered ? keyAt(core, block, place, body) : undefined;
    const next = key === undefined ? turn : undefined;
    if (next !== last) flush(place);
    if (last === undefined) from = place;
    last = next;
    if (key !== undefined) holdInOrder(core, key, block, place);
  }
  flush(block.n);
  for (const [turn, lo, hi] of front ? runs.toReversed() : runs) queue(core, turn, block, lo, hi, front);
}

function account(core: Core, block: Block, bytes: number): void {
  core.routing.bytes += bytes - block.routed;
  const turns = turnsOf(block.lane);
  turns.routed += bytes - block.routed;
  if (bytes > 0) turns.blocks.add(block);
  else turns.blocks.delete(block);
  block.routed = bytes;
}

/** A block has left memory. */
export function forgetRouted(core: Core, block: Block): void {
  const { routed } = block;
  if (routed === 0) return;
  account(core, block, 0);
  core.journal.add(() => account(core, block, routed));
  closeBody(core, block);
}

function closeBody({ routing }: Core, block: Block): void {
  if (block.opened === undefined) return;
  routing.bodies.delete(block);
  routing.bodyBytes -= block.opened.bytes.length;
  block.opened = undefined;
}

export function closeBodies(core: Core): void {
  for (const block of core.routing.bodies) closeBody(core, block);
}

function queue(core: Core, turn: Turn, block: Block, lo: number, hi: number, front: boolean): void {
  if (front) turn.queue.pushFront(block, lo, hi);
  else turn.queue.pushBack(block, lo, hi);
  core.journal.add(() => (front ? turn.queue.popFront(hi - lo) : turn.queue.popBack(hi - lo)));
  line(turn);
}

function holdInOrder(core: Core, key: Key, block: Block, place: number): void {
  const held = queueOf(key, block.lane);
  held.insert(block, place);
  key.parked++;
  core.journal.add(() => {
    held.remove(block, place);
    key.parked--;
  });
  touch(key);
}

/** Where a key holds what may not start: an ordered one has a single queue for all priorities. */
export function queueOf(key: Key, lane: Lane): PlaceQueue<Block> {
  return (key.queues[queueIndex(key, lane)] ??= new PlaceQueue());
}

export function queueIndex(key: Key, lane: Lane): number {
  return isOrdered(key.name) ? 0 : lane.priority;
}

function turnAt(core: Core, block: Block, place: number, body: OpenBody, tenants: boolean): Turn {
  const turns = turnsOf(block.lane);
  if (!tenants) return turns.nobody;
  const text = tenantAt(body, place);
  if (text === undefined) return turns.nobody;
  let turn = turns.byTenant.get(text);
  if (turn === undefined) {
    core.routing.keys++;
    turn = makeTurn(block.lane);
    turns.byTenant.set(text, turn);
  }
  must(block.turns)[place] = turn;
  return turn;
}

/** The turn that a place belongs to, once it was routed. */
export function turnOf(block: Block, place: number): Turn {
  return block.turns?.[place] ?? turnsOf(block.lane).nobody;
}

/** The key that the job at a place counts against, if it has one. */
export function keyAt(core: Core, block: Block, place: number, body: OpenBody): Key | undefined {
  const at = findText(body, place, entryJobKey);
  if (at < 0) return undefined;
  block.keys ??= Array.from({ length: block.n }, () => undefined);
  const { bytes } = body;
  return (block.keys[place] = keyOfBytes(core, block.lane.name, bytes, at + 2, afterText(bytes, at)));
}

/** The bytes of a job's tenant, each as a character: cheaper than to decode them, and as good to tell one from another. */
function tenantAt(body: OpenBody, place: number): string | undefined {
  const at = findText(body, place, entryTenant);
  return at < 0 ? undefined : body.bytes.toString("latin1", at + 2, afterText(body.bytes, at));
}

/** Where the length of a job's key or tenant stands; -1 where it has none. */
function findText({ bytes, offsets }: OpenBody, place: number, what: number): number {
  const start = must(offsets[place]);
  const flags = must(bytes[start + 4]);
  if ((flags & what) === 0) return -1;
  let at = start + 5;
  if (flags & entryMoved) at += 20;
  if (flags & entryKey) at = afterText(bytes, at);
  if (flags & entryJobKey && what !== entryJobKey) at = afterText(bytes, at);
  return at;
}

function afterText(bytes: Buffer, at: number): number {
  return at + 2 + (must(bytes[at]) | (must(bytes[at + 1]) << 8));
}

/** A block's body: from memory while it was used lately, else from disk. */
export function bodyOf(core: Core, block: Block): OpenBody {
  return block.opened ?? openBody(core, block);
}

function openBody(core: Core, block: Block): OpenBody {
  const { routing } = core;
  const bytes = bodyOfBlock(core, block);
  block.opened = { bytes, offsets: entryOffsets(bytes, block.n) };
  routing.bodies.add(block);
  routing.bodyBytes += bytes.length;
  for (const oldest of routing.bodies) {
    if (routing.bodyBytes <= limits.openBytes || oldest === block) break;
    closeBody(core, oldest);
  }
  return block.opened;
}
