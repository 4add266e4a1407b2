/** One entry for each request, when asked for: `serve({ accessLog: true })`. Route templates, never paths; no query, no body. */
import type { Clock } from "../core/index.ts";
import type { Events, RequestEnd } from "../telemetry/index.ts";
import type { Log } from "./log.ts";
import { isSecretName, redacted } from "./redact.ts";

export interface AccessLogOptions {
  /** Request headers to write down, by lower-case name: `["user-agent"]`. Those that hold secrets are written as `[redacted]`. Default: none. */
  readonly headers?: readonly string[];
  /** True leaves a request out. Default: health checks that went well. */
  readonly skip?: (request: RequestEnd) => boolean;
}

/** @throws TypeError for a header that is none. */
export function logAccess(events: Events, clock: Clock, log: Log, options: AccessLogOptions): () => void {
  const { headers = [], skip = isQuietHealth } = options;
  for (const name of headers) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
      throw new TypeError(`serve(): accessLog.headers has "${name}". Write header names in lower case.`);
  }
  const undo = [
    // Read at the start, so that the answer carries the id that the log has.
    events.on("request.start", (request) => void request.requestId),
    events.on("request.end", (request) => {
      if (skip(request)) return;
      const { method, route, operation, status, fault, outcome, requestId, httpVersion, responseBytes } = request;
      log({
        level: status >= 500 ? "warn" : "info",
        time: new Date(clock.now()).toISOString(),
        event: "request",
        method,
        route,
        ...(operation !== undefined && { operation }),
        status,
        ...(fault !== undefined && { fault }),
        outcome,
        durationMs: Math.round(request.durationMs * 100) / 100,
        requestId,
        ...(httpVersion !== undefined && { httpVersion }),
        ...(responseBytes !== undefined && { responseBytes }),
        ...(headers.length > 0 && { headers: chosen(request, headers) }),
      });
    }),
  ];
  return () => {
    for (const stop of undo) stop();
  };
}

function isQuietHealth({ route, status }: RequestEnd): boolean {
  return status === 200 && (route === "/livez" || route === "/readyz");
}

/** At most this many characters of a header: a log is no place for what a client likes to fill it with. */
const longestValue = 256;

function chosen(request: RequestEnd, names: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of names) {
    const value = request.header(name);
    if (value !== undefined) fields[name] = isSecretName(name) ? redacted : value.slice(0, longestValue);
  }
  return fields;
}
