/**
 * What is done to one job from outside: cancelled, redriven, signalled. Everything of the batch that is gathered is written before, so that the
 * tables say where the job is.
 */
import { must } from "./must.ts";
import type { Completions } from "./completion.ts";
import { moveCount, waiting, type Core } from "./core.ts";
import { loadBlock } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { signalJob } from "./notes.ts";
import { cancelParked, park, promoteDue, redrive } from "./parking.ts";
import type { Op, OpReply } from "./protocol.ts";
import { locate, readState, type Location } from "./reading.ts";
import { parkedStates, type ParkedRow } from "./tables.ts";

export function cancelJob(core: Core, done: Completions, id: string): OpReply {
  const location = locate(core, id);
  if (location === undefined) return undefined;
  if (location.in === "parked") {
    if (!isEnd(location.row)) cancelParked(core, location.row);
    return { state: must(readState(core, id)) };
  }
  const state = readState(core, id);
  if (state === undefined) return undefined;
  if (state !== "ready") return { state, running: state === "running" };
  const block = core.blocks.get(location.seq) ?? must(loadBlock(core, location.seq));
  const entry = done.moveOut(core, block, location.place, waiting);
  park(core, block.lane, entry, "cancelled", core.now);
  moveCount(core, block.lane.name, "ready", "cancelled", 1);
  done.flush(core);
  return { state: "cancelled" };
}

export function redriveJob(core: Core, id: string): OpReply {
  const location = locateNow(core, id);
  if (location?.in === "parked" && isEnd(location.row)) redrive(core, location.row);
  const state = readState(core, id);
  return state === undefined ? undefined : { state };
}

export function signalNow(core: Core, op: Extract<Op, { op: "signal" }>): OpReply {
  locateNow(core, op.id);
  const state = signalJob(core, op.id, op.name, op.value);
  if (state === undefined) return undefined;
  return state === "full" ? { full: limits.notesPerJob } : { state };
}

/** Where the job is, after what is due has become ready: what is answered is what a read after this commit says. */
function locateNow(core: Core, id: string): Location | undefined {
  const location = locate(core, id);
  if (location?.in !== "parked" || isEnd(location.row) || location.row.at > core.now) return location;
  promoteDue(core);
  return locate(core, id);
}

/** Failed or cancelled: what is parked for good. */
function isEnd(row: ParkedRow): boolean {
  const state = parkedStates[row.state];
  return state === "failed" || state === "cancelled";
}
