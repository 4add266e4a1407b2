/**
 * The worker: takes jobs from an open store, runs them through their bound calls, and fires schedules. One per process.
 *
 *   start: consume -> schedules
 *   drain: stop claims, hand back what has not begun, wait for what runs -> (time is up) abort it, wait a little
 *   stop:  end now; what still runs is recovered as a crash by the next start
 */
import { systemRandom, type Clock, type LifecyclePart, type Random, type Timer } from "../core/index.ts";
import type { BoundApp, BoundJob, Contract } from "../contract/index.ts";
import type { Events } from "../telemetry/index.ts";
import { AttemptRunner } from "./attempt-runner.ts";
import { occurrencesOf } from "./cron.ts";
import { Dispatcher } from "./dispatcher.ts";
import { codecOf, compileJobs, type JobCodecs } from "./job-codec.ts";
import { Lane } from "./lane.ts";
import { withJobLimits, type JobLimits } from "./limits.ts";
import { newJob } from "./new-job.ts";
import { plainSealing, sealedSession, type Sealing } from "./sealing/index.ts";
import { Scheduler, type ScheduledJob } from "./schedule.ts";
import { Settler } from "./settler.ts";
import type { NewJob, StoreOpenOptions, StoreSession } from "./store.ts";

export interface JobEngineOptions {
  readonly bound: BoundApp;
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  /** Default: `Math.random`. Spreads retries. */
  readonly random?: Random;
  readonly limits?: Partial<JobLimits>;
  /** Works these queues alone, their schedules included. Default: all. */
  readonly queues?: readonly string[] | undefined;
  /** How texts are sealed and opened. Default: nothing is sealed, and what is compressed can be read. */
  readonly sealing?: Sealing | undefined;
}

/** How a drain went. */
export interface DrainReport {
  /** `timed_out`: attempts were aborted because the time was up. */
  readonly outcome: "drained" | "timed_out";
  /** Jobs handed back without having begun; their attempt is not counted. */
  readonly released: number;
  /** Attempts whose signal was aborted when the time was up. */
  readonly interrupted: number;
  /** Attempts that did not end even then, and outcomes that the store did not take: these jobs run again after the next start. */
  readonly unfinished: number;
}

export interface JobEngine {
  /** Begins to take jobs. Rejects with a TypeError when a schedule's input is wrong. Safe to call twice. */
  start(): Promise<void>;
  /** Ends in an orderly way; the report says how it went. Safe to call twice (the same report) and unstarted. */
  drain(deadlineMs?: number): Promise<DrainReport>;
  /** Ends now. Safe at any time. The session stays open: whoever opened it closes it. */
  stop(): void;
  /** The same as a part of an app's lifecycle. */
  readonly part: LifecyclePart;
  /** Attempts that run now. */
  readonly active: number;
}

/**
 * Makes the worker of an app. Throws a TypeError when a schedule's pattern or zone is wrong, or a queue has no jobs.
 *
 * @example
 * const engine = createJobEngine({ bound, session, clock: systemClock, events: new Events() });
 * await engine.start();
 * const report = await engine.drain(10_000);
 */
export function createJobEngine(options: JobEngineOptions): JobEngine {
  return new Engine(options);
}

/** What a store must know to be opened for a contract's jobs. */
export function attemptsOf(contract: Contract): StoreOpenOptions["maxAttempts"] {
  const attempts = new Map(contract.jobs.map((job) => [job.name, job.settings.attempts]));
  // A job that the contract no longer has is kept for the one who puts it back.
  return (name) => attempts.get(name) ?? Infinity;
}

class Engine implements JobEngine {
  readonly #options: JobEngineOptions;
  readonly #limits: JobLimits;
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly #scheduler: Scheduler;
  readonly #names: readonly string[];
  readonly part: LifecyclePart;
  #started: Promise<void> | undefined;
  #drained: Promise<DrainReport> | undefined;
  readonly #drain: { began: boolean; over: boolean };
  #onQuiet: (() => void) | undefined;

  constructor(options: JobEngineOptions) {
    const { bound, events, random = systemRandom } = options;
    const clock = options.session.clock ?? options.clock;
    const limits = withJobLimits(options.limits);
    const { sealing = plainSealing(Math.max(limits.payloadBytes, limits.resultBytes)) } = options;
    const session = sealedSession(options.session, sealing);
    const codecs = compileJobs(bound.contract, limits.payloadBytes);
    this.#options = { ...options, session, clock };
    this.#limits = limits;
    const own = jobsOf(bound, options.queues);
    this.#names = own.map(({ job }) => job.name);
    this.#settler = new Settler({ session, clock, events, limits, onSettled: () => this.#settled() });
    const drain = { began: false, over: false };
    this.#drain = drain;
    const runtime = { clock, random, limits, defect: bound.defect, session, events, codecs, drain, sealing };
    const lanes = own.map((boundJob) => {
      const { name, settings } = boundJob.job;
      return new Lane({
        name,
        runner: new AttemptRunner(boundJob, codecOf(codecs, boundJob.job), runtime),
        maxAttempts: settings.attempts,
        concurrency: Math.min(settings.concurrency ?? Infinity, limits.concurrency),
        prefetchMs: limits.prefetchMs,
        prefetchJobs: limits.prefetchJobs,
      });
    });
    this.#dispatcher = new Dispatcher({ lanes, settler: this.#settler, clock, events, limits, drain });
    const jobs = scheduledJobs(own, codecs, clock, limits);
    this.#scheduler = new Scheduler({ session, clock, events, limits, jobs });
    this.part = {
      name: "workers",
      start: () => this.start(),
      drain: async (signal) => void (await this.#drainUntil(signal)),
      stop: () => this.stop(),
    };
  }

  get active(): number {
    return this.#dispatcher.active;
  }

  start(): Promise<void> {
    return (this.#started ??= this.#start());
  }

  drain(deadlineMs = this.#limits.drainMs): Promise<DrainReport> {
    const { clock } = this.#options;
    const up = new AbortController();
    const timer = clock.setTimer(deadlineMs, () => up.abort(), true);
    return this.#drainUntil(up.signal).finally(() => timer.cancel());
  }

  stop(): void {
    this.#drained ??= Promise.resolve({ outcome: "timed_out", released: 0, interrupted: 0, unfinished: this.active });
    this.#scheduler.stop();
    void this.#dispatcher.stopClaims();
    this.#dispatcher.abortAll();
    this.#drain.over = true;
    this.#settler.flush();
    this.#settler.stop();
  }

  async #start(): Promise<void> {
    if (this.#isDraining() || this.#names.length === 0) return;
    // First what can be wrong: an engine that does not start takes no jobs.
    await this.#scheduler.prepare();
    if (this.#isDraining()) return;
    const { session, events } = this.#options;
    const dispatcher = this.#dispatcher;
    const consumer = session.consume({
      names: this.#names,
      onClaimed: (jobs) => dispatcher.claimed(jobs),
      onCancelRequested: (id) => dispatcher.cancel(id),
      onLost: (ids) => dispatcher.lost(ids),
      onTrouble: (fault) => events.emit("store.trouble", { code: fault.code, message: fault.message }),
    });
    dispatcher.start(consumer);
    await this.#scheduler.start();
  }

  #isDraining(): boolean {
    return this.#drained !== undefined;
  }

  #drainUntil(timeUp: AbortSignal): Promise<DrainReport> {
    return (this.#drained ??= this.#drainOnce(timeUp));
  }

  async #drainOnce(timeUp: AbortSignal): Promise<DrainReport> {
    const { clock } = this.#options;
    this.#scheduler.stop();
    const claimsStopped = this.#dispatcher.stopClaims();
    const quiet = claimsStopped.then(() => this.#quiet());
    let interrupted = 0;
    const outcome = (await untilAborted(quiet, timeUp)) ? "drained" : "timed_out";
    if (outcome === "timed_out") {
      interrupted = this.#dispatcher.active;
      this.#dispatcher.abortAll();
      await within(clock, quiet, this.#limits.drainGraceMs);
    }
    this.#drain.over = true;
    this.#settler.stop();
    const unfinished = this.#dispatcher.active + this.#settler.unsettled;
    return { outcome, released: this.#dispatcher.released, interrupted, unfinished };
  }

  /** Resolves when nothing runs and every outcome is committed. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      this.#settled();
    });
  }

  #settled(): void {
    this.#dispatcher.resume();
    if (this.#dispatcher.active === 0 && this.#settler.unsettled === 0) this.#onQuiet?.();
  }
}

/** Throws a TypeError for a queue that no job is in: nobody would work it. */
function jobsOf({ jobs, contract }: BoundApp, queues: readonly string[] | undefined): readonly BoundJob[] {
  const all = [...jobs.values()];
  if (queues === undefined) return all;
  const known = new Set(all.map(({ job }) => job.settings.queue));
  for (const queue of queues) {
    if (known.has(queue)) continue;
    throw new TypeError(
      `queues: no job of "${contract.name}" is in the queue "${queue}". There are ${[...known].join(", ")}.`,
    );
  }
  return all.filter(({ job }) => queues.includes(job.settings.queue));
}

function scheduledJobs(bound: readonly BoundJob[], codecs: JobCodecs, clock: Clock, limits: JobLimits): ScheduledJob[] {
  return bound.flatMap(({ job }) => {
    const { schedule } = job.settings;
    if (schedule === undefined) return [];
    const makeRecord = async (): Promise<NewJob> => {
      const made = await newJob(codecOf(codecs, job), schedule.input, undefined, clock, limits);
      if (made.ok) return made.value;
      const issues = made.fault.data.issues.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join("; ");
      throw new TypeError(`job("${job.name}"): the input of its schedule does not fit: ${issues}`);
    };
    const { catchUp = "latest" } = schedule;
    return [{ name: job.name, occurrences: occurrencesOf(job.name, schedule), catchUp, makeRecord }];
  });
}

/** Whether `work` ended before the signal aborted. */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(false);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void work.then(() => {
      signal.removeEventListener("abort", onAbort);
      resolve(true);
    });
  });
}

function within(clock: Clock, work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer: Timer = clock.setTimer(ms, resolve, true);
    void work.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
