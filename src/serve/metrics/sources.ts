/** What an app's parts can be asked for when somebody looks at the metrics: the port, the queues, the build. */
import type { BoundApp, Jobs } from "../../contract/index.ts";
import { sleep, type Clock } from "../../core/index.ts";
import type { EngineStats } from "../../http/index.ts";
import { jobStates } from "../../jobs/index.ts";
import type { MetricFamily, MetricsSource } from "../../telemetry/index.ts";
import { counter, gauge } from "./process-source.ts";

export function engineSource(stats: () => EngineStats): MetricsSource {
  return () => {
    const { connections, connectionsRefused, connectionsDropped, bufferedBytes, refused, timedOut } = stats();
    return [
      gauge("http_server_connections", "Connections that are open.", connections, "sum"),
      counter(
        "http_server_connections_refused",
        "Connections turned away: there were too many.",
        connectionsRefused,
        "sum",
      ),
      counter(
        "http_server_connections_dropped",
        "Connections destroyed because clients together left too much unread or unfinished.",
        connectionsDropped,
        "sum",
      ),
      gauge(
        "http_server_buffered_bytes",
        "Bytes of answers that clients have not read and of bodies that they have not finished.",
        bufferedBytes,
        "sum",
      ),
      counter(
        "http_server_requests_refused",
        "Requests that the parser refused: malformed or over a limit.",
        refused,
        "sum",
      ),
      counter(
        "http_server_connections_timed_out",
        "Connections closed because the client was too slow.",
        timedOut,
        "sum",
      ),
    ];
  };
}

/** Names with a depth of their own. */
const mostNames = 100;
/** The store is asked at most this often, however many ask us. */
const freshMs = 1_000;
/** Longer than this nobody waits for the store: the page comes without the depths. */
const longestMs = 1_000;

/** Counts of the store by job and state. One question at a time. */
export function jobsSource(bound: BoundApp, jobs: Jobs, clock: Clock): MetricsSource {
  const names = [...bound.jobs.keys()].slice(0, mostNames);
  let last: readonly MetricFamily[] = [];
  let askedAt = -Infinity;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const counts = await Promise.all(names.map(async (name) => [name, await jobs.counts(name)] as const));
    const series = counts.flatMap(([name, result]) =>
      result.ok ? Object.entries(result.value).map(([state, value]) => ({ labels: [name, state], value })) : [],
    );
    last = [depths(series)];
    askedAt = clock.monotonic();
  };
  return async () => {
    if (names.length === 0) return [];
    if (clock.monotonic() - askedAt < freshMs) return last;
    asking ??= ask().finally(() => (asking = undefined));
    const late = new AbortController();
    const inTime = await Promise.race([
      asking.then(() => true),
      sleep(clock, longestMs, late.signal).then(
        () => false,
        () => false,
      ),
    ]);
    late.abort();
    return inTime ? last : [];
  };
}

function depths(series: MetricFamily["series"]): MetricFamily {
  return {
    name: "tensile_jobs",
    type: "gauge",
    help: `Jobs in the store by state: ${jobStates.join(", ")}.`,
    labels: ["job", "state"],
    // Every thread sees the same store.
    merge: "max",
    series,
  };
}

/** A constant 1 whose labels say what runs. */
export function buildSource(contract: string, version: string): MetricsSource {
  const info: MetricFamily = {
    name: "tensile_build_info",
    type: "gauge",
    help: "What runs here; always 1.",
    labels: ["contract", "version", "node"],
    merge: "max",
    series: [{ labels: [contract, version, process.version], value: 1 }],
  };
  return () => [info];
}
