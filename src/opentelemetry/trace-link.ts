/** Between W3C Trace Context, which Tensile carries, and the span contexts of OpenTelemetry. */
import {
  ROOT_CONTEXT,
  createTraceState,
  isSpanContextValid,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
} from "@opentelemetry/api";
import type { TraceContext } from "../exchange/index.ts";

/** The span that a remote caller is in. */
export function remoteSpan({ traceparent, tracestate }: TraceContext): SpanContext {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  const known = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return tracestate === undefined ? known : { ...known, traceState: createTraceState(tracestate) };
}

/** A context in which the remote span is the parent; a new trace begins where there is none. */
export function contextOf(remote: TraceContext | undefined, otherwise: Context = ROOT_CONTEXT): Context {
  return remote === undefined ? otherwise : trace.setSpanContext(otherwise, remoteSpan(remote));
}

/** Undefined where no SDK is there and no trace came in: then there is nothing to hand on. */
export function traceContextOf(span: Span): TraceContext | undefined {
  const context = span.spanContext();
  if (!isSpanContextValid(context)) return undefined;
  const { traceId, spanId, traceFlags, traceState } = context;
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  const state = traceState?.serialize() ?? "";
  return state === "" ? { traceparent } : { traceparent, tracestate: state };
}

/** Known to the semantic conventions; others stand as `_OTHER`, because a client can write what it likes. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]);

export function methodName(method: string): string {
  return methods.has(method) ? method : "_OTHER";
}

/** Without those that are not known. */
export function attributes(all: { readonly [name: string]: string | number | undefined }): Attributes {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== ""));
}
