/**
 * New jobs on the writer. Plain runs are copied into block rows without looking inside; neighbouring small runs of one lane join into one block.
 * A special run (unique keys, times, occurrences) is walked entry by entry.
 */
import { must } from "./must.ts";
import { blockFlagsOf } from "./block-flags.ts";
import { count, type Core, type JobName, type Lane } from "./core.ts";
import { entryOffsets, readEntry, writeEntry, type Entry } from "./entries.ts";
import { appendBlock, takeSeq } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { park } from "./parking.ts";
import type { JobsReply } from "./protocol.ts";
import { holderOf, takeKey } from "./unique-key.ts";

interface Gathered {
  at: number;
  n: number;
  bytes: number;
  flags: number;
  readonly runs: Buffer[];
  readonly replies: { readonly reply: { first: number }; readonly offset: number }[];
}

type SpecialReply = JobsReply & { ids: Float64Array; duplicates: Uint8Array };

function isOrdered({ name }: Lane): boolean {
  return name.limits?.perKey?.ordered === true;
}

export class Intake {
  readonly #lanes = new Map<Lane, Gathered>();

  clear(): void {
    this.#lanes.clear();
  }

  /** A run whose entries rest as they come (`flags`: what they have). Its reply is filled in when its block is written. */
  addRun(core: Core, lane: Lane, n: number, at: number, bytes: Buffer, flags: number): JobsReply {
    if (isOrdered(lane)) this.#flushOthers(core, lane);
    let gathered = this.#lanes.get(lane);
    if (
      gathered !== undefined &&
      (gathered.n + n > limits.blockJobs || gathered.bytes + bytes.length > limits.blockBytes)
    ) {
      this.#flushLane(core, lane, gathered);
      gathered = undefined;
    }
    if (gathered === undefined) {
      gathered = { at, n: 0, bytes: 0, flags: 0, runs: [], replies: [] };
      this.#lanes.set(lane, gathered);
    }
    const reply = { first: 0 };
    gathered.replies.push({ reply, offset: gathered.n });
    gathered.runs.push(bytes);
    gathered.n += n;
    gathered.bytes += bytes.length;
    gathered.flags |= flags;
    return reply;
  }

  /** A run with unique keys, times or occurrences. */
  addSpecialRun(core: Core, lane: Lane, n: number, at: number, bytes: Buffer): JobsReply {
    const offsets = entryOffsets(bytes, n);
    return this.addEntries(
      core,
      lane,
      Array.from({ length: n }, (_, index) => readEntry(bytes, must(offsets[index]))),
      at,
    );
  }

  addEntries(core: Core, lane: Lane, entries: readonly Entry[], at: number): SpecialReply {
    if (isOrdered(lane)) {
      this.#flushOthers(core, lane);
      if (entries.length > 1) return this.#addOneByOne(core, lane, entries, at);
    }
    const before = this.#lanes.get(lane);
    if (before !== undefined) this.#flushLane(core, lane, before);
    const n = entries.length;
    const seq = takeSeq(core, n * 2);
    const ids = new Float64Array(n);
    const duplicates = new Uint8Array(n);
    const kept: Buffer[] = [];
    let flags = 0;
    let scheduled = 0;
    entries.forEach((entry, index) => {
      const later = entry.runAt !== undefined && entry.runAt > core.now;
      const id = later ? seq + n + scheduled : seq + kept.length;
      const holder = admit(core, lane.name, { ...entry, id, enqueuedAt: at });
      ids[index] = holder ?? id;
      if (holder !== undefined) {
        duplicates[index] = 1;
      } else if (later) {
        park(core, lane, { ...entry, id, enqueuedAt: at }, "scheduled", must(entry.runAt));
        scheduled++;
      } else {
        kept.push(writeEntry(entry, false));
        flags |= blockFlagsOf(entry);
      }
    });
    if (kept.length > 0) appendBlock(core, lane, kept.length, at, Buffer.concat(kept), flags, seq);
    count(core, lane.name, "ready", kept.length);
    count(core, lane.name, "scheduled", scheduled);
    return { first: seq, ids, duplicates };
  }

  /** Ids say the order of enqueueing, which an ordered name goes by: also over its priorities, and over what is scheduled among the rest. */
  #flushOthers(core: Core, lane: Lane): void {
    for (const [other, gathered] of this.#lanes)
      if (other !== lane && other.name === lane.name) this.#flushLane(core, other, gathered);
  }

  #addOneByOne(core: Core, lane: Lane, entries: readonly Entry[], at: number): SpecialReply {
    const replies = entries.map((entry) => this.addEntries(core, lane, [entry], at));
    return {
      first: replies[0]?.first ?? 0,
      ids: Float64Array.from(replies, ({ ids }) => ids[0] ?? 0),
      duplicates: Uint8Array.from(replies, ({ duplicates }) => duplicates[0] ?? 0),
    };
  }

  flush(core: Core): void {
    for (const [lane, gathered] of this.#lanes) this.#flushLane(core, lane, gathered);
  }

  #flushLane(core: Core, lane: Lane, gathered: Gathered): void {
    this.#lanes.delete(lane);
    // The bytes of a run belong to an arena that goes back: a block that stays in memory needs its own.
    const body = Buffer.concat(gathered.runs);
    const seq = appendBlock(core, lane, gathered.n, gathered.at, body, gathered.flags);
    count(core, lane.name, "ready", gathered.n);
    for (const { reply, offset } of gathered.replies) reply.first = seq + offset;
  }
}

/** Undefined: the job is new. Else the id of the job that holds its key, or 0 for an occurrence that was recorded before. */
export function admit(core: Core, name: JobName, entry: Entry): number | undefined {
  if (entry.key !== undefined) {
    const holder = holderOf(core, name, entry.key);
    if (holder !== undefined) return holder;
  }
  if (entry.occurrence !== undefined) {
    const { schedule, at } = entry.occurrence;
    if (core.sql.recordOccurrence.run(schedule, at).changes === 0) return 0;
  }
  takeKey(core, name, entry);
  return undefined;
}
