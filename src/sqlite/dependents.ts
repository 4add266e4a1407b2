/**
 * Jobs that wait for others. A job that names others is parked with a count of those that have not ended; the end of each lowers it. One job
 * may be named by a hundred thousand: they hear of its end in the order of their ids, a bounded number per commit.
 */
import { must } from "./must.ts";
import {
  isFinished,
  type AttemptError,
  type DependencyRecord,
  type EnqueueReceipt,
  type JobState,
} from "../jobs/index.ts";
import { count, laneOfNumber, moveCount, type Core, type Lane } from "./core.ts";
import type { Entry, StoredEntry } from "./entries.ts";
import { endedStates, wantsEnd, wantsSuccess, type EndedRow, type EndedState, type ParentRef } from "./flow-tables.ts";
import { admit } from "./intake.ts";
import { placeMoved, takeSeq } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { entryOfRow, park, recordError } from "./parking.ts";
import { Parents, type Stand } from "./parents.ts";
import { idNumber } from "./reading.ts";
import { receipt } from "./receipt.ts";
import { noTime } from "./tables.ts";

/** A new job that names others. */
export function enqueueDependent(
  core: Core,
  lane: Lane,
  job: Entry,
  parents: readonly ParentRef[],
  on: "succeeded" | "finished",
  known: Parents,
): EnqueueReceipt {
  const id = takeSeq(core, 1);
  const entry = { ...job, id, enqueuedAt: core.now };
  const holder = admit(core, lane.name, entry);
  if (holder !== undefined) return receipt(holder, true);
  core.flow.dependencies = true;
  const open = new Set<ParentRef>();
  let failed: { readonly id: ParentRef; readonly end: Stand } | undefined;
  parents.forEach((parent, n) => {
    const end = known.standOf(parent);
    const ended = isFinished(end.state);
    const waits = !ended && !open.has(parent);
    core.sql.insertDependency.run(id, n, parent, waits ? 1 : 0);
    if (waits) open.add(parent);
    if (!ended) return;
    if (typeof parent === "number")
      core.sql.keepEnded.run(parent, end.name, endedStates.indexOf(end.state as EndedState), end.result);
    if (end.state !== "succeeded") failed ??= { id: parent, end };
  });
  if (failed !== undefined && on === "succeeded") {
    recordError(core, id, dependencyFailed(core, entry, failed.id, failed.end));
    park(core, lane, entry, "cancelled", core.now);
    count(core, lane.name, "cancelled", 1);
  } else if (open.size > 0) {
    park(core, lane, entry, "waiting", noTime);
    core.sql.insertWait.run(id, open.size, on === "succeeded" ? wantsSuccess : wantsEnd, entry.runAt ?? null, null);
    count(core, lane.name, "waiting", 1);
  } else if (entry.runAt !== undefined && entry.runAt > core.now) {
    park(core, lane, entry, "scheduled", entry.runAt);
    count(core, lane.name, "scheduled", 1);
  } else {
    placeMoved(core, lane, [entry], false);
    count(core, lane.name, "ready", 1);
  }
  return receipt(id, false);
}

function dependencyFailed(
  core: Core,
  job: { readonly attempt: number },
  ref: ParentRef,
  end: Pick<Stand, "name" | "state">,
): AttemptError {
  const name = end.name === null ? undefined : must(core.namesById.get(end.name)).name;
  const id = nameOfRef(ref);
  const what = end.state === "failed" ? "failed" : "was cancelled";
  return {
    attempt: job.attempt,
    at: core.now,
    code: "DEPENDENCY_FAILED",
    message:
      name === undefined
        ? `Job ${id}, on which this one depends, is not known.`
        : `Job ${id} (${name}), on which this one depends, ${what}.`,
    data: JSON.stringify({ id, name: name ?? "", state: end.state }),
  };
}

function nameOfRef(ref: ParentRef): string {
  return typeof ref === "number" ? String(ref) : ref.slice(1);
}

/** Carries the ends of jobs to those that wait for them. True when more are to hear than one commit tells. */
export function tellDependents(core: Core): boolean {
  if (!core.flow.untold) return false;
  const ready = new Map<Lane, StoredEntry[]>();
  let left = limits.tellPerCommit;
  while (left > 0) {
    const ended = core.sql.nextUntold.get();
    if (ended === undefined) {
      core.flow.untold = false;
      core.journal.add(() => (core.flow.untold = true));
      break;
    }
    const asked = left;
    const dependents = core.sql.openDependents.all(ended.id, asked);
    for (const { child } of dependents) {
      core.sql.closeDependency.run(ended.id, child);
      tellOne(core, child, ended, ready);
    }
    if (dependents.length < asked) core.sql.setTold.run(ended.id);
    left -= dependents.length + 1;
  }
  for (const [lane, entries] of ready) placeMoved(core, lane, entries, false);
  return core.flow.untold;
}

function tellOne(core: Core, child: number, ended: EndedRow, ready: Map<Lane, StoredEntry[]>): void {
  const wait = core.sql.getWait.get(child);
  // Cancelled meanwhile, or at another wait already.
  if (wait === undefined || wait.pending === 0) return;
  const state = must(endedStates[ended.state]);
  const fails = wait.wants === wantsSuccess && state !== "succeeded";
  if (!fails && wait.pending > 1) return void core.sql.setPending.run(wait.pending - 1, child);
  const row = must(core.sql.getParked.get(child));
  const lane = laneOfNumber(core, row.lane);
  const entry = entryOfRow(row);
  core.sql.deleteWait.run(child);
  core.sql.deleteParked.run(child);
  if (fails) {
    recordError(core, child, dependencyFailed(core, entry, ended.id, { name: ended.name, state }));
    park(core, lane, entry, "cancelled", core.now);
    moveCount(core, lane.name, "waiting", "cancelled", 1);
    core.flow.abandoned.push(child);
  } else if (wait.runAt !== null && wait.runAt > core.now) {
    park(core, lane, entry, "scheduled", wait.runAt);
    moveCount(core, lane.name, "waiting", "scheduled", 1);
  } else {
    moveCount(core, lane.name, "waiting", "ready", 1);
    const entries = ready.get(lane);
    if (entries === undefined) ready.set(lane, [entry]);
    else entries.push(entry);
  }
}

/** What the jobs that this one named have come to, in its order. */
export function dependenciesOf(core: Core, id: string): DependencyRecord[] {
  const child = idNumber(id);
  if (!core.flow.dependencies || child === undefined) return [];
  const known = new Parents(core);
  return core.sql.dependenciesOf.all(child).map(({ parent, name, state, result }) => {
    if (state === null) return unended(known, core, parent);
    return recordOf(core, parent, name, must(endedStates[state]), result);
  });
}

/** One whose end has reached nobody: it goes on, or it was redriven. */
function unended(known: Parents, core: Core, ref: ParentRef): DependencyRecord {
  const found = known.standOf(ref);
  return recordOf(core, ref, found.name, found.state, found.result);
}

function recordOf(
  core: Core,
  ref: ParentRef,
  nameId: number | null,
  state: JobState,
  result: string | null,
): DependencyRecord {
  const name = nameId === null ? "" : must(core.namesById.get(nameId)).name;
  const record = { id: nameOfRef(ref), name, state };
  return result === null ? record : { ...record, result };
}
