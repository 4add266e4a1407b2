/** What a job waits for, as it moves: others, or a signal. */
import { isFinished, type DependencyRecord, type MovedJob } from "../jobs/index.ts";
import { count, type Core, type Lane } from "./core.ts";
import { dependenciesOf } from "./dependents.ts";
import type { StoredEntry } from "./entries.ts";
import { endedStates, wantsEnd, wantsSuccess, type EndedState, type ParentRef } from "./flow-tables.ts";
import { park } from "./parking.ts";
import { idNumber } from "./reading.ts";
import { noTime } from "./tables.ts";

/** Of a job that leaves: what its record does not say. */
export function waitOf(
  core: Core,
  { id, state, runAt }: Pick<MovedJob, "id" | "state" | "runAt">,
): Pick<MovedJob, "after" | "signal"> {
  const jobs = dependenciesOf(core, id);
  const row = state === "waiting" ? core.sql.getWait.get(Number(id)) : undefined;
  const on = row?.wants === wantsSuccess ? "succeeded" : "finished";
  return {
    ...(jobs.length > 0 && { after: { jobs, on } as const }),
    ...(typeof row?.signal === "string" && {
      signal: { name: row.signal, ...(runAt !== undefined && { until: runAt }) },
    }),
  };
}

/** A waiting job that comes. Those that it names and that have ended are told to it (again) when the file is opened. */
export function placeWaiting(core: Core, lane: Lane, entry: StoredEntry, job: MovedJob): void {
  const { signal, after, runAt } = job;
  if (signal !== undefined) {
    park(core, lane, entry, "waiting", signal.until ?? noTime);
    core.sql.insertWait.run(entry.id, 0, wantsEnd, null, signal.name);
  } else if (after !== undefined) {
    const open = new Set(after.jobs.map(({ id }) => idNumber(id)).filter((id) => id !== undefined)).size;
    if (open === 0) throw new TypeError(`Job ${job.id} waits for no job that there can be.`);
    park(core, lane, entry, "waiting", noTime);
    const wants = after.on === "succeeded" ? wantsSuccess : wantsEnd;
    core.sql.insertWait.run(entry.id, open, wants, runAt ?? null, null);
  } else {
    throw new TypeError(
      `Job ${job.id} waits, and the export does not say what for: a version of Tensile wrote it that could not.`,
    );
  }
  count(core, lane.name, "waiting", 1);
}

/** The others that a job has named, as they were. `numberOf` gives the number of a job's name. */
export function placeDependencies(core: Core, job: MovedJob, numberOf: (name: string) => number): void {
  if (job.after === undefined) return;
  core.flow.dependencies = true;
  const waits = job.state === "waiting" && job.signal === undefined;
  const seen = new Set<ParentRef>();
  job.after.jobs.forEach((on, n) => {
    const ref: ParentRef = idNumber(on.id) ?? `?${on.id}`;
    const open = waits && typeof ref === "number" && !seen.has(ref);
    seen.add(ref);
    core.sql.insertDependency.run(Number(job.id), n, ref, open ? 1 : 0);
    if (typeof ref === "number" && isFinished(on.state)) keepEnd(core, ref, on, open, numberOf);
  });
}

function keepEnd(
  core: Core,
  id: number,
  { name, state, result }: DependencyRecord,
  untold: boolean,
  numberOf: (name: string) => number,
): void {
  const values = [
    id,
    name === "" ? null : numberOf(name),
    endedStates.indexOf(state as EndedState),
    result ?? null,
  ] as const;
  if (untold) core.sql.putEnded.run(...values, 0);
  else core.sql.keepEnded.run(...values);
}
