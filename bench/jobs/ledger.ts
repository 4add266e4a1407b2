/**
 * The producer of the `jobs` benchmark, and the book in which every job is accounted for: when it was sent, whether it was
 * acknowledged, how often it ran. The same for every system, so that only the system differs.
 */
import { nowUs } from "../child.ts";
import { histogram } from "../histogram.ts";
import { type Enqueue, Producer } from "./producer.ts";
import {
  type JobsReport,
  type JobsVerdict,
  type Payload,
  payloadOf,
  type PreloadOrder,
  type PreloadReport,
  type RunOrder,
} from "./protocol.ts";

export interface Ledger {
  /** The handler's part. */
  ran(payload: { readonly n: number; readonly sentAt: number }): void;
  run(enqueue: Enqueue, order: RunOrder): Promise<JobsReport>;
  /** Enqueues a backlog; resolves when all of it is acknowledged. Rejects with the first refusal. */
  preload(enqueue: Enqueue, order: PreloadOrder): Promise<PreloadReport>;
  /** From the first job that begins until every acknowledged one has begun, `ms` at most. */
  drain(ms: number): Promise<JobsReport>;
  /** Resolves when every acknowledged job has run, or after `ms`. */
  untilAllRan(ms: number): Promise<void>;
  verdict(): Omit<JobsVerdict, "left">;
}

export function ledger(): Ledger {
  const enqueues = histogram();
  const pickups = histogram();
  const wrong: string[] = [];
  let acknowledged = new Uint8Array(1 << 20);
  let runs = new Uint8Array(1 << 20);
  let sent = 0;
  let acked = 0;
  /** Runs of jobs, each counted once. */
  let begun = 0;
  let ackedInWindow = 0;
  let ranInWindow = 0;
  let backlog = 0;
  let firstRanAt: number | undefined;

  const ran = ({ n, sentAt }: { readonly n: number; readonly sentAt: number }): void => {
    const now = nowUs();
    pickups.record(now - sentAt);
    ranInWindow++;
    firstRanAt ??= now;
    const before = runs[n] ?? 0;
    if (before === 0) begun++;
    if (before < 255) runs[n] = before + 1;
  };
  const make = (count: number, sentAt: number, keys?: number): Payload[] => {
    if (sent + count > runs.length) {
      runs = grown(runs);
      acknowledged = grown(acknowledged);
    }
    const payloads: Payload[] = [];
    for (let i = 0; i < count; i++) payloads.push(payloadOf(sent++, sentAt, keys));
    return payloads;
  };
  const acknowledge = (payloads: readonly Payload[]): void => {
    const now = nowUs();
    for (const { n, sentAt } of payloads) {
      acknowledged[n] = 1;
      enqueues.record(now - sentAt);
    }
    acked += payloads.length;
    ackedInWindow += payloads.length;
    backlog = Math.max(backlog, acked - begun);
  };

  const producer = new Producer({
    make,
    acknowledged: acknowledge,
    refused: (error) => void (wrong.length < 10 && wrong.push(`an enqueue was refused: ${String(error)}`)),
    waiting: () => acked - begun,
    isBroken: () => wrong.length > 0,
  });

  const untilAllRan = async (ms: number): Promise<void> => {
    for (const until = nowUs() + ms * 1000; begun < acked && nowUs() < until;) {
      await new Promise((done) => setTimeout(done, 5));
    }
  };

  const reset = (): void => {
    enqueues.reset();
    pickups.reset();
    ackedInWindow = ranInWindow = backlog = 0;
    firstRanAt = undefined;
  };
  const reportOf = (seconds: number, mainThreadUs: number | undefined): JobsReport => ({
    seconds,
    ran: ranInWindow,
    acknowledged: ackedInWindow,
    enqueueP50Us: enqueues.percentile(0.5),
    enqueueP99Us: enqueues.percentile(0.99),
    pickupP50Us: pickups.percentile(0.5),
    pickupP99Us: pickups.percentile(0.99),
    mainThreadCpuUs: mainThreadUs,
    backlog,
  });

  return {
    ran,
    async preload(enqueue, { jobs, batch, unacknowledged }) {
      const startedAt = nowUs();
      let left = jobs;
      const one = async (): Promise<void> => {
        while (left > 0) {
          const count = Math.min(batch, left);
          left -= count;
          const payloads = make(count, nowUs());
          await enqueue(payloads, false);
          acknowledge(payloads);
        }
      };
      await Promise.all(Array.from({ length: Math.max(1, Math.floor(unacknowledged / batch)) }, one));
      return { seconds: (nowUs() - startedAt) / 1e6 };
    },
    async drain(ms) {
      reset();
      await untilAllRan(ms);
      return reportOf((nowUs() - (firstRanAt ?? nowUs())) / 1e6, undefined);
    },
    async run(enqueue, order) {
      // What the window before left waiting would be counted as picked up late in this one.
      await untilAllRan(20_000);
      reset();
      const startedAt = nowUs();
      const cpuBefore = mainThreadCpuUs();
      producer.start(enqueue, order);
      // What the window measures ends with the window; what is under way is acknowledged after it.
      await new Promise((done) => setTimeout(done, order.ms));
      const seconds = (nowUs() - startedAt) / 1e6;
      const cpuAfter = mainThreadCpuUs();
      const report = reportOf(
        seconds,
        cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
      );
      await producer.stop();
      return report;
    },
    untilAllRan,
    verdict() {
      let neverRan = 0;
      let ranAgain = 0;
      for (let n = 0; n < sent; n++) {
        if (acknowledged[n] === 1 && runs[n] === 0) neverRan++;
        if ((runs[n] ?? 0) > 1) ranAgain++;
      }
      return { acknowledged: acked, neverRan, ranAgain, wrong };
    },
  };
}

function grown(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(bytes.length * 2);
  more.set(bytes);
  return more;
}

/** Since Node 23.9; before, the process alone can be asked. */
function mainThreadCpuUs(): number | undefined {
  if (typeof process.threadCpuUsage !== "function") return undefined;
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
