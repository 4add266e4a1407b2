/**
 * A job ends: those that named it as a dependency are to hear of it, and what they may ask of it is kept for as long as one of them is. It is
 * written with the settlement itself; `dependents.ts` carries the news, a bounded number of steps per commit.
 */
import type { Core, JobName } from "./core.ts";
import { endedStates, type EndedState } from "./flow-tables.ts";

/** Costs one look where nobody named the job, and nothing where no job names another. */
export function jobEnded(core: Core, id: number, name: JobName, state: EndedState, result: string | null = null): void {
  if (!core.flow.dependencies || core.sql.isNamed.get(id, id) === undefined) return;
  core.sql.putEnded.run(id, name.id, endedStates.indexOf(state), result, 0);
  core.flow.untold = true;
}

/** What jobs leave behind besides their rows: notes, and what they asked of others. Both ends included. */
export function forgetJobs(core: Core, first: number, last: number): void {
  if (core.flow.notes) core.sql.deleteNotes.run(first, last);
  if (!core.flow.dependencies) return;
  core.sql.dropEnded.run(first, last);
  core.sql.deleteDependencies.run(first, last);
}
