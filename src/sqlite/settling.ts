/**
 * Settlements on the writer: the packed successes, and one by one what fails, retries, is cancelled or handed back. Each is fenced: it
 * changes something only where the named attempt is the one that is running.
 */
import { must } from "./must.ts";
import type { JobState } from "../jobs/index.ts";
import { moveCount, running, type Block, type Claim, type Core, type Lane } from "./core.ts";
import { rangeOfSlot } from "./claim-draft.ts";
import { closeSlot, type Completions } from "./completion.ts";
import type { StoredEntry } from "./entries.ts";
import { wantsEnd } from "./flow-tables.ts";
import { placeMoved } from "./lanes.ts";
import { sqliteLimits as limits } from "./limits.ts";
import { signalNote, writeNotes } from "./notes.ts";
import { crashOf, park, recordError } from "./parking.ts";
import type { AttemptRef, NoteOp, OpReply, SettleOp } from "./protocol.ts";
import { noTime } from "./tables.ts";

/** Jobs to be handed back at the end of the batch, in the order in which they were claimed. */
export type Released = Map<Block["lane"], StoredEntry[]>;

interface Place {
  readonly claim: Claim;
  readonly slot: number;
  readonly block: Block;
  readonly place: number;
}

export function settleOne(core: Core, done: Completions, released: Released, op: SettleOp): "settled" | "stale" {
  const found = find(core, op.ref);
  if (found === undefined) return "stale";
  const { claim, block, place } = found;
  if (op.to === "succeeded") {
    done.succeed(
      core,
      claim,
      found.slot,
      1,
      op.result === undefined ? undefined : packResult(op.result),
      () => undefined,
    );
    return "settled";
  }
  const entry = done.moveOut(core, block, place, running);
  closeSlot(core, claim);
  const lane = block.lane;
  if (op.to === "crashed") {
    entry.attempt++;
    recordError(core, entry.id, crashOf(core, entry.attempt));
    core.flow.crashed.add(lane.name.name, entry.attempt < op.attempts ? "again" : "failed");
  }
  if (op.to === "released" || (op.to === "crashed" && entry.attempt < op.attempts)) {
    const entries = released.get(lane);
    if (entries === undefined) released.set(lane, [entry]);
    else entries.push(entry);
    moveCount(core, lane.name, "running", "ready", 1);
    return "settled";
  }
  if (op.to === "crashed") {
    park(core, lane, entry, "failed", core.now);
    moveCount(core, lane.name, "running", "failed", 1);
    return "settled";
  }
  if (op.to === "snoozed") {
    park(core, lane, entry, "scheduled", op.runAt);
    moveCount(core, lane.name, "running", "scheduled", 1);
    return "settled";
  }
  if (op.to === "waiting") {
    waitForSignal(core, lane, entry, op);
    return "settled";
  }
  entry.attempt++;
  if (op.error !== undefined) recordError(core, entry.id, op.error);
  const to: Exclude<JobState, "ready" | "running" | "succeeded"> = op.to === "retry" ? "scheduled" : op.to;
  park(core, lane, entry, to, op.to === "retry" ? op.runAt : core.now);
  moveCount(core, lane.name, "running", to, 1);
  return "settled";
}

/** The signal may have come before. */
function waitForSignal(core: Core, lane: Lane, entry: StoredEntry, op: Extract<SettleOp, { to: "waiting" }>): void {
  if (core.flow.notes && core.sql.hasNote.get(entry.id, signalNote(op.signal)) !== undefined) {
    placeMoved(core, lane, [entry], false);
    moveCount(core, lane.name, "running", "ready", 1);
    return;
  }
  park(core, lane, entry, "waiting", op.until ?? noTime);
  core.sql.insertWait.run(entry.id, 0, wantsEnd, null, op.signal);
  moveCount(core, lane.name, "running", "waiting", 1);
}

/** Notes of a running attempt, under the same fence as its settlement. */
export function noteOne(core: Core, op: NoteOp): OpReply {
  const found = find(core, op.ref);
  if (found === undefined) return "stale";
  const { block, place } = found;
  const done = writeNotes(core, block, block.ids?.[place] ?? block.seq + place, op);
  return done === "full" ? { full: limits.notesPerJob } : done;
}

/** Handed back, by the worker or because it is gone: before everything that waits, in the order of their ids. */
export function placeReleased(core: Core, released: Released): void {
  for (const [lane, entries] of released) {
    placeMoved(
      core,
      lane,
      entries.toSorted((a, b) => a.id - b.id),
      true,
    );
  }
  released.clear();
}

function packResult(result: string): Buffer {
  const text = Buffer.from(result, "utf8");
  const bytes = Buffer.allocUnsafe(text.length + 4);
  bytes.writeUInt32LE(text.length, 0);
  bytes.set(text, 4);
  return bytes;
}

/** The running attempt that a reference names, if it is still the one that is running. */
function find(core: Core, ref: AttemptRef): Place | undefined {
  if ("epoch" in ref && ref.epoch !== core.epoch) return undefined;
  const claim = core.claims.get(ref.claim);
  if (claim === undefined) return undefined;
  const first = "slot" in ref ? rangeOfSlot(claim, ref.slot) : 0;
  for (let index = first; index < claim.ranges.length; index++) {
    const range = must(claim.ranges[index]);
    const place = "slot" in ref ? placeOfSlot(range, ref.slot) : placeOfId(range, Number(ref.id));
    if (place === undefined) continue;
    if (range.block.places[place] !== running) return undefined;
    return { claim, slot: range.slot + place - range.lo, block: range.block, place };
  }
  return undefined;
}

type Range = Claim["ranges"][number];

function placeOfSlot(range: Range, slot: number): number | undefined {
  const place = range.lo + slot - range.slot;
  return place >= range.lo && place < range.hi ? place : undefined;
}

function placeOfId(range: Range, id: number): number | undefined {
  const place = range.block.ids === undefined ? id - range.block.seq : range.block.ids.indexOf(id);
  return place >= range.lo && place < range.hi ? place : undefined;
}
