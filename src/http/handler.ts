/**
 * The HTTP face of a bound app: what every carrier calls. Finds the route and lets it answer; whatever goes wrong on the way is
 * an RFC 9457 problem as well.
 */
import {
  Internal,
  InvalidInput,
  MethodNotAllowed,
  RouteNotFound,
  checkPriority,
  type BoundApp,
  type Priority,
} from "../contract/index.ts";
import { Timeouts, isPromiseLike, randomHex, type Fault, type MaybePromise } from "../core/index.ts";
import { HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import type { LoadedFormat } from "./formats.ts";
import { HttpCall } from "./http-call.ts";
import { OperationRoute, writeProblem, type RouteServices } from "./operation-route.ts";
import type { Endpoint, OverloadGate } from "./overload/index.ts";
import { ProblemWriters } from "./problem.ts";
import { recorded } from "./request-record.ts";
import { composeWires } from "./wires.ts";
import { RouteMatch, createRouter, type RouteMiss, type RouteSpec } from "./router.ts";
import type { MultipartReader } from "./uploads/upload.ts";
import type { LoadedWebSocket } from "./streams/load-web-socket.ts";
import { StreamRoute } from "./streams/stream-route.ts";

/** A route beside those of the contract: documents, health, a dashboard. */
export interface ExtraRoute {
  /** `GET` also answers HEAD. */
  readonly method: string;
  readonly path: string;
  /** `captures`: those of the path, percent-decoded, in its order. */
  readonly handle: (request: HttpRequest, captures: readonly string[]) => MaybePromise<HttpResponse>;
  /** Who is refused first under overload. Default `normal`; health checks and what operators need are `critical`. */
  readonly priority?: Priority;
}

export interface HttpHandlerOptions {
  readonly extraRoutes?: readonly ExtraRoute[];
  /** Bytes of request body accepted where the operation does not say. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** What is spoken beside JSON: see `loadFormats`. Default: nothing. */
  readonly formats?: readonly LoadedFormat[];
  /** Needed where an operation takes multipart forms: see `loadUploads`. */
  readonly multipart?: MultipartReader;
  /** Serves subscriptions over WebSocket as well: see `loadWebSocket`. Default: an Upgrade is ignored. */
  readonly webSocket?: LoadedWebSocket;
  /** Decides who is let in. Default: everybody. */
  readonly overload?: OverloadGate;
}

/**
 * Compiles every route of the app. The handler never throws and never rejects.
 *
 * @throws TypeError for a route that cannot be: see `httpPlan` and `createRouter`.
 * @example
 * const handler = createHttpHandler(boundApp);
 * const engine = createEngine({ handler });
 * const answer = await createFetch(handler)(new Request("http://local/cities/1"));
 */
export function createHttpHandler(app: BoundApp, options: HttpHandlerOptions = {}): HttpHandler {
  const services: RouteServices = {
    app: options.overload === undefined ? app : options.overload.watch(app),
    problems: new ProblemWriters(app.challenges),
    newRequestId: requestIds(),
    maxBodyBytes: options.maxBodyBytes ?? 1024 * 1024,
    formats: options.formats ?? [],
    multipart: options.multipart,
  };
  const router = createRouter(routesOf(options, services));
  const misses = new Misses(router.methods, services);

  const answer = (request: HttpRequest): MaybePromise<HttpResponse> => {
    const { method, target } = request;
    const mark = target.indexOf("?");
    const path = mark === -1 ? target : target.slice(0, mark);
    const match = router.find(method, path);
    if (match instanceof RouteMatch) {
      if (request.notes !== undefined) request.notes.matched(match.value.template, match.value.operation);
      return match.value.handle(request, match.captures, mark === -1 ? "" : target.slice(mark + 1));
    }
    return misses.answer(request, match);
  };

  const safe: HttpHandler = (request) => {
    try {
      const response = answer(request);
      return isPromiseLike(response)
        ? response.then(undefined, (error: unknown) => misses.defect(request, error))
        : response;
    } catch (error) {
      return misses.defect(request, error);
    }
  };
  const wired = composeWires(safe, app.middleware, {
    clock: app.clock,
    contract: app.contract,
    methods: router.methods,
    problem: (request, type, fault) => misses.problem(request, type, fault),
    defect: (request, error) => misses.defect(request, error),
  });
  // Outermost: what middleware answers is seen by those who observe requests.
  return recorded(wired, { clock: app.clock, events: app.events, newRequestId: services.newRequestId });
}

/** A contract with more operations than this compiles each one's codecs at its first call, so that it still starts in a moment. */
const compiledAtStart = 200;

function* routesOf(
  { extraRoutes = [], overload, webSocket }: HttpHandlerOptions,
  services: RouteServices,
): Generator<RouteSpec<Endpoint>> {
  const { app } = services;
  const { limits } = app.streams;
  const heartbeats = new Timeouts(app.clock, limits.heartbeatMs);
  const sockets = webSocket?.face({
    clock: app.clock,
    limits,
    heartbeats,
    newRequestId: services.newRequestId,
    isDraining: () => app.streams.draining,
  });
  for (const bound of app.operations.values()) {
    const { open } = bound;
    const route =
      open === undefined
        ? new OperationRoute(bound, services)
        : new StreamRoute(bound, open, services, heartbeats, sockets);
    if (app.operations.size <= compiledAtStart) route.compile();
    const { method, path, parts } = route.plan;
    const value = overload?.guard(route, bound.operation.options.priority) ?? route;
    yield { method, path, parts, value, owner: bound.operation };
  }
  for (const extra of extraRoutes) {
    const { method, path, handle, priority } = extra;
    const owner = `the extra route "${method} ${path}"`;
    checkPriority(owner, priority);
    const route = { template: path, handle };
    yield { method, path, value: overload?.guard(route, priority) ?? route, owner };
  }
}

/**
 * Unique enough to find one request in a log, and cheap: a random start for the process, then a count. The start is drawn for the
 * first that needs it: the platform's cryptography takes 15 ms to load, and most answers carry no id.
 */
function requestIds(): () => string {
  let start: string | undefined;
  let count = 0;
  return () => (start ??= `${randomHex(6)}-`) + (count++).toString(36);
}

/** Everything that is answered without a route. */
class Misses {
  readonly #services: RouteServices;
  readonly #everywhere: HttpResponse;

  constructor(methods: readonly string[], services: RouteServices) {
    this.#services = services;
    this.#everywhere = optionsResponse(methods);
  }

  answer(request: HttpRequest, miss: RouteMiss): HttpResponse {
    if (request.method === "OPTIONS") {
      if (request.target === "*") return this.#everywhere;
      if (miss.miss === "method") return optionsResponse(miss.allow);
    }
    if (miss.miss === "not_found") return this.problem(request, RouteNotFound, RouteNotFound());
    if (miss.miss === "bad_escape") {
      const issue = { pointer: "", code: "utf8", message: "has a broken percent-escape in its path" };
      return this.problem(request, InvalidInput, InvalidInput({ issues: [issue] }));
    }
    const refused = this.problem(request, MethodNotAllowed, MethodNotAllowed({ allow: [...miss.allow] }));
    return { ...refused, headers: refused.headers.with("allow", miss.allow.join(", ")) };
  }

  /** Only a mistake in Tensile, or in an extra route, comes here: an operation's own failures are answers already. */
  defect(request: HttpRequest, error: unknown): HttpResponse {
    const fault = this.#services.app.defect(`${request.method} route`, error);
    return this.problem(request, Internal, fault);
  }

  problem(request: HttpRequest, type: Parameters<ProblemWriters["one"]>[0], fault: Fault): HttpResponse {
    const { requestId } = new HttpCall(request, this.#services.newRequestId);
    return writeProblem(this.#services, this.#services.problems.one(type), "router", requestId, fault);
  }
}

function optionsResponse(allow: readonly string[]): HttpResponse {
  return { status: 204, headers: new HeaderBlock(["allow", allow.join(", ")]), body: null };
}
