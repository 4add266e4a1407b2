/** Says of each committed job that it was enqueued, where anybody listens. */
import type { Events } from "../telemetry/index.ts";
import type { EnqueueReceipt, NewJob } from "./store.ts";

export function announceEnqueued(events: Events, jobs: readonly NewJob[], receipts: readonly EnqueueReceipt[]): void {
  if (!events.heard("job.enqueued")) return;
  for (const [index, { id, duplicate }] of receipts.entries()) {
    events.emit("job.enqueued", { id, name: (jobs[index] as NewJob).name, duplicate });
  }
}
