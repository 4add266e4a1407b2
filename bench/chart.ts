/** Bars as SVG, written by hand: a picture of one metric, a group of bars for each case. Readable on light and dark pages. */
import type { BenchResult } from "./result.ts";
import { figure } from "./table.ts";

export interface Chart {
  readonly metric: string;
  readonly title: string;
  readonly unit: string;
}

const width = 720;
const labelWidth = 130;
const barHeight = 20;
const gap = 6;
const barsFrom = labelWidth + 10;
const longestBar = width - barsFrom - 110;

/** Undefined when no row has the metric. */
export function chartOf(result: BenchResult, { metric, title, unit }: Chart): string | undefined {
  const rows = result.rows.filter((row) => row.metrics[metric] !== undefined);
  if (rows.length === 0) return undefined;
  const longest = Math.max(...rows.map((row) => row.metrics[metric] as number));
  const parts: string[] = [];
  let y = 34;
  parts.push(text(0, 18, `${title} (${unit})`, "title"));
  for (const name of new Set(rows.map((row) => row.case))) {
    parts.push(text(0, y + 14, name, "case"));
    y += 22;
    for (const row of rows.filter((other) => other.case === name)) {
      const value = row.metrics[metric] as number;
      const length = Math.max(1, (value / longest) * longestBar);
      parts.push(text(labelWidth, y + 15, row.system, "label"));
      parts.push(
        `<rect x="${barsFrom}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" class="${row.system === "tensile" ? "ours" : "theirs"}"/>`,
      );
      parts.push(text(barsFrom + length + 6, y + 15, `${figure(value)} ${unit}`, "value"));
      y += barHeight + gap;
    }
    y += 10;
  }
  const { node, processor, date } = result.environment;
  parts.push(text(0, y + 10, `Node ${node}, ${processor}, ${String(date).slice(0, 10)}`, "note"));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 20}" width="${width}" height="${y + 20}" role="img" aria-label="${escapeText(title)}">`,
    svgStyle,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

export const svgStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .case { font-weight: 600 }
.label { text-anchor: end } .note { font-size: 11px; fill: #6e7781 }
.ours { fill: #0969da } .theirs { fill: #afb8c1 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #8b949e } .ours { fill: #4493f8 } .theirs { fill: #656c76 } }
</style>`;

function text(x: number, y: number, words: string, kind: string): string {
  return `<text x="${x.toFixed(1)}" y="${y}" class="${kind}">${escapeText(words)}</text>`;
}

export function escapeText(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
