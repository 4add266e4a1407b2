/**
 * A contract's jobs on a store with a clock that is moved by hand: what a test of jobs needs. The store outlives a restart.
 */
import { manualClock, randomHex, seededRandom, type ManualClock } from "../src/core/index.ts";
import { bind, type Contract, type Implemented, type Jobs } from "../src/contract/index.ts";
import {
  attemptsOf,
  createJobEngine,
  createJobs,
  policyOf,
  type JobEngine,
  type JobLimits,
  type JobState,
  type Sealing,
  type Store,
  type StoreSession,
} from "../src/jobs/index.ts";
import { Events } from "../src/telemetry/index.ts";
import { memoryStore } from "../src/testing/index.ts";

export interface JobBench {
  readonly clock: ManualClock;
  readonly events: Events;
  readonly session: StoreSession;
  readonly jobs: Jobs;
  readonly engine: JobEngine;
}

export interface JobBenchOptions {
  /** Default: a new memory store. */
  readonly store?: Store;
  /** Default: a manual clock. */
  readonly clock?: ManualClock;
  readonly limits?: Partial<JobLimits>;
  readonly maxWaiting?: number;
  readonly sealing?: Sealing;
}

/** Lets what is under way come to rest: deliveries, turns of the dispatcher, commits. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/**
 * Lets the job come to this state, also where threads have a part in it (WebCrypto, compression): turns of the loop alone say nothing of those. Time moves by
 * `step` between two looks.
 */
export async function reaches(bench: JobBench, id: string, state: JobState, step = 0): Promise<void> {
  for (let looks = 0; looks < 10_000; looks++) {
    await settled();
    const found = await bench.jobs.get(id);
    if (found.ok && found.value?.state === state) return;
    if (step > 0) await bench.clock.advance(step);
  }
}

/** Moves time in steps, and lets everything come to rest after each. */
export async function elapse(clock: ManualClock, ms: number, step = Math.max(1, ms / 20)): Promise<void> {
  await settled();
  for (let left = ms; left > 0; left -= step) {
    await clock.advance(Math.min(step, left));
    await settled();
  }
}

const keepAll = { ageMs: Infinity, count: 1_000_000 };

/** Opens the store and makes everything on it; nothing runs before `engine.start()`. */
export async function jobBench(
  contract: Contract,
  implement: (jobs: Contract) => Implemented,
  options: JobBenchOptions = {},
): Promise<JobBench> {
  const { store = memoryStore(), clock = manualClock(), limits = {}, maxWaiting = 1_000_000, sealing } = options;
  const events = new Events();
  const opened = await store.open({
    clock,
    retention: { succeeded: keepAll, failed: keepAll, cancelled: keepAll },
    maxWaiting,
    maxAttempts: attemptsOf(contract),
    policy: policyOf(contract),
  });
  if (!opened.ok) throw new Error(`The store did not open: ${opened.fault.message}`);
  const session = opened.value;
  const jobs = createJobs({ contract, session, clock, events, limits, sealing });
  const bound = bind(implement(contract), {
    clock,
    events,
    jobs,
    shutdown: new AbortController().signal,
    newId: () => randomHex(),
  });
  const engine = createJobEngine({ bound, session, clock, events, random: seededRandom(1), limits, sealing });
  return { clock, events, session, jobs, engine };
}
