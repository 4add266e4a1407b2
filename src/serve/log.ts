/**
 * The default log: what somebody must look at, one line of JSON each, to standard error. Everything else is for those who listen
 * to the events themselves.
 */
import type { Clock } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { redactText } from "./redact.ts";

export interface LogEntry {
  readonly level: "info" | "warn" | "error";
  /** RFC 3339. */
  readonly time: string;
  /** The event's name. */
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Receives every entry. Must not throw. */
export type Log = (entry: LogEntry) => void;

/** Writes entries as JSON lines. */
function jsonLog(write: (line: string) => void): Log {
  return (entry) => write(`${JSON.stringify(entry)}\n`);
}

/**
 * Where nothing else is asked for. When nobody reads stderr any more (whoever kept the log has died, and the write ends with EPIPE) the lines are lost and the process goes on:
 * as an error that nobody listens to it would be logged, and so on without end.
 */
export function stderrLog(): Log {
  if (!process.stderr.listeners("error").includes(nobodyReads)) process.stderr.on("error", nobodyReads);
  return jsonLog((line) => void process.stderr.write(line));
}

function nobodyReads(): void {}

/** Joins the events that need attention to a log. Returns the function that parts them again. */
export function logEvents(events: Events, clock: Clock, log: Log): () => void {
  const entry = (level: LogEntry["level"], event: string, fields: Record<string, unknown>): void =>
    log({ level, time: new Date(clock.now()).toISOString(), event, ...fields });
  const undo = [
    events.on("defect", ({ incident, where, error }) =>
      entry("error", "defect", { incident, where, ...describe(error) }),
    ),
    events.on("resources", ({ heapAdvice, memoryBytes, memoryFrom, heapLimitBytes }) => {
      if (heapAdvice !== undefined)
        entry("warn", "resources", { message: heapAdvice, memoryBytes, memoryFrom, heapLimitBytes });
    }),
    events.on("overload", (event) => entry("warn", "overload", event)),
    events.on("readiness", (event) => entry(event.ready ? "info" : "warn", "readiness", event)),
    events.on("call.abandoned", (event) => entry("warn", "call.abandoned", event)),
    events.on("thread", ({ state, ...event }) => {
      if (state === "alone" || state === "unsliced") entry("warn", `thread.${state}`, event);
      else if (state !== "ready") entry("error", `thread.${state}`, event);
    }),
    events.on("store.trouble", (event) => entry("error", "store.trouble", event)),
    events.on("tls.trouble", (event) => entry("error", "tls.trouble", event)),
    events.on("tls.renewed", (event) => entry("info", "tls.renewed", event)),
    events.on("job.stale", (event) => entry("warn", "job.stale", event)),
    events.on("job.crashed", (event) => entry(event.failed > 0 ? "error" : "warn", "job.crashed", event)),
    events.on("job.lost", (event) => entry("warn", "job.lost", event)),
    events.on("job.stalled", (event) => entry("warn", "job.stalled", event)),
    events.on("jobs.paused", ({ names, paused }) =>
      entry("info", paused ? "jobs.paused" : "jobs.resumed", { names: names.join(", ") }),
    ),
    events.on("job.faulted", ({ id, name, attempt, to, fault }) => {
      if (to === "failed") entry("error", "job.failed", { id, name, attempt, ...fault });
      else entry("warn", "job.retry", { id, name, attempt, ...fault });
    }),
  ];
  return () => {
    for (const stop of undo) stop();
  };
}

const longestStack = 4_000;

/** Anything can be thrown, also what has no text: an incident that is not in the log could never be found. */
function describe(error: unknown): { error: string; stack?: string } {
  try {
    if (!(error instanceof Error)) return { error: written(String(error)) };
    const text = written(`${error.name}: ${error.message}`);
    return typeof error.stack === "string" ? { error: text, stack: written(error.stack) } : { error: text };
  } catch {
    return { error: `a thrown ${typeof error} that cannot be written as text` };
  }
}

/** Bounded, and without what looks like a secret. Twice as much is looked at, so that none is cut in half. */
function written(text: string): string {
  return redactText(text.slice(0, 2 * longestStack)).slice(0, longestStack);
}
