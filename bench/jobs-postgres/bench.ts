/**
 * The `jobs-postgres` benchmark: a producer and workers in one process on a PostgreSQL that the benchmark starts, each system on a database of its own.
 * The server has one core, the process the other.
 *
 *   in turn, three times, each in a new process on a new database: preload -> drain -> accounted for
 *   flat out -> bulk -> half load -> held snapshot -> keyed -> everything worked off and accounted for
 *   from empty for each depth: a backlog -> drain, so that what a job costs is seen beside how many wait behind it
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pinnedCores } from "../environment.ts";
import { describeDisk } from "../jobs/disk.ts";
import { accountFor } from "../jobs/account.ts";
import { type JobsReady, payloadOf, type PreloadReport, type RunOrder } from "../jobs/protocol.ts";
import { besideFlatOut, observe, turnsBesideFlatOut } from "../jobs/window.ts";
import { fewHelpers, type Measured, start } from "../processes.ts";
import {
  type Bench,
  type BenchOptions,
  type Measurement,
  mediansOf,
  ratiosOf,
  rowsOf,
  type Sample,
} from "../result.ts";
import { type Counters, type Watch, watch } from "./counters.ts";
import { type PostgresServer, serverSettings, startPostgres } from "./server.ts";
import { type PostgresSystem, systems } from "./systems.ts";
import { targetsOf } from "./targets.ts";

const keys = 1_000;

/** A fast system works a preloaded backlog off in the first second of its process, and a machine with other guests has seconds that are twice as slow: medians of so many. */
const turnsOfPreload = 3;

export const jobsPostgresBench: Bench = {
  name: "jobs-postgres",
  text: "enqueue + run + acknowledge on PostgreSQL with synchronous_commit=on",
  systems: systems.map(({ name }) => name),
  pinned: true,
  // One round takes some seven minutes, most of it filling deep backlogs.
  rounds: 1,
  needsPeers: (names) => systems.some(({ name, peer }) => peer && names.includes(name)),
  chart: { metric: "jobsPerSecond", title: "Jobs enqueued, run and acknowledged on PostgreSQL", unit: "/s" },
  run,
};

interface Sizes {
  readonly windowMs: number;
  /** For which a snapshot is held. */
  readonly heldMs: number;
  /** Backlogs to be worked off from the front, each on a database of its own; the last one is the deep one. None: not in this round. */
  readonly backlogs: readonly number[];
}

interface Context {
  readonly server: PostgresServer;
  readonly system: PostgresSystem;
  readonly keep: (which: string, metrics: Sample["metrics"]) => void;
  readonly complain: (what: string) => void;
}

async function run({ rounds, quick, minutes, only, backlog, postgres, say }: BenchOptions): Promise<Measurement> {
  const chosen = systems.filter(({ name }) => only === undefined || only.includes(name));
  const data = fileURLToPath(new URL("../.data/", import.meta.url));
  mkdirSync(data, { recursive: true });
  const disk = describeDisk(data);
  const folder = mkdtempSync(join(data, "postgres-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", remove);
  const server = await startPostgres(folder, pinnedCores().load, postgres);
  say(`PostgreSQL ${server.version}`);
  const depth = backlog ?? (quick ? 20_000 : 1_000_000);
  const windowMs = quick ? 1_000 : 4_000;
  const preload = quick ? 5_000 : 100_000;
  const samples: Sample[] = [];
  const wrong: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const contexts = chosen.map((system): Context => {
      const { name } = system;
      const keep = (which: string, metrics: Sample["metrics"]): void => {
        samples.push({ case: which, system: name, round, metrics });
        const figures = Object.entries(metrics).map(([key, value]) => `${key} ${Math.round(value * 100) / 100}`);
        say(`${name.padEnd(23)} ${which}: ${figures.join(", ")}`);
      };
      const complain = (what: string): void => void wrong.push(`${name}, round ${round + 1}: ${what}`);
      return { server, system, keep, complain };
    });
    await preloads(contexts, preload, quick ? 1 : turnsOfPreload);
    const sizes = {
      windowMs,
      heldMs: minutes === undefined ? windowMs : minutes * 60_000,
      // The deep backlog takes long to fill, and one look at it is enough.
      backlogs: round === 0 ? depthsTo(depth) : [],
    };
    for (const context of contexts) await measure(context, sizes);
  }
  await server.stop();
  process.off("exit", remove);
  remove();
  return {
    rows: rowsOf(samples, (name) => chosen.find((system) => system.name === name)?.version() ?? ""),
    ratios: ratiosOf(samples, "tensile", ["jobsPerSecond"]),
    targets: targetsOf(samples),
    wrong,
    settings: {
      postgres: server.version,
      durability: "fsync, full_page_writes and synchronous_commit on for all",
      serverSettings: Object.entries(serverSettings)
        .map(([name, value]) => `${name}=${value}`)
        .join(", "),
      nodeArguments: `${fewHelpers.join(" ")} for all`,
      ...disk,
      payloadBytes: JSON.stringify(payloadOf(123_456, 1234567.891)).length,
      windowMs,
      preload,
      backlog: depth,
      keys,
    },
  };
}

/** The systems in turn, and the medians of what each came to. */
async function preloads(contexts: readonly Context[], most: number, turns: number): Promise<void> {
  const measured = new Map<Context, Sample["metrics"][]>();
  for (let turn = 0; turn < turns; turn++) {
    for (const context of contexts) {
      const { cases } = context.system;
      if (cases === "slow") continue;
      // What claims one by one would take minutes for what others do in seconds.
      const jobs = cases === "plain" ? most / 5 : most;
      await onNewDatabase(context, async (child, counters) => {
        const drained = await preloadAndDrain(context, child, counters, jobs, 60_000);
        measured.set(context, [...(measured.get(context) ?? []), drained]);
        await account(context, child);
      });
    }
  }
  for (const [{ keep }, metrics] of measured) keep("preload", mediansOf(metrics));
}

async function measure(context: Context, sizes: Sizes): Promise<void> {
  const { system, keep } = context;
  if (system.cases !== "slow") {
    await onNewDatabase(context, async (child, counters) => {
      await steady(context, child, counters, sizes);
      await account(context, child);
    });
    if (system.cases !== "full") return;
    for (const [at, depth] of sizes.backlogs.entries()) {
      const which = at === sizes.backlogs.length - 1 ? "deep backlog" : `backlog of ${depth.toLocaleString("en-US")}`;
      await onNewDatabase(context, async (child, counters) =>
        keep(which, await preloadAndDrain(context, child, counters, depth, sizes.windowMs)),
      );
    }
    return;
  }
  await onNewDatabase(context, async (child, counters) => {
    const order = { ...system.single, ms: 2 * sizes.windowMs };
    const flatOut = await window(context, child, counters, order);
    context.keep("flat out", flatOut);
    const ratePerSecond = (flatOut["jobsPerSecond"] ?? 0) / 2;
    context.keep("half load", await window(context, child, counters, { ...order, ratePerSecond }));
    await account(context, child);
  });
}

async function onNewDatabase(
  { server, system }: Context,
  work: (child: Measured, counters: Watch) => Promise<void>,
): Promise<void> {
  const name = `bench-${system.name}`;
  await server.dropDatabase(name);
  const address = await server.createDatabase(name);
  const child = await start(system.name, system.file, {
    ...coreOfProcess(),
    nodeArguments: fewHelpers,
    arguments: [address, system.mode],
  });
  const counters = await watch(address);
  try {
    await work(child, counters);
  } finally {
    await counters.end();
    await child.stop();
    await server.dropDatabase(name);
  }
}

/** Ten thousand, a million, and what is asked for; a hundred thousand are the `preload`. */
function depthsTo(deepest: number): readonly number[] {
  return deepest === 0 ? [] : [...[10_000, 1_000_000].filter((depth) => depth < deepest), deepest];
}

/** A backlog enqueued in bulk before any worker has begun, then worked off, for so long at most. */
async function preloadAndDrain(
  { server, system }: Context,
  child: Measured,
  counters: Watch,
  jobs: number,
  ms: number,
): Promise<Sample["metrics"]> {
  const { batch, unacknowledged } = system.bulk;
  const filled = (await child.order({ do: "preload", jobs, batch, unacknowledged })) as PreloadReport;
  const deadBefore = await counters.deadRows();
  const { walBytes, commits } = await counters.read();
  const drained = await observe(child, { do: "drain", ms }, { cpuUs: server.cpuUs });
  const after = await counters.read();
  return {
    ...drained,
    usPerJob: 1e6 / (drained["jobsPerSecond"] ?? NaN),
    ...shares(drained.ran, { walBytes, commits }, after),
    deadRowsPerJob: ((await counters.deadRows()) - deadBefore) / Math.max(1, drained.ran),
    enqueuedPerSecond: jobs / filled.seconds,
  };
}

async function window(
  { server }: Context,
  child: Measured,
  counters: Watch,
  order: RunOrder,
): Promise<Sample["metrics"] & { readonly ran: number }> {
  const before = await counters.read();
  const metrics = await observe(child, { do: "run", ...order }, { cpuUs: server.cpuUs });
  const after = await counters.read();
  return { ...metrics, ...shares(metrics.ran, before, after) };
}

function shares(ran: number, before: Counters, after: Counters): Sample["metrics"] {
  if (ran === 0) return {};
  return {
    walBytesPerJob: (after.walBytes - before.walBytes) / ran,
    commitsPerJob: (after.commits - before.commits) / ran,
  };
}

async function steady(context: Context, child: Measured, counters: Watch, sizes: Sizes): Promise<void> {
  const { keep } = context;
  const { windowMs: ms, heldMs } = sizes;
  const { single, bulk } = context.system;
  await child.order({ do: "run", ...single, ms: ms / 2 });
  const observed = (order: RunOrder): ReturnType<typeof window> => window(context, child, counters, order);
  const flatOut = await observed({ ...single, ms });
  keep("flat out", flatOut);
  keep("bulk", await observed({ ...bulk, ms }));
  const ratePerSecond = (flatOut["jobsPerSecond"] ?? 0) / 2;
  keep("half load", await observed({ ...single, ms, ratePerSecond }));
  const half = { ...single, ms: ms / 2 };
  const besides = (work: () => Promise<Sample["metrics"]>, turns: number): Promise<Sample["metrics"]> =>
    besideFlatOut(() => observed(half), work, turns);
  const underSnapshot = async (): Promise<Sample["metrics"]> => {
    const deadBefore = await counters.deadRows();
    const release = await counters.holdSnapshot();
    const metrics = await observed({ ...single, ms: heldMs });
    const deadRows = (await counters.deadRows()) - deadBefore;
    await release();
    return { ...metrics, deadRows, deadRowsPerJob: deadRows / Math.max(1, metrics.ran) };
  };
  // A snapshot that is held for minutes is held once.
  keep("held snapshot", await besides(underSnapshot, heldMs === ms ? turnsBesideFlatOut : 1));
  // The name with keys begins from nothing here, as the other did before its first window.
  await child.order({ do: "run", ...half, keys });
  keep("keyed", await besides(() => observed({ ...half, keys }), turnsBesideFlatOut));
}

async function account({ complain }: Context, child: Measured): Promise<void> {
  for (const what of (await accountFor(child)).wrong) complain(what);
  if (!/synchronous_commit=on/.test((child.ready as JobsReady).durability))
    complain("it does not say that its commits are durable");
}

function coreOfProcess(): { readonly core?: number } {
  const core = pinnedCores().server;
  return core === undefined ? {} : { core };
}
