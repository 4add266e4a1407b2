/**
 * A job that this process cannot read, though nothing is wrong with it: a key is missing here, or the code is older than the payload. That is a
 * matter of deploying, so the job is kept and tried again, and none of its attempts is used up.
 */
import type { Fault } from "../core/index.ts";
import { PayloadLocked, PayloadNewer } from "./faults.ts";
import type { JobLimits } from "./limits.ts";
import type { ClaimedJob } from "./store.ts";

/** Wall-clock milliseconds of the next look, later as the job grows older; undefined: the fault is the job's own. */
export function keepUntil(fault: Fault, job: ClaimedJob, now: number, limits: JobLimits): number | undefined {
  if (!PayloadLocked.is(fault) && !PayloadNewer.is(fault)) return undefined;
  const age = Math.max(0, now - job.enqueuedAt);
  return Math.ceil(now + Math.min(limits.keepMaxMs, Math.max(limits.keepMs, age)));
}
