/** Floor 1: what happens inside, as typed events, and what is counted of them. */
export { Events, type EventTable, type RequestEnd } from "./events.ts";
export {
  createMetrics,
  mergeSnapshots,
  metricsContentType,
  metricsFormat,
  metricsText,
  type MetricFamily,
  type Metrics,
  type MetricsSnapshot,
  type MetricsSource,
} from "./metrics/index.ts";
