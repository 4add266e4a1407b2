/**
 * A job store in memory: the whole seam, for unit tests of apps and of the engine, and the reference of what the seam means. Nothing survives the
 * process, but everything survives a session, so that a test can close, crash and open again.
 */
import { ok } from "../core/index.ts";
import type { Store } from "../jobs/index.ts";
import { MemoryJobs } from "./memory-jobs.ts";
import { MemorySession } from "./memory-session.ts";

export interface MemoryStore extends Store {
  /** Ends the session as `kill -9` would: nothing more is settled, and the next `open` finds the running jobs crashed. */
  crash(): void;
  /** From now on every verb is refused with `STORE_UNAVAILABLE`, until it is called with undefined. */
  breakDown(reason: string | undefined): void;
}

/**
 * @example
 * const opened = await memoryStore().open({ clock, retention, maxWaiting: 1_000, maxAttempts: () => 5 });
 */
export function memoryStore(): MemoryStore {
  const jobs = new MemoryJobs();
  let session: MemorySession | undefined;
  let trouble: string | undefined;
  return {
    kind: "memory",
    async open(options) {
      if (session !== undefined && !session.ended) {
        throw new TypeError("This store is open already. Close its session before it is opened again.");
      }
      session = new MemorySession(jobs, options, { trouble: () => trouble });
      jobs.rescue(() => true, options);
      session.tick();
      return ok(session);
    },
    crash: () => session?.crash(),
    breakDown: (reason) => {
      trouble = reason;
    },
  };
}
