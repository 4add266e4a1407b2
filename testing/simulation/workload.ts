/** The jobs of a run, what their handlers do, and the promises that the store is given for them. */
import { type Clock, sleep } from "../../src/core/index.ts";
import { contract, fault, fixed, implementContract, job } from "../../src/contract/index.ts";
import type { NewJob, StoreOpenOptions } from "../../src/jobs/index.ts";
import { t } from "../../src/schema/index.ts";
import type { Promised } from "./history.ts";
import type { World } from "./world.ts";

/** What a store can do so far; a run asks for no more. */
export type Feature = "keys" | "dependencies" | "flow";

export const attempts = 4;
const Broken = fault("BROKEN", { kind: "unavailable" });
const settings = {
  input: { n: t.int(), ms: t.int(), failures: t.int() },
  faults: [Broken],
  retry: { attempts, backoff: fixed("50ms"), jitter: 0 },
  timeout: "10s",
} as const;

const jobs = {
  plain: job("plain", settings),
  keyed: job("keyed", settings),
  ordered: job("ordered", settings),
  gated: job("gated", settings),
};

const simulated = contract("simulation.v1", jobs);

/** What the store is opened with. */
export function policyOf(name: string): ReturnType<NonNullable<StoreOpenOptions["policy"]>> {
  if (name === "keyed") return { perKey: { concurrency: 2 } };
  if (name === "ordered") return { perKey: { ordered: true } };
  if (name === "gated") return { gates: [{ id: "gate", concurrency: 3 }] };
  return undefined;
}

/** What the checker holds the store to. The same, said again by hand, so that a mistake in `policyOf` is a difference. */
export function promisedOf(features: ReadonlySet<Feature>): (name: string) => Promised {
  const keys = features.has("keys");
  return (name) => ({
    maxAttempts: attempts,
    ...(keys && name === "keyed" && { perKey: 2 }),
    ...(keys && name === "ordered" && { ordered: true, perKey: 1 }),
    ...(keys && name === "gated" && { concurrency: 3 }),
  });
}

export interface Attempt {
  began(id: string, attempt: number): void;
}

/** The contract of the run, with handlers that take time, fail as often as their payload says, and heed their signal. */
export function appOf(clock: Clock, { began }: Attempt) {
  const handle = async ({
    input,
    job: info,
    signal,
  }: {
    readonly input: { readonly ms: number; readonly failures: number };
    readonly job: { readonly id: string; readonly attempt: number };
    readonly signal: AbortSignal;
  }) => {
    began(info.id, info.attempt);
    if (input.ms > 0) await sleep(clock, input.ms, signal);
    return info.attempt <= input.failures ? Broken() : undefined;
  };
  return implementContract(simulated, { handlers: { plain: handle, keyed: handle, ordered: handle, gated: handle } });
}

export const names = ["plain", "keyed", "ordered", "gated"] as const;

/** One call's worth of new jobs. `known`: ids to depend on. */
export function drawJobs(
  world: World,
  features: ReadonlySet<Feature>,
  known: readonly string[],
  next: () => number,
): NewJob[] {
  const count = world.chance(0.7) ? 1 : world.between(2, 6);
  const made: NewJob[] = [];
  for (let i = 0; i < count; i++) {
    const name = features.has("keys") ? (names[world.random.int(names.length)] ?? "plain") : "plain";
    const payload = JSON.stringify({
      n: next(),
      ms: world.chance(0.5) ? 0 : world.random.int(300),
      failures: world.chance(0.8) ? 0 : world.random.int(6),
    });
    const dependsOn = features.has("dependencies") && world.chance(0.15) ? drawDependencies(world, known, i) : [];
    made.push({
      name,
      priority: world.chance(0.8) ? 5 : world.random.int(10),
      payload,
      ...(name !== "plain" && { key: `k${world.random.int(3)}` }),
      ...(name === "plain" && world.chance(0.3) && { uniqueKey: `u${world.random.int(4)}` }),
      ...(world.chance(0.15) && { runAt: world.clock.now() + world.random.int(400) }),
      ...(dependsOn.length > 0 && {
        after: { jobs: dependsOn, on: world.chance(0.5) ? ("succeeded" as const) : ("finished" as const) },
      }),
    });
  }
  return made;
}

function drawDependencies(world: World, known: readonly string[], before: number): (string | number)[] {
  const chosen = new Set<string | number>();
  for (let i = world.between(1, 3); i > 0; i--) {
    if (before > 0 && world.chance(0.5)) chosen.add(world.random.int(before));
    else if (known.length > 0) chosen.add(known[world.random.int(known.length)] as string);
  }
  return [...chosen];
}
