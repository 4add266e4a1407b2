/** When a job may start at all: not before its time, and not after it was cancelled. */
import type { History, JobHistory } from "./history-index.ts";
import type { Complain } from "./violation.ts";

/** What is scheduled, waits for its next attempt or snoozes is not claimed before the store's clock has come to that time. */
export function checkTimes(history: History, complain: Complain): void {
  for (const job of history.jobs.values()) {
    // Redriven by hand it is ready at once, whatever it waited for.
    if (history.redrives.has(job.id)) continue;
    const { runAt, delayMs, askedAt, askedWall } = job;
    const begins = runAt ?? (delayMs === undefined || askedWall === undefined ? undefined : askedWall + delayMs);
    if (begins !== undefined) checkTime(job, begins, askedAt, -Infinity, history, complain);
    for (const one of job.settlements)
      if (one.receipt === "settled" && one.runAt !== undefined)
        checkTime(job, one.runAt, one.askedAt, one.askedAt, history, complain);
  }
}

function checkTime(
  job: JobHistory,
  notBefore: number,
  since: number,
  after: number,
  { putBacks }: History,
  complain: Complain,
): void {
  const next = job.claims.find(({ place }) => place > after);
  if (next?.wall === undefined || next.wall >= notBefore - 1) return;
  // Its time had perhaps come before the clock was put back.
  if (putBacks.some((place) => place > since && place < next.place)) return;
  complain("early", `Job ${job.id} was claimed ${Math.ceil(notBefore - next.wall)} ms before its time.`);
}

/** What the store has said is cancelled is not claimed any more. */
export function checkCancelled(history: History, complain: Complain): void {
  for (const { id, cancelled, claims } of history.jobs.values()) {
    if (cancelled === undefined || history.redrives.has(id)) continue;
    const after = claims.find(
      ({ place, worker }) =>
        place > cancelled.doneAt &&
        // What it hears of late may have been claimed, and lost, before.
        history.lost.get(worker)?.some((lost) => lost > cancelled.askedAt && lost < place) !== true,
    );
    if (after !== undefined) complain("cancelled", `Job ${id} was claimed by ${after.worker} after it was cancelled.`);
  }
}
