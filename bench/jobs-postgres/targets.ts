/** What the issue of jobs on PostgreSQL asks of the figures. */
import { median, type Sample, type Target, target } from "../result.ts";

export function targetsOf(samples: readonly Sample[]): Target[] {
  const of = (system: string, name: string, metric: string): number | undefined => {
    const values = samples
      .filter((sample) => sample.system === system && sample.case === name)
      .flatMap((sample) => sample.metrics[metric] ?? []);
    return values.length === 0 ? undefined : median(values);
  };
  const ours = (name: string, metric = "jobsPerSecond"): number | undefined => of("tensile", name, metric);
  const best = (name: string): number | undefined => {
    const values = ["graphile-worker", "graphile-worker-batched"].flatMap(
      (system) => of(system, name, "jobsPerSecond") ?? [],
    );
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const over = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined || b === 0 ? undefined : a / b;
  return [
    ...target("jobs per second, enqueued one by one, acknowledged after the commit", ">=", 60_000, ours("flat out")),
    ...target("flat out beside graphile-worker's best", ">=", 5, over(ours("flat out"), best("flat out"))),
    ...target("a preloaded backlog beside graphile-worker's best", ">=", 5, over(ours("preload"), best("preload"))),
    ...target("pickup p99 at half load, ms", "<=", 10, ours("half load", "pickupP99Ms")),
    ...target("drain of a deep backlog beside a preloaded one", ">=", 0.9, over(ours("deep backlog"), ours("preload"))),
    ...target("under a held snapshot beside flat out", ">=", 0.9, ours("held snapshot", "besideFlatOut")),
    ...target("dead rows per job under a held snapshot", "<=", 0.01, ours("held snapshot", "deadRowsPerJob")),
    ...target("one at a time per key beside flat out", ">=", 0.8, ours("keyed", "besideFlatOut")),
  ];
}
