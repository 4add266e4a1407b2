/** Measurements: counted from events, merged across threads, written as Prometheus reads them. */
export { createMetrics, type Metrics, type MetricsSource } from "./metrics.ts";
export { metricsContentType, metricsFormat, metricsText } from "./prometheus-text.ts";
export { mergeSnapshots, type MetricFamily, type MetricsSnapshot } from "./snapshot.ts";
