/**
 * Jobs with a row of their own: waiting for a time, for a signal or for other jobs, failed, cancelled. They leave their block when they come here, and get a new place in a
 * block when they become ready; their id, attempts and errors stay.
 */
import { must } from "./must.ts";
import type { AttemptError } from "../jobs/index.ts";
import { count, laneOfNumber, moveCount, total, type Core, type Lane } from "./core.ts";
import { forgetJobs, jobEnded } from "./ends.ts";
import type { StoredEntry } from "./entries.ts";
import { touchOrdered } from "./limiting.ts";
import { placeMoved } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { noTime, parkedStates, type ParkedRow, type ParkedState } from "./tables.ts";
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
  if (state !== "failed" && state !== "cancelled") return;
  touchOrdered(lane.name, entry.jobKey);
  freeKey(core, lane.name, entry);
  jobEnded(core, entry.id, lane.name, state);
}

export function recordError(core: Core, id: number, error: AttemptError): void {
  const message = error.message.slice(0, limits.errorMessageChars);
  core.sql.insertError.run(id, error.attempt, error.at, error.code, message, error.data ?? null);
  core.sql.trimErrors.run(id, limits.errorsPerJob);
}

/** What stands in place of the outcome of an attempt that nobody ended. */
export function crashOf(core: Core, attempt: number): AttemptError {
  const message = "The process ended during the attempt.";
  return { attempt, at: core.now, code: "CRASHED", message };
}

export function entryOfRow(row: ParkedRow): StoredEntry {
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
  const more = promoteFrom(core, "scheduled");
  return promoteFrom(core, "waiting") || more;
}

/** Those that wait for a signal go on without it when their time is up. */
function promoteFrom(core: Core, state: "scheduled" | "waiting"): boolean {
  if (total(core, state) === 0) return false;
  const rows = core.sql.dueParked.all(parkedStates.indexOf(state), core.now, limits.promotePerCommit);
  const byLane = new Map<number, StoredEntry[]>();
  for (const row of rows) {
    core.sql.deleteParked.run(row.id);
    if (state === "waiting") core.sql.deleteWait.run(row.id);
    const entries = byLane.get(row.lane);
    if (entries === undefined) byLane.set(row.lane, [entryOfRow(row)]);
    else entries.push(entryOfRow(row));
  }
  for (const [number, entries] of byLane) {
    const lane = laneOfNumber(core, number);
    moveCount(core, lane.name, state, "ready", entries.length);
    placeMoved(core, lane, entries, false);
  }
  return rows.length === limits.promotePerCommit;
}

/** When the next job is due, or Infinity. */
export function nextDue(core: Core): number {
  return Math.min(nextDueOf(core, "scheduled"), nextDueOf(core, "waiting"));
}

function nextDueOf(core: Core, state: "scheduled" | "waiting"): number {
  if (total(core, state) === 0) return Infinity;
  const at = core.sql.oldestParked.get(parkedStates.indexOf(state))?.at;
  return at === undefined || at === noTime ? Infinity : at;
}

/** By hand: a failed or cancelled job is ready again, unless another unfinished job took its unique key meanwhile. */
export function redrive(core: Core, row: ParkedRow): boolean {
  const lane = laneOfNumber(core, row.lane);
  if (!takeKey(core, lane.name, entryOfRow(row))) return false;
  core.sql.deleteParked.run(row.id);
  // It is to end anew.
  if (core.flow.dependencies) core.sql.deleteEnded.run(row.id);
  moveCount(core, lane.name, must(parkedStates[row.state]), "ready", 1);
  placeMoved(core, lane, [entryOfRow(row)], false);
  return true;
}

/** A scheduled or waiting job is cancelled where it is. */
export function cancelParked(core: Core, row: ParkedRow): void {
  const lane = laneOfNumber(core, row.lane);
  const state = must(parkedStates[row.state]);
  core.sql.deleteParked.run(row.id);
  if (state === "waiting") core.sql.deleteWait.run(row.id);
  park(core, lane, entryOfRow(row), "cancelled", core.now);
  moveCount(core, lane.name, state, "cancelled", 1);
}

/** Forgets a parked job and its errors. */
export function removeParked(core: Core, id: number, lane: Lane, state: ParkedState): void {
  core.sql.deleteParked.run(id);
  core.sql.deleteErrors.run(id);
  forgetJobs(core, id, id);
  count(core, lane.name, state, -1);
}
