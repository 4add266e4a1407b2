/** Claims: attempts, fences, how many at a time. */
import { type Claim, isEnd, type Promises, type WorkerLife } from "./history.ts";
import { type History, type JobHistory, lostAt } from "./history-index.ts";
import type { Complain } from "./violation.ts";

export function checkClaims(history: History, promises: Promises, complain: Complain): void {
  for (const job of history.jobs.values()) {
    checkAttempts(job, history, promises, complain);
    checkFences(job, history, complain);
  }
  checkConcurrency(history, promises, complain);
}

/** Each claim counts one more attempt than the one before, unless that was given back; none is over the maximum but by hand. */
function checkAttempts(job: JobHistory, history: History, promises: Promises, complain: Complain): void {
  let before: (typeof job.claims)[number] | undefined;
  for (const claim of job.claims) {
    const gaveBack = before !== undefined && wasGivenBack(job, before);
    const expected = (before?.attempt ?? 0) + (before === undefined || !gaveBack ? 1 : 0);
    // A give-back whose answer nobody saw is no more certain than the claim itself: the worker died over it.
    const uncertain = before !== undefined && history.lost.has(before.worker) && claim.attempt === before.attempt;
    // Claims that were made and never handed over, because their worker died first, are counted and not seen.
    const unseen = claim.attempt > expected && history.lost.size > 0;
    if (claim.attempt !== expected && !uncertain && !unseen)
      complain(
        "attempts",
        `Job ${job.id} was claimed for attempt ${claim.attempt} after attempt ${before?.attempt ?? 0}.`,
      );
    if (before !== undefined && claim.attempt < before.attempt)
      complain("attempts", `Job ${job.id} went back from attempt ${before.attempt} to ${claim.attempt}.`);
    const { maxAttempts } = promises(job.name);
    if (claim.attempt > maxAttempts + (history.redrives.get(job.id) ?? 0))
      complain("attempts", `Job ${job.id} was claimed for attempt ${claim.attempt} of ${maxAttempts}.`);
    before = claim;
  }
}

function wasGivenBack(job: JobHistory, claim: Claim): boolean {
  const settlement = settlementOf(job, claim);
  return (
    settlement !== undefined &&
    (settlement.to === "released" || settlement.to === "snoozed" || settlement.to === "waiting")
  );
}

/** The settlement that ended the claim in the store, or may have. */
function settlementOf(job: JobHistory, { fence }: Claim): JobHistory["settlements"][number] | undefined {
  return job.settlements.find(
    (settlement) =>
      settlement.receipt !== "stale" &&
      settlement.fence.epoch === fence.epoch &&
      settlement.fence.claim === fence.claim,
  );
}

/** A fence is used once, two workers never hold a job at once, and nothing is settled by a fence that a later claim has replaced. */
function checkFences(job: JobHistory, history: History, complain: Complain): void {
  const seen = new Set<string>();
  for (const [index, claim] of job.claims.entries()) {
    const fence = `${claim.fence.epoch}.${claim.fence.claim}`;
    if (seen.has(fence)) complain("double claim", `Job ${job.id} was handed over twice with the fence ${fence}.`);
    seen.add(fence);
    const before = job.claims[index - 1];
    if (before === undefined) continue;
    // Heard of after the claim that has replaced it, by a process that stood still.
    if (before.place > claim.place && history.lost.has(before.worker)) continue;
    const ended = settlementOf(job, before);
    if ((ended === undefined || ended.askedAt > claim.place) && lostAt(history, before) > claim.place)
      complain("double claim", `Job ${job.id} was claimed by ${claim.worker} while ${before.worker} held it.`);
  }
  for (const settlement of job.settlements) {
    if (settlement.receipt !== "settled") continue;
    const own = job.claims.find((claim) => hasFence(claim, settlement));
    // By the order of claims, not of fences: in a fleet each process has an epoch of its own.
    const replaced =
      own === undefined
        ? undefined
        : job.claims.find(
            (claim, index) =>
              index > job.claims.indexOf(own) && claim.place < settlement.askedAt && !hasFence(claim, own),
          );
    if (replaced !== undefined)
      complain(
        "stale settlement",
        `Job ${job.id}: ${settlement.worker} settled attempt ${settlement.attempt} (${settlement.to}) when ${replaced.worker} had claimed it anew.`,
      );
    if (own === undefined && !history.lost.has(settlement.worker))
      complain("stale settlement", `Job ${job.id} was settled with a fence that it was never handed over with.`);
  }
}

export function hasFence(
  { fence }: { readonly fence: Claim["fence"] },
  other: { readonly fence: Claim["fence"] },
): boolean {
  return fence.epoch === other.fence.epoch && fence.claim === other.fence.claim;
}

/** At most N at a time of a key, and of a name that has a limit: counted while the worker is alive and the store has not settled. */
function checkConcurrency(history: History, promises: Promises, complain: Complain): void {
  type Change = { readonly place: number; readonly by: 1 | -1; readonly id: string };
  const changes = new Map<string, Change[]>();
  const add = (group: string, change: Change): void => {
    const list = changes.get(group) ?? [];
    changes.set(group, list);
    list.push(change);
  };
  for (const job of history.jobs.values()) {
    const { perKey, concurrency } = promises(job.name);
    for (const claim of job.claims) {
      const until = heldUntil(job, claim, history);
      const groups = [
        ...(perKey !== undefined && job.key !== undefined ? [`${perKey} of the key ${job.name}/${job.key}`] : []),
        ...(concurrency !== undefined ? [`${concurrency} of ${job.name}`] : []),
      ];
      for (const group of groups) {
        add(group, { place: claim.place, by: 1, id: job.id });
        add(group, { place: until, by: -1, id: job.id });
      }
    }
  }
  for (const [group, list] of changes) {
    const limit = Number.parseInt(group, 10);
    let held = 0;
    // What ends where another begins has ended first.
    list.sort((a, b) => a.place - b.place || a.by - b.by);
    for (const { by, id } of list) {
      held += by;
      if (held > limit && by === 1) {
        complain("concurrency", `Job ${id} made it ${held} at a time, at most ${group}.`);
        break;
      }
    }
  }
}

/** Where the store may have let go of the claim first. */
function heldUntil(
  job: JobHistory,
  claim: Claim & { readonly worker: WorkerLife; readonly place: number },
  history: History,
): number {
  const settled = settlementOf(job, claim)?.askedAt ?? Infinity;
  return Math.max(claim.place, Math.min(settled, lostAt(history, claim)));
}

/** The first place from which on the job has surely ended; undefined: it has not, or nobody can say. */
export function endedBy(
  job: JobHistory,
): { readonly askedAt: number; readonly doneAt: number; readonly to: string } | undefined {
  return job.settlements.find(({ to, receipt }) => receipt !== "stale" && isEnd(to));
}
