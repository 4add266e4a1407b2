/**
 * Retention: removes the oldest finished jobs that are over the limit of count or age, a bounded number per commit.
 */
import { must } from "./must.ts";
import { count, laneOfNumber, total, type Core } from "./core.ts";
import { forgetJobs } from "./ends.ts";
import { bufferOf, entryOffsets, readEntry } from "./entries.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { removeParked } from "./parking.ts";
import { bodyOfRow } from "./sound-body.ts";
import { blockMoved, noResult, packRanges, parkedStates, unpackRanges, type OutcomeHead } from "./tables.ts";

export interface Pruned {
  readonly removed: number;
  /** More is over the limits than one commit removes. */
  readonly more: boolean;
}

export function prune(core: Core): Pruned {
  if (core.flow.windows) core.sql.expireKeys.run(core.now, limits.keysExpirePerPrune);
  const least = leastOfSucceeded(core);
  let removed = 0;
  for (let step = 0; step < limits.prunePerCommit; step++) {
    const now = pruneSucceeded(core, least) + pruneParked(core, "failed") + pruneParked(core, "cancelled");
    if (now === 0) return { removed, more: false };
    removed += now;
  }
  return { removed, more: true };
}

/**
 * Succeeded jobs are let go outcome by outcome, so that none has to be written anew to keep a part of it: up to this many more than the limit
 * stay for a while. Small limits are kept to the job.
 */
function slackOfCount(most: number): number {
  return Math.floor(most / 128);
}

/**
 * Down to how many this pruning lets go of succeeded jobs; Infinity while they are few enough. They go in runs, half of the slack at a time: outcomes that went together
 * are neighbours on a few pages, and one in each commit would write these pages each time. So many are left that no outcome need be cut.
 */
function leastOfSucceeded(core: Core): number {
  const { count: most } = core.retention.succeeded;
  const slack = slackOfCount(most);
  if (total(core, "succeeded") <= most + slack) return Infinity;
  return most + Math.max(Math.floor(slack / 2), Math.min(slack, limits.blockJobs));
}

/** Whether some count is over its limit: asked after every commit, so it must cost nothing. */
export function overCount(core: Core): boolean {
  const { succeeded, failed, cancelled } = core.retention;
  return (
    total(core, "succeeded") > succeeded.count + slackOfCount(succeeded.count) ||
    total(core, "failed") > failed.count ||
    total(core, "cancelled") > cancelled.count
  );
}

/** When the oldest finished job is too old, or Infinity. A little later than that, so that many are removed at once. */
export function nextExpiry(core: Core): number {
  const oldest = core.sql.oldestSucceeded.get(core.prunedTo);
  let at = oldest === undefined ? Infinity : oldest.at + slack(core.retention.succeeded.ageMs);
  for (const state of ["failed", "cancelled"] as const) {
    const row = core.sql.oldestParked.get(parkedStates.indexOf(state));
    if (row !== undefined) at = Math.min(at, row.at + slack(core.retention[state].ageMs));
  }
  const held = core.flow.windows ? core.sql.nextHeld.get()?.held : undefined;
  return held === undefined ? at : Math.min(at, held + slack(0));
}

function slack(ageMs: number): number {
  return ageMs + Math.min(Math.max(ageMs / 100, 1_000), 3_600_000);
}

function pruneParked(core: Core, state: "failed" | "cancelled"): number {
  if (total(core, state) === 0) return 0;
  const { count: most, ageMs } = core.retention[state];
  const row = core.sql.oldestParked.get(parkedStates.indexOf(state));
  if (row === undefined) return 0;
  if (total(core, state) <= most && row.at + ageMs > core.now) return 0;
  removeParked(core, row.id, laneOfNumber(core, row.lane), state);
  return 1;
}

function pruneSucceeded(core: Core, least: number): number {
  const all = total(core, "succeeded");
  if (all === 0) return 0;
  const row = core.sql.oldestSucceeded.get(core.prunedTo);
  if (row === undefined) return 0;
  const { count: most, ageMs } = core.retention.succeeded;
  const over = all > least ? all - most : 0;
  const excess = row.at + ageMs <= core.now ? row.count : Math.min(row.count, over);
  if (excess <= 0) return 0;
  forgetPlaces(core, row, excess);
  if (excess < row.count) shrink(core, row, excess);
  else dropOutcome(core, row);
  count(core, laneOfNumber(core, row.lane).name, "succeeded", -excess);
  return excess;
}

/** Jobs that had moved leave rows of their own behind. Where none has, the body of the block, the bulk of it, is not read. */
function forgetPlaces(core: Core, row: OutcomeHead, n: number): void {
  const { flags } = must(core.sql.blockFlags.get(row.block));
  if (!(flags & blockMoved)) return forgetNotes(core, row, n);
  const block = must(core.sql.getBlock.get(row.block));
  const body = bodyOfRow(block);
  const offsets = entryOffsets(body, block.n);
  for (const place of placesOf(row).slice(0, n)) {
    const { id } = readEntry(body, must(offsets[place]));
    core.sql.deletePlaced.run(id);
    core.sql.deleteErrors.run(id);
    forgetJobs(core, id, id);
  }
}

/** Jobs that never moved have errors and dependencies of none, but they may have kept something. */
function forgetNotes(core: Core, row: OutcomeHead, n: number): void {
  if (!core.flow.notes) return;
  const pairs = pairsOf(placesOf(row).slice(0, n));
  for (let i = 0; i < pairs.length; i += 2)
    forgetJobs(core, row.block + must(pairs[i]), row.block + must(pairs[i + 1]) - 1);
}

function placesOf(row: OutcomeHead): number[] {
  const pairs = unpackRanges(row.ranges);
  const places: number[] = [];
  for (let i = 0; i < pairs.length; i += 2)
    for (let place = must(pairs[i]); place < must(pairs[i + 1]); place++) places.push(place);
  return places;
}

/** The first `n` places of an outcome are forgotten: they become an outcome of their own that keeps nothing. */
function shrink(core: Core, row: OutcomeHead, n: number): void {
  const places = placesOf(row);
  const { results: all } = must(core.sql.resultsOf.get(row.n));
  let results: Uint8Array | null = null;
  if (all !== null) {
    const bytes = bufferOf(all);
    let at = 0;
    for (let i = 0; i < n; i++) {
      const length = bytes.readUInt32LE(at);
      at += 4 + (length === noResult ? 0 : length);
    }
    results = bytes.subarray(at);
  }
  core.sql.shrinkOutcome.run(row.count - n, packRanges(pairsOf(places.slice(n))), results, row.n);
  core.sql.insertOutcome.run(row.block, row.lane, 1, n, row.at, packRanges(pairsOf(places.slice(0, n))), null);
}

function pairsOf(places: readonly number[]): number[] {
  const pairs: number[] = [];
  for (const place of places) {
    if (pairs.at(-1) === place) pairs[pairs.length - 1] = place + 1;
    else pairs.push(place, place + 1);
  }
  return pairs;
}

/** An outcome that keeps nothing any more; with the last one of a finished block, the block goes. */
function dropOutcome(core: Core, row: OutcomeHead): void {
  const before = core.prunedTo;
  core.prunedTo = row.n;
  core.journal.add(() => (core.prunedTo = before));
  core.sql.forgetOutcome.run(row.n);
  if (core.sql.isLive.get(row.lane, row.block) !== undefined || core.sql.keptOf.get(row.block) !== undefined) return;
  core.sql.deleteOutcomes.run(row.block);
  core.sql.deleteBlock.run(row.block);
}
