/**
 * Judges a history: what a store of jobs promises, as a function of what was seen at its door. Pure, and knows nothing of any store. Calls overlap, so
 * one is before another only when it was answered by the store before the other was made; what overlaps may have happened in either order.
 */
import type { JobRecord } from "../../src/jobs/index.ts";
import { checkDependencies, checkOccurrences, checkOrder, checkUnique } from "./check-relations.ts";
import { checkFlow } from "./check-flow.ts";
import { checkRates, checkTurns } from "./check-shares.ts";
import { checkClaims } from "./check-claims.ts";
import { checkCancelled, checkTimes } from "./check-times.ts";
import { isEnd, type HistoryEvent, type Promises } from "./history.ts";
import { indexOf, type History, type JobHistory } from "./history-index.ts";
import type { Complain, Rule, Violation } from "./violation.ts";

export interface CheckOptions {
  /**
   * What became of a call whose answer is not in the history: `not done` where the history saw every answer of the store, as the simulation does; `may be
   * done` where whoever wrote it down may have died before.
   */
  readonly unheard?: "not done" | "may be done";
  /** A life that claims with a new epoch has lost what it held under the one before, at a time that nobody saw. */
  readonly epochsAreLeases?: boolean;
  /** Whether what a rate has let start is still known when a process was lost. Default: kept. */
  readonly rates?: "kept" | "lost with a process";
  /** Jobs that came when nobody was there any more to run them: they need no end. */
  readonly tooLate?: ReadonlySet<string>;
}

/** Everything that the history breaks; empty when it keeps all promises. */
export function checkHistory(
  events: readonly HistoryEvent[],
  promises: Promises,
  { unheard = "not done", epochsAreLeases = false, rates = "kept", tooLate = new Set() }: CheckOptions = {},
): readonly Violation[] {
  const violations: Violation[] = [];
  const complain = (rule: Rule, text: string): void => void violations.push({ rule, text });
  const history = indexOf(events, unheard === "may be done", epochsAreLeases);
  if (history.final === undefined) complain("finished", "The run came to no end: the jobs could not be read.");
  else {
    for (const job of history.jobs.values())
      if (!tooLate.has(job.id)) checkEnd(job, history, history.final.get(job.id), promises, complain);
    for (const id of history.final.keys())
      if (!history.jobs.has(id) && unheard === "not done")
        complain("invented", `Job ${id} is in the store, and nobody enqueued it.`);
  }
  for (const event of events) if (event.kind === "defect") complain("defect", event.what);
  checkClaims(history, promises, complain);
  checkUnique(history, complain);
  checkOrder(history, promises, complain);
  checkDependencies(history, complain);
  checkOccurrences(history, complain);
  checkFlow(history, complain);
  checkRates(history, promises, rates, complain);
  checkTurns(history, promises, complain);
  checkTimes(history, complain);
  checkCancelled(history, complain);
  return violations;
}

/** No acknowledged job is lost, each is finished once, and its end is one that somebody brought about. */
function checkEnd(
  job: JobHistory,
  history: History,
  record: JobRecord | undefined,
  promises: Promises,
  complain: Complain,
): void {
  if (record === undefined) {
    if (job.acknowledged) complain("lost", `Job ${job.id} (${job.name}) was acknowledged and is gone.`);
    return;
  }
  const ends = job.settlements.filter(({ to, receipt }) => receipt === "settled" && isEnd(to));
  const redrives = history.redrives.get(job.id) ?? 0;
  if (ends.length > 1 + redrives) complain("once", `Job ${job.id} (${job.name}) was finished ${ends.length} times.`);
  const last = ends.at(-1)?.to;
  const maybe = (to: string): boolean =>
    last === to || job.settlements.some((one) => one.receipt === "unheard" && one.to === to);
  switch (record.state) {
    case "succeeded":
      if (!maybe("succeeded")) complain("unexplained", `Job ${job.id} succeeded, and no settlement said so.`);
      break;
    case "failed": {
      const { maxAttempts } = promises(job.name);
      const crashed = record.errors.at(-1)?.code === "CRASHED" && record.attempt >= maxAttempts;
      if (!maybe("failed") && !crashed)
        complain(
          "unexplained",
          `Job ${job.id} failed at attempt ${record.attempt}, and neither a settlement nor crashes say why.`,
        );
      break;
    }
    case "cancelled":
      if (!maybe("cancelled") && !history.cancels.has(job.id) && record.errors.at(-1)?.code !== "DEPENDENCY_FAILED")
        complain("unexplained", `Job ${job.id} is cancelled, and nobody asked for it.`);
      break;
    case "waiting":
    case "scheduled":
    case "ready":
    case "running":
      complain("finished", `Job ${job.id} (${job.name}) is still ${record.state} when all faults are long over.`);
  }
}
