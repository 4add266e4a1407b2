/**
 * Load on a store alone, without the job engine: enqueue one by one, claim, settle, all overlapping, as fast as it goes. What the engine adds is
 * measured by `npm run bench -- jobs`; this is the part of the store in it.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob, Store, StoreOpenOptions, StoreSession } from "../src/jobs/index.ts";

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

export function openOptions(keep: number): StoreOpenOptions {
  const kept = { ageMs: 3_600_000, count: keep };
  return {
    clock: systemClock,
    retention: { succeeded: kept, failed: kept, cancelled: kept },
    maxWaiting: 10_000_000,
    maxAttempts: () => 3,
  };
}

/** Throws when a job was lost or run twice. */
export async function loadStore(store: Store, load: StoreLoad): Promise<StoreLoadResult> {
  const opened = await store.open(openOptions(load.keep));
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
        jobs.push({ name: "noop", priority: 5, payload: `{"id":${id},"text":"${text}"}` });
      }
      const receipts = await session.enqueue(jobs);
      if (!receipts.ok) throw new Error(String(receipts.fault));
    }
  };
  await Promise.all(Array.from({ length: load.window }, one));
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
