/**
 * Jobs leave their block: done with success, or moved elsewhere (parked, handed back). During a batch the parts are gathered per block; at its
 * end each block gets one outcome row, or disappears when nothing of it is waiting, running or kept.
 */
import { must } from "./must.ts";
import { forgetJobs, jobEnded } from "./ends.ts";
import { entryOffsets, readEntry, type Entry } from "./entries.ts";
import { rangeOfSlot } from "./claim-draft.ts";
import { count, gone, moveCount, running, setPlaces, type Block, type Claim, type Core, type JobName } from "./core.ts";
import { leaveLimits } from "./limiting.ts";
import { forgetRouted } from "./routing.ts";
import { bodyOfBlock } from "./sound-body.ts";
import { blockKeyed, blockMoved, noResult, outcomeGone, outcomeSucceeded, packRanges } from "./tables.ts";
import { freeKey } from "./unique-key.ts";

interface Part {
  readonly lo: number;
  readonly hi: number;
  readonly kind: number;
  /** u32 length + UTF-8 for each job of the range. */
  readonly results: Results | undefined;
}

/** A piece of a message's bytes. */
interface Results {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

/** What happened to blocks in the batch under way. */
export class Completions {
  readonly #parts = new Map<Block, Part[]>();
  /** Bodies read in this batch, with the starts of their entries. */
  readonly #bodies = new Map<Block, { body: Buffer; offsets: Uint32Array }>();

  /** Starts again after a failed commit. */
  clear(): void {
    this.#parts.clear();
    this.#bodies.clear();
  }

  /** Successes of `count` neighbours of a claim. Calls `onStale` for each that is no longer running. */
  succeed(
    core: Core,
    claim: Claim,
    slot: number,
    n: number,
    results: Buffer | undefined,
    onStale: (slot: number) => void,
  ): void {
    let at = 0;
    let settled = 0;
    const counts = new NameCounts(core);
    for (let index = rangeOfSlot(claim, slot); index < claim.ranges.length; index++) {
      const range = must(claim.ranges[index]);
      if (range.slot >= slot + n) break;
      const lo = Math.max(slot, range.slot);
      const hi = Math.min(slot + n, range.slot + range.hi - range.lo);
      for (let from = lo; from < hi;) {
        const place = range.lo + from - range.slot;
        let to = from;
        const start = at;
        while (to < hi && range.block.places[range.lo + to - range.slot] === running) {
          if (results !== undefined) at = afterResult(results, at);
          to++;
        }
        if (to === from) {
          onStale(from++);
          if (results !== undefined) at = afterResult(results, at);
          continue;
        }
        this.#leave(
          core,
          range.block,
          place,
          place + to - from,
          outcomeSucceeded,
          results && { bytes: results, from: start, to: at },
          running,
        );
        counts.succeeded(range.block.lane.name, to - from);
        settled += to - from;
        from = to;
      }
    }
    counts.flush();
    if (settled > 0) closeSlots(core, claim, settled);
  }

  /** Takes one job out of its block; the caller puts it somewhere else and corrects the counts. */
  moveOut(core: Core, block: Block, place: number, was: number): Entry {
    const entry = this.entryOf(core, block, place);
    this.#leave(core, block, place, place + 1, outcomeGone, undefined, was);
    return entry;
  }

  /** The entry of a place, with its id, time and attempts filled in. */
  entryOf(core: Core, block: Block, place: number): Entry {
    const { body, offsets } = this.#bodyOf(core, block);
    const entry = readEntry(body, must(offsets[place]));
    if (entry.id === 0) {
      entry.id = block.seq + place;
      entry.enqueuedAt = block.at;
    }
    return entry;
  }

  #bodyOf(core: Core, block: Block): { body: Buffer; offsets: Uint32Array } {
    let known = this.#bodies.get(block);
    if (known === undefined) {
      const body = bodyOfBlock(core, block);
      known = { body, offsets: entryOffsets(body, block.n) };
      this.#bodies.set(block, known);
    }
    return known;
  }

  #leave(
    core: Core,
    block: Block,
    lo: number,
    hi: number,
    kind: number,
    results: Results | undefined,
    was: number,
  ): void {
    setPlaces(block.places, gone, lo, hi);
    block.left -= hi - lo;
    if (was === running && block.lane.name.limits !== undefined) leaveLimits(core, block, lo, hi);
    core.journal.add(() => {
      setPlaces(block.places, was, lo, hi);
      block.left += hi - lo;
    });
    const parts = this.#parts.get(block);
    if (parts === undefined) this.#parts.set(block, [{ lo, hi, kind, results }]);
    else parts.push({ lo, hi, kind, results });
  }

  /** Writes what was gathered. */
  flush(core: Core): void {
    for (const [block, parts] of this.#parts) this.#flushBlock(core, block, parts);
    this.clear();
  }

  #flushBlock(core: Core, block: Block, parts: Part[]): void {
    const keep = core.retention.succeeded.count > 0 && core.retention.succeeded.ageMs > 0;
    const succeeded = parts.filter((part) => part.kind === outcomeSucceeded);
    if (succeeded.length > 0 && block.flags & (blockKeyed | blockMoved)) this.#freeKeys(core, block, succeeded, keep);
    if (block.awaited) tellOfSuccess(core, block, succeeded);
    if (!keep) forget(core, block, succeeded);
    const kept = (keep && succeeded.length > 0) || stillKept(core, block);
    if (block.left === 0 && !kept) return removeBlock(core, block);
    this.#writeOutcomes(core, block, parts, succeeded, keep);
    if (block.left > 0) {
      core.sql.setLive.run(block.left, block.lane.number, block.seq);
      const { outcomes, kept: before } = block;
      block.outcomes = true;
      block.kept = kept;
      core.journal.add(() => {
        block.outcomes = outcomes;
        block.kept = before;
      });
    } else {
      core.sql.deleteLive.run(block.lane.number, block.seq);
      core.sql.deleteClaims.run(block.seq);
      dropBlock(core, block);
    }
  }

  #writeOutcomes(core: Core, block: Block, parts: Part[], succeeded: Part[], keep: boolean): void {
    if (keep && succeeded.length > 0) writeOutcome(core, block, outcomeSucceeded, succeeded);
    const rest = keep ? parts.filter((part) => part.kind !== outcomeSucceeded) : parts;
    // A block with nothing left needs no record of what is gone, unless it stays for the successes that it keeps.
    if (rest.length > 0) writeOutcome(core, block, outcomeGone, rest);
  }

  /** Unique keys are free again when their job is finished; so are the places of jobs that moved, when nothing is kept. */
  #freeKeys(core: Core, block: Block, succeeded: readonly Part[], keep: boolean): void {
    if (!(block.flags & blockKeyed) && keep) return;
    for (const part of succeeded) {
      for (let place = part.lo; place < part.hi; place++) {
        if (block.flags & blockKeyed) {
          const entry = this.entryOf(core, block, place);
          freeKey(core, block.lane.name, entry);
        }
        if (!keep && block.flags & blockMoved) forgetMoved(core, must(must(block.ids)[place]));
      }
    }
  }
}

/** Neighbouring jobs of a claim are mostly of one name: counted together. */
class NameCounts {
  readonly #core: Core;
  #name: JobName | undefined;
  #n = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  succeeded(name: JobName, n: number): void {
    if (name !== this.#name) this.flush();
    this.#name = name;
    this.#n += n;
  }

  flush(): void {
    if (this.#name !== undefined) moveCount(this.#core, this.#name, "running", "succeeded", this.#n);
    this.#n = 0;
  }
}

/** Retention may have forgotten what a block kept, so the last word is on disk. */
function stillKept(core: Core, block: Block): boolean {
  return block.kept && (block.left > 0 || core.sql.keptOf.get(block.seq) !== undefined);
}

/** Where the result after the one at `at` starts. */
function afterResult(results: Buffer, at: number): number {
  const length = results.readUInt32LE(at);
  return at + 4 + (length === noResult ? 0 : length);
}

function closeSlots(core: Core, claim: Claim, n: number): void {
  claim.left -= n;
  core.journal.add(() => (claim.left += n));
  if (claim.left > 0) return;
  core.claims.delete(claim.id);
  core.journal.add(() => core.claims.set(claim.id, claim));
}

/** One job of the claim is settled by moving out. */
export function closeSlot(core: Core, claim: Claim): void {
  closeSlots(core, claim, 1);
}

function forget(core: Core, block: Block, succeeded: readonly Part[]): void {
  let n = 0;
  for (const part of succeeded) n += part.hi - part.lo;
  count(core, block.lane.name, "succeeded", -n);
  if (!block.noted || block.ids !== undefined) return;
  for (const part of succeeded) forgetJobs(core, block.seq + part.lo, block.seq + part.hi - 1);
}

function forgetMoved(core: Core, id: number): void {
  core.sql.deletePlaced.run(id);
  core.sql.deleteErrors.run(id);
  forgetJobs(core, id, id);
}

/** Others may wait for jobs of this block. */
function tellOfSuccess(core: Core, block: Block, succeeded: readonly Part[]): void {
  for (const { lo, hi, results } of succeeded) {
    let at = results?.from ?? 0;
    for (let place = lo; place < hi; place++) {
      const id = block.ids?.[place] ?? block.seq + place;
      const length = results === undefined ? noResult : results.bytes.readUInt32LE(at);
      const result = length === noResult ? null : must(results).bytes.toString("utf8", at + 4, at + 4 + length);
      jobEnded(core, id, block.lane.name, "succeeded", result);
      if (results !== undefined) at = afterResult(results.bytes, at);
    }
  }
}

function removeBlock(core: Core, block: Block): void {
  core.sql.deleteLive.run(block.lane.number, block.seq);
  core.sql.deleteClaims.run(block.seq);
  if (block.outcomes) core.sql.deleteOutcomes.run(block.seq);
  core.sql.deleteBlock.run(block.seq);
  dropBlock(core, block);
}

function dropBlock(core: Core, block: Block): void {
  // A block that was read only to cancel one of its jobs is not among the blocks in memory.
  if (core.blocks.get(block.seq) !== block) return;
  core.blocks.delete(block.seq);
  core.journal.add(() => core.blocks.set(block.seq, block));
  forgetRouted(core, block);
}

function writeOutcome(core: Core, block: Block, kind: number, parts: Part[]): void {
  parts.sort((a, b) => a.lo - b.lo);
  const pairs: number[] = [];
  let n = 0;
  let anyResult = false;
  for (const part of parts) {
    if (pairs.length > 0 && pairs.at(-1) === part.lo) pairs[pairs.length - 1] = part.hi;
    else pairs.push(part.lo, part.hi);
    n += part.hi - part.lo;
    anyResult ||= part.results !== undefined;
  }
  const results = anyResult && kind === outcomeSucceeded ? joinResults(parts) : null;
  core.sql.insertOutcome.run(block.seq, block.lane.number, kind, n, core.now, packRanges(pairs), results);
}

function joinResults(parts: readonly Part[]): Buffer {
  if (parts.length === 1) {
    const { bytes, from, to } = must(must(parts[0]).results);
    return bytes.subarray(from, to);
  }
  let size = 0;
  for (const { lo, hi, results } of parts) size += results === undefined ? (hi - lo) * 4 : results.to - results.from;
  const joined = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { lo, hi, results } of parts) {
    if (results !== undefined) at += results.bytes.copy(joined, at, results.from, results.to);
    else joined.fill(0xff, at, (at += (hi - lo) * 4));
  }
  return joined;
}
