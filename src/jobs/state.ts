/**
 * The life of a job. Written before any store: a store may only make the moves of this table, and the conformance suite
 * enumerates all of them.
 *
 *            enqueue(runAt later)                 enqueue
 *                  |                                 |
 *                  v          time comes             v
 *             scheduled ------------------------>  ready <---------------- release (never started)
 *              |     ^                             |   |                          |
 *       cancel |     | retry later (backoff)       |   | claim (attempt + 1) -> running
 *              |     +-----------------------------|---|--------------------------+
 *              v                            cancel |                              |
 *          cancelled <-----------------------------+                              |
 *              ^    ^----------------- cancel asked, attempt ended ---------------+
 *              |                                                                  |
 *              +---- by hand: retry ----> ready <---- by hand: retry ---- failed <+--> succeeded
 *
 *   enqueue(after others) -> waiting -- all have ended well --> ready (or scheduled, when its time has not come)
 *   running -- wait(signal) --> waiting -- signal, or its time is up --> ready
 *   running -- snooze --> scheduled
 *   waiting -- cancel, or one of the others failed --> cancelled
 *
 * A crash while running: the attempt stays counted, a `CRASHED` error is recorded, and the job becomes ready again, or failed when its attempts
 * are used up.
 */
export type JobState = "waiting" | "scheduled" | "ready" | "running" | "succeeded" | "failed" | "cancelled";

export type JobMove =
  | "unblock" // what it waited for has come
  | "defer" // what it waited for has come, its time has not
  | "abandon" // what it depended on failed
  | "promote" // its time has come
  | "claim"
  | "release" // claimed but never started
  | "succeed"
  | "retry" // attempt failed, policy says again later
  | "snooze" // goes on later
  | "wait" // goes on at a signal
  | "fail" // attempt failed, policy says no more
  | "cancel"
  | "crash" // its process died; attempts left
  | "crash_out" // its process died; no attempts left
  | "redrive"; // by hand, after it failed or was cancelled

export const jobStates: readonly JobState[] = [
  "waiting",
  "scheduled",
  "ready",
  "running",
  "succeeded",
  "failed",
  "cancelled",
];

/** Every legal move, and where it leads. What is not here is illegal. */
export const jobMoves: { readonly [S in JobState]: { readonly [M in JobMove]?: JobState } } = {
  waiting: { unblock: "ready", defer: "scheduled", abandon: "cancelled", cancel: "cancelled" },
  scheduled: { promote: "ready", cancel: "cancelled" },
  ready: { claim: "running", cancel: "cancelled" },
  running: {
    release: "ready",
    succeed: "succeeded",
    retry: "scheduled",
    snooze: "scheduled",
    wait: "waiting",
    fail: "failed",
    cancel: "cancelled",
    crash: "ready",
    crash_out: "failed",
  },
  succeeded: {},
  failed: { redrive: "ready" },
  cancelled: { redrive: "ready" },
};

/** The state after a move, or undefined where the move is illegal. */
export function moveJob(state: JobState, move: JobMove): JobState | undefined {
  return jobMoves[state][move];
}

export function isFinished(state: JobState): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
