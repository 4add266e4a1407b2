/** `serve` and `work`: an app as a process. Loaded by the root face only when one of them is called, because both need Node. */
import type { BoundApp, Jobs, Members } from "../contract/index.ts";
import {
  durationMs,
  sleep,
  systemClock,
  type Duration,
  type LifecyclePart,
  type Result,
  type StopReport,
} from "../core/index.ts";
import {
  createHttpHandler,
  loadEngine,
  loadWebSocket,
  type Engine,
  type EngineLimits,
  type EngineOptions,
  type AdmissionStats,
  type ExtraRoute,
  type Http2Limits,
  type ListenOptions,
  type LoadedWebSocket,
  type WebSocketOptions,
  type OverloadGate,
  type OverloadLimits,
  type TlsFault,
} from "../http/index.ts";
import { openApiRoutes, type OpenApiInfo } from "../openapi/index.ts";
import type { Events, Metrics } from "../telemetry/index.ts";
import type { App } from "./app.ts";
import type { AccessLogOptions } from "./access-log.ts";
import { healthRoutes } from "./health.ts";
import { serveMetrics, type ServedMetrics } from "./metrics/serve-metrics.ts";
import { overloadGate } from "./overload.ts";
import type { RunOptions, ServeLimits } from "./options.ts";
import { fittedLimits, readResources, type Resources } from "./resources/index.ts";
import { loadWireParts, type WireParts } from "./wire-parts.ts";
import { run, type Inside, type Running, type RunningLimits } from "./runtime.ts";
import type { Threads } from "./threads/options.ts";
import type { ThreadStats } from "./threads/pool.ts";
import { CertificateRenewal, readCertificate, type TlsServeOptions } from "./tls.ts";

export interface ServeOptions extends RunOptions {
  /** 0: any free port, see `server.port`. Default 3000. */
  readonly port?: number;
  /** Default `127.0.0.1`: opening a server to the network is a choice. `0.0.0.0` or `::` open it. */
  readonly host?: string;
  /**
   * A Unix socket, in place of a port: `"/run/app.sock"`. One that a dead process has left is replaced; it is removed at the end.
   */
  readonly path?: string;
  /** Permissions of the Unix socket. Default 0o600: the user of this process. A proxy of another user needs its group, and 0o660. */
  readonly mode?: number;
  /**
   * Speaks TLS on the port, HTTP/1.1 and HTTP/2: `{ cert: "/etc/tls/cert.pem", key: "/etc/tls/key.pem" }`. Files are read again when
   * they change, on SIGHUP (unless `signals` is `[]`), and by `server.reloadTls()`. See docs/http.md.
   */
  readonly tls?: TlsServeOptions;
  /** HTTP/2 on the same port: by ALPN with `tls`, else for clients that begin with its preface. Default true. */
  readonly http2?: boolean;
  /** In place of the defaults, by table: `{ http: { connections: 500 } }`. What is in force stands in `server.limits`. */
  readonly limits?: ServeLimits;
  /**
   * Serves `GET /openapi.json` and `GET /docs`, with this title, version and licence. Default: true, and false where `NODE_ENV` is
   * `production`: what an API offers is nobody's business there unless you say so.
   */
  readonly docs?: boolean | OpenApiInfo;
  /**
   * Peers that stand for many clients, so that `limits.http.connectionsPerClient` does not hold for them. Default
   * `["loopback", "private"]`.
   */
  readonly trustedProxies?: readonly string[];
  /** Refuses requests when there is more to do than can be done in time, with 503 and Retry-After. Default true. */
  readonly overload?: boolean;
  /** One log entry for each request: route template, status, time, id; chosen headers. Default: false. */
  readonly accessLog?: boolean | AccessLogOptions;
  /**
   * After a stop: how long requests are still taken while `/readyz` says 503 already, so that a load balancer sees it before the
   * port closes. Comes on top of `drain`. Give it a little more than the balancer's check interval. Default 0.
   */
  readonly drainDelay?: Duration;
  /**
   * Serves subscriptions over WebSocket too; needs the package `ws`. Default false. `true` lets in pages of the same host alone: see
   * `origins`, and docs/streams.md.
   */
  readonly webSocket?: boolean | WebSocketOptions;
  /**
   * Several event loops on one port: as many threads, or `"auto"` for as many as there are processors. Each runs the program's module
   * again; what stands after `await serve(…)` runs in the main thread alone, and so do jobs. See docs/threads.md. Default: none.
   */
  readonly threads?: Threads;
  /** False: handlers enqueue jobs, and other processes on the same store run them (`work`). Default true. */
  readonly workers?: boolean;
  /** Further routes beside those of the contract. */
  readonly routes?: readonly ExtraRoute[];
}

/** A running server. */
export interface Server {
  /** `http://127.0.0.1:3000`, without a slash at the end. `unix:/run/app.sock` for a Unix socket. */
  readonly url: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** Enqueues and manages jobs from outside of handlers. */
  readonly jobs: Jobs;
  readonly events: Events;
  /** What is measured, where `metrics` is on. */
  readonly metrics: Metrics | undefined;
  /** The port of the metrics where they have one of their own. */
  readonly metricsPort: number | undefined;
  /** Every bound in force, with what the option `limits` changed. The store's own are in its module. */
  readonly limits: RunningLimits & {
    readonly http: EngineLimits;
    /** Null with `http2: false`. */
    readonly http2: Http2Limits | null;
    /** Undefined with `overload: false`. */
    readonly overload: OverloadLimits | undefined;
  };
  /** What the process may use, by its container, the machine and the option `memory`: the limits are fitted to it. */
  readonly resources: Resources;
  /** What admission sees now; undefined with `overload: false`. */
  admission(): AdmissionStats | undefined;
  /**
   * Reads the certificate again, for connections that begin from now on. A bad one changes nothing. Rejects with a TypeError where
   * there is no `tls`.
   */
  reloadTls(): Promise<Result<null, TlsFault>>;
  /** How the threads fare; undefined where there are none. */
  threads(): readonly ThreadStats[] | undefined;
  readonly phase: Running["phase"];
  /** Drains and stops. Never rejects; safe to call twice. */
  stop(): Promise<StopReport>;
  /** Resolves when the server has stopped, for whatever reason. */
  readonly stopped: Promise<StopReport>;
}

/** A running worker: jobs without a port. */
export type Worker = Omit<Server, "url" | "port" | "limits" | "admission" | "reloadTls" | "threads"> & {
  readonly limits: RunningLimits;
};

/** How a server is run as a thread of one. */
export interface ServerInside extends Inside {
  /** Whether the whole server is ready, beside this thread. */
  isReady(): boolean;
  /** True: the metrics are measured here, and shown elsewhere where they have a port of their own. */
  readonly metricsElsewhere: boolean;
  /** Called when everything else has started. */
  listenOn(): Promise<{ readonly port: number; readonly reusePort: boolean }>;
}

export async function startServer<M extends Members>(
  app: App<M>,
  given: ServeOptions,
  inside?: ServerInside,
): Promise<Server> {
  const resources = readResources(given.memory);
  const drainDelayMs = durationMs(given.drainDelay ?? 0);
  const drain = durationMs(given.drain ?? "10s") + drainDelayMs;
  const options = { ...given, drain, limits: fittedLimits(given.limits, resources) };
  const { metrics = false } = options;
  const { createEngine, tlsUnusable } = await loadEngine();
  const tls = options.tls === undefined ? undefined : await readCertificate(options.tls);
  let renewal: CertificateRenewal | undefined;
  const wireParts = await loadWireParts(app.implemented);
  const { webSocket: socketOptions = false } = options;
  const webSocket =
    socketOptions === false ? undefined : await loadWebSocket(socketOptions === true ? {} : socketOptions);
  let made: Engine | undefined;
  let measured: ServedMetrics | undefined;
  let gate: OverloadGate | undefined;
  const running = await run(
    app,
    options,
    (bound, phase, jobs) => {
      const health = healthOf(bound, () => (inside?.isReady() === false ? "starting" : phase()), options);
      if (metrics !== false) {
        measured = serveMetrics(metrics, {
          bound,
          jobs,
          clock: options.clock ?? systemClock,
          health,
          engine: () => made,
          elsewhere: inside?.metricsElsewhere ?? false,
        });
      }
      if (options.overload !== false) gate = overloadGate(options.limits?.overload, bound.clock, bound.events);
      made = createEngine({
        ...engineOptions(bound, options, [...health, ...(measured?.routes ?? [])], {
          parts: wireParts,
          gate,
          webSocket,
        }),
        ...(tls !== undefined && { tls }),
      });
      const listenOn = async () => ({ ...whereOf(options), ...(await inside?.listenOn()) });
      // Stopped after HTTP, when nobody writes files any more.
      const uploads: LifecyclePart = { name: "uploads", stop: () => wireParts.multipart?.clear() };
      const parts = [uploads, httpPart(made, listenOn, bound, drainDelayMs)];
      if (options.tls !== undefined && tls !== undefined) {
        const { clock, events } = bound;
        const byHangup = options.signals?.length !== 0;
        renewal = new CertificateRenewal(options.tls, tls, made, tlsUnusable, { clock, events, byHangup });
        parts.unshift(renewal.part);
      }
      return measured === undefined ? parts : [measured.part, ...parts];
    },
    inside,
  );
  // `run` has called the function above, and started what it gave.
  const engine = made as Engine;
  const address = engine.address() ?? { host: "", port: 0 };
  // Of several threads the main one says it.
  if (inside === undefined) running.events.emit("resources", resources);
  return Object.assign(running, {
    resources,
    url: urlOf(address, tls !== undefined),
    port: address.port,
    metrics: measured?.metrics,
    metricsPort: measured?.port(),
    limits: { ...running.limits, http: engine.limits, http2: engine.http2Limits, overload: gate?.limits },
    admission: () => gate?.stats(),
    reloadTls: async () => {
      if (renewal === undefined)
        throw new TypeError("This server speaks no TLS: there is no certificate to read again.");
      return renewal.reload();
    },
    threads: () => undefined,
  });
}

/** A port, unless there is a path; both are a mistake that the engine names. */
function whereOf({ port, host, path, mode }: ServeOptions): ListenOptions {
  const file = { ...(path !== undefined && { path }), ...(mode !== undefined && { mode }) };
  if (path === undefined) return { port: port ?? 3000, host: host ?? "127.0.0.1", ...file };
  return { ...(port !== undefined && { port }), ...(host !== undefined && { host }), ...file };
}

export function urlOf({ host, port, path }: { host: string; port: number; path?: string }, isTls: boolean): string {
  if (path !== undefined) return `unix:${path}`;
  return `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

export async function startWorker<M extends Members>(app: App<M>, options: RunOptions): Promise<Worker> {
  const resources = readResources(options.memory);
  const { metrics = false } = options;
  if (metrics === true || (metrics !== false && metrics.port === undefined))
    throw new TypeError("work(): a worker has no port of its own. Give its metrics one: { metrics: { port: 9464 } }.");
  let measured: ServedMetrics | undefined;
  const fitted = { ...options, limits: fittedLimits(options.limits, resources) };
  const running = await run(app, fitted, (bound, phase, jobs) => {
    if (metrics === false) return [];
    const health = healthOf(bound, phase, options);
    measured = serveMetrics(metrics, { bound, jobs, clock: bound.clock, health, engine: () => undefined });
    return [measured.part];
  });
  running.events.emit("resources", resources);
  return Object.assign(running, { resources, metrics: measured?.metrics, metricsPort: measured?.port() });
}

function healthOf(bound: BoundApp, phase: () => Running["phase"], options: RunOptions): readonly ExtraRoute[] {
  return healthRoutes({
    phase,
    clock: bound.clock,
    events: bound.events,
    checks: options.ready ?? {},
    details: options.readyDetails ?? process.env["NODE_ENV"] !== "production",
  });
}

function engineOptions(
  bound: BoundApp,
  options: ServeOptions,
  health: readonly ExtraRoute[],
  loaded: {
    readonly parts: WireParts;
    readonly gate: OverloadGate | undefined;
    readonly webSocket: LoadedWebSocket | undefined;
  },
): EngineOptions {
  const { parts, gate: overload, webSocket } = loaded;
  const { docs = process.env["NODE_ENV"] !== "production", routes = [], limits = {}, http2 = true } = options;
  const { http: httpLimits, http2: http2Limits = {} } = limits;
  const { formats = [] } = parts;
  const documents = docs === false ? [] : openApiRoutes(bound.contract, { formats, ...(docs === true ? {} : docs) });
  return {
    handler: createHttpHandler(bound, {
      extraRoutes: [...health, ...documents, ...routes],
      ...parts,
      ...(overload && { overload }),
      ...(webSocket && { webSocket }),
    }),
    clock: options.clock ?? systemClock,
    onDefect: ({ kind, error }) => void bound.defect(`http engine: ${kind}`, error),
    ...(httpLimits !== undefined && { limits: httpLimits }),
    http2: http2 && http2Limits,
    ...(options.trustedProxies !== undefined && { trustedProxies: options.trustedProxies }),
  };
}

function httpPart(
  engine: Engine,
  where: () => Promise<ListenOptions>,
  { clock, streams }: BoundApp,
  drainDelayMs: number,
): LifecyclePart {
  return {
    name: "http",
    async start() {
      const listening = await engine.listen(await where());
      if (!listening.ok) throw new Error(listening.fault.message);
    },
    async drain(signal) {
      // Readiness is off already; whoever has not seen it yet is still served.
      if (drainDelayMs > 0) await sleep(clock, drainDelayMs, signal).catch(() => undefined);
      const cut = (): void => void engine.close();
      if (signal.aborted) cut();
      signal.addEventListener("abort", cut, { once: true });
      // The lifecycle's own deadline is the one that counts.
      await Promise.all([streams.drain(), engine.drain(longestDrainMs)]);
      signal.removeEventListener("abort", cut);
    },
    stop: () => engine.close(),
  };
}

const longestDrainMs = 86_400_000;
