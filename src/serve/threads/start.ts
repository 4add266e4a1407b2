/** `serve` and `work`, wherever they are called: in a process of one event loop, in the main thread of several, or in one of those. */
import type { Members } from "../../contract/index.ts";
import { durationMs, ok, systemClock, type LifecyclePart } from "../../core/index.ts";
import {
  HeaderBlock,
  loadEngine,
  resolveOverloadLimits,
  type EngineLimits,
  type Http2Limits,
  type OverloadLimits,
} from "../../http/index.ts";
import type { Store, StoreSession } from "../../jobs/index.ts";
import type { App } from "../app.ts";
import { healthRoutes } from "../health.ts";
import { serveMetrics, type ServedMetrics } from "../metrics/serve-metrics.ts";
import type { RunOptions } from "../options.ts";
import { fittedLimits, readResources } from "../resources/index.ts";
import { run } from "../runtime.ts";
import { startServer, startWorker, urlOf, type ServeOptions, type Server, type Worker } from "../serve.ts";
import type { MainServices } from "./calls.ts";
import { membership } from "./main-link.ts";
import { refuseInThread, serveInThread } from "./member.ts";
import { resolveThreads, type Threads } from "./options.ts";
import { ThreadPool } from "./pool.ts";
import { fromAnswer, type ThreadShare } from "./protocol.ts";
import { canReusePort } from "./reuse-port.ts";

export function startServing<M extends Members>(app: App<M>, options: ServeOptions): Promise<Server> {
  const member = membership();
  const { threads } = options;
  if (member === undefined)
    return threads === undefined ? startServer(app, options) : serveThreads(app, options, threads);
  if (threads === undefined) return refuseInThread(member, `serve() without threads ${alsoElsewhere}`);
  return serveInThread(app, options, member);
}

export function startWorking<M extends Members>(app: App<M>, options: RunOptions): Promise<Worker> {
  const member = membership();
  return member === undefined ? startWorker(app, options) : refuseInThread(member, `work() ${alsoElsewhere}`);
}

const alsoElsewhere =
  "was called in a thread of a server: serve({ threads }) runs the program's module again in each thread. Call it after `await serve({ threads })`, which goes on in the main thread alone.";

let served = false;

/** The main thread: the store, the jobs, the signals. Everything that HTTP asks is answered in threads that run the program again. */
async function serveThreads<M extends Members>(app: App<M>, options: ServeOptions, threads: Threads): Promise<Server> {
  if (served) throw new TypeError("serve({ threads }) was called twice. A process has one server with threads.");
  served = true;
  try {
    return await startThreads(app, options, threads);
  } catch (error) {
    served = false;
    throw error;
  }
}

async function startThreads<M extends Members>(app: App<M>, given: ServeOptions, asked: Threads): Promise<Server> {
  const resources = readResources(given.memory);
  const wanted = resolveThreads(asked, resources);
  // The threads delay their drain; the time that they have for it is watched here.
  if (given.path !== undefined)
    throw new TypeError(
      "serve(): threads share a port, and a Unix socket cannot be shared. Leave out path or threads.",
    );
  const drain = durationMs(given.drain ?? "10s") + durationMs(given.drainDelay ?? 0);
  const options = { ...given, drain, limits: fittedLimits(given.limits, resources) };
  const { port = 3000, host = "127.0.0.1", metrics = false } = options;
  const { http, http2 } = await tryPort(options, host, port);
  const overload = options.overload === false ? undefined : resolveOverloadLimits(options.limits?.overload);
  const reusePort = wanted.count > 1 && (await canReusePort());
  const threads = reusePort ? wanted : { ...wanted, count: 1 };
  const clock = options.clock ?? systemClock;
  const store = options.store === undefined ? undefined : watched(options.store);
  let made: ThreadPool | undefined;
  let measured: ServedMetrics | undefined;
  const services: MainServices = {
    session: () => store?.session(),
    store: options.store,
    snapshots: async (besides) => {
      const own = await measured?.metrics.snapshot();
      return [...(own === undefined ? [] : [own]), ...((await made?.snapshots(besides)) ?? [])];
    },
    stop: () => void running.stop(),
  };
  const running = await run(app, { ...options, ...(store !== undefined && { store }) }, (bound, phase, jobs) => {
    if (metrics !== false) {
      const shown = metrics === true ? {} : metrics;
      const health = healthRoutes({
        phase,
        clock,
        events: bound.events,
        checks: options.ready ?? {},
        details: options.readyDetails ?? process.env["NODE_ENV"] !== "production",
      });
      measured = serveMetrics(
        { ...shown, view: async (own) => [own, ...((await made?.snapshots()) ?? [])] },
        { bound, jobs, clock, health, engine: () => undefined },
      );
    }
    made = new ThreadPool({
      threads,
      share: shareOf(threads.count, http, overload, bound.streams.limits.streams),
      services,
      clock,
      events: bound.events,
      port,
      reusePort,
      onLost() {
        // An orchestrator shall see that this was no orderly end.
        process.exitCode = 1;
        void running.stop();
      },
    });
    if (wanted.count > threads.count) {
      const reason = "this system cannot spread the connections of one port over several threads (SO_REUSEPORT)";
      bound.events.emit("thread", { thread: 1, state: "alone", reason });
    }
    return measured === undefined ? [poolPart(made)] : [measured.part, poolPart(made)];
  });
  // `run` has called the function above; the compiler does not see assignments in there.
  const pool = made as unknown as ThreadPool;
  const address = pool.address ?? { host, port };
  const reloadTls: Server["reloadTls"] = async () => {
    if (options.tls === undefined)
      throw new TypeError("This server speaks no TLS: there is no certificate to read again.");
    const answer = await pool.reloadTls();
    // What the threads' own servers answer.
    return (answer === undefined ? ok(null) : fromAnswer(answer)) as Awaited<ReturnType<Server["reloadTls"]>>;
  };
  if (options.tls !== undefined && options.signals?.length !== 0) {
    const onHangup = (): void => void reloadTls();
    process.on("SIGHUP", onHangup);
    void running.stopped.then(() => process.off("SIGHUP", onHangup));
  }
  running.events.emit("resources", resources);
  return Object.assign(running, {
    resources,
    url: urlOf(address, options.tls !== undefined),
    port: address.port,
    metrics: measured?.metrics,
    metricsPort: measured?.port(),
    limits: { ...running.limits, http, http2, overload },
    admission: () => undefined,
    reloadTls,
    threads: () => pool.stats(),
  });
}

/**
 * The limits in force, or the sentence that a server of one thread ends with when it cannot have the port. Several threads share it
 * with whoever shares it too: a second start of the same program would not be noticed.
 */
async function tryPort(
  { limits, http2 = true }: ServeOptions,
  host: string,
  port: number,
): Promise<{ readonly http: EngineLimits; readonly http2: Http2Limits | null }> {
  const { createEngine } = await loadEngine();
  const handler = () => ({ status: 503, headers: HeaderBlock.empty, body: null });
  const engine = createEngine({
    handler,
    http2: http2 && (limits?.http2 ?? {}),
    ...(limits?.http !== undefined && { limits: limits.http }),
  });
  if (port !== 0) {
    const listening = await engine.listen({ port, host });
    await engine.close();
    if (!listening.ok) throw new Error(listening.fault.message);
  }
  return { http: engine.limits, http2: engine.http2Limits };
}

/** Each thread's part, so that all together hold no more than was allowed. */
function shareOf(
  count: number,
  http: EngineLimits,
  overload: OverloadLimits | undefined,
  subscriptions: number,
): ThreadShare {
  const part = (whole: number): number => Math.ceil(whole / count);
  return {
    http: {
      connections: part(http.connections),
      connectionsPerClient: part(http.connectionsPerClient),
      bufferedBytes: part(http.bufferedBytes),
    },
    overload: overload && {
      inFlight: part(overload.inFlight),
      inFlightFloor: part(overload.inFlightFloor),
      streams: part(overload.streams),
    },
    streams: { streams: part(subscriptions) },
  };
}

function poolPart(pool: ThreadPool): LifecyclePart {
  return {
    name: "threads",
    start: () => pool.start(),
    drain: (signal) => pool.drain(signal),
    stop: () => pool.stop(),
  };
}

/** The same store; its session is kept in sight. */
function watched(store: Store): Store & { session(): StoreSession | undefined } {
  let session: StoreSession | undefined;
  return {
    kind: store.kind,
    ...(store.sharing !== undefined && { sharing: store.sharing }),
    async open(options) {
      const opened = await store.open(options);
      if (opened.ok) session = opened.value;
      return opened;
    },
    session: () => session,
  };
}
