/**
 * What happens at open: counts are read from small tables, and jobs under claims of an earlier life are given back or failed. Memory stays
 * bounded: blocks under claims are handled a page at a time, each page in one transaction.
 */
import { must } from "./must.ts";
import type { DatabaseSync } from "node:sqlite";
import { CrashTally, jobStates, type CrashedJobs, type JobState, type Retention } from "../jobs/index.ts";
import { Completions } from "./completion.ts";
import { Journal, count, laneOf, makeName, moveCount, waiting, type Block, type Core } from "./core.ts";
import type { StoredEntry } from "./entries.ts";
import { loadBlock, placeMoved, tenantsOf } from "./lanes.ts";
import { makeRouting } from "./limiting.ts";
import { crashOf, park, recordError } from "./parking.ts";
import { parkedStates, prepareTables, unpackRanges } from "./tables.ts";

/** Blocks under claims handled per transaction. */
const pageBlocks = 64;

/** A core that knows nothing yet. */
export function emptyCore(db: DatabaseSync, retention: Retention): Core {
  return {
    db,
    sql: prepareTables(db),
    journal: new Journal(),
    retention,
    epoch: 0,
    now: 0,
    names: new Map(),
    namesById: new Map(),
    namesByLocal: new Map(),
    blocks: new Map(),
    claims: new Map(),
    bytes: 0,
    nextSeq: 1,
    reservedTo: 1,
    frontSeq: 0,
    nextClaim: 1,
    prunedTo: 0,
    totals: new Float64Array(jobStates.length),
    flow: {
      dependencies: false,
      notes: false,
      windows: false,
      untold: false,
      abandoned: [],
      crashed: new CrashTally(),
    },
    routing: makeRouting(),
  };
}

/** Fills names, lanes, counts and counters from disk. */
export function loadCore(core: Core): void {
  for (const { id, name } of core.sql.allNames.all()) {
    const known = makeName(id, name);
    core.names.set(name, known);
    core.namesById.set(id, known);
  }
  const add = (lane: number, state: JobState, n: number): void => {
    count(core, must(core.namesById.get(Math.floor(lane / 10))), state, n);
  };
  for (const { lane, n } of core.sql.liveTotals.all()) {
    const known = laneOf(must(core.namesById.get(Math.floor(lane / 10))), lane % 10, false);
    known.tenanted = core.sql.getMeta.get(tenantsOf(lane)) !== undefined;
    add(lane, "ready", n);
  }
  for (const { lane, n } of core.sql.succeededTotals.all()) add(lane, "succeeded", n);
  for (const { lane, state, n } of core.sql.parkedTotals.all()) {
    add(lane, must(parkedStates[state]), n);
  }
  for (const { name } of core.sql.pausedNames.all()) core.routing.paused.add(name);
  core.journal.clear();
  core.flow.dependencies = core.sql.anyDependency.get() !== undefined;
  core.flow.notes = core.sql.anyNote.get() !== undefined;
  core.flow.windows = core.sql.nextHeld.get() !== undefined;
  core.flow.untold = core.sql.nextUntold.get() !== undefined;
  core.nextSeq = core.reservedTo = Number(core.sql.getMeta.get("next")?.value ?? 1);
  core.frontSeq = Math.min(0, Number(core.sql.firstBlock.get()?.seq ?? 0));
}

/** Names of jobs that were running when their process died. */
export function crashedNames(core: Core): string[] {
  const ids = core.sql.claimedNames.all();
  return ids.map(({ id }) => must(core.namesById.get(id)).name);
}

/** Counts the attempts that were cut short; returns whose they were. */
export function recoverClaims(core: Core, maxAttempts: ReadonlyMap<string, number>): readonly CrashedJobs[] {
  for (;;) {
    const rows = core.sql.claimedBlocks.all(pageBlocks);
    if (rows.length === 0) return core.flow.crashed.take();
    core.db.exec("BEGIN IMMEDIATE");
    try {
      const done = new Completions();
      // From the last to the first, each put before the others, so that the old order is kept.
      for (const { block } of rows) recoverBlock(core, done, block, maxAttempts);
      core.db.exec("COMMIT");
      core.journal.clear();
    } catch (thrown) {
      if (core.db.isTransaction) core.db.exec("ROLLBACK");
      throw thrown;
    }
  }
}

function recoverBlock(core: Core, done: Completions, seq: number, maxAttempts: ReadonlyMap<string, number>): void {
  const block = must(loadBlock(core, seq));
  const most = maxAttempts.get(block.lane.name.name) ?? 1;
  const again: StoredEntry[] = [];
  for (const place of claimedPlaces(core, seq)) {
    if (block.places[place] !== waiting) continue;
    const entry = crashOne(core, done, block, place, most);
    if (entry !== undefined) again.push(entry);
  }
  core.sql.deleteClaims.run(seq);
  done.flush(core);
  placeMoved(core, block.lane, again, true);
}

/** Places of a block under claims, in order. */
function claimedPlaces(core: Core, seq: number): number[] {
  const places: number[] = [];
  for (const { ranges } of core.sql.claimsOf.all(seq)) {
    const pairs = unpackRanges(ranges);
    for (let i = 0; i < pairs.length; i += 2)
      for (let place = must(pairs[i]); place < must(pairs[i + 1]); place++) places.push(place);
  }
  return places.sort((a, b) => a - b);
}

/** Records the crash; returns the job when it has attempts left. */
function crashOne(core: Core, done: Completions, block: Block, place: number, most: number): StoredEntry | undefined {
  const entry = done.moveOut(core, block, place, waiting);
  entry.attempt++;
  recordError(core, entry.id, crashOf(core, entry.attempt));
  core.flow.crashed.add(block.lane.name.name, entry.attempt < most ? "again" : "failed");
  if (entry.attempt < most) return entry;
  park(core, block.lane, entry, "failed", core.now);
  moveCount(core, block.lane.name, "ready", "failed", 1);
  return undefined;
}
