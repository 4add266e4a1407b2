/**
 * The failures that the job engine and its stores answer with. Every code has a row in docs/errors.md.
 */
import { fault } from "../contract/index.ts";
import { t } from "../schema/index.ts";

// Declared where those who declare operations can reach them.
export { QueueFull, StoreUnavailable } from "../contract/index.ts";

export const JobCancelled = fault("JOB_CANCELLED", {
  kind: "cancelled",
  data: { id: t.string() },
  message: "The job was cancelled.",
});
export const JobNotFound = fault("JOB_NOT_FOUND", {
  kind: "not_found",
  data: { id: t.string() },
  message: "There is no such job, or it is finished and no longer kept.",
});
export const JobCrashed = fault("JOB_CRASHED", {
  kind: "internal",
  data: { id: t.string() },
  message: "The process ended while the job was running, and its attempts are used up.",
});
/** The job is kept, and tried again later: its attempt is not counted. */
export const PayloadLocked = fault("PAYLOAD_LOCKED", {
  kind: "failed_precondition",
  data: { key: t.string() },
  message: ({ key }) =>
    `What the store keeps of this job is encrypted with the key "${key}", which this process does not have. Add it to encryption.keys.`,
});
/** The job is kept, and tried again later: its attempt is not counted. */
export const PayloadNewer = fault("PAYLOAD_NEWER", {
  kind: "failed_precondition",
  data: { version: t.int(), known: t.int() },
  message: ({ version, known }) =>
    `The payload was written in version ${version} of the job's input, and this process knows ${known}. Deploy the newer version here too.`,
});
