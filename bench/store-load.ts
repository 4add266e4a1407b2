/**
 * Load on a store alone, without the job engine: enqueue one by one, claim, settle, all overlapping, as fast as it goes. What the engine adds is
 * measured by `npm run bench -- jobs`; this is the part of the store in it. `npx node bench/store-load.ts [JOBS]` says what keys and tenants cost.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { systemClock } from "../src/core/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import type { ClaimedJob, JobPolicy, Store, StoreOpenOptions, StoreSession } from "../src/jobs/index.ts";

export interface StoreLoad {
  readonly jobs: number;
  /** Enqueue calls on their way at a time; each holds `perCall` jobs. */
  readonly window: number;
  readonly perCall: number;
  /** Jobs claimed and not yet settled. */
  readonly credit: number;
  readonly payloadBytes: number;
  readonly result?: string;
  /** Finished jobs kept. */
  readonly keep: number;
  /** So many keys, each of which runs one job at a time; 0: none. */
  readonly keys?: number;
  /** The jobs of a key run in order. */
  readonly ordered?: boolean;
  /** So many tenants; 0: none. */
  readonly tenants?: number;
}

export interface StoreLoadResult {
  readonly jobsPerSecond: number;
  /** CPU of the calling thread and of the whole process, microseconds per job. */
  readonly mainMicrosPerJob: number;
  readonly processMicrosPerJob: number;
  readonly loopDelayP99Ms: number;
  readonly rssMb: number;
}

export const usualLoad: StoreLoad = {
  jobs: 1_000_000,
  window: 2_000,
  perCall: 1,
  credit: 2_000,
  payloadBytes: 160,
  keep: 10_000,
};

export function openOptions(keep: number, policy?: JobPolicy): StoreOpenOptions {
  const kept = { ageMs: 3_600_000, count: keep };
  return {
    clock: systemClock,
    retention: { succeeded: kept, failed: kept, cancelled: kept },
    maxWaiting: 10_000_000,
    maxAttempts: () => 3,
    ...(policy !== undefined && { policy: () => policy }),
  };
}

/** Throws when a job was lost or run twice. */
export async function loadStore(store: Store, load: StoreLoad): Promise<StoreLoadResult> {
  const perKey = load.ordered === true ? { ordered: true } : { concurrency: 1 };
  const opened = await store.open(openOptions(load.keep, (load.keys ?? 0) > 0 ? { perKey } : undefined));
  if (!opened.ok) throw new Error(String(opened.fault));
  const session = opened.value;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  const thread = process.threadCpuUsage();
  const whole = process.cpuUsage();
  const settled = consumeAll(session, load);
  await enqueueAll(session, load);
  await settled;
  const ms = performance.now() - started;
  const main = process.threadCpuUsage(thread);
  const all = process.cpuUsage(whole);
  delay.disable();
  const rssMb = process.memoryUsage.rss() / 1_048_576;
  await session.close();
  return {
    jobsPerSecond: (load.jobs / ms) * 1_000,
    mainMicrosPerJob: (main.user + main.system) / load.jobs,
    processMicrosPerJob: (all.user + all.system) / load.jobs,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    rssMb,
  };
}

async function enqueueAll(session: StoreSession, load: StoreLoad): Promise<void> {
  const frame = `{"id":,"text":""}`;
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < load.jobs) {
      const jobs = [];
      for (let i = 0; i < load.perCall && next < load.jobs; i++) {
        const id = String(next++);
        const text = filler.slice(0, load.payloadBytes - frame.length - id.length);
        jobs.push({ name: "noop", priority: 5, payload: `{"id":${id},"text":"${text}"}`, ...limitsOf(load, next) });
      }
      const receipts = await session.enqueue(jobs);
      if (!receipts.ok) throw new Error(String(receipts.fault));
    }
  };
  await Promise.all(Array.from({ length: load.window }, one));
}

/** Spread as by chance, and the same in every run. */
function limitsOf({ keys = 0, tenants = 0 }: StoreLoad, id: number): { key?: string; tenant?: string } | undefined {
  if (keys === 0 && tenants === 0) return undefined;
  const dice = Math.imul(id, 2_654_435_761) >>> 0;
  return {
    ...(keys > 0 && { key: `customer-${dice % keys}` }),
    ...(tenants > 0 && { tenant: `tenant-${dice % tenants}` }),
  };
}

const filler = "abcdefghijklmnopqrstuvwxyz".repeat(1_000);

function consumeAll(session: StoreSession, load: StoreLoad): Promise<void> {
  const seen = new Uint8Array(load.jobs);
  let left = load.jobs;
  return new Promise((resolve, reject) => {
    const settle = async (jobs: readonly ClaimedJob[]): Promise<void> => {
      const receipts = await session.settle(
        jobs.map((job) => ({
          job,
          to: "succeeded",
          ...(load.result === undefined ? undefined : { result: load.result }),
        })),
      );
      if (!receipts.ok) return reject(new Error(String(receipts.fault)));
      for (const receipt of receipts.value)
        if (receipt !== "settled") return reject(new Error("A settlement was stale."));
      left -= jobs.length;
      if (left === 0) resolve();
    };
    const consumer = session.consume({
      names: ["noop"],
      onClaimed: (jobs) => {
        for (const job of jobs) {
          const id = Number(job.payload.slice(6, job.payload.indexOf(",")));
          if (seen[id] === 1) reject(new Error(`Job ${id} was run twice.`));
          seen[id] = 1;
        }
        consumer.grant("noop", jobs.length);
        void settle(jobs);
      },
      onCancelRequested: () => undefined,
      onTrouble: (fault) => reject(new Error(String(fault))),
    });
    consumer.grant("noop", load.credit);
  });
}

async function compare(jobs: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-load-"));
  try {
    for (const [index, [what, extra]] of shapes.entries()) {
      const load = { ...usualLoad, jobs: extra.keys === 1 ? Math.min(jobs, 100_000) : jobs, ...extra };
      const result = await loadStore(sqlite(join(folder, `${index}.db`)), load);
      console.log(
        `${what}: ${Math.round(result.jobsPerSecond)} jobs/s, ${result.mainMicrosPerJob.toFixed(1)} us of the calling thread, ${result.processMicrosPerJob.toFixed(1)} us of the process`,
      );
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

const shapes: readonly (readonly [string, Partial<StoreLoad>])[] = [
  ["plain", {}],
  ["10,000 keys, one at a time", { keys: 10_000 }],
  ["10,000 keys, in order", { keys: 10_000, ordered: true }],
  ["100 tenants", { tenants: 100 }],
  ["100 jobs per call: plain", { perCall: 100, window: 100 }],
  ["100 jobs per call: 10,000 keys, one at a time", { perCall: 100, window: 100, keys: 10_000 }],
  ["100 keys, one at a time", { keys: 100 }],
  ["100,000 jobs of one key", { keys: 1, perCall: 1_000, window: 100 }],
];

if (import.meta.main) await compare(Number(process.argv[2] ?? 200_000));
