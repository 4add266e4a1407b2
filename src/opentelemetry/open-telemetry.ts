/**
 * Spans for requests and jobs, by OpenTelemetry's API and its stable conventions for HTTP
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). Does nothing costly until an SDK is registered.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace, type Span, type Tracer } from "@opentelemetry/api";
import { middleware, type Middleware, type MiddlewareCall } from "../contract/index.ts";
import { isPromiseLike, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import {
  readTraceContext,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type RequestNotes,
  type TraceContext,
} from "../exchange/index.ts";
import { watchBody } from "../http/index.ts";
import { attributes, contextOf, methodName, remoteSpan, traceContextOf } from "./trace-link.ts";

export interface OpenTelemetryOptions {
  /** Default: that of the registered provider, named `tensile`. */
  readonly tracer?: Tracer;
  /** Whether spans carry `url.path`, as the conventions ask. False where paths hold secrets. The query is never recorded. Default true. */
  readonly path?: boolean;
}

/**
 * Middleware, best the outermost: a server span around each HTTP request, a consumer span for each attempt of a job, linked to the
 * span that enqueued it. Handlers see the span's trace as `trace`, and what they call with `parent` or enqueue belongs to it; with a
 * context manager of OpenTelemetry's own, libraries inside find the active span too.
 *
 * @example
 * const ping = query("ping", { access: "public", input: {}, output: {} });
 * const app = implement(contract("demo.v1", { ping }), {
 *   middleware: [openTelemetry()],
 *   handlers: { ping: () => ({}) },
 * });
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Middleware {
  const tracerOf = (): Tracer => options.tracer ?? trace.getTracer("tensile");
  const path = options.path ?? true;
  return middleware({
    wire: (next) => (request) => serverSpan(tracerOf(), path, request, next),
    call: (call, next) => (call.type === "job" ? jobSpan(tracerOf(), call, () => next({})) : next({})),
  });
}

/** What the inside says of a request, where nobody else listens. */
class Notes implements RequestNotes {
  route = "(none)";
  operation: string | undefined;
  requestId: string | undefined;
  trace: TraceContext | undefined;

  get usedRequestId(): boolean {
    return this.requestId !== undefined;
  }

  matched(route: string, operation: string | undefined): void {
    this.route = route;
    this.operation = operation;
  }

  shed(): void {}
}

function serverSpan(
  tracer: Tracer,
  withPath: boolean,
  request: HttpRequest,
  next: HttpHandler,
): MaybePromise<HttpResponse> {
  const parent = contextOf(readTraceContext(request.header("traceparent"), request.header("tracestate")));
  const method = methodName(request.method);
  const named = method === "_OTHER" ? "HTTP" : method;
  const span = tracer.startSpan(
    named,
    { kind: SpanKind.SERVER, attributes: requestAttributes(request, method, withPath) },
    parent,
  );
  const notes = (request.notes ??= new Notes());
  notes.trace = traceContextOf(span);
  const end = (response: HttpResponse): HttpResponse => answered(span, named, notes, request, response);
  const response = context.with(trace.setSpan(parent, span), next, undefined, request);
  return isPromiseLike(response) ? response.then(end) : end(response);
}

function requestAttributes(request: HttpRequest, method: string, withPath: boolean): ReturnType<typeof attributes> {
  const [host = "", port] = hostOf(request.header("host"));
  return attributes({
    "http.request.method": method,
    "http.request.method_original": method === "_OTHER" ? request.method : undefined,
    "url.scheme": request.secure === true ? "https" : "http",
    "url.path": withPath ? request.target.split("?")[0] : undefined,
    "network.protocol.version": request.httpVersion,
    "server.address": host,
    "server.port": port === undefined ? undefined : Number(port),
    "client.address": request.remoteAddress,
    "user_agent.original": request.header("user-agent"),
  });
}

/** Host and port; the brackets of an IPv6 address stay. */
function hostOf(host = ""): readonly string[] {
  return /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(host)?.slice(1) ?? [];
}

function answered(
  span: Span,
  named: string,
  notes: RequestNotes,
  request: HttpRequest,
  response: HttpResponse,
): HttpResponse {
  const { status, fault, body } = response;
  if (notes.route !== "(none)") span.updateName(`${named} ${notes.route}`);
  const isError = status >= 500;
  span.setAttributes(
    attributes({
      "http.response.status_code": status,
      "http.route": notes.route === "(none)" ? undefined : notes.route,
      "tensile.operation": notes.operation,
      "tensile.fault": fault,
      "error.type": isError ? (fault ?? String(status)) : undefined,
    }),
  );
  // A client's mistake is no error of the server's span.
  if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
  const streams = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
  if (!streams || request.method === "HEAD") {
    span.end();
    return response;
  }
  const watched = watchBody(body, (_, ended) => {
    if (ended === "failed") span.setStatus({ code: SpanStatusCode.ERROR });
    if (ended !== "sent") span.setAttribute("error.type", ended === "failed" ? "stream_failed" : "client_gone");
    span.end();
  });
  return { ...response, body: watched };
}

/** A trace of its own, linked to the one that enqueued the job: it may run hours later, and several times. */
async function jobSpan(
  tracer: Tracer,
  call: MiddlewareCall,
  run: () => Promise<Result<unknown, Fault>>,
): Promise<Result<unknown, Fault>> {
  const links = call.trace === undefined ? [] : [{ context: remoteSpan(call.trace) }];
  const about = attributes({
    "messaging.system": "tensile",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": call.name,
    "messaging.message.id": call.requestId,
  });
  const span = tracer.startSpan(
    `process ${call.name}`,
    { kind: SpanKind.CONSUMER, links, attributes: about },
    ROOT_CONTEXT,
  );
  const own = traceContextOf(span);
  if (own !== undefined) call.continueTrace(own);
  const result = await context.with(trace.setSpan(ROOT_CONTEXT, span), run);
  if (!result.ok) {
    span.setAttribute("error.type", result.fault.code);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
  return result;
}
