/** What a job keeps between its runs: notes that only its newest claim writes, steps that are not taken twice, signals that are never lost; and pauses. */
import { hasFence } from "./check-claims.ts";
import type { WorkerLife } from "./history.ts";
import type { History, JobHistory } from "./history-index.ts";
import type { Complain } from "./violation.ts";

export function checkFlow(history: History, complain: Complain): void {
  for (const job of history.jobs.values()) checkNotes(job, complain);
  for (const [place, event] of history.events.entries()) {
    if (event.kind === "step") checkStep(history.jobs.get(event.id), event.worker, event.name, place, complain);
    else if (event.kind === "heard") checkHeard(history.jobs.get(event.id), event, place, complain);
    else if (event.kind === "claimed")
      for (const { id, name } of event.claims)
        if (history.pauses.some((pause) => pause.name === name && pause.from < place && place < pause.to))
          complain("pauses", `Job ${id} was claimed while ${name} was paused.`);
  }
}

/** The claim by which this worker runs the job at this place, if it is the newest: another has nothing to say any more. */
function ownClaim(job: JobHistory, worker: WorkerLife, place: number): JobHistory["claims"][number] | undefined {
  const newest = job.claims.findLast((claim) => claim.place < place);
  return newest?.worker === worker ? newest : undefined;
}

/** A step whose result is stored is not taken again. */
function checkStep(
  job: JobHistory | undefined,
  worker: WorkerLife,
  name: string,
  place: number,
  complain: Complain,
): void {
  const stored = job?.notes.get(name);
  if (job === undefined || stored === undefined || stored > place || ownClaim(job, worker, place) === undefined) return;
  complain("steps", `Job ${job.id} took the step ${name} again, though its result was stored.`);
}

/** A note by a claim that another has replaced is not kept. */
function checkNotes(job: JobHistory, complain: Complain): void {
  for (const { fence, names, receipt, worker, askedAt } of job.noting) {
    if (receipt !== "settled") continue;
    const own = job.claims.find((claim) => hasFence(claim, { fence }));
    const replaced =
      own && job.claims.find((claim) => claim.place > own.place && claim.place < askedAt && !hasFence(claim, own));
    if (replaced !== undefined)
      complain(
        "stale note",
        `Job ${job.id}: ${worker} noted ${names.join(", ") || "progress"} when ${replaced.worker} had claimed it anew.`,
      );
  }
}

/** A signal that was taken before a run began is heard by it, unless an earlier run gave up waiting; and the first of a name counts. */
function checkHeard(
  job: JobHistory | undefined,
  { worker, name, value }: { readonly worker: WorkerLife; readonly name: string; readonly value?: string | undefined },
  place: number,
  complain: Complain,
): void {
  const own = job === undefined ? undefined : ownClaim(job, worker, place);
  if (job === undefined || own === undefined) return;
  const sent = job.signals.filter((signal) => signal.name === name);
  if (value === undefined) {
    const gaveUp = job.noting.some(
      ({ names, askedAt, fence }) =>
        names.includes(`wait:${name} timed out`) && askedAt < place && !hasFence(own, { fence }),
    );
    const taken = sent.find(({ doneAt }) => doneAt < own.place);
    if (taken !== undefined && !gaveUp)
      complain("signals", `Job ${job.id} heard nothing, though it had been told ${name} ${taken.value}.`);
    return;
  }
  const heard = sent.find((signal) => signal.value === value);
  const before = heard && sent.find(({ doneAt }) => doneAt < heard.askedAt);
  if (before !== undefined)
    complain("signals", `Job ${job.id} heard ${value} as ${name}, and ${before.value} came first.`);
}
