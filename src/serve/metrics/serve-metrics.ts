/**
 * `serve({ metrics })`: the page that Prometheus scrapes, on the server's port or on one of its own.
 */
import { PermissionDenied, Unauthenticated, type BoundApp, type Jobs } from "../../contract/index.ts";
import { isPromiseLike, type Clock, type Fault, type LifecyclePart, type MaybePromise } from "../../core/index.ts";
import {
  HeaderBlock,
  ProblemWriter,
  loadEngine,
  type Engine,
  type ExtraRoute,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
} from "../../http/index.ts";
import {
  createMetrics,
  mergeSnapshots,
  metricsContentType,
  metricsFormat,
  metricsText,
  type Metrics,
  type MetricsSnapshot,
  type MetricsSource,
} from "../../telemetry/index.ts";
import { metricsGate, type Gate, type MetricsAccess } from "./access.ts";
import { ProcessSource } from "./process-source.ts";
import { buildSource, engineSource, jobsSource } from "./sources.ts";

export interface MetricsServeOptions {
  /** Default `/metrics`. */
  readonly path?: string;
  /** A port of their own, where `/livez` and `/readyz` answer too, to the end of a drain. Default: the server's port. */
  readonly port?: number;
  /** Of the port of their own. Default `127.0.0.1`. */
  readonly host?: string;
  /**
   * Who may read them. Default `public` on a port of their own, and on the server's port outside of production. In production
   * (`NODE_ENV`) the server's port needs a word here.
   */
  readonly access?: MetricsAccess;
  /** Routes with series of their own; further ones share those of `other`. Default 1,000. */
  readonly maxRoutes?: number;
  /** Gives what is shown as one: by default this thread's own alone. How several threads, or processes, answer as one. */
  readonly view?: (own: MetricsSnapshot) => MaybePromise<readonly MetricsSnapshot[]>;
  /** Of the application, for `tensile_build_info`. Default: none. */
  readonly version?: string;
}

export interface ServedMetrics {
  readonly metrics: Metrics;
  /** For the server's own port; none where they have one of their own. */
  readonly routes: readonly ExtraRoute[];
  /** Starts first and stops last. */
  readonly part: LifecyclePart;
  /** Their own port once it listens. */
  port(): number | undefined;
}

export interface MetricsHost {
  readonly bound: BoundApp;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly health: readonly ExtraRoute[];
  /** The server's engine; undefined where there is none, or not yet. */
  readonly engine: () => Engine | undefined;
  /** True: measured here; where they have a port of their own, it is another thread's. Default false. */
  readonly elsewhere?: boolean;
}

/** @throws TypeError for a path that is none, a weak token, and in production for metrics that nobody has said who may read. */
export function serveMetrics(given: true | MetricsServeOptions, host: MetricsHost): ServedMetrics {
  const options = given === true ? {} : given;
  const { path = "/metrics", maxRoutes } = options;
  if (!/^\/[\w./-]*$/.test(path))
    throw new TypeError(`serve(): metrics.path is a plain path such as "/metrics", not "${path}".`);
  const gate = metricsGate(options.access ?? defaultAccess(options.port));
  const { bound, clock } = host;
  const ofProcess = new ProcessSource(clock);
  const sources: MetricsSource[] = [
    () => {
      const stats = host.engine()?.stats();
      return stats === undefined ? [] : engineSource(() => stats)();
    },
    jobsSource(bound, host.jobs, clock),
    () => ofProcess.read(),
    buildSource(bound.contract.name, options.version ?? ""),
  ];
  const metrics = createMetrics({ events: bound.events, sources, ...(maxRoutes !== undefined && { maxRoutes }) });
  // When it is busy is when somebody looks.
  const handle = pageHandler(metrics, gate, options.view);
  const route: ExtraRoute = { method: "GET", path, handle, priority: "critical" };
  const apart = options.port !== undefined;
  const own = apart && host.elsewhere !== true ? new OwnPort([route, ...host.health], clock) : undefined;
  return {
    metrics,
    routes: apart ? [] : [route],
    part: {
      name: "metrics",
      async start() {
        ofProcess.start();
        await own?.listen(options.port ?? 0, options.host ?? "127.0.0.1");
      },
      async stop() {
        ofProcess.stop();
        metrics.stop();
        await own?.close();
      },
    },
    port: () => own?.port(),
  };
}

function defaultAccess(port: number | undefined): MetricsAccess {
  if (port !== undefined || process.env["NODE_ENV"] !== "production") return "public";
  throw new TypeError(
    'serve(): in production, metrics need a word about who may read them: { port: 9464 } for a port of their own, or { access: { bearer: "…" } }, a function, or "public".',
  );
}

const problems = new Map(
  [PermissionDenied, Unauthenticated].map((type) => [type.code as string, new ProblemWriter(type)]),
);
const headers = {
  prometheus: pageHeaders(metricsContentType.prometheus),
  openmetrics: pageHeaders(metricsContentType.openmetrics),
};

function pageHeaders(contentType: string): HeaderBlock {
  return new HeaderBlock([
    "content-type",
    contentType,
    "cache-control",
    "no-store",
    "x-content-type-options",
    "nosniff",
    "vary",
    "accept",
  ]);
}

function pageHandler(metrics: Metrics, gate: Gate, view: MetricsServeOptions["view"]): ExtraRoute["handle"] {
  const page = async (request: HttpRequest): Promise<HttpResponse> => {
    const own = await metrics.snapshot();
    const shown = view === undefined ? own : mergeSnapshots(await view(own));
    const format = metricsFormat(request.header("accept"));
    return { status: 200, headers: headers[format], body: metricsText(shown, format) };
  };
  const decided = (request: HttpRequest, refused: Fault | undefined): MaybePromise<HttpResponse> => {
    const answer = refused === undefined ? undefined : problems.get(refused.code)?.write(refused, undefined);
    return answer ?? page(request);
  };
  return (request) => {
    const refused = gate(request);
    return isPromiseLike(refused) ? refused.then((settled) => decided(request, settled)) : decided(request, refused);
  };
}

/** A small server beside the app's: few routes, few connections, and not among what it counts. */
class OwnPort {
  readonly #routes: ReadonlyMap<string, ExtraRoute>;
  readonly #clock: Clock;
  #engine: Engine | undefined;

  constructor(routes: readonly ExtraRoute[], clock: Clock) {
    this.#routes = new Map(routes.map((route) => [route.path, route]));
    this.#clock = clock;
  }

  async listen(port: number, host: string): Promise<void> {
    const { createEngine } = await loadEngine();
    this.#engine = createEngine({ handler: this.#handler, clock: this.#clock, limits: { connections: 100 } });
    const listening = await this.#engine.listen({ port, host });
    if (!listening.ok) throw new Error(`metrics: ${listening.fault.message}`);
  }

  port(): number | undefined {
    return this.#engine?.address()?.port;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }

  readonly #handler: HttpHandler = (request) => {
    const [path = ""] = request.target.split("?");
    const route = this.#routes.get(path);
    if (route === undefined) return { status: 404, headers: HeaderBlock.empty, body: null };
    if (request.method !== "GET" && request.method !== "HEAD") {
      return { status: 405, headers: new HeaderBlock(["allow", "GET, HEAD"]), body: null };
    }
    return route.handle(request, []);
  };
}
