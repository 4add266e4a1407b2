/** One figure over time as SVG, written by hand like the bars of chart.ts. */
import { escapeText, svgStyle } from "./chart.ts";
import type { BenchResult } from "./result.ts";
import { figure } from "./table.ts";

const width = 720;
const height = 260;
const left = 60;
const top = 36;
const bottom = 40;

/** Undefined when the result has no series. */
export function seriesChart({ series = [], environment }: BenchResult, title: string): string | undefined {
  const points = series.flatMap((one) => one.points);
  if (points.length < 2) return undefined;
  const lastX = Math.max(...points.map(([x]) => x));
  const highest = Math.max(...points.map(([, y]) => y)) * 1.15;
  const x = (seconds: number): number => left + (seconds / lastX) * (width - left - 20);
  const y = (value: number): number => height - bottom - (value / highest) * (height - top - bottom);
  const unit = series[0]?.unit ?? "";
  const text = (at: number, down: number, words: string, kind: string): string =>
    `<text x="${at.toFixed(1)}" y="${down.toFixed(1)}" class="${kind}">${escapeText(words)}</text>`;
  const parts = [text(0, 18, `${title} (${unit})`, "title")];
  for (let i = 0; i <= 4; i++) {
    const value = (highest * i) / 4;
    parts.push(
      `<line x1="${left}" x2="${width - 20}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" class="grid"/>`,
    );
    parts.push(text(left - 8, y(value) + 4, figure(value), "label"));
    parts.push(text(x((lastX * i) / 4), height - bottom + 18, `${Math.round((lastX * i) / 4)} s`, "value"));
  }
  for (const { points: one } of series) {
    const path = one.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" class="curve"/>`);
  }
  const { node, processor, date } = environment;
  parts.push(text(0, height - 4, `Node ${node}, ${processor}, ${String(date).slice(0, 10)}`, "note"));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(title)}">`,
    svgStyle,
    "<style>.grid { stroke: #afb8c1; stroke-width: 0.5 } .curve { fill: none; stroke: #0969da; stroke-width: 2 }</style>",
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
