/** Everything that is measured in one thread: counted from its events as they happen, or asked for when somebody looks. */
import { isPromiseLike, type MaybePromise } from "../../core/index.ts";
import type { Events } from "../events.ts";
import { RequestMetrics } from "./request-metrics.ts";
import type { MetricFamily, MetricsSnapshot } from "./snapshot.ts";
import { WorkMetrics } from "./work-metrics.ts";

/** Gives what is looked up at the time of asking: memory, connections, the depth of queues. Must be quick and not reject. */
export type MetricsSource = () => MaybePromise<readonly MetricFamily[]>;

export interface MetricsOptions {
  readonly events: Events;
  /** Routes with series of their own; further ones share those of `other`. Default 1,000. */
  readonly maxRoutes?: number;
  readonly sources?: readonly MetricsSource[];
}

export interface Metrics {
  /** Plain data: can be sent to another thread and merged with `mergeSnapshots`. Never rejects; a source that fails is left out. */
  snapshot(): Promise<MetricsSnapshot>;
  /** Listens no more. */
  stop(): void;
}

/**
 * Begins to count.
 *
 * @example
 * const metrics = createMetrics({ events: new Events() });
 * const page = metricsText(await metrics.snapshot(), "prometheus");
 */
export function createMetrics({ events, maxRoutes = 1_000, sources = [] }: MetricsOptions): Metrics {
  const requests = new RequestMetrics(maxRoutes);
  const work = new WorkMetrics();
  const undo = [...requests.listen(events), ...work.listen(events)];
  return {
    async snapshot() {
      const counted = [...requests.families, ...work.families].map((family) => family.read());
      const asked = await Promise.all(sources.map(ask));
      return { families: [...counted, ...asked.flat()] };
    },
    stop() {
      for (const stop of undo) stop();
    },
  };
}

async function ask(source: MetricsSource): Promise<readonly MetricFamily[]> {
  try {
    const families = source();
    return isPromiseLike(families) ? await families : families;
  } catch {
    // A page without these lines is worth more than no page.
    return [];
  }
}
