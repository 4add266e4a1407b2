/** A result as text for a terminal: rows by case, then what they mean beside each other, then the targets. */
import type { BenchResult, Ratio } from "./result.ts";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isFigure(cell) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const alignedHead = head.map((name, i) =>
    rows.some((row) => isFigure(row[i])) ? name.padStart(widths[i] ?? 0) : name,
  );
  return [line(alignedHead), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

export function report({ bench, environment, rows, ratios, targets, wrong }: BenchResult): string {
  const parts = [
    `${bench}: ${Object.entries(environment)
      .map(([name, value]) => `${name} ${value}`)
      .join("; ")}`,
  ];
  for (const name of new Set(rows.map((row) => row.case))) {
    const here = rows.filter((row) => row.case === name);
    const metrics = [...new Set(here.flatMap((row) => Object.keys(row.metrics)))];
    parts.push(
      table(
        [name, "version", ...metrics],
        here.map((row) => [row.system, row.version, ...metrics.map((metric) => figure(row.metrics[metric]))]),
      ),
    );
  }
  if (ratios.length > 0) parts.push(ratioTable(ratios));
  if (targets.length > 0) {
    parts.push(
      table(
        ["target", "limit", "measured", "met"],
        targets.map(({ text, target, measured, met }) => [text, target, figure(measured), met ? "yes" : "no"]),
      ),
    );
  }
  parts.push(wrong.length === 0 ? "Every answer was right." : ["WRONG ANSWERS:", ...wrong].join("\n  "));
  return parts.join("\n\n");
}

/** One line for each case and metric, one column for each peer. */
function ratioTable(ratios: readonly Ratio[]): string {
  const peers = [...new Set(ratios.map(({ peer }) => peer))];
  const lines = new Map<string, string[]>();
  for (const { case: name, metric, system, peer, ratio } of ratios) {
    const key = `${name} ${metric}`;
    const line = lines.get(key) ?? [name, metric, system, ...peers.map(() => "-")];
    line[3 + peers.indexOf(peer)] = ratio.toFixed(2);
    lines.set(key, line);
  }
  return table(["ratios", "metric", "system", ...peers.map((peer) => `/ ${peer}`)], [...lines.values()]);
}

/** Three digits that mean something; thousands in groups. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function isFigure(cell: string | undefined): boolean {
  return cell !== undefined && /^-?[\d,]*\.?\d*%?$|^-$/.test(cell);
}
