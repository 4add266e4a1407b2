/**
 * `npm run bench -- readme`: writes the figures of bench/results/*.json into README.md and docs/benchmarks.md, between
 * `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, so that no figure there is typed by hand.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "./result.ts";
import { figure } from "./table.ts";

const documents = ["../README.md", "../docs/benchmarks.md"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Returns the exit code: 1 when a document has markers for a benchmark without results. */
export function writeReadme(results: string, say: (line: string) => void): number {
  const files = existsSync(results) ? readdirSync(results).filter((name) => name.endsWith(".json")) : [];
  const known = new Map(
    files.map((name) => {
      const result = JSON.parse(readFileSync(`${results}${name}`, "utf8")) as BenchResult;
      return [result.bench, result] as const;
    }),
  );
  let code = 0;
  for (const document of documents.filter((path) => existsSync(path))) {
    const before = readFileSync(document, "utf8");
    const { text, missing } = fillMarkers(before, known);
    if (text !== before) writeFileSync(document, text);
    say(`${document}: ${text === before ? "nothing changed" : "figures written"}`);
    for (const name of missing) {
      say(`${document}: no full result of "${name}". Run \`npm run bench -- ${name}\` first.`);
      code = 1;
    }
  }
  return code;
}

/** Replaces what stands between the markers of each known benchmark. Quick results are not worth publishing, so they are missing. */
export function fillMarkers(
  text: string,
  results: ReadonlyMap<string, BenchResult>,
): { text: string; missing: string[] } {
  const missing: string[] = [];
  const filled = text.replace(
    /(<!-- bench:([a-z-]+) -->\n)[\s\S]*?(<!-- \/bench:\2 -->)/g,
    (all, open: string, name: string, close: string) => {
      const result = results.get(name);
      if (result !== undefined && result.environment["quick"] !== true) return `${open}${markdown(result)}\n${close}`;
      missing.push(name);
      return all;
    },
  );
  return { text: filled, missing };
}

export function markdown({ bench, environment, rows, targets }: BenchResult): string {
  const parts: string[] = [];
  for (const name of new Set(rows.map((row) => row.case))) {
    const here = rows.filter((row) => row.case === name);
    const metrics = [...new Set(here.flatMap((row) => Object.keys(row.metrics)))];
    parts.push(
      [
        `| ${name} | version | ${metrics.map(readable).join(" | ")} |`,
        `|---|---|${metrics.map(() => "--:|").join("")}`,
        ...here.map(
          (row) => `| ${row.system} | ${row.version} | ${metrics.map((m) => figure(row.metrics[m])).join(" | ")} |`,
        ),
      ].join("\n"),
    );
  }
  if (targets.length > 0) {
    parts.push(
      ["| target | limit | measured |", "|---|---|--:|"]
        .concat(
          targets.map(
            ({ text, target, measured, met }) =>
              `| ${text} | ${target} | ${figure(measured)}${met ? "" : " (missed)"} |`,
          ),
        )
        .join("\n"),
    );
  }
  const { node, processor, cores, rounds, date } = environment;
  parts.push(
    `Node ${node}, ${processor}, ${cores} cores, ${rounds} rounds, ${String(date).slice(0, 10)}: \`npm run bench -- ${bench}\`.`,
  );
  return parts.join("\n\n");
}

/** `cpuUsPerRequest` as a heading: `CPU µs per request`. */
function readable(metric: string): string {
  return metric
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .replaceAll(/\bUs\b/g, "µs")
    .replaceAll(/\bMs\b/g, "ms")
    .replace(/^cpu\b/, "CPU")
    .replace(/^rss\b/, "RSS")
    .replaceAll(/ (Per|Second|Request|Job|Share|Late|Bytes|Processes)\b/g, (word) => word.toLowerCase());
}
