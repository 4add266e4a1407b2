/**
 * The `soak` benchmark: minutes of mixed load (reads, bodies, faults, wrong input) beside clients that say nothing, leave in the
 * middle of things, or speak no HTTP. Memory is sampled every second; its slope after the warm-up says whether something leaks.
 */
import { fileURLToPath } from "node:url";
import { useBuiltPackage } from "../built.ts";
import { pinnedCores, tensileVersion } from "../environment.ts";
import { startGenerator } from "../load-process.ts";
import type { LoadRequest } from "../load.ts";
import { start } from "../processes.ts";
import { type Bench, type BenchOptions, type Measurement, target } from "../result.ts";
import type { TroubleReport } from "./trouble.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const idle = 500;
const connections = 32;
/** Of the run: code is compiled, heaps and buffers find their size. */
const warmUpShare = 0.3;

const problem = (code: string, status: number, title: string, detail: string, data: string): string =>
  `{"type":"/problems/${code}","title":"${title}","status":${status},"code":"${code}","detail":"${detail}","data":${data}}`;

const post = (name: string): LoadRequest => {
  const body = JSON.stringify({ name, tags: ["a", "b", "c"] });
  return {
    text: `POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    expect: { status: 200, body: `{"length":${name.length},"tags":3}`, contentType: "application/json" },
  };
};
const get = (path: string, status: number, body: string): LoadRequest => ({
  text: `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  expect: { status, body, contentType: status === 200 ? "application/json" : "application/problem+json" },
});
const requests: readonly LoadRequest[] = [
  ...[1, 2, 3, 4, 5].map((id) => get(`/items/${id}`, 200, `{"id":${id},"name":"Item ${id}"}`)),
  get("/later/7", 200, '{"id":7,"name":"Item 7"}'),
  get("/items/2000", 404, problem("NOT_THERE", 404, "Not found", "Not found", '{"id":2000}')),
  post("short"),
  post("n".repeat(2_000)),
  post("m".repeat(15_000)),
];

export const soakBench: Bench = {
  name: "soak",
  text: "minutes of mixed load, errors, clients that leave and idle connections: whether memory stays where it is",
  systems: ["tensile"],
  pinned: true,
  rounds: 1,
  needsPeers: () => false,
  chart: { metric: "rssMB", title: "Memory under a mixed load", unit: "MB" },
  run,
};

async function run({ quick, minutes = quick ? 0.5 : 4, say }: BenchOptions): Promise<Measurement> {
  useBuiltPackage(say);
  const cores = pinnedCores();
  const server = await start("tensile", file("./tensile.ts"), {
    ...(cores.server !== undefined && { core: cores.server }),
  });
  const { port } = server.ready as { port: number };
  const generator = await startGenerator(cores.load);
  const trouble = await start("trouble", file("./trouble.ts"), {
    ...(cores.load !== undefined && { core: cores.load }),
  });
  // Below what the server can do: a loop that is never idle collects at other times than one in service.
  await generator.open({ port, connections, requests, ratePerSecond: 1_500 });
  await trouble.order({ port, idle, perSecond: 10 });

  const points: (readonly [seconds: number, value: number])[] = [];
  const startedAt = performance.now();
  const watch = setInterval(() => {
    void server.usage().then(({ rssBytes }) => {
      points.push([(performance.now() - startedAt) / 1000, rssBytes / 1e6]);
      if (points.length % 30 === 0) say(`${points.length} s: ${points.at(-1)?.[1].toFixed(1)} MB`);
    });
  }, 1000);
  const report = await generator.phase(minutes * 60_000);
  clearInterval(watch);
  const { made } = (await trouble.order("stop")) as TroubleReport;
  await trouble.stop();
  await generator.stop();
  await server.stop();

  const settled = points.slice(Math.floor(points.length * warmUpShare));
  const { slope, level } = line(settled);
  const overTheRun = (slope * (settled.at(-1)?.[0] ?? 0) - slope * (settled[0]?.[0] ?? 0)) / level;
  return {
    rows: [
      {
        case: "soak",
        system: "tensile",
        version: tensileVersion(),
        metrics: {
          rssMB: level,
          highestRssMB: Math.max(...points.map(([, value]) => value)),
          slopeMBPerMinute: slope * 60,
          requests: report.answered,
          troubledConnections: made,
          p99Us: report.p99Us,
        },
      },
    ],
    ratios: [],
    targets: target("growth of memory after the warm-up, as a share of its level", "<=", 0.05, overTheRun),
    wrong: Object.entries(report.errors).map(([what, count]) => `${what} (${count} times)`),
    series: [{ name: "tensile", unit: "MB", points: points.map(([s, v]) => [round(s), round(v)] as const) }],
    settings: { minutes, connections, idle, ratePerSecond: 1_500, troublePerSecond: 70, warmUpShare },
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** The straight line that fits best (least squares): its slope per second, and its value in the middle. */
export function line(points: readonly (readonly [x: number, y: number])[]): {
  readonly slope: number;
  readonly level: number;
} {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = mean(points.map(([x]) => x));
  const level = mean(points.map(([, y]) => y));
  const spread = mean(points.map(([x]) => (x - middle) ** 2));
  const slope = spread === 0 ? 0 : mean(points.map(([x, y]) => (x - middle) * (y - level))) / spread;
  return { slope, level };
}
