/**
 * The process and its event loop, under the names that Prometheus's Node dashboards know. Looked up when somebody asks; only the
 * delay of the loop and the collections of garbage are noted as they happen.
 */
import { PerformanceObserver, constants, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../../core/index.ts";
import type { MetricFamily } from "../../telemetry/index.ts";

/** Milliseconds between two looks at the loop's delay. */
const delayResolutionMs = 20;
/** Seconds. */
const gcBounds = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];
const gcKinds: { readonly [kind: number]: string } = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

export class ProcessSource {
  readonly #clock: Clock;
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  readonly #collections = new Map<string, { counts: number[]; sum: number }>();
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // The type of entries in general does not know the detail of those that this observer gets.
      const { detail } = entry as { readonly detail?: { readonly kind?: number } };
      this.#collected(gcKinds[detail?.kind ?? -1] ?? "other", entry.duration / 1000);
    }
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#delay.enable();
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    this.#delay.disable();
    this.#observer.disconnect();
  }

  read(): MetricFamily[] {
    return [...this.#loop(), ...heap(), ...whole(this.#clock), this.#garbage()];
  }

  #collected(kind: string, seconds: number): void {
    let series = this.#collections.get(kind);
    if (series === undefined) {
      series = { counts: Array.from({ length: gcBounds.length + 1 }, () => 0), sum: 0 };
      this.#collections.set(kind, series);
    }
    const bucket = gcBounds.findIndex((bound) => seconds <= bound);
    const at = bucket === -1 ? gcBounds.length : bucket;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += seconds;
  }

  #garbage(): MetricFamily {
    return {
      name: "nodejs_gc_duration_seconds",
      type: "histogram",
      help: "Pauses of the garbage collector.",
      labels: ["kind"],
      merge: "sum",
      bounds: gcBounds,
      series: Array.from(this.#collections, ([kind, { counts, sum }]) => ({ labels: [kind], value: sum, counts })),
    };
  }

  /** The delay is that since the last time somebody asked. Time asleep and awake count up, so that a rate gives the utilisation. */
  #loop(): MetricFamily[] {
    // What is measured is the time between two ticks of a timer: its own share is no delay.
    const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - delayResolutionMs / 1000);
    const measured = this.#delay.count > 0;
    const p50 = measured ? seconds(this.#delay.percentile(50)) : 0;
    const p99 = measured ? seconds(this.#delay.percentile(99)) : 0;
    const max = measured ? seconds(this.#delay.max) : 0;
    this.#delay.reset();
    const { active, idle } = performance.eventLoopUtilization();
    return [
      gauge("nodejs_eventloop_lag_p50_seconds", "Delay of the event loop since the last look, median.", p50, "max"),
      gauge("nodejs_eventloop_lag_p99_seconds", "The same, 99th percentile.", p99, "max"),
      gauge("nodejs_eventloop_lag_max_seconds", "The same, longest.", max, "max"),
      counter("nodejs_eventloop_active_seconds", "Time that the event loop was awake.", active / 1000, "sum"),
      counter("nodejs_eventloop_idle_seconds", "Time that the event loop slept.", idle / 1000, "sum"),
    ];
  }
}

/** Of this thread's own heap. */
function heap(): MetricFamily[] {
  const { used_heap_size: used, total_heap_size: total, heap_size_limit: limit } = getHeapStatistics();
  return [
    gauge("nodejs_heap_size_used_bytes", "Bytes of live and dead objects on V8's heap.", used, "sum"),
    gauge("nodejs_heap_size_total_bytes", "Bytes of V8's heap.", total, "sum"),
    gauge("nodejs_heap_size_limit_bytes", "Bytes beyond which V8 ends the process.", limit, "sum"),
    gauge(
      "nodejs_external_memory_bytes",
      "Bytes outside of the heap that its objects hold.",
      process.memoryUsage().external,
      "sum",
    ),
  ];
}

/** Of the whole process: every thread sees the same. */
function whole(clock: Clock): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const startedAt = clock.now() / 1000 - process.uptime();
  return [
    gauge("process_resident_memory_bytes", "Resident memory of the process.", process.memoryUsage.rss(), "max"),
    counter("process_cpu_user_seconds", "CPU time in user code.", user / 1e6, "max"),
    counter("process_cpu_system_seconds", "CPU time in the kernel.", system / 1e6, "max"),
    counter("process_cpu_seconds", "CPU time in all.", (user + system) / 1e6, "max"),
    gauge("process_start_time_seconds", "Unix time at which the process started.", Math.round(startedAt), "max"),
  ];
}

export function gauge(name: string, help: string, value: number, merge: MetricFamily["merge"]): MetricFamily {
  return { name, type: "gauge", help, labels: [], merge, series: [{ labels: [], value }] };
}

export function counter(name: string, help: string, value: number, merge: MetricFamily["merge"]): MetricFamily {
  return { ...gauge(name, help, value, merge), type: "counter" };
}
