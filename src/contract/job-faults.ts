/**
 * What an enqueue can be refused with. Declare them where a handler passes them on (`faults: [QueueFull, StoreUnavailable]`, `yield* await jobs.enqueue(…)`): over HTTP they
 * are 429 and 503 with Retry-After.
 */
import { t } from "../schema/index.ts";
import { fault } from "./fault.ts";

export const StoreUnavailable = fault("STORE_UNAVAILABLE", {
  kind: "unavailable",
  data: { reason: t.string() },
  message: ({ reason }) => `The job store cannot take work now: ${reason}`,
});
export const QueueFull = fault("QUEUE_FULL", {
  kind: "resource_exhausted",
  data: { limit: t.int(), retryAfterMs: t.int() },
  message: ({ limit }) => `${limit} jobs are waiting, which is the limit.`,
});
