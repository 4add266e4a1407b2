/**
 * The `overload` benchmark: each system's peak by a closed loop, then 1, 2, 5 and 10 times that by callers who do not wait for
 * each other. What counts is goodput: right answers within the callers' deadline.
 */
import { fileURLToPath } from "node:url";
import { useBuiltPackage } from "../built.ts";
import { pinnedCores, tensileVersion } from "../environment.ts";
import type { LoadRequest } from "../load.ts";
import { peerVersion } from "../peers.ts";
import { type Measured, start } from "../processes.ts";
import { type Bench, type BenchOptions, type Measurement, rowsOf, type Sample, target } from "../result.ts";
import { median } from "../result.ts";
import { startOverloadGenerator, type OverloadGenerator, type OverloadReport } from "./open-load.ts";
import { render } from "./work.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface System {
  readonly name: string;
  readonly file: string;
  readonly mode: string;
  readonly peer: boolean;
  version(): string;
}

const systems: readonly System[] = [
  { name: "tensile", file: file("./tensile.ts"), mode: "", peer: false, version: tensileVersion },
  { name: "tensile-open", file: file("./tensile.ts"), mode: "open", peer: false, version: () => "overload: false" },
  {
    name: "fastify",
    file: file("../peers/http/fastify-overload.js"),
    mode: "",
    peer: true,
    version: () => `${peerVersion("fastify")} + under-pressure ${peerVersion("@fastify/under-pressure")}`,
  },
];

const ids = [11, 23, 37, 41, 53, 67, 79, 97];
const cases: readonly { readonly name: string; readonly text: string; readonly requests: readonly LoadRequest[] }[] = [
  { name: "cpu", text: "about 2 ms of CPU, synchronous", requests: ids.map((id) => ask("cpu", id, render(id).mark)) },
  { name: "pool", text: "a pool of 10 connections, 20 ms each", requests: ids.map((id) => ask("pool", id, id * 7)) },
];

function ask(path: string, id: number, mark: number): LoadRequest {
  return {
    text: `GET /${path}/${id} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    expect: { status: 200, body: `{"id":${id},"mark":${mark}}`, contentType: "application/json" },
  };
}

interface Pace {
  readonly warmUpMs: number;
  readonly peakMs: number;
  /** Before a window is measured under its load. */
  readonly settleMs: number;
  readonly windowMs: number;
  readonly loads: readonly number[];
}
const usual: Pace = { warmUpMs: 1000, peakMs: 3000, settleMs: 1500, windowMs: 3000, loads: [1, 2, 5, 10] };
const hasty: Pace = { warmUpMs: 500, peakMs: 1000, settleMs: 1000, windowMs: 1500, loads: [1, 10] };

const callers = 32;
/** So few that nobody refuses them, before the first load. */
const calmCallers = 2;
const connections = 2000;
const deadlineMs = 1000;
/** What a process of this kind may take: the container that it would be given. */
const budgetMB = 256;

export const overloadBench: Bench = {
  name: "overload",
  text: "1 to 10 times the peak by callers who do not wait, beside Fastify with under-pressure: goodput, latency, memory",
  systems: systems.map(({ name }) => name),
  pinned: true,
  rounds: 2,
  needsPeers: (names) => systems.some(({ name, peer }) => peer && names.includes(name)),
  chart: { metric: "goodputShare", title: "Right answers in time, as a share of the peak", unit: "" },
  run,
};

async function run({ rounds, quick, only, say }: BenchOptions): Promise<Measurement> {
  useBuiltPackage(say);
  const pace = quick ? hasty : usual;
  const chosen = systems.filter(({ name }) => only === undefined || only.includes(name));
  const generator = await startOverloadGenerator(pinnedCores().load);
  const samples: Sample[] = [];
  const wrong: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { name, text, requests } of cases) {
      for (const system of chosen) {
        const add = (load: string, metrics: Sample["metrics"]): void => {
          samples.push({ case: `${name} ${load}`, system: system.name, round, metrics });
          say(`${round + 1}/${rounds} ${name} (${text}) ${system.name} ${load}: ${describe(metrics)}`);
        };
        wrong.push(...(await measure(generator, system, requests, pace, add)));
      }
    }
    if (chosen.some(({ name }) => name === "tensile")) {
      const metrics = await refusalCost(generator, pace);
      samples.push({ case: "refusing", system: "tensile", round, metrics });
      say(`${round + 1}/${rounds} refusing: ${describe(metrics)}`);
    }
  }
  await generator.stop();
  const of = (name: string, system: string, metric: string): number | undefined => {
    const values = samples.flatMap((sample) =>
      sample.case === name && sample.system === system ? [sample.metrics[metric] ?? Number.NaN] : [],
    );
    return values.length === 0 ? undefined : median(values);
  };
  return {
    rows: rowsOf(samples, (name) => systems.find((system) => system.name === name)?.version() ?? ""),
    ratios: [],
    targets: [
      ...cases.flatMap(({ name }) => [
        ...target(
          `${name} x10: goodput as a share of the peak`,
          ">=",
          0.85,
          of(`${name} x10`, "tensile", "goodputShare"),
        ),
        ...target(`${name} x10: 99th percentile of the admitted, ms`, "<=", 250, of(`${name} x10`, "tensile", "p99Ms")),
        ...target(`${name} x10: memory, MB`, "<=", budgetMB, of(`${name} x10`, "tensile", "rssMB")),
      ]),
      ...target("CPU of a refusal, us", "<=", 50, of("refusing", "tensile", "cpuUsPerRefusal")),
    ],
    wrong,
    settings: {
      ...Object.fromEntries(cases.map(({ name, text }) => [name, text])),
      peak: `closed loop, ${callers} callers, nothing refused`,
      deadlineMs,
      connections,
      windowMs: pace.windowMs,
      budgetMB,
    },
  };
}

async function measure(
  generator: OverloadGenerator,
  system: System,
  requests: readonly LoadRequest[],
  pace: Pace,
  add: (load: string, metrics: Sample["metrics"]) => void,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const look = (report: OverloadReport, load: string): void => {
    for (const [what, count] of Object.entries(report.errors))
      wrong.push(`${system.name}, ${load}: ${what} (${count} times)`);
  };
  const top = await peakOf(generator, system, requests, pace);
  look(top, "peak");
  const capacity = top.good / top.seconds;
  const server = await startServer(system.name, system.file, system.mode);
  const { port } = server.ready as { port: number };
  const plan = { port, requests, connections, deadlineMs };
  await generator.run({ ...plan, callers: calmCallers, ms: pace.warmUpMs });
  const found: { readonly load: string; readonly report: OverloadReport; readonly used: Used }[] = [];
  for (const times of pace.loads) {
    const ratePerSecond = capacity * times;
    await generator.run({ ...plan, ratePerSecond, ms: pace.settleMs });
    const { used, report } = await watched(server, () => generator.run({ ...plan, ratePerSecond, ms: pace.windowMs }));
    look(report, `x${times}`);
    found.push({ load: `x${times}`, report, used });
  }
  await server.stop();
  const peak = Math.max(capacity, ...found.map(({ report }) => report.good / report.seconds));
  add("peak", { goodputPerSecond: capacity, goodputShare: capacity / peak, p99Ms: top.p99Ms });
  for (const { load, report, used } of found) {
    const { seconds, offered, good, refused, failed } = report;
    add(load, {
      goodputPerSecond: good / seconds,
      goodputShare: good / seconds / peak,
      offeredPerSecond: offered / seconds,
      refusedPerSecond: refused / seconds,
      failedPerSecond: failed / seconds,
      p50Ms: report.p50Ms,
      p99Ms: report.p99Ms,
      refusalP99Ms: report.refusalP99Ms,
      rssMB: used.rssBytes / 1e6,
    });
  }
  return wrong;
}

/**
 * What a system can do when it refuses nothing. Its protection would spoil that: a closed loop keeps the event loop busy all the
 * time, which some take for an overload.
 */
async function peakOf(
  generator: OverloadGenerator,
  system: System,
  requests: readonly LoadRequest[],
  pace: Pace,
): Promise<OverloadReport> {
  const server = await startServer(`${system.name}, open`, system.file, "open");
  const { port } = server.ready as { port: number };
  const plan = { port, requests, connections, deadlineMs, callers };
  await generator.run({ ...plan, ms: pace.warmUpMs });
  const top = await generator.run({ ...plan, ms: pace.peakMs });
  await server.stop();
  return top;
}

/** One call holds the only place, and every other is refused: what that costs. */
async function refusalCost(generator: OverloadGenerator, pace: Pace): Promise<Sample["metrics"]> {
  const server = await startServer("tensile", file("./tensile.ts"), "full");
  const { port } = server.ready as { port: number };
  const held = new AbortController();
  const holding = fetch(`http://127.0.0.1:${port}/hold`, { signal: held.signal }).catch(() => undefined);
  const plan = { port, requests: [ask("pool", 1, 1)], connections, deadlineMs, callers: 64 };
  await generator.run({ ...plan, ms: pace.warmUpMs });
  const { used, report } = await watched(server, () => generator.run({ ...plan, ms: pace.peakMs }));
  held.abort();
  await holding;
  await server.stop();
  return { cpuUsPerRefusal: used.cpuUs / report.refused, refusedPerSecond: report.refused / report.seconds };
}

function startServer(name: string, program: string, mode: string): Promise<Measured> {
  const { server: core } = pinnedCores();
  return start(name, program, { arguments: [mode], ...(core !== undefined && { core }) });
}

interface Used {
  readonly cpuUs: number;
  /** At its highest. */
  readonly rssBytes: number;
}

async function watched(
  server: Measured,
  work: () => Promise<OverloadReport>,
): Promise<{ readonly used: Used; readonly report: OverloadReport }> {
  const before = await server.usage();
  let rssBytes = before.rssBytes;
  const timer = setInterval(
    () => void server.usage().then((now) => (rssBytes = Math.max(rssBytes, now.rssBytes))),
    250,
  );
  const report = await work();
  clearInterval(timer);
  const after = await server.usage();
  const cpuUs = after.userUs + after.systemUs - before.userUs - before.systemUs;
  return { used: { cpuUs, rssBytes: Math.max(rssBytes, after.rssBytes) }, report };
}

function describe(metrics: Sample["metrics"]): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(value < 10 ? 2 : 0)}`)
    .join(", ");
}
