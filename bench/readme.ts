/**
 * `npm run bench -- readme`: writes the figures of bench/results/*.json into README.md and docs/benchmarks.md, between
 * `<!-- bench:NAME -->` (or `bench:NAME short`) and `<!-- /bench:NAME -->`, so that no figure there is typed by hand.
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

/**
 * Replaces what stands between the markers of each known benchmark; `short` gives one table of its main metric. Quick results
 * are not worth publishing, so they are missing.
 */
export function fillMarkers(
  text: string,
  results: ReadonlyMap<string, BenchResult>,
): { text: string; missing: string[] } {
  const missing: string[] = [];
  const filled = text.replace(
    /(<!-- bench:([a-z-]+)( short)? -->\n)[\s\S]*?(<!-- \/bench:\2 -->)/g,
    (all, open: string, name: string, short: string | undefined, close: string) => {
      const result = results.get(name);
      if (result === undefined || result.environment["quick"] === true) {
        missing.push(name);
        return all;
      }
      return `${open}${short === undefined ? markdown(result) : shortMarkdown(result)}\n${close}`;
    },
  );
  return { text: filled, missing };
}

/** What the README shows of a benchmark. */
const mainMetrics: { readonly [bench: string]: string } = {
  http: "cpuUsPerRequest",
  overload: "goodputShare",
  jobs: "jobsPerSecond",
  "jobs-postgres": "jobsPerSecond",
};

/** Systems down, cases across: one figure each. */
function shortMarkdown(result: BenchResult): string {
  const { bench, rows } = result;
  const metric = mainMetrics[bench] ?? Object.keys(rows[0]?.metrics ?? {})[0] ?? "";
  const shown = rows.filter((row) => row.metrics[metric] !== undefined);
  const systems = [...new Map(shown.map((row) => [row.system, row.version]))];
  const peered = [...new Set(shown.map((row) => row.case))].filter(
    (name) =>
      systems.length === 1 || new Set(shown.filter((row) => row.case === name).map((row) => row.system)).size > 1,
  );
  const cell = (system: string, name: string): string =>
    figure(shown.find((row) => row.system === system && row.case === name)?.metrics[metric]);
  return [
    `| ${readable(metric)} | version | ${peered.join(" | ")} |`,
    `|---|---|${peered.map(() => "--:|").join("")}`,
    ...systems.map(
      ([system, version]) => `| ${system} | ${version} | ${peered.map((name) => cell(system, name)).join(" | ")} |`,
    ),
    "",
    origin(result),
  ].join("\n");
}

function markdown(result: BenchResult): string {
  const { rows, targets } = result;
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
  parts.push(origin(result));
  return parts.join("\n\n");
}

function origin({ bench, environment: { node, processor, cores, rounds, date } }: BenchResult): string {
  const command = `\`npm run bench -- ${bench}\``;
  return `Node ${node}, ${processor}, ${cores} cores, rounds: ${rounds}, ${String(date).slice(0, 10)}: ${command}.`;
}

/** `cpuUsPerRequest` as a heading: `CPU µs per request`. */
function readable(metric: string): string {
  return metric
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .replaceAll(/\bUs\b/g, "µs")
    .replaceAll(/\bMs\b/g, "ms")
    .replace(/^cpu\b/, "CPU")
    .replace(/^rss\b/, "RSS")
    .replaceAll(/ (Per|Second|Request|Job|Operation|Share|Late|Bytes|Processes)\b/g, (word) => word.toLowerCase());
}
