/**
 * The failures that Tensile itself answers with. They are declared like a user's own, so that documents, clients and the
 * kind table treat them alike. Every code has a row in docs/errors.md.
 */
import { t, type Invalid } from "../schema/index.ts";
import { fault } from "./fault.ts";

const issue = t.object("Issue", {
  pointer: t.describe(t.string(), { description: "JSON Pointer (RFC 6901) to the value at fault." }),
  code: t.string(),
  message: t.string(),
});

export const InvalidInput = fault("INVALID_INPUT", {
  kind: "invalid_argument",
  data: { issues: t.array(issue) },
  message: ({ issues }) =>
    issues.length === 1 ? (issues[0]?.message ?? "Invalid input") : `The input has ${issues.length} problems.`,
});
export const Unauthenticated = fault("UNAUTHENTICATED", {
  kind: "unauthenticated",
  message: "This operation needs a caller who is signed in.",
});
export const PermissionDenied = fault("PERMISSION_DENIED", {
  kind: "permission_denied",
  message: "The caller may not do this.",
});
export const Unavailable = fault("UNAVAILABLE", {
  kind: "unavailable",
  message: "Something that this call needs cannot be reached now. Repeat it later.",
});
export const DeadlineExceeded = fault("DEADLINE_EXCEEDED", {
  kind: "deadline_exceeded",
  message: "The operation did not finish within its time limit.",
});
export const Cancelled = fault("CANCELLED", { kind: "cancelled", message: "The call was cancelled by its caller." });
export const ShuttingDown = fault("SHUTTING_DOWN", {
  kind: "unavailable",
  message: "The server is shutting down. Repeat the call.",
});
/** Admission's answer, given before anything of the call has happened: it may be repeated, whatever it changes. */
export const Overloaded = fault("OVERLOADED", {
  kind: "unavailable",
  data: { retryAfter: t.duration() },
  message: "The server has more to do than it can do in time. Repeat the call after the time that Retry-After gives.",
});
export const Internal = fault("INTERNAL", {
  kind: "internal",
  data: { incident: t.string() },
  message: ({ incident }) => `An unexpected error happened. Incident ${incident}.`,
});

/** Jobs only: the schema was changed after the job was enqueued. */
export const InvalidPayload = fault("INVALID_PAYLOAD", {
  kind: "unprocessable",
  data: { issues: t.array(issue) },
  message: "The stored payload does not fit the job's input schema.",
});

/** Jobs only: what `job.waitFor` answers when its time is up. */
export const SignalTimedOut = fault("SIGNAL_TIMED_OUT", {
  kind: "deadline_exceeded",
  data: { signal: t.string() },
  message: ({ signal }) => `The signal "${signal}" did not come in time.`,
});
/** Jobs only: how a run looks to middleware that goes on later. Never the outcome of a job. */
export const JobSuspended = fault("JOB_SUSPENDED", {
  kind: "cancelled",
  message: "The job sleeps or waits, and goes on later.",
});

/** Faults that any bound call can end with, whatever its contract declares. */
export type FrameworkFault =
  | ReturnType<typeof InvalidInput>
  | ReturnType<typeof Unauthenticated>
  | ReturnType<typeof PermissionDenied>
  | ReturnType<typeof Unavailable>
  | ReturnType<typeof DeadlineExceeded>
  | ReturnType<typeof Cancelled>
  | ReturnType<typeof ShuttingDown>
  | ReturnType<typeof Overloaded>
  | ReturnType<typeof Internal>;

export const frameworkFaults = Object.freeze([
  InvalidInput,
  Unauthenticated,
  PermissionDenied,
  Unavailable,
  DeadlineExceeded,
  Cancelled,
  ShuttingDown,
  Overloaded,
  Internal,
] as const);

/** Every problem that a codec found, as the fault that a caller gets. */
export function invalidInput(invalid: Invalid): ReturnType<typeof InvalidInput> {
  return InvalidInput({ issues: invalid.issues.map(({ pointer, code, message }) => ({ pointer, code, message })) });
}
