/** One window of load on a process with jobs, and what the process and its server used meanwhile. */
import { bytesWritten, type Measured } from "../processes.ts";
import type { Sample } from "../result.ts";
import type { JobsOrder, JobsReport } from "./protocol.ts";

/** A database beside the measured process. */
export interface Beside {
  readonly pid: number;
  cpuUs(): number | undefined;
}

export async function observe(child: Measured, order: JobsOrder, server?: Beside): Promise<Sample["metrics"]> {
  const before = await child.usage();
  const writer = server?.pid ?? child.pid;
  const writtenBefore = bytesWritten(writer);
  const serverBefore = server?.cpuUs();
  let rssBytes = before.rssBytes;
  const watch = setInterval(() => void child.usage().then((now) => (rssBytes = Math.max(rssBytes, now.rssBytes))), 250);
  const report = (await child.order(order)) as JobsReport;
  clearInterval(watch);
  const after = await child.usage();
  const writtenAfter = bytesWritten(writer);
  const serverAfter = server?.cpuUs();
  const { ran } = report;
  const cpuUs = after.userUs - before.userUs + after.systemUs - before.systemUs;
  return {
    jobsPerSecond: ran / report.seconds,
    enqueueP50Ms: report.enqueueP50Us / 1000,
    enqueueP99Ms: report.enqueueP99Us / 1000,
    pickupP50Ms: report.pickupP50Us / 1000,
    pickupP99Ms: report.pickupP99Us / 1000,
    cpuUsPerJob: cpuUs / ran,
    ...(report.mainThreadCpuUs !== undefined && { mainThreadUsPerJob: report.mainThreadCpuUs / ran }),
    ...(serverBefore !== undefined &&
      serverAfter !== undefined && { serverCpuUsPerJob: (serverAfter - serverBefore) / ran }),
    ...(writtenAfter !== undefined &&
      writtenBefore !== undefined && { bytesWrittenPerJob: (writtenAfter - writtenBefore) / ran }),
    rssMB: rssBytes / 1e6,
    backlog: report.backlog,
  };
}
