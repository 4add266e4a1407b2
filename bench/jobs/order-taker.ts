/** What a process of the jobs benchmarks does when the harness asks; the same for every system. */
import type { Ledger } from "./ledger.ts";
import type { Enqueue } from "./producer.ts";
import type { JobsOrder, JobsVerdict } from "./protocol.ts";
import { takeTurns } from "./turns.ts";

export interface JobsProcess {
  readonly book: Ledger;
  readonly enqueue: Enqueue;
  /** Starts the workers; is called before the first job has to run, and once. Absent: they have begun already. */
  readonly work?: () => Promise<void>;
  readonly settle: () => Promise<JobsVerdict>;
}

export function orderTaker({ book, enqueue, work, settle }: JobsProcess): (message: unknown) => Promise<unknown> {
  let begun: Promise<void> | undefined;
  const begin = (): Promise<void> => (begun ??= work?.() ?? Promise.resolve());
  return async (message) => {
    const order = message as JobsOrder;
    if (order.do === "preload") return book.preload(enqueue, order);
    if (order.do === "settle") return settle();
    if (order.do === "turns") return takeTurns(order.ms);
    if (order.do === "run") return begin().then(() => book.run(enqueue, order));
    // The first jobs may run before the start has resolved.
    const drained = book.drain(order.ms);
    await begin();
    return drained;
  };
}
