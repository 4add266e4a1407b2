/**
 * A snapshot as Prometheus reads it: the text format 0.0.4, which every scraper takes, and OpenMetrics 1.0, which says a little
 * more. Which one, the scraper's Accept header decides.
 */
import type { MetricFamily, MetricSeries, MetricsSnapshot } from "./snapshot.ts";

export type MetricsFormat = "prometheus" | "openmetrics";

export const metricsContentType: { readonly [F in MetricsFormat]: string } = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** OpenMetrics where the header names it with a weight above 0, else the older text. */
export function metricsFormat(accept: string | undefined): MetricsFormat {
  for (const range of (accept ?? "").toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    if (type !== "application/openmetrics-text") continue;
    const version = parameters.find((parameter) => parameter.startsWith("version="));
    const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    if (!refused && (version === undefined || /^version="?1\.0\./.test(version))) return "openmetrics";
  }
  return "prometheus";
}

/** The whole page. */
export function metricsText({ families }: MetricsSnapshot, format: MetricsFormat): string {
  const text = families.filter(({ series }) => series.length > 0).map((family) => familyText(family, format));
  return text.join("") + (format === "openmetrics" ? "# EOF\n" : "");
}

const units = ["seconds", "bytes", "ratio"];

function familyText(family: MetricFamily, format: MetricsFormat): string {
  const { name, type, help } = family;
  // The older format names the samples in its comments, OpenMetrics the family.
  const named = type === "counter" && format === "prometheus" ? `${name}_total` : name;
  let text = `# HELP ${named} ${escapeHelp(help, format)}\n# TYPE ${named} ${type}\n`;
  const unit = units.find((one) => name.endsWith(`_${one}`));
  if (unit !== undefined && format === "openmetrics") text += `# UNIT ${named} ${unit}\n`;
  for (const series of family.series) {
    if (type === "histogram") text += histogramText(family, series, format);
    else
      text += line(type === "counter" ? `${name}_total` : name, labelText(family.labels, series.labels), series.value);
  }
  return text;
}

/** Buckets are cumulative in the text, and not in the data. */
function histogramText(
  { name, labels, bounds = [] }: MetricFamily,
  series: MetricSeries,
  format: MetricsFormat,
): string {
  const own = labelText(labels, series.labels);
  let text = "";
  let count = 0;
  for (const [index, inBucket] of (series.counts ?? []).entries()) {
    count += inBucket;
    const bound = bounds[index];
    const le = bound === undefined ? "+Inf" : boundText(bound, format);
    text += line(`${name}_bucket`, `${own === "" ? "" : `${own},`}le="${le}"`, count);
  }
  return text + line(`${name}_sum`, own, series.value) + line(`${name}_count`, own, count);
}

/** OpenMetrics wants bounds that cannot be taken for integers. */
function boundText(bound: number, format: MetricsFormat): string {
  return format === "openmetrics" && Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`).join(",");
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string, format: MetricsFormat): string {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return format === "openmetrics" ? escaped.replaceAll('"', '\\"') : escaped;
}
