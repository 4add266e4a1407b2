/** Names that are paused, when limits open by time, and how much waits. */
import type { Backlog } from "../jobs/index.ts";
import { stateNumber, waiting, type Core, type JobName, type Lane } from "./core.ts";
import { gatesOpenAt } from "./limiting.ts";

/** Of these names nothing is claimed until they are resumed, also after a restart. Names need not be known. */
export function setPaused(core: Core, names: readonly string[], pause: boolean): undefined {
  const { paused } = core.routing;
  for (const name of names) {
    if (paused.has(name) === pause) continue;
    if (pause) {
      core.sql.pauseName.run(name);
      paused.add(name);
      core.journal.add(() => paused.delete(name));
    } else {
      core.sql.resumeName.run(name);
      paused.delete(name);
      core.journal.add(() => paused.add(name));
    }
  }
}

/** When a rate lets more start of what there is credit for, or Infinity. */
export function opensByTime(core: Core, consuming: Iterable<JobName>): number {
  let at = core.routing.timers.next;
  if (core.routing.gates.size === 0) return at;
  for (const name of consuming) {
    if (name.limits === undefined || name.credit <= 0 || name.counts[stateNumber.ready] === 0) continue;
    if (core.routing.paused.has(name.name)) continue;
    const opens = gatesOpenAt(core, name.limits);
    if (opens > core.now) at = Math.min(at, Math.ceil(opens));
  }
  return at;
}

export function backlogOf(core: Core, names: readonly string[]): Backlog {
  let unstarted = 0;
  let ready = 0;
  let since = Infinity;
  for (const text of new Set(names)) {
    const name = core.names.get(text);
    if (name === undefined) continue;
    const count = name.counts[stateNumber.ready] ?? 0;
    ready += count;
    unstarted += count + (name.counts[stateNumber.scheduled] ?? 0) + (name.counts[stateNumber.waiting] ?? 0);
    if (count === 0) continue;
    for (const lane of name.lanes) if (lane !== undefined) since = Math.min(since, oldestOf(core, lane));
  }
  return { unstarted, ready, readySince: since === Infinity ? undefined : since };
}

/** When the oldest ready job of a lane became ready, or Infinity. */
function oldestOf(core: Core, lane: Lane): number {
  let since = Infinity;
  // In a lane the times grow with the places, but for those at the front, which were handed back.
  for (const block of lane.blocks) {
    if (!block.places.includes(waiting)) continue;
    since = Math.min(since, block.at);
    if (block.seq >= 0) break;
  }
  if (lane.blocks.size === 0 && !lane.complete) {
    const next = core.sql.firstLive.get(lane.number, lane.loadedTo);
    if (next !== undefined) since = Math.min(since, next.at);
  }
  for (const block of lane.turns?.blocks ?? [])
    if (block.at < since && block.places.includes(waiting)) since = block.at;
  return since;
}
