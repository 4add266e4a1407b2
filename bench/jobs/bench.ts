/**
 * The `jobs` benchmark: a producer and workers in one process on one SQLite file. Unlike the servers of `http` the process is
 * not held on a core: its main thread and its writer share the machine, as they will in production.
 *
 *   flat out -> idle API -> API beside turns -> API beside jobs -> bulk -> half load -> keyed -> everything worked off and accounted for
 *   a second process, its API on a thread of its own: idle API -> API beside jobs -> everything worked off and accounted for
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Generator, startGenerator } from "../load-process.ts";
import { fewHelpers, type Measured, start } from "../processes.ts";
import {
  type Bench,
  type BenchOptions,
  median,
  type Measurement,
  ratiosOf,
  rowsOf,
  type Sample,
  target,
} from "../result.ts";
import { accountFor } from "./account.ts";
import { apiLoad, besideApi } from "./api.ts";
import { describeDisk, syncsSeen } from "./disk.ts";
import { type JobsOrder, type JobsReady, payloadOf } from "./protocol.ts";
import { type System, systems } from "./systems.ts";
import { besideFlatOut, observe, turnsBesideFlatOut } from "./window.ts";

/** Of each of which one job at a time may run. */
const keys = 1_000;

export const jobsBench: Bench = {
  name: "jobs",
  text: "enqueue + run + acknowledge on SQLite with synchronous=FULL, and an API route beside it",
  systems: systems.map(({ name }) => name),
  pinned: false,
  rounds: 3,
  needsPeers: (names) => systems.some(({ name, peer }) => peer && names.includes(name)),
  chart: { metric: "jobsPerSecond", title: "Jobs enqueued, run and acknowledged", unit: "/s" },
  run,
};

async function run({ rounds, quick, only, say }: BenchOptions): Promise<Measurement> {
  const windowMs = quick ? 2_000 : 4_000;
  const chosen = systems.filter((system) => {
    if (only !== undefined && !only.includes(system.name)) return false;
    const missing = system.missing?.();
    if (missing !== undefined) say(`Without ${system.name}: ${missing}.`);
    return missing === undefined;
  });
  const data = fileURLToPath(new URL("../.data/", import.meta.url));
  mkdirSync(data, { recursive: true });
  const disk = describeDisk(data);
  const generator = await startGenerator(undefined);
  const samples: Sample[] = [];
  const wrong: string[] = [];
  const durability = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (const system of chosen) {
      const folder = mkdtempSync(join(data, `${system.name}-`));
      const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      // On Ctrl-C nothing is finally.
      process.once("exit", remove);
      try {
        const measured = await measure(system, folder, generator, windowMs, say);
        samples.push(...measured.samples.map((sample) => ({ ...sample, round })));
        wrong.push(...measured.wrong.map((what) => `${system.name}, round ${round + 1}: ${what}`));
        durability.set(system.name, measured.durability);
      } finally {
        process.off("exit", remove);
        remove();
      }
    }
  }
  await generator.stop();
  const of = (name: string, metric: string): number | undefined => {
    const values = samples
      .filter((sample) => sample.system === "tensile" && sample.case === name)
      .flatMap((sample) => sample.metrics[metric] ?? []);
    return values.length === 0 ? undefined : median(values);
  };
  return {
    rows: rowsOf(samples, (name) => chosen.find((system) => system.name === name)?.version() ?? ""),
    ratios: ratiosOf(samples, "tensile", ["jobsPerSecond"]),
    targets: [
      ...target(
        "jobs per second, enqueued one by one, acknowledged after the commit",
        ">=",
        150_000,
        of("flat out", "jobsPerSecond"),
      ),
      ...target(
        "API p99 while jobs run flat out, beside idle: the API on a thread, serve({ threads: { count: 1, sliceMs: 0.1 } })",
        "<=",
        2,
        of("API thread beside jobs", "p99BesideIdle"),
      ),
      ...target("the same on the loop that runs the jobs", "<=", 2, of("API beside jobs", "p99BesideIdle")),
      ...target("one at a time per key beside flat out", ">=", 0.8, of("keyed", "besideFlatOut")),
      ...target("pickup p99 at half load, ms", "<=", 10, of("half load", "pickupP99Ms")),
    ],
    wrong,
    settings: {
      ...Object.fromEntries([...durability].map(([name, text]) => [`durability of ${name}`, text])),
      ...disk,
      nodeArguments: `${fewHelpers.join(" ")} for all`,
      payloadBytes: JSON.stringify(payloadOf(123_456, 1234567.891)).length,
      windowMs,
      api: apiLoad,
      generatorScheduling: generator.scheduling,
      apiThread: "serve({ threads: { count: 1, sliceMs: 0.1 } })",
    },
  };
}

interface Reporting {
  readonly keep: (which: string, metrics: Sample["metrics"]) => void;
  readonly say: (line: string) => void;
}

type Measurements = { samples: Omit<Sample, "round">[]; wrong: string[]; durability: string };

async function measure(
  system: System,
  folder: string,
  generator: Generator,
  windowMs: number,
  say: (line: string) => void,
): Promise<Measurements> {
  const { name } = system;
  const { server, ...prepared } = await system.prepare(folder);
  const child = await start(name, system.file, { ...prepared, nodeArguments: fewHelpers });
  const { port, durability } = child.ready as JobsReady;
  const samples: Measurements["samples"] = [];
  const wrong: string[] = [];
  const keep = (which: string, metrics: Sample["metrics"]): void => {
    samples.push({ case: which, system: name, metrics });
    say(
      `${name.padEnd(15)} ${which}: ${Object.entries(metrics)
        .map(([key, value]) => `${key} ${Math.round(value * 100) / 100}`)
        .join(", ")}`,
    );
  };
  const window = (load: System["single"], ms: number, ratePerSecond?: number) =>
    observe(child, { do: "run", ms, ...load, ...(ratePerSecond !== undefined && { ratePerSecond }) }, server);

  await window(system.single, windowMs / 2);
  const flatOut = await window(system.single, windowMs);
  keep("flat out", flatOut);
  if (port !== undefined) {
    const api = { name: "API", port, load: system.single, windowMs, turns: true, keep };
    wrong.push(...(await besideApi(child, generator, api)));
  }
  keep("bulk", await window(system.bulk, windowMs));
  keep("half load", await window(system.single, windowMs, (flatOut["jobsPerSecond"] ?? 0) / 2));
  if (!system.peer) {
    // The name with keys begins from nothing here, as the other did before its first window.
    await child.order({ do: "run", ms: windowMs / 2, ...system.single, keys } satisfies JobsOrder);
    const keyed = (): Promise<Sample["metrics"]> =>
      observe(child, { do: "run", ms: windowMs / 2, ...system.single, keys }, server);
    keep("keyed", await besideFlatOut(() => window(system.single, windowMs / 2), keyed, turnsBesideFlatOut));
  }
  const syncs = await syncsSeen(server?.pid ?? child.pid, () => window(system.single, 500));
  if (syncs === 0 && /FULL|always/.test(durability))
    wrong.push("jobs were acknowledged, but the file was never synced");
  wrong.push(...(await account(child, name, say)));
  if (syncs !== undefined) say(`${name}: ${syncs} syncs of the file seen in 0.5 s under strace`);
  await child.stop();
  await server?.stop();
  if (system.threaded !== undefined) {
    wrong.push(...(await besideThread(system, system.threaded(folder), generator, windowMs, { keep, say })));
  }
  return { samples, wrong, durability };
}

/** In a process of its own, which answers the API on a thread. Resolves with what went wrong. */
async function besideThread(
  { name, file, single }: System,
  args: readonly string[],
  generator: Generator,
  windowMs: number,
  { keep, say }: Reporting,
): Promise<readonly string[]> {
  const child = await start(name, file, { arguments: args, nodeArguments: fewHelpers });
  await observe(child, { do: "run", ms: windowMs / 2, ...single });
  const { port = 0 } = child.ready as JobsReady;
  const api = { name: "API thread", port, load: single, windowMs, turns: false, keep };
  const wrong = [...(await besideApi(child, generator, api)), ...(await account(child, name, say))];
  await child.stop();
  return wrong;
}

async function account(child: Measured, name: string, say: Reporting["say"]): Promise<readonly string[]> {
  const { verdict, wrong } = await accountFor(child);
  say(`${name}: ${verdict.acknowledged} jobs acknowledged, ${verdict.neverRan} lost, ${verdict.ranAgain} ran again`);
  return wrong;
}
