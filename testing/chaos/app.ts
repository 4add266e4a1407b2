/** The app of the chaos: jobs of every kind that a store treats differently, and a way to enqueue them over HTTP. */
import { setTimeout as wait } from "node:timers/promises";
import { contract, fault, fixed, implement, job, mutation, query, t } from "../../src/index.ts";
import type { Promised } from "../simulation/history.ts";

const Broken = fault("BROKEN", { kind: "unavailable" });
export const attempts = 12;
const settings = {
  input: { n: t.int(), ms: t.int(), failures: t.int(), key: t.string() },
  faults: [Broken],
  retry: { attempts, backoff: fixed("200ms") },
} as const;
type Input = { readonly n: number; readonly ms: number; readonly failures: number; readonly key: string };

const jobs = {
  plain: job("plain", settings),
  unique: job("unique", { ...settings, unique: ({ key }: Input) => key }),
  keyed: job("keyed", { ...settings, key: ({ key }: Input) => key, perKey: { concurrency: 2 } }),
  ordered: job("ordered", { ...settings, key: ({ key }: Input) => key, perKey: { ordered: true } }),
  gated: job("gated", { ...settings, globalConcurrency: 3 }),
};
export const kinds = ["plain", "unique", "keyed", "ordered", "gated"] as const;

export const promises = (name: string): Promised => ({
  maxAttempts: attempts,
  ...(name === "keyed" && { perKey: 2 }),
  ...(name === "ordered" && { perKey: 1, ordered: true }),
  ...(name === "gated" && { concurrency: 3 }),
});

const Refused = fault("REFUSED", { kind: "unavailable", data: { why: t.string() } });
const produce = mutation("produce", {
  access: "public",
  http: "POST /jobs",
  input: { kind: t.enum(kinds), ...settings.input },
  output: { id: t.string() },
  faults: [Refused],
});
const left = query("left", {
  access: "public",
  http: "GET /left",
  input: {},
  output: { left: t.int() },
  faults: [Refused],
});

const members = { ...jobs, produce, left };

export const chaosApp = implement(contract("chaos.v1", members), {
  handlers: {
    plain: work,
    unique: work,
    keyed: work,
    ordered: work,
    gated: work,
    produce: async ({ input: { kind, ...input }, jobs: way }) => {
      const enqueued = await way.enqueue(jobs[kind], input);
      return enqueued.ok ? { id: enqueued.value.id } : Refused({ why: enqueued.fault.message });
    },
    left: async ({ jobs: way }) => {
      const counts = await way.counts();
      if (!counts.ok) return Refused({ why: counts.fault.message });
      const { waiting, scheduled, ready, running } = counts.value;
      return { left: waiting + scheduled + ready + running };
    },
  },
});

async function work({
  input,
  job: { attempt },
}: {
  readonly input: Input;
  readonly job: { readonly attempt: number };
}) {
  if (input.ms > 0) await wait(input.ms);
  return attempt <= input.failures ? Broken() : undefined;
}
