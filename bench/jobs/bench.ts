/**
 * The `jobs` benchmark: a producer and workers in one process on one SQLite file. Unlike the servers of `http` the process is
 * not held on a core: its main thread and its writer share the machine, as they will in production.
 *
 *   idle API -> flat out -> flat out + API -> bulk -> half load -> everything worked off and accounted for
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tensileVersion } from "../environment.ts";
import { cases } from "../http/cases.ts";
import type { LoadReport } from "../load.ts";
import { type Generator, startGenerator } from "../load-process.ts";
import { peerVersion } from "../peers.ts";
import { bytesWritten, type Measured, start } from "../processes.ts";
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
import { describeDisk, syncsSeen } from "./disk.ts";
import {
  type JobsOrder,
  type JobsReady,
  type JobsReport,
  type JobsVerdict,
  payloadOf,
  type RunOrder,
} from "./protocol.ts";

interface System {
  readonly name: string;
  readonly file: string;
  readonly arguments: readonly string[];
  readonly peer: boolean;
  readonly version: () => string;
  /** How it is kept busy without growing a backlog. */
  readonly single: Pick<RunOrder, "batch" | "unacknowledged" | "waiting">;
  readonly bulk: Pick<RunOrder, "batch" | "unacknowledged" | "waiting">;
}

const path = (to: string): string => fileURLToPath(new URL(to, import.meta.url));
const plainjob = {
  file: path("../peers/jobs/plainjob.js"),
  peer: true,
  version: () => `${peerVersion("plainjob")} on better-sqlite3 ${peerVersion("better-sqlite3")}`,
  // It blocks until each commit, so more calls at once would only let its worker starve.
  single: { batch: 1, unacknowledged: 1, waiting: 100 },
  bulk: { batch: 500, unacknowledged: 500, waiting: 500 },
};
const systems: readonly System[] = [
  {
    name: "tensile",
    file: path("./tensile.ts"),
    arguments: [],
    peer: false,
    version: tensileVersion,
    single: { batch: 1, unacknowledged: 2_000, waiting: 5_000 },
    bulk: { batch: 500, unacknowledged: 5_000, waiting: 10_000 },
  },
  { name: "plainjob", arguments: ["full"], ...plainjob },
  { name: "plainjob-normal", arguments: ["normal"], ...plainjob },
];

const apiConnections = 32;
const apiRate = 500;

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
  const chosen = systems.filter(({ name }) => only === undefined || only.includes(name));
  const data = path("../.data/");
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
        120_000,
        of("flat out", "jobsPerSecond"),
      ),
      ...target("API p99 while jobs run flat out, beside idle", "<=", 2, of("API beside jobs", "p99BesideIdle")),
      ...target("pickup p99 at half load, ms", "<=", 10, of("half load", "pickupP99Ms")),
    ],
    wrong,
    settings: {
      ...Object.fromEntries([...durability].map(([name, text]) => [`durability of ${name}`, text])),
      ...disk,
      payloadBytes: JSON.stringify(payloadOf(123_456, 1234567.891)).length,
      windowMs,
      api: `GET with a parameter, ${apiRate} requests/s on ${apiConnections} connections, open loop`,
    },
  };
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
  const file = join(folder, "jobs.db");
  const child = await start(name, system.file, { arguments: [file, ...system.arguments] });
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
    observe(child, { do: "run", ms, ...load, ...(ratePerSecond !== undefined && { ratePerSecond }) });

  await window(system.single, windowMs / 2);
  const flatOut = await window(system.single, windowMs);
  keep("flat out", flatOut);
  if (port !== undefined) {
    const { idle, busy, jobs, errors } = await besideApi(child, port, generator, system.single, windowMs);
    keep("API idle", idle);
    keep("API beside jobs", { ...busy, p99BesideIdle: (busy["p99Us"] ?? 0) / (idle["p99Us"] ?? 1), ...jobs });
    wrong.push(...Object.entries(errors).map(([what, count]) => `API: ${what} (${count} times)`));
  }
  keep("bulk", await window(system.bulk, windowMs));
  if (port !== undefined) keep("half load", await window(system.single, windowMs, (flatOut["jobsPerSecond"] ?? 0) / 2));
  const syncs = await syncsSeen(child.pid, () => window(system.single, 500));
  if (syncs === 0 && durability.includes("FULL")) wrong.push("jobs were acknowledged, but the file was never synced");

  const verdict = (await child.order({ do: "settle" } satisfies JobsOrder)) as JobsVerdict;
  wrong.push(...verdict.wrong);
  if (verdict.neverRan > 0) wrong.push(`${verdict.neverRan} of ${verdict.acknowledged} acknowledged jobs never ran`);
  if (verdict.left > 0) wrong.push(`${verdict.left} jobs are not done`);
  if (verdict.acknowledged === 0) wrong.push("no job was acknowledged");
  say(
    `${name}: ${verdict.acknowledged} jobs acknowledged, ${verdict.neverRan} lost, ${verdict.ranAgain} ran again` +
      `${syncs === undefined ? "" : `; ${syncs} syncs of the file seen in 0.5 s under strace`}`,
  );
  await child.stop();
  return { samples, wrong, durability };
}

/** One window, with what the process used meanwhile. */
async function observe(child: Measured, order: JobsOrder): Promise<Sample["metrics"]> {
  const before = await child.usage();
  const writtenBefore = bytesWritten(child.pid);
  let rssBytes = before.rssBytes;
  const watch = setInterval(() => void child.usage().then((now) => (rssBytes = Math.max(rssBytes, now.rssBytes))), 250);
  const report = (await child.order(order)) as JobsReport;
  clearInterval(watch);
  const after = await child.usage();
  const writtenAfter = bytesWritten(child.pid);
  const { ran } = report;
  const cpuUs = after.userUs - before.userUs + after.systemUs - before.systemUs;
  return {
    jobsPerSecond: ran / report.seconds,
    enqueueP50Ms: report.enqueueP50Us / 1000,
    enqueueP99Ms: report.enqueueP99Us / 1000,
    pickupP50Ms: report.pickupP50Us / 1000,
    pickupP99Ms: report.pickupP99Us / 1000,
    cpuUsPerJob: cpuUs / ran,
    ...(report.mainThreadCpuUs !== undefined && { mainThreadUsPerJob: report.mainThreadCpuUs / ran }),
    ...(writtenAfter !== undefined &&
      writtenBefore !== undefined && { bytesWrittenPerJob: (writtenAfter - writtenBefore) / ran }),
    rssMB: rssBytes / 1e6,
    backlog: report.backlog,
  };
}

/** The same open-loop load on the API of the process, first alone, then while jobs run flat out. */
async function besideApi(
  child: Measured,
  port: number,
  generator: Generator,
  load: System["single"],
  windowMs: number,
) {
  const requests = cases[0]?.requests ?? [];
  await generator.open({ port, connections: apiConnections, requests, ratePerSecond: apiRate });
  const warm = await generator.phase(windowMs / 2);
  const idle = await generator.phase(windowMs);
  // The jobs begin before the API's window and end after it.
  const jobs = observe(child, { do: "run", ms: windowMs + 600, ...load });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const busy = await generator.phase(windowMs);
  const { jobsPerSecond = 0 } = await jobs;
  await generator.close();
  const latencies = ({ requestsPerSecond, p50Us, p99Us, lateP99Us }: LoadReport): Sample["metrics"] => ({
    requestsPerSecond,
    p50Us,
    p99Us,
    lateP99Us,
  });
  return {
    idle: latencies(idle),
    busy: latencies(busy),
    jobs: { jobsPerSecond },
    errors: { ...warm.errors, ...idle.errors, ...busy.errors },
  };
}
