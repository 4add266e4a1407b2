/**
 * What a job keeps from one run to the next: steps, signals, progress. A running attempt writes under its fence; signals come from anywhere, and
 * the first of a name counts.
 */
import type { JobState } from "../jobs/index.ts";
import { moveCount, laneOfNumber, type Block, type Core } from "./core.ts";
import { placeMoved } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { entryOfRow } from "./parking.ts";
import type { NoteOp } from "./protocol.ts";
import { locate, readState } from "./reading.ts";

/** Writes notes of the running job at a place of a block. */
export function writeNotes(core: Core, block: Block, id: number, op: NoteOp): "settled" | "full" {
  if (!hasRoom(core, id, op.notes.length)) return "full";
  for (const { name, value } of op.notes) core.sql.putNote.run(id, name, value);
  if (op.progress !== undefined) core.sql.putProgress.run(id, op.progress);
  core.flow.notes = true;
  block.noted = true;
  return "settled";
}

function hasRoom(core: Core, id: number, more: number): boolean {
  return more === 0 || !core.flow.notes || (core.sql.countNotes.get(id)?.n ?? 0) + more <= limits.notesPerJob;
}

export function signalNote(signal: string): string {
  return `signal:${signal}`;
}

/** Keeps the signal, and wakes the job where it waits for it. Its state after; undefined when there is no such job, or when it is finished. */
export function signalJob(core: Core, id: string, signal: string, value: string): JobState | undefined | "full" {
  const location = locate(core, id);
  const state = readState(core, id);
  if (location === undefined || state === undefined || finished.has(state)) return undefined;
  const number = Number(id);
  if (!hasRoom(core, number, 1)) return "full";
  core.sql.putSignal.run(number, signalNote(signal), value);
  core.flow.notes = true;
  if (location.in === "block") {
    const block = core.blocks.get(location.seq);
    if (block !== undefined) block.noted = true;
    return state;
  }
  if (state !== "waiting" || core.sql.getWait.get(number)?.signal !== signal) return state;
  core.sql.deleteWait.run(number);
  core.sql.deleteParked.run(number);
  const lane = laneOfNumber(core, location.row.lane);
  moveCount(core, lane.name, "waiting", "ready", 1);
  placeMoved(core, lane, [entryOfRow(location.row)], false);
  return "ready";
}

const finished: ReadonlySet<JobState> = new Set(["succeeded", "failed", "cancelled"]);

/** Slots of a claimed range whose jobs have notes. */
export function notedSlots(core: Core, block: Block, lo: number, hi: number, slot: number): number[] {
  const slots: number[] = [];
  for (let place = lo; place < hi; place++) {
    const id = block.ids?.[place] ?? block.seq + place;
    if (core.sql.hasNotes.get(id, id) !== undefined) slots.push(slot + place - lo);
  }
  return slots;
}
