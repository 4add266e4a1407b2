/** Floor 4: traces by OpenTelemetry. Needs the package `@opentelemetry/api`, and an SDK of your choice to record anything. */
export { clientTracing } from "./client-tracing.ts";
export { openTelemetry, type OpenTelemetryOptions } from "./open-telemetry.ts";
