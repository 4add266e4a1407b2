/**
 * The ready queue: blocks enter at the end of their lane (or at the front, when jobs are handed back), stay in memory while there is room, and
 * are read again from disk in order when their turn comes.
 */
import { must } from "./must.ts";
import { blockFlagsOf } from "./block-flags.ts";
import { entryOffsets, readEntry, writeEntry, type StoredEntry } from "./entries.ts";
import { gone, waiting, type Block, type Core, type Lane } from "./core.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { bodyOfRow } from "./sound-body.ts";
import { blockMoved, blockTenants, unpackRanges } from "./tables.ts";

/** Sequence numbers reserved per write of the counter; a crash leaves a gap of at most this many. */
const reserve = 65_536;
/** Memory of a block in a lane besides its body. */
const blockOverhead = 600;

/** Takes `n` sequence numbers. They are never used again, not even when the transaction fails. */
export function takeSeq(core: Core, n: number): number {
  const seq = core.nextSeq;
  core.nextSeq += n;
  if (core.nextSeq > core.reservedTo) {
    const before = core.reservedTo;
    core.reservedTo = core.nextSeq + reserve;
    core.journal.add(() => (core.reservedTo = before));
    core.sql.setMeta.run("next", core.reservedTo);
  }
  return seq;
}

/** Adds `n` entries as one block to the end of a lane and returns its first sequence number. */
export function appendBlock(
  core: Core,
  lane: Lane,
  n: number,
  at: number,
  body: Buffer,
  flags: number,
  seq = takeSeq(core, n),
): number {
  insertRow(core, lane, seq, n, at, body, flags);
  if (lane.complete && (lane.blocks.size === 0 || fits(core, lane, body.length))) {
    pushBlock(core, makeBlock(core, lane, seq, n, at, flags, body), false);
  } else if (lane.complete) {
    const before = lane.loadedTo;
    lane.complete = false;
    lane.loadedTo = seq - 1;
    core.journal.add(() => {
      lane.complete = true;
      lane.loadedTo = before;
    });
  }
  return seq;
}

/**
 * Adds jobs that have an id already: at the end (a retry, a promoted job), or before all others (handed back, crashed). Jobs of an ordered key always
 * come first, so that after a restart they are met before the younger ones.
 */
export function placeMoved(core: Core, lane: Lane, entries: readonly StoredEntry[], front: boolean): void {
  if (lane.name.limits?.perKey?.ordered === true && !front) {
    place(
      core,
      lane,
      entries.filter(({ jobKey }) => jobKey === undefined),
      false,
    );
    const keyed = entries.filter(({ jobKey }) => jobKey !== undefined);
    place(
      core,
      lane,
      keyed.toSorted((a, b) => a.id - b.id),
      true,
    );
  } else {
    place(core, lane, entries, front);
  }
}

function place(core: Core, lane: Lane, entries: readonly StoredEntry[], front: boolean): void {
  const parts = splitEntries(entries);
  if (front) parts.reverse();
  for (const part of parts) {
    const flags = part.reduce((all, entry) => all | blockFlagsOf(entry), blockMoved);
    const body = Buffer.concat(part.map((entry) => writeEntry(entry, true)));
    let seq: number;
    if (front) {
      seq = core.frontSeq -= part.length;
      insertRow(core, lane, seq, part.length, core.now, body, flags);
      pushBlock(core, makeBlock(core, lane, seq, part.length, core.now, flags, body), true);
    } else {
      seq = appendBlock(core, lane, part.length, core.now, body, flags);
    }
    for (const entry of part) core.sql.setPlaced.run(entry.id, seq);
  }
}

function splitEntries(entries: readonly StoredEntry[]): StoredEntry[][] {
  const parts: StoredEntry[][] = [];
  let part: StoredEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (part.length > 0 && (part.length >= limits.blockJobs || bytes + entry.payload.length > limits.blockBytes)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += entry.payload.length;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function insertRow(core: Core, lane: Lane, seq: number, n: number, at: number, body: Buffer, flags: number): void {
  core.sql.insertBlock.run(seq, lane.number, n, at, flags, body);
  core.sql.insertLive.run(lane.number, seq, n);
  if (flags & blockTenants && !lane.tenanted) meetTenants(core, lane);
}

/** From the first tenant on the jobs of a lane take turns; recorded, because after a restart its blocks are not read at once. */
function meetTenants(core: Core, lane: Lane): void {
  lane.tenanted = true;
  core.journal.add(() => (lane.tenanted = false));
  core.sql.setMeta.run(tenantsOf(lane.number), 1);
}

export function tenantsOf(lane: number): string {
  return `tenants:${lane}`;
}

function makeBlock(core: Core, lane: Lane, seq: number, n: number, at: number, flags: number, body: Buffer): Block {
  let ids: Float64Array | undefined;
  if (flags & blockMoved) {
    ids = new Float64Array(n);
    const offsets = entryOffsets(body, n);
    for (let index = 0; index < n; index++) ids[index] = readEntry(body, must(offsets[index])).id;
  }
  return {
    seq,
    lane,
    n,
    at,
    flags,
    body,
    size: body.length,
    places: new Uint8Array(n),
    ids,
    left: n,
    outcomes: false,
    kept: false,
    // Jobs that are new have nothing yet; what is read again from disk is looked at where it is read.
    awaited: ids !== undefined && core.flow.dependencies,
    noted: ids !== undefined && core.flow.notes,
    next: 0,
    offset: 0,
    keys: undefined,
    turns: undefined,
    routed: 0,
    opened: undefined,
  };
}

function fits(core: Core, lane: Lane, bytes: number): boolean {
  const size = bytes + blockOverhead;
  return lane.bytes + size <= limits.laneBytes && core.bytes + size <= limits.readyBytes;
}

function pushBlock(core: Core, block: Block, front: boolean): void {
  const lane = block.lane;
  if (front) lane.blocks.unshift(block);
  else lane.blocks.push(block);
  core.blocks.set(block.seq, block);
  addBytes(core, block, 1);
  core.journal.add(() => {
    if (front) lane.blocks.shift();
    else lane.blocks.pop();
    core.blocks.delete(block.seq);
    addBytes(core, block, -1);
  });
}

function addBytes(core: Core, block: Block, sign: 1 | -1): void {
  const size = (block.size + blockOverhead) * sign;
  block.lane.bytes += size;
  core.bytes += size;
}

/** The block whose next place is to be claimed, read from disk when memory has none. */
export function headOf(core: Core, lane: Lane): Block | undefined {
  for (;;) {
    const block = lane.blocks.first();
    if (block === undefined) {
      if (lane.complete) return undefined;
      refill(core, lane);
      continue;
    }
    skipToWaiting(core, block);
    if (block.next < block.n) return block;
    leaveLane(core, block);
  }
}

/** Passes places that are running or gone. Undone with the rest: a place may be waiting again after a failed commit. */
function skipToWaiting(core: Core, block: Block): void {
  const { next, offset } = block;
  while (block.next < block.n && block.places[block.next] !== waiting) {
    block.offset += must(block.body).readUInt32LE(block.offset);
    block.next++;
  }
  if (block.next === next) return;
  core.journal.add(() => {
    block.next = next;
    block.offset = offset;
  });
}

/** Every job of the block was claimed or is gone: its body is no longer needed in memory. */
export function leaveLane(core: Core, block: Block): void {
  const lane = block.lane;
  const body = block.body;
  lane.blocks.shift();
  block.body = undefined;
  addBytes(core, block, -1);
  core.journal.add(() => {
    lane.blocks.unshift(block);
    block.body = body;
    addBytes(core, block, 1);
  });
}

function refill(core: Core, lane: Lane): void {
  const rows = core.sql.liveAfter.all(lane.number, lane.loadedTo, limits.refillBlocks);
  const { complete, loadedTo } = lane;
  core.journal.add(() => {
    lane.complete = complete;
    lane.loadedTo = loadedTo;
  });
  if (rows.length < limits.refillBlocks) lane.complete = true;
  for (const { seq } of rows) {
    if (lane.blocks.size > 0 && !fits(core, lane, limits.blockBytes)) {
      lane.complete = false;
      break;
    }
    // Front blocks are put into memory at once; after a refill that started below them they would be read twice.
    if (!core.blocks.has(seq)) pushBlock(core, must(loadBlock(core, seq)), false);
    lane.loadedTo = seq;
  }
}

/** Reads a block and what has become of its jobs. */
export function loadBlock(core: Core, seq: number): Block | undefined {
  const row = core.sql.getBlock.get(seq);
  if (row === undefined) return undefined;
  const name = must(core.namesById.get(Math.floor(row.lane / 10)));
  const lane = must(name.lanes[row.lane % 10]);
  const block = makeBlock(core, lane, row.seq, row.n, row.at, row.flags, bodyOfRow(row));
  if (block.ids === undefined) {
    const last = seq + row.n - 1;
    block.awaited = core.flow.dependencies && core.sql.isNamed.get(seq, last) !== undefined;
    block.noted = core.flow.notes && core.sql.hasNotes.get(seq, last) !== undefined;
  }
  for (const outcome of core.sql.outcomesOf.all(seq)) {
    block.outcomes = true;
    if (outcome.kind === 0) block.kept = true;
    const pairs = unpackRanges(outcome.ranges);
    for (let i = 0; i < pairs.length; i += 2) block.places.fill(gone, pairs[i], pairs[i + 1]);
  }
  block.left = block.places.reduce((left, place) => left + (place === gone ? 0 : 1), 0);
  return block;
}
