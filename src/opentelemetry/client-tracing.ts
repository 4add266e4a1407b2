/** Spans for what the typed client sends. */
import { SpanKind, SpanStatusCode, context, trace, type Tracer } from "@opentelemetry/api";
import type { ClientTracing } from "../client/index.ts";
import { attributes, contextOf, methodName, traceContextOf } from "./trace-link.ts";

/**
 * A client span around each request, repetitions apart, whose trace travels in `traceparent`. It belongs to the `parent` of the
 * call, else to the active span where a context manager is registered.
 *
 * @example
 * const client = createClient(atlas, { url: "http://127.0.0.1:3000", tracing: clientTracing() });
 */
export function clientTracing(options: { readonly tracer?: Tracer } = {}): ClientTracing {
  return {
    start({ operation, method, route, url, attempt }, parent) {
      const tracer = options.tracer ?? trace.getTracer("tensile");
      const { hostname, port, protocol, origin, pathname } = new URL(url, "http://localhost");
      const about = attributes({
        "http.request.method": methodName(method),
        "http.request.resend_count": attempt > 1 ? attempt - 1 : undefined,
        "server.address": hostname,
        "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
        // Without the query, which may hold anything.
        "url.full": origin + pathname,
        "url.template": route,
        "tensile.operation": operation,
      });
      const span = tracer.startSpan(
        `${methodName(method)} ${route}`,
        { kind: SpanKind.CLIENT, attributes: about },
        contextOf(parent, context.active()),
      );
      return {
        trace: traceContextOf(span),
        end(status, fault) {
          if (status !== undefined) span.setAttribute("http.response.status_code", status);
          if (fault !== undefined) {
            span.setAttribute("error.type", fault);
            span.setStatus({ code: SpanStatusCode.ERROR });
          }
          span.end();
        },
      };
    },
  };
}
