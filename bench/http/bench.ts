/**
 * The `http` benchmark: one server at a time is under load, on a core of its own, with the generator on another; the systems
 * take turns within every round. The figure that holds still on a shared machine is the server's CPU time per request.
 */
import { pinnedCores } from "../environment.ts";
import { CannotRun } from "../peers.ts";
import type { LoadReport } from "../load.ts";
import { type Generator, startGenerator } from "../load-process.ts";
import { type Measured, start } from "../processes.ts";
import { type Bench, type BenchOptions, type Measurement, ratiosOf, rowsOf, type Sample, target } from "../result.ts";
import { type Case, cases } from "./cases.ts";
import { systems } from "./systems.ts";
import { verify } from "./verify.ts";

const connections = 64;

interface Pace {
  /** Before the first window of a server, so that its code is compiled: at least this many requests, in at most this time. */
  readonly warmUpRequests: number;
  readonly longestWarmUpMs: number;
  /** Before each further window. */
  readonly warmUpMs: number;
  readonly windowMs: number;
}
// Short windows and more rounds: a neighbour on the machine then disturbs the systems of a round alike.
const usual: Pace = { warmUpRequests: 60_000, longestWarmUpMs: 10_000, warmUpMs: 300, windowMs: 1500 };
const hasty: Pace = { warmUpRequests: 15_000, longestWarmUpMs: 700, warmUpMs: 200, windowMs: 700 };

export const httpBench: Bench = {
  name: "http",
  text: "contract routes beside node:http, Fastify, Hono, Express, uWebSockets.js, Bun, Elysia and axum: server CPU per request",
  systems: systems.map(({ name }) => name),
  pinned: true,
  rounds: 7,
  needsPeers: (names) => systems.some(({ name, peer }) => peer && names.includes(name)),
  chart: { metric: "cpuUsPerRequest", title: "Server CPU per request", unit: "µs" },
  run,
};

const quickCases: ReadonlySet<string> = new Set(["get", "get-headers", "post"]);

async function run({ rounds, quick, only, say }: BenchOptions): Promise<Measurement> {
  const chosen = systems.filter(({ name, without }) => {
    if (only !== undefined && !only.includes(name)) return false;
    const reason = without?.(say);
    if (reason !== undefined) say(`${name} is left out: ${reason}.`);
    return reason === undefined;
  });
  if (chosen.length === 0) throw new CannotRun("None of these systems can be had here.");
  const pace = quick ? hasty : usual;
  // Under a minute in all: the longer answers are left out.
  const measured = quick ? cases.filter(({ name }) => quickCases.has(name)) : cases;
  const cores = pinnedCores();
  const generator = await startGenerator(cores.load);
  const samples: Sample[] = [];
  const wrong: string[] = [];
  for (const asked of measured) {
    const servers = await Promise.all(
      chosen.map(async (system) => {
        const server = await start(system.name, system.file, {
          runtime: system.runtime,
          ...(cores.server !== undefined && { core: cores.server }),
        });
        return { system, server, port: (server.ready as { port: number }).port };
      }),
    );
    for (const { system, port } of servers) wrong.push(...(await verify(system.name, port, asked)));
    for (let round = 0; round < rounds; round++) {
      for (const { system, server, port } of servers) {
        const { metrics, errors } = await measure(generator, server, port, asked, round === 0, pace);
        samples.push({ case: asked.name, system: system.name, round, metrics });
        for (const [what, count] of Object.entries(errors)) {
          wrong.push(`${system.name}, ${asked.name}, under load: ${what} (${count} times)`);
        }
        say(
          `${asked.name} ${round + 1}/${rounds} ${system.name.padEnd(9)} ${metrics.cpuUsPerRequest.toFixed(1)} us CPU, ` +
            `${Math.round(metrics.requestsPerSecond)} requests/s`,
        );
      }
    }
    for (const { system, server, port } of servers) {
      wrong.push(...(await verify(system.name, port, asked)));
      await server.stop();
    }
  }
  await generator.stop();
  const ratios = ratiosOf(samples, "tensile", ["cpuUsPerRequest", "requestsPerSecond", "p99Us", "rssMB"]);
  const against = (peer: string, name: string, metric: string): number | undefined =>
    ratios.find((ratio) => ratio.case === name && ratio.metric === metric && ratio.peer === peer)?.ratio;
  return {
    rows: rowsOf(samples, (name) => chosen.find((system) => system.name === name)?.version() ?? ""),
    ratios,
    targets: [
      ...["get", "post"].flatMap((name) => [
        ...target(`${name}: CPU per request beside axum`, "<=", 1.1, against("axum", name, "cpuUsPerRequest")),
        ...target(`${name}: CPU per request beside Fastify`, "<=", 0.4, against("fastify", name, "cpuUsPerRequest")),
        ...target(`${name}: memory under load beside Fastify`, "<=", 1, against("fastify", name, "rssMB")),
      ]),
    ],
    wrong,
    settings: {
      connections,
      loop: "closed, one request in flight on each connection",
      windowMs: pace.windowMs,
      ...Object.fromEntries(measured.map(({ name, text }) => [name, text])),
    },
  };
}

async function measure(
  generator: Generator,
  server: Measured,
  port: number,
  { requests }: Case,
  first: boolean,
  pace: Pace,
) {
  await generator.open({ port, connections, requests });
  const warm = await warmUp(generator, first, pace);
  const before = await server.usage();
  let rssBytes = before.rssBytes;
  const watch = setInterval(
    () => void server.usage().then((now) => (rssBytes = Math.max(rssBytes, now.rssBytes))),
    250,
  );
  const report = await generator.phase(pace.windowMs);
  clearInterval(watch);
  const after = await server.usage();
  await generator.close();
  const userUs = after.userUs - before.userUs;
  const cpuUs = userUs + after.systemUs - before.systemUs;
  const metrics = {
    cpuUsPerRequest: cpuUs / report.answered,
    userUsPerRequest: userUs / report.answered,
    requestsPerSecond: report.requestsPerSecond,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    rssMB: Math.max(rssBytes, after.rssBytes) / 1e6,
    cpuShare: cpuUs / (report.seconds * 1e6),
  };
  return { metrics, errors: { ...warm, ...report.errors } };
}

async function warmUp(generator: Generator, first: boolean, pace: Pace): Promise<LoadReport["errors"]> {
  let errors: LoadReport["errors"] = {};
  const step = first ? 350 : pace.warmUpMs;
  let answered = 0;
  for (let ms = 0; ms < step || (first && ms < pace.longestWarmUpMs && answered < pace.warmUpRequests); ms += step) {
    const report = await generator.phase(step);
    answered += report.answered;
    errors = { ...errors, ...report.errors };
  }
  return errors;
}
