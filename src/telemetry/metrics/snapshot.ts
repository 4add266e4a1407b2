/**
 * Measurements as plain data: what a thread hands to another, and what a page of them is written from. Structured clone and JSON
 * carry it unchanged.
 */
export interface MetricsSnapshot {
  readonly families: readonly MetricFamily[];
}

export interface MetricFamily {
  /** With its unit, without `_total`: `http_server_request_duration_seconds`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Names of the labels. Each series has their values in the same order. */
  readonly labels: readonly string[];
  /**
   * How the values of several threads become one. `sum`: each has its own share. `max`: each sees the same thing (the process's
   * memory), or the worst is what matters (the delay of an event loop). Counters and histograms are summed.
   */
  readonly merge: "sum" | "max";
  /** Of a histogram: the upper bounds of its buckets, rising; one more bucket takes the rest. */
  readonly bounds?: readonly number[];
  readonly series: readonly MetricSeries[];
}

/** A number; or, in a histogram, how many values fell into each bucket (not cumulative), and their sum. */
export interface MetricSeries {
  readonly labels: readonly string[];
  readonly value: number;
  readonly counts?: readonly number[];
}

/**
 * One view of several: those of the threads of a process. Families and series come out in the order in which they first appear.
 *
 * @example
 * const whole = mergeSnapshots(await Promise.all(threads.map((thread) => thread.snapshot())));
 */
export function mergeSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const families = new Map<string, MetricFamily[]>();
  for (const { families: own } of snapshots) {
    for (const family of own) {
      const same = families.get(family.name);
      if (same === undefined) families.set(family.name, [family]);
      else same.push(family);
    }
  }
  return { families: [...families.values()].map(mergeFamilies) };
}

function mergeFamilies(same: readonly MetricFamily[]): MetricFamily {
  const first = same[0] as MetricFamily;
  if (same.length === 1) return first;
  const merged = new Map<string, MetricSeries>();
  for (const { series } of same) {
    for (const one of series) {
      const key = one.labels.join("\0");
      const before = merged.get(key);
      merged.set(key, before === undefined ? one : mergeSeries(before, one, first.merge));
    }
  }
  return { ...first, series: [...merged.values()] };
}

function mergeSeries(one: MetricSeries, other: MetricSeries, how: MetricFamily["merge"]): MetricSeries {
  const value = how === "max" ? Math.max(one.value, other.value) : one.value + other.value;
  if (one.counts === undefined) return { labels: one.labels, value };
  return { labels: one.labels, value, counts: one.counts.map((count, index) => count + (other.counts?.[index] ?? 0)) };
}
