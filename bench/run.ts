/**
 * `npm run bench -- NAME [--rounds N] [--quick] [--minutes N] [--backlog N] [--postgres embedded|machine] [--json FILE] [--only SYSTEM,…]`: runs one benchmark, prints its table and
 * writes it to bench/results/NAME.json with a chart beside it. Exits with 1 when an answer was wrong, with 2 when it could
 * not run; a missed target is printed and changes nothing.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chartOf } from "./chart.ts";
import { describeEnvironment, pinnedCores } from "./environment.ts";
import { httpBench } from "./http/bench.ts";
import { jobsPostgresBench } from "./jobs-postgres/bench.ts";
import { jobsBench } from "./jobs/bench.ts";
import { overloadBench } from "./overload/bench.ts";
import { CannotRun, ensurePeers } from "./peers.ts";
import { endChildrenWithThisProcess, pinning } from "./processes.ts";
import { writeReadme } from "./readme.ts";
import { routesBench } from "./routes/bench.ts";
import type { Bench, BenchResult } from "./result.ts";
import { seriesChart } from "./series-chart.ts";
import { soakBench } from "./soak/bench.ts";
import { report } from "./table.ts";

const benches: readonly Bench[] = [httpBench, jobsBench, jobsPostgresBench, routesBench, overloadBench, soakBench];
const results = fileURLToPath(new URL("./results/", import.meta.url));
const known = benches.map(({ name }) => name).join(", ");
const say = (line: string): void => console.log(line);

export interface Command {
  readonly bench: Bench;
  readonly rounds: number;
  readonly quick: boolean;
  readonly minutes: number | undefined;
  readonly backlog: number | undefined;
  readonly postgres: "embedded" | "machine" | undefined;
  readonly json: string;
  readonly only: readonly string[] | undefined;
}

/** Reads the command line; a sentence when it makes no sense. */
export function readCommand(args: readonly string[]): Command | "list" | "readme" | { readonly mistake: string } {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: "string" },
        minutes: { type: "string" },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        only: { type: "string" },
        backlog: { type: "string" },
        postgres: { type: "string" },
      },
    });
  } catch (error) {
    return { mistake: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  const [name, ...more] = positionals;
  if (name === undefined) return { mistake: `Say which benchmark: ${known}; or \`list\`, or \`readme\`.` };
  if (more.length > 0) return { mistake: `One benchmark at a time, not also ${more.join(" ")}.` };
  if (name === "list" || name === "readme") return name;
  const bench = benches.find((other) => other.name === name);
  if (bench === undefined) return { mistake: `There is no benchmark "${name}". Known: ${known}.` };
  const rounds = values.rounds === undefined ? (values.quick ? 1 : bench.rounds) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    return { mistake: `--rounds takes a whole number from 1 to 100, not "${values.rounds}".` };
  }
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (minutes !== undefined && !(minutes > 0 && minutes <= 1440)) {
    return { mistake: `--minutes takes a number up to 1440, not "${values.minutes}".` };
  }
  const only = values.only?.split(",").filter((system) => system !== "");
  const unknown = only?.filter((system) => !bench.systems.includes(system)) ?? [];
  if (unknown.length > 0 || only?.length === 0) {
    return { mistake: `--only takes names of ${bench.systems.join(", ")}, not "${unknown.join(",")}".` };
  }
  const backlog = values.backlog === undefined ? undefined : Number(values.backlog);
  if (backlog !== undefined && !(Number.isInteger(backlog) && backlog >= 0 && backlog <= 100_000_000)) {
    return { mistake: `--backlog takes a whole number of jobs up to 100000000, not "${values.backlog}".` };
  }
  const { postgres } = values;
  if (postgres !== undefined && postgres !== "embedded" && postgres !== "machine") {
    return { mistake: `--postgres takes embedded or machine, not "${postgres}".` };
  }
  const json = resolve(values.json ?? `${results}${name}.json`);
  return { bench, rounds, quick: values.quick, minutes, backlog, postgres, json, only };
}

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2));
  if (command === "list") {
    for (const { name, text } of benches) say(`${name.padEnd(13)} ${text}`);
    return 0;
  }
  if (command === "readme") return writeReadme(results, say);
  if ("mistake" in command) {
    console.error(`bench: ${command.mistake}`);
    return 2;
  }
  endChildrenWithThisProcess();
  const { bench, rounds, quick, minutes, backlog, postgres, json, only } = command;
  if (bench.needsPeers(only ?? bench.systems)) ensurePeers(say);
  if (bench.pinned && !pinning())
    say("No cores to pin to (two cores and `taskset` are needed): the figures will be noisier.");
  else if (bench.pinned)
    say(
      `The measured process runs on core ${pinnedCores().server}, what it stands beside on core ${pinnedCores().load}.`,
    );
  const { settings, ...measured } = await bench.run({ rounds, quick, minutes, backlog, postgres, only, say });
  const environment = describeEnvironment(settings, bench.pinned, quick, rounds);
  const result: BenchResult = { bench: bench.name, environment, ...measured };
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  const chart = seriesChart(result, bench.chart.title) ?? chartOf(result, bench.chart);
  const picture = json.replace(/(\.json)?$/, ".svg");
  if (chart !== undefined) writeFileSync(picture, chart);
  say(`\n${report(result)}\n\nWritten: ${json}${chart === undefined ? "" : ` and ${picture}`}`);
  return measured.wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error instanceof CannotRun ? `bench: ${error.message}` : error);
    // A server that does not start or dies under load has given a wrong answer; what could not begin has given none.
    process.exitCode = error instanceof CannotRun ? 2 : 1;
  }
  process.exit();
}
