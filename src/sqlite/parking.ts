/**
 * Jobs with a row of their own: waiting for a time, failed, cancelled. They leave their block when they come here, and get a new place in a
 * block when they become ready; their id, attempts and errors stay.
 */
import { must } from "./must.ts";
import type { AttemptError } from "../jobs/index.ts";
import { count, laneOfNumber, moveCount, type Core, type Lane } from "./core.ts";
import type { StoredEntry } from "./entries.ts";
import { placeMoved } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { parkedStates, type ParkedRow, type ParkedState } from "./tables.ts";
import { freeKey, takeKey } from "./unique-key.ts";

/** `at`: when it becomes ready, or when it finished. */
export function park(core: Core, lane: Lane, entry: StoredEntry, state: ParkedState, at: number): void {
  core.sql.insertParked.run(
    entry.id,
    lane.number,
    parkedStates.indexOf(state),
    at,
    entry.attempt,
    entry.enqueuedAt,
    entry.key ?? null,
    entry.payload,
    entry.jobKey ?? null,
    entry.tenant ?? null,
  );
  core.sql.deletePlaced.run(entry.id);
  if (state === "failed" || state === "cancelled") freeKey(core, lane.name, entry);
}

export function recordError(core: Core, id: number, error: AttemptError): void {
  const message = error.message.slice(0, limits.errorMessageChars);
  core.sql.insertError.run(id, error.attempt, error.at, error.code, message, error.data ?? null);
  core.sql.trimErrors.run(id, limits.errorsPerJob);
}

function entryOfRow(row: ParkedRow): StoredEntry {
  return {
    id: row.id,
    attempt: row.attempt,
    enqueuedAt: row.enqueued,
    key: row.key ?? undefined,
    jobKey: row.jobKey ?? undefined,
    tenant: row.tenant ?? undefined,
    payload: row.payload,
  };
}

/** Makes ready what is due, oldest time first. True when more is due than one commit takes. */
export function promoteDue(core: Core): boolean {
  const rows = core.sql.dueParked.all(core.now, limits.promotePerCommit);
  const byLane = new Map<number, StoredEntry[]>();
  for (const row of rows) {
    core.sql.deleteParked.run(row.id);
    const entries = byLane.get(row.lane);
    if (entries === undefined) byLane.set(row.lane, [entryOfRow(row)]);
    else entries.push(entryOfRow(row));
  }
  for (const [number, entries] of byLane) {
    const lane = laneOfNumber(core, number);
    moveCount(core, lane.name, "scheduled", "ready", entries.length);
    placeMoved(core, lane, entries, false);
  }
  return rows.length === limits.promotePerCommit;
}

/** When the next scheduled job is due, or Infinity. */
export function nextDue(core: Core): number {
  return core.sql.oldestParked.get(0)?.at ?? Infinity;
}

/** By hand: a failed or cancelled job is ready again, unless another unfinished job took its unique key meanwhile. */
export function redrive(core: Core, row: ParkedRow): boolean {
  const lane = laneOfNumber(core, row.lane);
  if (!takeKey(core, lane.name, entryOfRow(row))) return false;
  core.sql.deleteParked.run(row.id);
  moveCount(core, lane.name, must(parkedStates[row.state]), "ready", 1);
  placeMoved(core, lane, [entryOfRow(row)], false);
  return true;
}

/** A scheduled job is cancelled where it is. */
export function cancelScheduled(core: Core, row: ParkedRow): void {
  const lane = laneOfNumber(core, row.lane);
  core.sql.deleteParked.run(row.id);
  park(core, lane, entryOfRow(row), "cancelled", core.now);
  moveCount(core, lane.name, "scheduled", "cancelled", 1);
}

/** Forgets a parked job and its errors. */
export function removeParked(core: Core, id: number, lane: Lane, state: ParkedState): void {
  core.sql.deleteParked.run(id);
  core.sql.deleteErrors.run(id);
  count(core, lane.name, state, -1);
}
