/**
 * A whole worker with the real clock on each store: what a test needs that says something about jobs on SQLite and on PostgreSQL alike. One version of
 * PostgreSQL is enough for these; the suites of the stores run on all that are here.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bind, type Contract, type Implemented } from "../src/contract/index.ts";
import { randomHex, sleep, systemClock, type Clock } from "../src/core/index.ts";
import { attemptsOf, createJobEngine, createJobs, policyOf } from "../src/jobs/index.ts";
import type { JobLimits, Sealing, Store } from "../src/jobs/index.ts";
import { postgres } from "../src/postgres/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { Events } from "../src/telemetry/index.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";
import { giveBack, openDatabase } from "./postgres-place.ts";
import { postgresKinds } from "./postgres-server.ts";

/** A clean place for jobs. */
export interface WorkerPlace {
  /** A path, or `postgres://…`: for processes of their own, see `storeAt`. */
  readonly address: string;
  /** A worker on it, which ends with the test at the latest. */
  readonly worker: (of: Contract, implemented: Implemented, options?: WorkerOptions) => Promise<Worker>;
}

type PlaceName = "SQLite" | "PostgreSQL";

export const placeNames: readonly PlaceName[] = ["SQLite", "PostgreSQL"];

/** Runs `act` on a place, ends the workers on it, and removes it. */
export async function onPlace(name: PlaceName, act: (place: WorkerPlace) => Promise<void>): Promise<void> {
  const { address, remove } = name === "SQLite" ? await filePlace() : await databasePlace();
  const workers: { end(): Promise<unknown> }[] = [];
  try {
    await act({
      address,
      async worker(of, implemented, options) {
        const made = await workerOn(storeAt(address), of, implemented, options);
        workers.push(made);
        return made;
      },
    });
  } finally {
    // Also where the test has failed: an open worker would keep the process.
    await Promise.all(workers.map((worker) => worker.end()));
    await remove();
  }
}

async function filePlace() {
  const folder = await mkdtemp(join(tmpdir(), "tensile-worker-"));
  return { address: join(folder, "jobs.db"), remove: () => rm(folder, { recursive: true }) };
}

async function databasePlace() {
  const [kind = "embedded"] = postgresKinds();
  const address = await openDatabase(kind);
  return { address, remove: () => giveBack(kind, address) };
}

export function storeAt(address: string) {
  return address.startsWith("postgres:") ? postgres(address) : sqlite(address);
}

interface WorkerOptions {
  readonly limits?: Partial<JobLimits>;
  readonly sealing?: Sealing;
  readonly maxWaiting?: number;
  /** Enqueues and looks, and runs nothing. */
  readonly idle?: boolean;
  /** The system's, unless said otherwise. */
  readonly clock?: Clock;
}

export type Worker = Awaited<ReturnType<typeof workerOn<ReturnType<typeof storeAt>>>>;

/** An engine that has started, and the `Jobs` beside it. */
export async function workerOn<S extends Store>(
  store: S,
  of: Contract,
  implemented: Implemented,
  options: WorkerOptions = {},
) {
  const { limits = {}, sealing, maxWaiting = 10_000_000, idle = false, clock = systemClock } = options;
  const events = new Events();
  const session = value(
    await store.open({ clock, retention: keepMany, maxWaiting, maxAttempts: attemptsOf(of), policy: policyOf(of) }),
  );
  const jobs = createJobs({ contract: of, session, clock, events, limits, sealing });
  const shutdown = new AbortController().signal;
  const bound = bind(implemented, { clock, events, jobs, shutdown, newId: () => randomHex() });
  const engine = createJobEngine({ bound, session, clock, events, limits, sealing });
  if (!idle) await engine.start();
  const end = async () => {
    const report = await engine.drain(5_000);
    await session.close();
    return report;
  };
  return { store, session, jobs, engine, events, end };
}

/** Asks again every few milliseconds; the test's own time limit is the end of it. */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(systemClock, 5);
}
