/** What jobs are to each other: unique, in order, dependent. */
import { endedBy } from "./check-claims.ts";
import type { Promises } from "./history.ts";
import type { History, JobHistory } from "./history-index.ts";
import type { Complain } from "./violation.ts";

/** Two unfinished jobs never hold the same key. */
export function checkUnique(history: History, complain: Complain): void {
  const holders = groupBy(history, (job) =>
    job.uniqueKey === undefined ? undefined : `${job.unique?.scope ?? job.name}/${job.uniqueKey}`,
  );
  for (const [key, jobs] of holders) {
    for (const [index, later] of jobs.entries()) {
      for (const earlier of jobs.slice(0, index)) {
        if (earlier.doneAt >= later.askedAt || mayHaveEndedBefore(earlier, later.doneAt, history)) continue;
        if (earlier.unique?.until === "started" && mayHaveStarted(earlier, later.doneAt, history)) continue;
        complain("unique", `Job ${later.id} was made while job ${earlier.id} held the key ${key}.`);
      }
    }
  }
}

/** Also where nobody saw it: a claim that its worker did not live to hear of. */
function mayHaveStarted(job: JobHistory, place: number, history: History): boolean {
  const [first] = job.claims;
  return (first !== undefined && first.place < place) || history.lost.size > 0;
}

/** By cancelling and by crashes as well: where such may have ended it, nothing is said. */
function mayHaveEndedBefore(job: JobHistory, place: number, history: History): boolean {
  const end = endedBy(job);
  if (end !== undefined && end.askedAt < place) return true;
  if (history.cancels.has(job.id) || history.redrives.has(job.id)) return true;
  return end === undefined && history.final?.get(job.id)?.state !== "succeeded";
}

/** Of an ordered key a job is not claimed before every older one has ended. */
export function checkOrder(history: History, promises: Promises, complain: Complain): void {
  const lines = groupBy(history, (job) =>
    job.key !== undefined && promises(job.name).ordered === true ? `${job.name}/${job.key}` : undefined,
  );
  for (const [key, jobs] of lines) {
    for (const [index, later] of jobs.entries()) {
      const [claim] = later.claims;
      if (claim === undefined) continue;
      for (const earlier of jobs.slice(0, index)) {
        if (earlier.doneAt >= later.askedAt || mayHaveEndedBefore(earlier, claim.place, history)) continue;
        complain(
          "order",
          `Job ${later.id} of the key ${key} was claimed before job ${earlier.id}, which is older, had ended.`,
        );
      }
    }
  }
}

/** A job that wants others to have succeeded is not claimed before they have. */
export function checkDependencies(history: History, complain: Complain): void {
  for (const job of history.jobs.values()) {
    const [claim] = job.claims;
    if (claim === undefined || job.after === undefined || history.redrives.has(job.id)) continue;
    for (const id of job.after.jobs) {
      const other = history.jobs.get(String(id));
      if (other === undefined || history.redrives.has(other.id)) continue;
      const end = endedBy(other);
      const state = history.final?.get(other.id)?.state;
      const ended = end !== undefined && end.askedAt < claim.place;
      const fulfilled =
        job.after.on === "succeeded"
          ? ended && end.to === "succeeded"
          : ended || (end === undefined && state !== "succeeded");
      if (!fulfilled) complain("dependencies", `Job ${job.id} was claimed before job ${other.id} had ${job.after.on}.`);
    }
  }
}

/** Of one schedule each occurrence makes one job at most, and none is made after a later one. */
export function checkOccurrences(history: History, complain: Complain): void {
  const schedules = groupBy(history, (job) => job.occurrence?.schedule);
  for (const [schedule, jobs] of schedules) {
    for (const [index, later] of jobs.entries()) {
      const at = later.occurrence?.at ?? 0;
      const twice = jobs
        .slice(0, index)
        .find((one) => one.occurrence?.at === at || ((one.occurrence?.at ?? 0) > at && one.doneAt < later.askedAt));
      if (twice !== undefined)
        complain("occurrences", `Job ${later.id} was made for ${schedule} at ${at} after job ${twice.id}.`);
    }
  }
}

function groupBy(history: History, groupOf: (job: JobHistory) => string | undefined): Map<string, JobHistory[]> {
  const groups = new Map<string, JobHistory[]>();
  for (const job of history.jobs.values()) {
    const group = groupOf(job);
    if (group === undefined) continue;
    const list = groups.get(group) ?? [];
    groups.set(group, list);
    list.push(job);
  }
  return groups;
}
