/** What the store answers, made the same way on both threads. */
import { Fault } from "../core/index.ts";
import type { EnqueueReceipt, StoreFault } from "../jobs/index.ts";

/** Id 0 stands for an occurrence that was recorded before. */
export function receipt(id: number, duplicate: boolean): EnqueueReceipt {
  return { id: id === 0 ? "" : String(id), duplicate };
}

export function unavailable(reason: string): StoreFault {
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, `The job store cannot take work now: ${reason}.`);
}

/** How long to wait before the next try is a guess: what makes room is other jobs being run. */
export function queueFull(limit: number, what: string): StoreFault {
  const data = { limit, retryAfterMs: 1_000 };
  return new Fault(
    "QUEUE_FULL",
    "resource_exhausted",
    data,
    `More than ${limit} ${what} wait; try again when some of them are done.`,
  );
}
