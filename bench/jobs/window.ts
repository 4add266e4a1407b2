/** One window of load on a process with jobs, and what the process and its server used meanwhile. */
import { bytesWritten, type Measured, processorTime } from "../processes.ts";
import { mediansOf, type Sample } from "../result.ts";
import type { JobsOrder, JobsReport } from "./protocol.ts";

/** A database beside the measured process. */
export interface Beside {
  /** Of the process that writes the data; absent where many do. */
  readonly pid?: number;
  cpuUs(): number | undefined;
}

/** Windows of what is compared with flat out, between windows of flat out that are half as long as others. */
export const turnsBesideFlatOut = 5;

/** `ran` is what the others are divided by. */
export type WindowMetrics = Sample["metrics"] & { readonly ran: number };

export async function observe(child: Measured, order: JobsOrder, server?: Beside): Promise<WindowMetrics> {
  const before = await child.usage();
  const writer = server === undefined ? child.pid : server.pid;
  const writtenBefore = writer === undefined ? undefined : bytesWritten(writer);
  const serverBefore = server?.cpuUs();
  const timeBefore = processorTime();
  let rssBytes = before.rssBytes;
  const watch = setInterval(() => void child.usage().then((now) => (rssBytes = Math.max(rssBytes, now.rssBytes))), 250);
  const report = (await child.order(order)) as JobsReport;
  clearInterval(watch);
  const timeAfter = processorTime();
  const after = await child.usage();
  const writtenAfter = writer === undefined ? undefined : bytesWritten(writer);
  const serverAfter = server?.cpuUs();
  const { ran } = report;
  const rssMB = rssBytes / 1e6;
  if (ran === 0) return { ran, jobsPerSecond: 0, rssMB };
  const cpuUs = after.userUs - before.userUs + after.systemUs - before.systemUs;
  const share = (name: string, from: number | undefined, to: number | undefined): Sample["metrics"] =>
    from === undefined || to === undefined ? {} : { [name]: (to - from) / ran };
  return {
    ran,
    jobsPerSecond: ran / report.seconds,
    ...(order.do === "run" && {
      enqueueP50Ms: report.enqueueP50Us / 1000,
      enqueueP99Ms: report.enqueueP99Us / 1000,
      pickupP50Ms: report.pickupP50Us / 1000,
      pickupP99Ms: report.pickupP99Us / 1000,
    }),
    cpuUsPerJob: cpuUs / ran,
    ...share("mainThreadUsPerJob", 0, report.mainThreadCpuUs),
    ...share("serverCpuUsPerJob", serverBefore, serverAfter),
    ...share("bytesWrittenPerJob", writtenBefore, writtenAfter),
    rssMB,
    ...(order.do === "run" && { backlog: report.backlog }),
    // What the machine's other guests took meanwhile: latencies say little where it is much.
    ...(timeBefore !== undefined &&
      timeAfter !== undefined &&
      timeAfter.all > timeBefore.all && {
        stolenPercent: (100 * (timeAfter.stolen - timeBefore.stolen)) / (timeAfter.all - timeBefore.all),
      }),
  };
}

/**
 * Windows of `work`, each between two of `reference`, and the mean of what `metric` was in those two: a machine with other guests is faster or slower by a third from one half
 * minute to the next, whatever is measured on it.
 */
export async function inTurn(
  reference: () => Promise<Sample["metrics"]>,
  work: () => Promise<Sample["metrics"]>,
  metric: string,
  turns: number,
): Promise<{
  readonly references: readonly Sample["metrics"][];
  readonly works: readonly { readonly metrics: Sample["metrics"]; readonly reference: number }[];
}> {
  let before = await reference();
  const references = [before];
  const works = [];
  for (let turn = 0; turn < turns; turn++) {
    const metrics = await work();
    const after = await reference();
    works.push({ metrics, reference: ((before[metric] ?? 0) + (after[metric] ?? 0)) / 2 });
    references.push(after);
    before = after;
  }
  return { references, works };
}

/** What a window came to beside flat out right before and right after it. The medians of so many such turns. */
export async function besideFlatOut(
  flatOut: () => Promise<Sample["metrics"]>,
  work: () => Promise<Sample["metrics"]>,
  turns = 1,
): Promise<Sample["metrics"]> {
  const { works } = await inTurn(flatOut, work, "jobsPerSecond", turns);
  return mediansOf(
    works.map(({ metrics, reference }) => ({
      ...metrics,
      flatOutPerSecond: reference,
      besideFlatOut: (metrics["jobsPerSecond"] ?? 0) / reference,
    })),
  );
}
