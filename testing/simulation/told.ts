/** What a history keeps of a call. */
import type { ClaimedJob, JobNote, NewJob, Settlement } from "../../src/jobs/index.ts";
import type { AskedJob, AskedSettlement, Claim } from "./history.ts";

export function askedOf({ name, key, uniqueKey, unique, tenant, occurrence, after, runAt, delayMs }: NewJob): AskedJob {
  return {
    name,
    ...(key !== undefined && { key }),
    ...(uniqueKey !== undefined && { uniqueKey }),
    ...(unique !== undefined && { unique }),
    ...(tenant !== undefined && { tenant }),
    ...(occurrence !== undefined && { occurrence }),
    ...(after !== undefined && { after }),
    ...(runAt !== undefined && { runAt }),
    ...(delayMs !== undefined && { delayMs }),
  };
}

export function settledOf({ job, ...outcome }: Settlement): AskedSettlement {
  const runAt = "runAt" in outcome ? { runAt: outcome.runAt } : {};
  return { id: job.id, fence: job.fence, attempt: job.attempt, to: outcome.to, ...runAt };
}

export function claimOf({ id, name, key, attempt, fence }: ClaimedJob): Claim {
  return { id, name, key, attempt, fence };
}

/** By name; that a wait has timed out is more than that it has begun. */
export function noteOf({ name, value }: JobNote): string {
  return value === '"timed out"' ? `${name} timed out` : name;
}
