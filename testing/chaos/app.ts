/** The app of the chaos: jobs of every kind that a store treats differently, and a way to enqueue them and to meddle with them over HTTP. */
import { setTimeout as wait } from "node:timers/promises";
import {
  contract,
  fault,
  fixed,
  implement,
  job,
  mutation,
  ok,
  query,
  t,
  type JobRun,
  type Jobs,
} from "../../src/index.ts";
import type { Promised } from "../simulation/history.ts";

const Broken = fault("BROKEN", { kind: "unavailable" });
export const attempts = 12;
const settings = {
  input: { n: t.int(), ms: t.int(), failures: t.int(), key: t.string() },
  faults: [Broken],
  retry: { attempts, backoff: fixed("200ms") },
} as const;
interface Input {
  readonly n: number;
  readonly ms: number;
  readonly failures: number;
  readonly key: string;
}

/** Nobody enqueues it: it comes every second. */
export const byItself = "secondly";

const jobs = {
  plain: job("plain", settings),
  scheduled: job("scheduled", settings),
  unique: job("unique", { ...settings, unique: ({ key }: Input) => key }),
  keyed: job("keyed", { ...settings, key: ({ key }: Input) => key, perKey: { concurrency: 2 } }),
  ordered: job("ordered", { ...settings, key: ({ key }: Input) => key, perKey: { ordered: true } }),
  gated: job("gated", { ...settings, globalConcurrency: 3 }),
  chained: job("chained", settings),
  stepped: job("stepped", settings),
  waits: job("waits", { ...settings, signals: { go: { v: t.int() } } }),
  [byItself]: job(byItself, {
    ...settings,
    schedule: { cron: "* * * * * *", input: { n: 0, ms: 0, failures: 0, key: "" } },
  }),
};
/** What producers enqueue. */
export const kinds = [
  "plain",
  "scheduled",
  "unique",
  "keyed",
  "ordered",
  "gated",
  "chained",
  "stepped",
  "waits",
] as const;

export const promises = (name: string): Promised => ({
  maxAttempts: attempts,
  ...(name === "keyed" && { perKey: 2 }),
  ...(name === "ordered" && { perKey: 1, ordered: true }),
  ...(name === "gated" && { concurrency: 3 }),
});

const Refused = fault("REFUSED", { kind: "unavailable", data: { why: t.string() } });
const post = { access: "public", output: { id: t.string() }, faults: [Refused] } as const;
const members = {
  ...jobs,
  produce: mutation("produce", { ...post, http: "POST /jobs", input: { kind: t.enum(kinds), ...settings.input } }),
  meddle: mutation("meddle", {
    ...post,
    http: "POST /meddle",
    input: { id: t.string(), what: t.enum(["cancel", "retry", "signal"]), v: t.int() },
  }),
  /** Gives those that wait for a signal theirs. */
  release: mutation("release", { ...post, http: "POST /release", input: {} }),
  left: query("left", {
    access: "public",
    http: "GET /left",
    input: {},
    output: { left: t.int() },
    faults: [Refused],
  }),
};

/** Told what handlers do. */
export interface Witness {
  step(id: string, name: string): void;
  heard(id: string, name: string, value: string | undefined): void;
}

interface Given {
  readonly input: Input;
  readonly job: JobRun;
}

export function chaosApp({ step, heard }: Witness) {
  const end = ({ input, job: run }: Given) => (run.attempt <= input.failures ? Broken() : undefined);
  const work = async (given: Given) => {
    if (given.input.ms > 0) await wait(given.input.ms);
    return end(given);
  };
  return implement(contract("chaos.v2", members), {
    handlers: {
      plain: work,
      scheduled: work,
      unique: work,
      keyed: work,
      ordered: work,
      gated: work,
      chained: work,
      [byItself]: work,
      stepped: async (given) => {
        const { input, job: run } = given;
        for (const name of ["one", "two"]) {
          await run.step(name, async () => {
            step(run.id, `step:${name}`);
            await wait(input.ms);
            return input.n;
          });
          if (name === "one") await run.sleep("nap", "300ms");
        }
        return end(given);
      },
      waits: async (given) => {
        const { input, job: run } = given;
        const got = await run.waitFor("go", { timeout: input.ms > 0 && input.ms < 150 ? "2s" : "1h" });
        heard(run.id, "go", got.ok ? JSON.stringify(got.value) : undefined);
        return end(given);
      },
      produce: async ({ input: { kind, ...input }, jobs: way }) => {
        const made = kind === "chained" ? await chain(way, input) : await enqueue(way, kind, input);
        return made.ok ? { id: made.value.id } : Refused({ why: made.fault.message });
      },
      meddle: async ({ input: { id, what, v }, jobs: way }) => {
        const done = what === "signal" ? await way.signal(jobs.waits, id, "go", { v }) : await way[what](id);
        return done.ok ? { id } : Refused({ why: done.fault.message });
      },
      release: async ({ jobs: way }) => {
        const waiting = await way.list({ name: "waits", state: "waiting", limit: 1_000 });
        if (!waiting.ok) return Refused({ why: waiting.fault.message });
        for (const { id } of waiting.value) void (await way.signal(jobs.waits, id, "go", { v: -1 }));
        return { id: "" };
      },
      left: async ({ jobs: way }) => {
        const counts = await way.counts();
        if (!counts.ok) return Refused({ why: counts.fault.message });
        const { waiting, scheduled, ready, running } = counts.value;
        return { left: waiting + scheduled + ready + running };
      },
    },
  });
}

function enqueue(way: Jobs, kind: Exclude<(typeof kinds)[number], "chained">, input: Input) {
  return way.enqueue(jobs[kind], input, kind === "scheduled" ? { delay: `${300 + 10 * input.ms}ms` } : {});
}

/** Two, and one that begins when both have succeeded, or ended. */
async function chain(way: Jobs, input: Input) {
  const graph = way.graph();
  const first = [graph.add(jobs.plain, input), graph.add(jobs.keyed, input)];
  const last = graph.add(jobs.chained, input, { after: first, on: input.n % 2 === 0 ? "succeeded" : "finished" });
  const started = await graph.enqueue();
  return started.ok ? ok(started.value.ref(last)) : started;
}
