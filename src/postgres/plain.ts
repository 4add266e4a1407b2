/** Which jobs can rest in blocks. */
import type { JobPolicy, NewJob } from "../jobs/index.ts";
import { hasSeparator } from "./blocks/index.ts";
import { postgresLimits as limits } from "./limits.ts";

/** Whether what limits the jobs of a name can be kept in blocks: how many of a key run, and nothing else. */
export function restsInBlocks(policy: JobPolicy | undefined): boolean {
  if (policy === undefined) return true;
  const { gates = [], perKey, ageingMs } = policy;
  return gates.length === 0 && ageingMs === undefined && perKey?.ordered !== true && perKey?.rate === undefined;
}

/** Ready at once, and nothing else is asked of it. What separates payloads in a block is in none. */
export function isPlain(job: NewJob): boolean {
  return (
    job.runAt === undefined &&
    job.delayMs === undefined &&
    job.uniqueKey === undefined &&
    job.tenant === undefined &&
    job.after === undefined &&
    job.occurrence === undefined &&
    job.payload.length <= limits.blockPayloadChars &&
    !hasSeparator(job.payload) &&
    (job.context === undefined || !hasSeparator(job.context)) &&
    (job.key === undefined || !hasSeparator(job.key))
  );
}
