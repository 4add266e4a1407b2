/**
 * Several processes on one memory store, without the processes: each has a lease that it renews, and rescues the jobs of those whose lease has ended.
 * The reference of what a store for a fleet means.
 */
import { ok, type Timer } from "../core/index.ts";
import type { Store } from "../jobs/index.ts";
import { MemoryJobs, type Rescuer } from "./memory-jobs.ts";
import { MemorySession } from "./memory-session.ts";

export interface MemoryProcess extends Store {
  /** Ends it as `kill -9` would. Its jobs are rescued when its lease has ended. */
  kill(): void;
  /** It stands still, as under SIGSTOP: renews nothing, takes nothing. What is called on its session is done all the same. */
  freeze(): void;
  thaw(): void;
}

export interface MemoryFleet {
  readonly leaseMs: number;
  /** A store for one more process. */
  process(): MemoryProcess;
}

const defaultLeaseMs = 10_000;

/**
 * @param options.leaseMs How long a process is believed to live after it was last heard. Renewed four times as often. Default 10,000.
 *
 * @example
 * const fleet = memoryFleet();
 * const one = await fleet.process().open({ clock, retention, maxWaiting: 1_000, maxAttempts: () => 5 });
 * const two = await fleet.process().open({ clock, retention, maxWaiting: 1_000, maxAttempts: () => 5 });
 */
export function memoryFleet({ leaseMs = defaultLeaseMs }: { readonly leaseMs?: number } = {}): MemoryFleet {
  const leases = new Leases(leaseMs);
  return { leaseMs, process: () => memoryProcess(leases) };
}

class Leases {
  readonly ms: number;
  readonly jobs = new MemoryJobs();
  readonly #until = new Map<number, number>();
  /** What was taken from those that were not heard, until they hear it. */
  readonly #lost = new Map<number, readonly string[]>();

  constructor(ms: number) {
    this.ms = ms;
  }

  /** Its jobs, if it lost them; undefined: the lease goes on. */
  renew(epoch: number, now: number): readonly string[] | undefined {
    const lost = this.#lost.get(epoch);
    this.#lost.delete(epoch);
    if (lost === undefined) this.#until.set(epoch, now + this.ms);
    return lost;
  }

  rescue(by: Rescuer): void {
    const now = by.clock.now();
    for (const [epoch, until] of this.#until) {
      if (until > now) continue;
      this.#until.delete(epoch);
      this.#lost.set(
        epoch,
        this.jobs.rescue((one) => one === epoch, by),
      );
    }
  }

  end(epoch: number): void {
    this.#until.set(epoch, -Infinity);
  }
}

function memoryProcess(leases: Leases): MemoryProcess {
  const { jobs } = leases;
  let session: MemorySession | undefined;
  let timer: Timer | undefined;

  const beat = (own: MemorySession): void => {
    const { clock } = own.options;
    timer?.cancel();
    if (own.ended) return;
    timer = clock.setTimer(leases.ms / 4, () => beat(own));
    if (own.frozen) return;
    const lost = leases.renew(own.epoch, clock.now());
    if (lost !== undefined) {
      own.epoch = ++jobs.epoch;
      leases.renew(own.epoch, clock.now());
      own.lost(lost);
    }
    leases.rescue(own.options);
    own.changed();
  };

  return {
    kind: "memory",
    async open(options) {
      if (session !== undefined && !session.ended)
        throw new TypeError("This store is open already. Close its session before it is opened again.");
      const own = new MemorySession(jobs, options, {
        closed: () => {
          leases.end(own.epoch);
          leases.rescue(options);
        },
      });
      session = own;
      beat(own);
      own.tick();
      return ok(own);
    },
    kill: () => session?.crash(),
    freeze: () => {
      if (session !== undefined) session.frozen = true;
    },
    thaw: () => {
      if (session === undefined) return;
      session.frozen = false;
      beat(session);
    },
  };
}
