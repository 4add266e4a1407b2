/**
 * Reading: where a job is and what it looks like, from the committed tables alone. Runs on the writer between commits, so that a
 * read sees everything that was acknowledged before it.
 */
import { readPayload } from "./payload-bytes.ts";
import { must } from "./must.ts";
import type { AttemptError, JobFilter, JobRecord, JobState } from "../jobs/index.ts";
import { stateNumber, type Core } from "./core.ts";
import { bufferOf, entryOffsets, readEntry } from "./entries.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { bodyOfRow } from "./sound-body.ts";
import {
  blockMoved,
  noResult,
  noTime,
  outcomeSucceeded,
  parkedStates,
  unpackRanges,
  type BlockRow,
  type OutcomeRow,
  type ParkedRow,
} from "./tables.ts";
import { plainKey } from "./unique-key.ts";

export type Location =
  | { readonly in: "parked"; readonly row: ParkedRow }
  | { readonly in: "block"; readonly seq: number; readonly place: number };

/** An id as a number; undefined for what cannot be one. */
export function idNumber(id: string): number | undefined {
  const number = Number(id);
  return Number.isSafeInteger(number) && number > 0 && String(number) === id ? number : undefined;
}

/** The block that holds a job that is not parked, or did when it ended. */
export function blockOf(core: Core, id: number): number | undefined {
  return core.sql.getPlaced.get(id)?.block ?? homeOf(core, id);
}

/** The block in which a job was enqueued, if it may still be there. */
function homeOf(core: Core, id: number): number | undefined {
  const block = core.sql.blockAtOrBefore.get(id);
  return block === undefined || block.flags & blockMoved || id >= block.seq + block.n ? undefined : block.seq;
}

/** Where the job with this id is, or was when it succeeded. */
export function locate(core: Core, id: string): Location | undefined {
  const number = idNumber(id);
  if (number === undefined) return undefined;
  const row = core.sql.getParked.get(number);
  if (row !== undefined) return { in: "parked", row };
  const placed = core.sql.getPlaced.get(number);
  if (placed === undefined) {
    const seq = homeOf(core, number);
    return seq === undefined ? undefined : { in: "block", seq, place: number - seq };
  }
  const block = core.sql.getBlock.get(placed.block);
  const place = block === undefined ? -1 : idsOf(block, entriesOf(block)).indexOf(number);
  return place < 0 ? undefined : { in: "block", seq: placed.block, place };
}

interface Entries {
  readonly body: Buffer;
  readonly offsets: Uint32Array;
}

function entriesOf(row: BlockRow): Entries {
  const body = bodyOfRow(row);
  return { body, offsets: entryOffsets(body, row.n) };
}

function idsOf(row: BlockRow, { body, offsets }: Entries): number[] {
  if (!(row.flags & blockMoved)) return Array.from({ length: row.n }, (_, place) => row.seq + place);
  return Array.from({ length: row.n }, (_, place) => readEntry(body, must(offsets[place])).id);
}

/** The unique key of a job as it is stored, with what is not usual about it. */
export function readKeyText(core: Core, id: string): string | undefined {
  const location = locate(core, id);
  if (location === undefined) return undefined;
  if (location.in === "parked") return location.row.key ?? undefined;
  const row = must(core.sql.getBlock.get(location.seq));
  const { body, offsets } = entriesOf(row);
  return readEntry(body, must(offsets[location.place])).key;
}

export function readState(core: Core, id: string): JobState | undefined {
  const location = locate(core, id);
  if (location === undefined) return undefined;
  if (location.in === "parked") return parkedStates[location.row.state];
  return new BlockReader(core, must(core.sql.getBlock.get(location.seq))).stateOf(location.place)?.state;
}

export function readRecord(core: Core, id: string): JobRecord | undefined {
  const location = locate(core, id);
  if (location === undefined) return undefined;
  if (location.in === "parked") return recordOfParked(core, location.row);
  return new BlockReader(core, must(core.sql.getBlock.get(location.seq))).recordOf(location.place);
}

/** Records in the order of their ids. */
export function listRecords(core: Core, filter: JobFilter): JobRecord[] {
  const limit = Math.min(Math.max(1, Math.floor(filter.limit ?? 100)), limits.listRecords);
  const after = filter.after === undefined ? 0 : Number(filter.after);
  if (!Number.isSafeInteger(after)) return [];
  const name = filter.name === undefined ? undefined : core.names.get(filter.name);
  if (filter.name !== undefined && name === undefined) return [];
  const accepts = (lane: number): boolean => name === undefined || Math.floor(lane / 10) === name.id;
  if (filter.state === "running") return listRunning(core, accepts, after, limit);
  const records: JobRecord[] = [];
  if (filter.state === undefined || isParked(filter.state))
    records.push(...listParked(core, filter.state, name?.id, after, limit));
  if (filter.state === undefined || !isParked(filter.state)) {
    records.push(...listPlaced(core, filter.state, accepts, after, limit));
    records.push(...listHome(core, filter.state, name?.id, accepts, after, limit));
  }
  return records.toSorted((a, b) => Number(a.id) - Number(b.id)).slice(0, limit);
}

function isParked(state: JobState): state is (typeof parkedStates)[number] {
  return (parkedStates as readonly JobState[]).includes(state);
}

function listParked(
  core: Core,
  state: JobState | undefined,
  nameId: number | undefined,
  after: number,
  limit: number,
): JobRecord[] {
  if (state === undefined && nameId === undefined) {
    return core.sql.parkedAfter.all(after, limit).map((row) => recordOfParked(core, row));
  }
  const rows: ParkedRow[] = [];
  const states = state === undefined ? parkedStates : parkedStates.filter((one) => one === state);
  for (const one of states) {
    for (const lane of lanesWith(core, one, nameId)) {
      rows.push(...core.sql.parkedOfState.all(parkedStates.indexOf(one), lane, after, limit));
    }
  }
  rows.sort((a, b) => a.id - b.id);
  return rows.slice(0, limit).map((row) => recordOfParked(core, row));
}

/** Jobs that are in another block than their first. */
function listPlaced(
  core: Core,
  state: JobState | undefined,
  accepts: (lane: number) => boolean,
  after: number,
  limit: number,
): JobRecord[] {
  const records: JobRecord[] = [];
  const readers = new Map<number, BlockReader>();
  for (let from = after; records.length < limit;) {
    const rows = core.sql.placedAfter.all(from, 256);
    for (const { id, block } of rows) {
      from = id;
      let reader = readers.get(block);
      if (reader === undefined) {
        if (readers.size >= 64) readers.clear();
        reader = new BlockReader(core, must(core.sql.getBlock.get(block)));
        readers.set(block, reader);
      }
      if (!accepts(reader.row.lane)) continue;
      const place = reader.ids.indexOf(id);
      const found = reader.stateOf(place)?.state;
      if (found !== undefined && (state === undefined || found === state)) records.push(must(reader.recordOf(place)));
      if (records.length >= limit) break;
    }
    if (rows.length < 256) break;
  }
  return records;
}

/** Jobs that are where they were enqueued. */
function listHome(
  core: Core,
  state: JobState | undefined,
  nameId: number | undefined,
  accepts: (lane: number) => boolean,
  after: number,
  limit: number,
): JobRecord[] {
  const records: JobRecord[] = [];
  for (const row of homeBlocks(core, state, nameId, after)) {
    if (!accepts(row.lane) || row.flags & blockMoved || row.seq + row.n <= after) continue;
    const reader = new BlockReader(core, row);
    for (let place = 0; place < row.n; place++) {
      if (row.seq + place <= after) continue;
      const found = reader.stateOf(place)?.state;
      if (found === undefined || (state !== undefined && found !== state)) continue;
      records.push(must(reader.recordOf(place)));
      if (records.length >= limit) return records;
    }
  }
  return records;
}

/** Blocks in order: of waiting jobs only, where that is asked, so that long history is not walked through. */
function* homeBlocks(
  core: Core,
  state: JobState | undefined,
  nameId: number | undefined,
  after: number,
): Generator<BlockRow> {
  let cursor = Math.max(0, after - limits.blockJobs);
  const lanes = state === "ready" ? lanesWith(core, state, nameId) : undefined;
  for (;;) {
    const rows = lanes === undefined ? blocksOf(core, nameId, cursor, 16) : liveBlocks(core, lanes, cursor, 16);
    yield* rows;
    const last = rows.at(-1);
    if (rows.length < 16 || last === undefined) return;
    cursor = last.seq;
  }
}

function blocksOf(core: Core, nameId: number | undefined, after: number, limit: number): BlockRow[] {
  if (nameId === undefined) return core.sql.blocksAfter.all(after, limit);
  return core.sql.blocksOfLanes.all(after, nameId * 10, nameId * 10 + 9, limit);
}

function liveBlocks(core: Core, lanes: readonly number[], after: number, limit: number): BlockRow[] {
  const seqs = lanes.flatMap((lane) => core.sql.liveAfter.all(lane, after, limit).map(({ seq }) => seq));
  const page = seqs.toSorted((a, b) => a - b).slice(0, limit);
  return page.map((seq) => must(core.sql.getBlock.get(seq)));
}

/** Lanes of the names that have jobs in a state. */
function lanesWith(core: Core, state: JobState, nameId: number | undefined): number[] {
  const lanes: number[] = [];
  for (const name of core.namesById.values()) {
    if (name.counts[stateNumber[state]] === 0 || (nameId !== undefined && nameId !== name.id)) continue;
    for (let priority = 0; priority < 10; priority++) lanes.push(name.id * 10 + priority);
  }
  return lanes;
}

/** Running jobs are few, and their blocks are known by their claims. */
function listRunning(core: Core, accepts: (lane: number) => boolean, after: number, limit: number): JobRecord[] {
  const found: number[] = [];
  for (const { block } of core.sql.claimedBlocks.all(-1)) {
    const reader = new BlockReader(core, must(core.sql.getBlock.get(block)));
    if (!accepts(reader.row.lane)) continue;
    reader.ids.forEach((id, place) => {
      if (id > after && reader.stateOf(place)?.state === "running") found.push(id);
    });
  }
  found.sort((a, b) => a - b);
  return found.slice(0, limit).map((id) => must(readRecord(core, String(id))));
}

function recordOfParked(core: Core, row: ParkedRow): JobRecord {
  const state = must(parkedStates[row.state]);
  return {
    id: String(row.id),
    name: must(core.namesById.get(Math.floor(row.lane / 10))).name,
    state,
    priority: row.lane % 10,
    ...readPayload(bufferOf(row.payload)),
    attempt: row.attempt,
    enqueuedAt: row.enqueued,
    ...timeOf(core, row, state),
    ...(row.key === null ? undefined : { uniqueKey: plainKey(row.key) }),
    ...(row.jobKey === null ? undefined : { key: row.jobKey }),
    ...(row.tenant === null ? undefined : { tenant: row.tenant }),
    ...readProgress(core, row.id),
    errors: readErrors(core, row.id),
  };
}

/** A waiting job has a time where it goes on at that time without its signal, or where it is not to begin before. */
function timeOf(core: Core, row: ParkedRow, state: JobState): { runAt?: number; finishedAt?: number } {
  if (state === "scheduled") return { runAt: row.at };
  if (state !== "waiting") return { finishedAt: row.at };
  const runAt = row.at === noTime ? core.sql.getWait.get(row.id)?.runAt : row.at;
  return typeof runAt === "number" ? { runAt } : {};
}

function readProgress(core: Core, id: number): { progress?: string } {
  const row = core.flow.notes ? core.sql.progressOf.get(id) : undefined;
  return row === undefined ? {} : { progress: row.value };
}

function readErrors(core: Core, id: number): AttemptError[] {
  const rows = core.sql.errorsOf.all(id) as {
    attempt: number;
    at: number;
    code: string;
    message: string;
    data: string | null;
  }[];
  return rows.map(({ data, ...error }) => (data === null ? error : { ...error, data }));
}

interface PlaceState {
  readonly state: "ready" | "running" | "succeeded";
  readonly finishedAt?: number;
  readonly result?: string;
}

/** One block row with what the other tables say of its jobs. */
export class BlockReader {
  readonly row: BlockRow;
  readonly ids: number[];
  readonly #core: Core;
  readonly #entries: Entries;
  readonly #states: (PlaceState | undefined)[];

  constructor(core: Core, row: BlockRow) {
    this.#core = core;
    this.row = row;
    this.#entries = entriesOf(row);
    this.ids = idsOf(row, this.#entries);
    const live = core.sql.isLive.get(row.lane, row.seq) !== undefined;
    const ready: PlaceState = { state: "ready" };
    const runningNow: PlaceState = { state: "running" };
    this.#states = Array.from({ length: row.n }, () => (live ? ready : undefined));
    for (const { ranges } of core.sql.claimsOf.all(row.seq)) {
      const pairs = unpackRanges(ranges);
      for (let i = 0; i < pairs.length; i += 2) this.#states.fill(runningNow, pairs[i], pairs[i + 1]);
    }
    for (const outcome of core.sql.outcomesOf.all(row.seq)) this.#apply(outcome);
  }

  #apply(outcome: OutcomeRow): void {
    const pairs = unpackRanges(outcome.ranges);
    const results = outcome.results === null ? undefined : bufferOf(outcome.results);
    let at = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      for (let place = must(pairs[i]); place < must(pairs[i + 1]); place++) {
        if (outcome.kind !== outcomeSucceeded) {
          this.#states[place] = undefined;
          continue;
        }
        let result: string | undefined;
        if (results !== undefined) {
          const length = results.readUInt32LE(at);
          at += 4;
          if (length !== noResult) {
            result = results.toString("utf8", at, at + length);
            at += length;
          }
        }
        this.#states[place] = {
          state: "succeeded",
          finishedAt: outcome.at,
          ...(result === undefined ? undefined : { result }),
        };
      }
    }
  }

  stateOf(place: number): PlaceState | undefined {
    return this.#states[place];
  }

  recordOf(place: number): JobRecord | undefined {
    const found = this.#states[place];
    if (found === undefined) return undefined;
    const entry = readEntry(this.#entries.body, must(this.#entries.offsets[place]));
    const id = must(this.ids[place]);
    return {
      id: String(id),
      name: must(this.#core.namesById.get(Math.floor(this.row.lane / 10))).name,
      priority: this.row.lane % 10,
      ...readPayload(bufferOf(entry.payload)),
      attempt: entry.attempt + (found.state === "ready" ? 0 : 1),
      enqueuedAt: entry.enqueuedAt === 0 ? this.row.at : entry.enqueuedAt,
      ...found,
      ...(entry.key === undefined ? undefined : { uniqueKey: plainKey(entry.key) }),
      ...(entry.jobKey === undefined ? undefined : { key: entry.jobKey }),
      ...(entry.tenant === undefined ? undefined : { tenant: entry.tenant }),
      ...readProgress(this.#core, id),
      errors: readErrors(this.#core, id),
    };
  }
}
