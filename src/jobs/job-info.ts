/** A job's record as an operator sees it: without payload and result, which may hold personal data. */
import type { JobInfo } from "../contract/index.ts";
import type { Json } from "../schema/index.ts";
import type { JobRecord } from "./store.ts";

export function jobInfo(record: JobRecord): JobInfo {
  const { id, name, state, priority, attempt, enqueuedAt, runAt, finishedAt, key, tenant, progress, errors } = record;
  return {
    id,
    name,
    state,
    priority,
    attempt,
    enqueuedAt: new Date(enqueuedAt),
    runAt: runAt === undefined ? undefined : new Date(runAt),
    finishedAt: finishedAt === undefined ? undefined : new Date(finishedAt),
    key,
    tenant,
    progress: progress === undefined ? undefined : (JSON.parse(progress) as Json),
    errors: errors.map((error) => ({
      attempt: error.attempt,
      at: new Date(error.at),
      code: error.code,
      message: error.message,
    })),
  };
}
