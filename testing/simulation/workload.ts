/** The jobs of a run, what their handlers do, and the promises that the store is given for them. */
import { type Clock, sleep } from "../../src/core/index.ts";
import { contract, fault, fixed, implementContract, job, snooze } from "../../src/contract/index.ts";
import type { NewJob, StoreOpenOptions } from "../../src/jobs/index.ts";
import { t } from "../../src/schema/index.ts";
import type { Promised } from "./history.ts";
import type { World } from "./world.ts";

export const attempts = 4;
const Broken = fault("BROKEN", { kind: "unavailable" });
const NotReady = fault("NOT_READY", { kind: "unavailable" });
const settings = {
  input: { n: t.int(), ms: t.int(), failures: t.int() },
  faults: [Broken, NotReady],
  retry: { attempts, backoff: fixed("50ms"), jitter: 0, on: { NOT_READY: snooze("80ms") } },
  timeout: "10s",
} as const;

const jobs = {
  plain: job("plain", settings),
  keyed: job("keyed", settings),
  ordered: job("ordered", settings),
  gated: job("gated", settings),
  rated: job("rated", settings),
  paced: job("paced", settings),
  shared: job("shared", { ...settings, concurrency: 1 }),
  stepped: job("stepped", settings),
  waits: job("waits", { ...settings, signals: { go: { v: t.int() } } }),
  early: job("early", settings),
  nightly: job("nightly", settings),
};

const simulated = contract("simulation.v2", jobs);

/** What the store is opened with. */
export function policyOf(name: string): ReturnType<NonNullable<StoreOpenOptions["policy"]>> {
  if (name === "keyed") return { perKey: { concurrency: 2 } };
  if (name === "ordered") return { perKey: { ordered: true } };
  if (name === "gated") return { gates: [{ id: "gate", concurrency: 3 }] };
  if (name === "rated") return { gates: [{ id: "pace", rate: { limit: 3, periodMs: 300 } }] };
  if (name === "paced") return { perKey: { rate: { limit: 2, periodMs: 200 } } };
  return undefined;
}

/** What the checker holds the store to. The same, said again by hand, so that a mistake in `policyOf` is a difference. */
export function promisedOf(name: string): Promised {
  return {
    maxAttempts: attempts,
    ...(name === "keyed" && { perKey: 2 }),
    ...(name === "ordered" && { ordered: true, perKey: 1 }),
    ...(name === "gated" && { concurrency: 3 }),
    ...(name === "rated" && { rate: { limit: 3, periodMs: 300, of: "name" as const } }),
    ...(name === "paced" && { rate: { limit: 2, periodMs: 200, of: "key" as const } }),
    ...(name === "shared" && { turns: true }),
  };
}

/** Told what handlers do. */
export interface Witness {
  began(id: string, attempt: number): void;
  step(id: string, name: string): void;
  /** Undefined: no signal came in time. */
  heard(id: string, name: string, value: string | undefined): void;
}

interface Given {
  readonly input: { readonly n: number; readonly ms: number; readonly failures: number };
  readonly job: { readonly id: string; readonly attempt: number; progress(value: number): void };
  readonly signal: AbortSignal;
}

/** The contract of the run, with handlers that take time, fail as often as their payload says, and heed their signal. */
export function appOf(clock: Clock, { began, step, heard }: Witness) {
  const end = ({ input, job: info }: Given) => (info.attempt <= input.failures ? Broken() : undefined);
  const handle = async (given: Given) => {
    began(given.job.id, given.job.attempt);
    if (given.input.ms > 0) await sleep(clock, given.input.ms, given.signal);
    if (given.input.ms > 100) given.job.progress(given.input.ms);
    return end(given);
  };
  /** How often a job was too early, in this process: a new one begins to count anew, which ends as well. */
  const early = new Map<string, number>();
  return implementContract(simulated, {
    handlers: {
      plain: handle,
      keyed: handle,
      ordered: handle,
      gated: handle,
      rated: handle,
      paced: handle,
      shared: handle,
      nightly: handle,
      stepped: async (given) => {
        const { input, job: run } = given;
        began(run.id, run.attempt);
        const take = (name: string): Promise<number> =>
          run.step(name, async () => {
            step(run.id, `step:${name}`);
            if (input.ms > 150) await sleep(clock, input.ms, given.signal);
            return input.n;
          });
        await take("one");
        if (input.ms > 0) await run.sleep("nap", input.ms > 200 ? "1.5s" : "20ms");
        await take("two");
        return end(given);
      },
      waits: async (given) => {
        const { input, job: run } = given;
        began(run.id, run.attempt);
        // Longer than a run may take to come to its end: such a job ends only by its signal.
        const got = await run.waitFor("go", { timeout: input.ms > 0 && input.ms < 150 ? "400ms" : "10d" });
        heard(run.id, "go", got.ok ? JSON.stringify(got.value) : undefined);
        return end(given);
      },
      early: async (given) => {
        const { id, attempt } = given.job;
        began(id, attempt);
        const seen = early.get(id) ?? 0;
        early.set(id, seen + 1);
        return seen < given.input.ms % 7 ? NotReady() : end(given);
      },
    },
  });
}

export const names = Object.keys(jobs) as readonly (keyof typeof jobs)[];
const keyedNames: ReadonlySet<string> = new Set(["keyed", "ordered", "gated", "paced"]);

/** One call's worth of new jobs. `known`: ids to depend on. */
export function drawJobs(world: World, known: readonly string[], next: () => number): NewJob[] {
  const count = world.chance(0.7) ? 1 : world.between(2, 6);
  // Now and then a tenant comes with much at once.
  const crowd = count > 1 && world.chance(0.3) ? `t${world.random.int(3)}` : undefined;
  const made: NewJob[] = [];
  for (let i = 0; i < count; i++) {
    const name = crowd !== undefined ? "shared" : (names[world.random.int(names.length)] ?? "plain");
    const payload = JSON.stringify({
      n: next(),
      ms: world.chance(0.5) ? 0 : world.random.int(300),
      failures: world.chance(0.8) ? 0 : world.random.int(6),
    });
    const dependsOn = world.chance(0.15) ? drawDependencies(world, known, i) : [];
    made.push({
      name,
      priority: world.chance(0.8) || name === "shared" ? 5 : world.random.int(10),
      payload,
      ...(keyedNames.has(name) && { key: `k${world.random.int(3)}` }),
      ...(name === "shared" && { tenant: crowd ?? `t${world.random.int(3)}` }),
      ...(name === "nightly" && { occurrence: { schedule: "nightly", at: Math.floor(world.clock.now() / 200) * 200 } }),
      ...(name === "plain" && world.chance(0.7) && drawUnique(world)),
      ...(world.chance(0.15) && drawTime(world)),
      ...(dependsOn.length > 0 && {
        after: { jobs: dependsOn, on: world.chance(0.5) ? ("succeeded" as const) : ("finished" as const) },
      }),
    });
  }
  return made;
}

function drawUnique(world: World): Partial<NewJob> {
  const uniqueKey = `u${world.random.int(2)}`;
  return world.chance(0.3) ? { uniqueKey, unique: { scope: "early", until: "started" } } : { uniqueKey };
}

function drawTime(world: World): Partial<NewJob> {
  const ms = world.random.int(400);
  return world.chance(0.5) ? { delayMs: ms } : { runAt: world.clock.now() + ms };
}

function drawDependencies(world: World, known: readonly string[], before: number): (string | number)[] {
  const chosen = new Set<string | number>();
  for (let i = world.between(1, 3); i > 0; i--) {
    if (before > 0 && world.chance(0.5)) chosen.add(world.random.int(before));
    else if (known.length > 0) chosen.add(known[world.random.int(known.length)] as string);
  }
  return [...chosen];
}
