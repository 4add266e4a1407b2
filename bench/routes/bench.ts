/**
 * The `routes` benchmark: what it costs to start with 100, 1,000 and 10,000 operations, and whether a request then pays for the
 * others. A fresh process for each count and round, because a start is cold.
 */
import { fileURLToPath } from "node:url";
import { pinnedCores, tensileVersion } from "../environment.ts";
import { start } from "../processes.ts";
import { type Bench, type BenchOptions, type Measurement, median, rowsOf, type Sample, target } from "../result.ts";
import type { DocumentOrder, DocumentReport, LookupOrder, LookupReport, RoutesReady } from "./protocol.ts";

const counts = [100, 1_000, 10_000] as const;
/** So many routes have the traffic; in an API of thousands most are called rarely. */
const busyRoutes = 64;
const program = fileURLToPath(new URL("./tensile.ts", import.meta.url));

export const routesBench: Bench = {
  name: "routes",
  text: "100, 1,000 and 10,000 operations: time to register them, memory, and what a request costs among them",
  systems: ["tensile"],
  pinned: true,
  rounds: 5,
  needsPeers: () => false,
  chart: { metric: "registerMs", title: "Time to register", unit: "ms" },
  run,
};

async function run({ rounds, quick, say }: BenchOptions): Promise<Measurement> {
  const samples: Sample[] = [];
  const wrong: string[] = [];
  const requests = quick ? 60_000 : 300_000;
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) {
      const { metrics, complaints } = await measure(count, requests);
      const name = nameOf(count);
      samples.push({ case: name, system: "tensile", round, metrics });
      wrong.push(...complaints.map((complaint) => `tensile, ${name}: ${complaint}`));
      say(
        `${round + 1}/${rounds} ${name.padEnd(17)} registered in ${metrics.registerMs.toFixed(1)} ms, ` +
          `${metrics.lookupUs.toFixed(2)} us CPU per request`,
      );
    }
  }
  return {
    rows: rowsOf(samples, tensileVersion),
    ratios: [],
    targets: [
      ...target("10,000 operations registered, ms", "<=", 300, medianOf(samples, 10_000, "registerMs")),
      ...target(
        "registration per operation, 10,000 beside 1,000",
        "<=",
        1.25,
        between(samples, 10_000, 1_000, "registerUsPerOperation"),
      ),
      ...target("1,000 operations to the first response, ms", "<=", 60, medianOf(samples, 1_000, "firstResponseMs")),
      ...target("CPU per request, 10,000 beside 100", "<=", 1.25, between(samples, 10_000, 100, "lookupUs")),
    ],
    wrong,
    settings: { busyRoutes, requests },
  };
}

async function measure(count: number, requests: number) {
  const { server: core } = pinnedCores();
  const child = await start(`${count} routes`, program, {
    arguments: [String(count)],
    ...(core !== undefined && { core }),
  });
  const ready = child.ready as RoutesReady;
  const lookUp = (order: LookupOrder): Promise<LookupReport> => child.order(order) as Promise<LookupReport>;
  const busy = { routes: busyRoutes, requests };
  const reports = [
    // Twice to warm up.
    await lookUp(busy),
    await lookUp(busy),
    await lookUp(busy),
    // Each route is seen to answer before these are timed.
    await lookUp({ routes: count, requests }),
    await lookUp(busy),
  ] as const;
  // Last, because it leaves garbage.
  const { documentUs } = (await child.order({ document: true } satisfies DocumentOrder)) as DocumentReport;
  await child.stop();
  const registerUs = ready.declareUs + ready.implementUs + ready.handlerUs;
  const metrics = {
    registerMs: registerUs / 1000,
    registerCpuMs: ready.cpuUs / 1000,
    declareMs: ready.declareUs / 1000,
    implementMs: ready.implementUs / 1000,
    handlerMs: ready.handlerUs / 1000,
    registerUsPerOperation: registerUs / count,
    firstResponseMs: (registerUs + ready.firstUs) / 1000,
    documentMs: documentUs / 1000,
    lookupUs: reports[2].usPerRequest,
    lookupOverAllUs: reports[3].usPerRequest,
    lookupAfterAllUs: reports[4].usPerRequest,
    rssMB: ready.rssBytes / 1e6,
    grownMB: ready.grownBytes / 1e6,
  };
  return { metrics, complaints: reports.flatMap((report) => report.wrong) };
}

const nameOf = (count: number): string => `${count.toLocaleString("en-US")} operations`;

function medianOf(samples: readonly Sample[], count: number, metric: string): number {
  const name = nameOf(count);
  return median(samples.flatMap((sample) => (sample.case === name ? [sample.metrics[metric] ?? Number.NaN] : [])));
}

/** The median, over the rounds, of one count beside another within a round. */
function between(samples: readonly Sample[], of: number, beside: number, metric: string): number {
  const at = (count: number, round: number): number =>
    samples.find((sample) => sample.case === nameOf(count) && sample.round === round)?.metrics[metric] ?? Number.NaN;
  const rounds = new Set(samples.map(({ round }) => round));
  return median([...rounds].map((round) => at(of, round) / at(beside, round)));
}
