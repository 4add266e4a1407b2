/**
 * Runs an app's jobs in a test: on a store in memory, with time that the test moves, until nothing is left to do. What happens between the runs of
 * a job (retries, sleeps, signals, dependencies) happens as in production, in no time.
 */
import { bind, type Jobs, type Members } from "../contract/index.ts";
import {
  durationMs,
  manualClock,
  randomHex,
  seededRandom,
  sleep,
  systemClock,
  type Duration,
  type ManualClock,
} from "../core/index.ts";
import {
  attemptsOf,
  createJobEngine,
  createJobs,
  policyOf,
  type JobEngine,
  type JobLimits,
  type StoreSession,
} from "../jobs/index.ts";
import type { App } from "../serve/index.ts";
import { Events, type EventTable } from "../telemetry/index.ts";
import { memoryStore } from "./memory-store.ts";

export interface TestJobsOptions {
  /** Default: one that begins on 2026-01-01. */
  readonly clock?: ManualClock;
  readonly limits?: Partial<JobLimits>;
}

/** One attempt that ended, in the order in which they did. */
export type RanJob = EventTable["job.attempt"];

export interface DrainOptions {
  /** How much time may pass in all: it is moved to the next moment at which something is due, again and again. Default: none. */
  readonly advance?: Duration;
  /** Milliseconds of real time after which a handler that waits for something outside is given up. Default 10,000. */
  readonly patienceMs?: number;
}

export interface TestJobs {
  readonly jobs: Jobs;
  readonly clock: ManualClock;
  readonly events: Events;
  /**
   * Runs everything that is due, and what that enqueues, until nothing is. Answers with the attempts that ended meanwhile. Rejects when a handler
   * does not end in `patienceMs`.
   */
  drain(options?: DrainOptions): Promise<readonly RanJob[]>;
  /** Ends the worker and closes the store. */
  stop(): Promise<void>;
}

/**
 * @example
 * const test = await testJobs(app);
 * const ref = await test.jobs.enqueue(importCities, { source: "cities.json" });
 * const ran = await test.drain({ advance: "3d" });
 * await test.stop();
 */
export async function testJobs<M extends Members>(app: App<M>, options: TestJobsOptions = {}): Promise<TestJobs> {
  const { clock = manualClock() } = options;
  // A handler that is at rest holds nothing up: every sleep ends its run, and only what waits for something else is waited for.
  // Nobody steps the clock here, which a scheduler would otherwise look for each minute.
  const limits = { sleepInPlaceMs: 0, clockSkewMs: 0, scheduleSleepMs: 2_592_000_000, ...options.limits };
  const { contract } = app.implemented;
  const events = new Events();
  const opened = await memoryStore().open({
    clock,
    retention: { succeeded: keepAll, failed: keepAll, cancelled: keepAll },
    maxWaiting: 10_000_000,
    maxAttempts: attemptsOf(contract),
    policy: policyOf(contract),
  });
  if (!opened.ok) throw new Error(opened.fault.message);
  const session = opened.value;
  const jobs = createJobs({ contract, session, clock, events, limits });
  const shutdown = new AbortController();
  const bound = bind(app.implemented, { clock, events, jobs, shutdown: shutdown.signal, newId: () => randomHex(8) });
  const engine = createJobEngine({ bound, session, clock, events, limits, random: seededRandom(1) });
  const hasSchedules = contract.jobs.some(({ settings }) => settings.schedule !== undefined);
  const made = new Drain(session, engine, clock, events, hasSchedules);
  await engine.start();
  return {
    jobs,
    clock,
    events,
    drain: (how) => made.run(how),
    async stop() {
      engine.stop();
      shutdown.abort();
      await session.close();
    },
  };
}

const keepAll = { ageMs: Infinity, count: 10_000_000 };
/** Turns of the event loop without anything happening after which nothing will. */
const quietTurns = 25;

class Drain {
  readonly #session: StoreSession;
  readonly #engine: JobEngine;
  readonly #clock: ManualClock;
  readonly #hasSchedules: boolean;
  readonly #ran: RanJob[] = [];
  #happened = 0;

  constructor(session: StoreSession, engine: JobEngine, clock: ManualClock, events: Events, hasSchedules: boolean) {
    this.#hasSchedules = hasSchedules;
    this.#session = session;
    this.#engine = engine;
    this.#clock = clock;
    events.on("job.attempt", (attempt) => {
      this.#ran.push(attempt);
      this.#happened++;
    });
    events.on("job.enqueued", () => this.#happened++);
  }

  async run({ advance = 0, patienceMs = 10_000 }: DrainOptions = {}): Promise<readonly RanJob[]> {
    const until = this.#clock.monotonic() + durationMs(advance);
    await this.#rest(patienceMs);
    while (await this.#somethingWaits()) {
      const next = this.#clock.nextTimer;
      if (next === undefined || next > until) break;
      await this.#clock.advance(next - this.#clock.monotonic());
      await this.#rest(patienceMs);
    }
    return this.#ran.splice(0);
  }

  /** Until nothing runs and nothing happens any more. */
  async #rest(patienceMs: number): Promise<void> {
    const end = systemClock.monotonic() + patienceMs;
    let seen = this.#happened;
    for (let quiet = 0; quiet < quietTurns || this.#engine.active > 0; quiet++) {
      if (this.#happened !== seen) quiet = 0;
      seen = this.#happened;
      // Sockets and files of handlers take real time.
      if (quiet < quietTurns) await new Promise<void>((resolve) => setImmediate(resolve));
      else await sleep(systemClock, 1);
      if (quiet > quietTurns && systemClock.monotonic() > end)
        throw new Error("A job does not end: its handler waits for something that does not come in this test.");
    }
  }

  async #somethingWaits(): Promise<boolean> {
    if (this.#hasSchedules) return true;
    const counts = await this.#session.counts();
    if (!counts.ok) return false;
    const { waiting, scheduled, ready, running } = counts.value;
    return waiting + scheduled + ready + running > 0;
  }
}
