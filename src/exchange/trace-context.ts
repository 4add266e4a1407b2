/** W3C Trace Context (https://www.w3.org/TR/trace-context/): the two headers by which one trace goes through many services. */

/** The two headers, checked. */
export interface TraceContext {
  /** `00-<32 hex: the trace>-<16 hex: the span>-<2 hex: 01 when it is recorded>` */
  readonly traceparent: string;
  /** What tracing systems tell themselves. Handed on as it came. */
  readonly tracestate?: string;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Vendors keep it under 512 characters (section 3.3.1.5); more is dropped, as the standard allows. */
const statePattern = /^[\x20-\x7e]{1,512}$/;

/** Undefined where there is none, or a malformed one: the standard says to begin a new trace then. */
export function readTraceContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  const parts = traceparent === undefined ? null : pattern.exec(traceparent);
  if (parts === null) return undefined;
  const [, version, trace = "", span = "", flags = "", rest] = parts;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(trace) || /^0+$/.test(span)) return undefined;
  // Of a later version only what this one knows may be read, and is handed on as this one.
  const own = version === "00" ? (traceparent as string) : `00-${trace}-${span}-0${Number.parseInt(flags, 16) & 1}`;
  return tracestate !== undefined && statePattern.test(tracestate)
    ? { traceparent: own, tracestate }
    : { traceparent: own };
}
