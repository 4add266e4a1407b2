/**
 * Puts the floors together for one process: store, job engine, bound app, HTTP. One lifecycle starts them in that order, drains
 * them together and stops them in reverse.
 *
 *   store.open -> jobs.start -> http.listen -> ready
 *   stop(): http refuses new connections and finishes requests | jobs claim nothing new and finish attempts -> http, jobs, store closed
 */
import { bind, type BoundApp, type Jobs, type Members, type StreamLimits } from "../contract/index.ts";
import {
  durationMs,
  lifecycle,
  randomHex,
  systemClock,
  type Clock,
  type Lifecycle,
  type LifecyclePart,
  type StopReport,
} from "../core/index.ts";
import {
  attemptsOf,
  createJobEngine,
  createJobs,
  openSealing,
  policyOf,
  withJobLimits,
  type JobEngine,
  type JobLimits,
  type Sealing,
  type StoreSession,
} from "../jobs/index.ts";
import { defaultLimits, type SchemaLimits } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { logAccess, type AccessLogOptions } from "./access-log.ts";
import type { App } from "./app.ts";
import { onCrash } from "./crash.ts";
import { JobsSwitch } from "./jobs-switch.ts";
import { logEvents, stderrLog } from "./log.ts";
import { defaultRetention, type RunOptions } from "./options.ts";
import { onStopSignal } from "./signals.ts";

/** What `serve` and `work` have in common once they run. */
export interface Running {
  readonly limits: RunningLimits;
  readonly jobs: JobsSwitch;
  readonly events: Events;
  readonly phase: Lifecycle["phase"];
  stop(): Promise<StopReport>;
  readonly stopped: Promise<StopReport>;
}

/** Every bound that is in force, in one place: print it at start, or hand it to whoever is on call. */
export interface RunningLimits {
  readonly jobs: JobLimits;
  readonly schema: SchemaLimits;
  readonly streams: StreamLimits;
}

/** How an app is run as a part of something larger: a thread of a server that has several. */
export interface Inside {
  /** False: jobs can be enqueued and managed, but run elsewhere. Default true. */
  readonly workers?: boolean;
  /** Whoever watches the time of the drain. Default: the app itself, by its option `drain`. */
  readonly cut?: AbortSignal;
}

/** Starts everything. Rejects with an Error whose message says what to do, after having closed what was open. */
export async function run<M extends Members>(
  app: App<M>,
  options: RunOptions & { readonly accessLog?: boolean | AccessLogOptions; readonly workers?: boolean },
  compose: (bound: BoundApp, phase: () => Lifecycle["phase"], jobs: Jobs) => readonly LifecyclePart[],
  inside: Inside = {},
): Promise<Running> {
  const { clock = systemClock, events = new Events() } = options;
  const jobs = new JobsSwitch();
  const shutdown = new AbortController();
  const bound = bind(app.implemented, {
    clock,
    events,
    jobs,
    shutdown: shutdown.signal,
    newId: () => randomHex(8),
    streamLimits: options.limits?.streams,
  });
  const { authenticate } = app.implemented;
  const parts = [
    ...(authenticate?.start === undefined ? [] : [{ name: "authentication", start: authenticate.start }]),
    ...storeParts(bound, jobs, events, clock, options, inside.workers ?? options.workers ?? true),
    ...compose(bound, () => life.phase, jobs),
  ];
  const drainMs = durationMs(options.drain ?? "10s");
  const life = lifecycle({ clock, parts, drainMs, ...(inside.cut !== undefined && { cut: inside.cut }) });
  life.shutdown.addEventListener("abort", () => shutdown.abort(life.shutdown.reason));

  const unlog = startLogs(events, clock, options);
  const uncrash = onCrash(options.crash ?? "drain", { defect: bound.defect, stop: () => stop("crash") });
  const unsignal = onStopSignal(options.signals ?? ["SIGINT", "SIGTERM"], (signal) => void stop(signal));
  const { promise: stopped, resolve: resolveStopped } = Promise.withResolvers<StopReport>();

  const stop = async (detail?: string): Promise<StopReport> => {
    if (life.phase === "ready")
      events.emit("lifecycle", { phase: "draining", ...(detail !== undefined && { detail }) });
    const report = await life.stop();
    unsignal();
    uncrash();
    events.emit("lifecycle", { phase: "stopped", detail: report.outcome });
    unlog();
    resolveStopped(report);
    return report;
  };

  events.emit("lifecycle", { phase: "starting" });
  try {
    await life.start();
  } catch (error) {
    unsignal();
    uncrash();
    unlog();
    throw plain(error);
  }
  events.emit("lifecycle", { phase: "ready" });
  return {
    limits: { jobs: withJobLimits(options.limits?.jobs), schema: defaultLimits, streams: bound.streams.limits },
    jobs,
    events,
    get phase() {
      return life.phase;
    },
    stop: () => stop(),
    stopped,
  };
}

/** The log of what needs attention, and that of requests where it is asked for. Returns the function that ends both. */
function startLogs(
  events: Events,
  clock: Clock,
  { log = stderrLog(), accessLog = false }: Parameters<typeof run>[1],
): () => void {
  if (log === false) {
    if (accessLog !== false) throw new TypeError("serve(): accessLog needs a log, and log is false.");
    return () => undefined;
  }
  const unlog = logEvents(events, clock, log);
  const unaccess = accessLog === false ? undefined : logAccess(events, clock, log, accessLog === true ? {} : accessLog);
  return () => {
    unlog();
    unaccess?.();
  };
}

/** What went wrong, without the name of the part: whoever starts an app reads one sentence, once. */
function plain(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

function storeParts(
  bound: BoundApp,
  jobs: JobsSwitch,
  events: Events,
  clock: Clock,
  options: RunOptions,
  workers: boolean,
): LifecyclePart[] {
  const { store, limits: { jobs: limits = {} } = {} } = options;
  if (store === undefined) {
    if (bound.jobs.size === 0) return [];
    const names = [...bound.jobs.keys()].join(", ");
    throw new TypeError(
      `"${bound.contract.name}" has jobs (${names}), which need a store. Pass one: { store: sqlite("app.db") } from "tensile/sqlite".`,
    );
  }
  let session: StoreSession | undefined;
  let engine: JobEngine | undefined;
  let sealing: Sealing | undefined;
  return [
    {
      name: "store",
      async start() {
        // First, because it may be refused.
        sealing = await sealingOf(bound, options);
        const opened = await store.open({
          clock,
          retention: { ...defaultRetention, ...options.retention },
          maxWaiting: withJobLimits(limits).waitingJobs,
          maxAttempts: attemptsOf(bound.contract),
          policy: policyOf(bound.contract),
          onCrashed: (crashed) => {
            for (const one of crashed) events.emit("job.crashed", one);
          },
        });
        // The reason alone: "cannot take work now" is what a running store says.
        if (!opened.ok)
          throw new Error("reason" in opened.fault.data ? opened.fault.data.reason : opened.fault.message);
        session = opened.value;
      },
      stop: () => session?.close(),
    },
    {
      name: "workers",
      async start() {
        const open = session as StoreSession;
        jobs.set(createJobs({ contract: bound.contract, session: open, clock, events, limits, sealing }));
        if (!workers) return;
        engine = createJobEngine({ bound, session: open, clock, events, limits, sealing, queues: options.queues });
        await engine.start();
      },
      drain: (signal) => engine?.part.drain?.(signal),
      stop: () => engine?.stop(),
    },
  ];
}

function sealingOf({ contract }: BoundApp, { encryption, compression = false, limits }: RunOptions): Promise<Sealing> {
  const { payloadBytes, resultBytes } = withJobLimits(limits?.jobs);
  const over = compression === false ? undefined : compression === true ? compressOver : compression.over;
  if (over !== undefined && !(over >= 0)) {
    throw new TypeError(`compression.over is a number of characters, not ${over}. Leave compression out for none.`);
  }
  return openSealing(contract, { encryption, compressOver: over, mostBytes: Math.max(payloadBytes, resultBytes) });
}

/** Shorter texts gain less than it costs to look. */
const compressOver = 8_192;
