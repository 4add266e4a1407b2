/** An API route beside jobs: the same open-loop load on it, first alone, then beside threads that are busy without jobs, then while jobs run flat out. */
import { cases } from "../http/cases.ts";
import type { LoadReport } from "../load.ts";
import type { Generator } from "../load-process.ts";
import type { Measured } from "../processes.ts";
import type { Sample } from "../result.ts";
import type { JobsOrder } from "./protocol.ts";
import type { Load } from "./systems.ts";
import { observe } from "./window.ts";

const connections = 32;
const ratePerSecond = 500;

export const apiLoad = `GET with a parameter, ${ratePerSecond} requests/s on ${connections} connections, open loop`;

export interface ApiRun {
  /** Cases begin with it. */
  readonly name: string;
  readonly port: number;
  readonly load: Load;
  readonly windowMs: number;
  /** Measured as well: what the API costs beside threads that are busy without jobs. */
  readonly turns: boolean;
  readonly keep: (name: string, metrics: Sample["metrics"]) => void;
}

/** Resolves with what went wrong. */
export async function besideApi(
  child: Measured,
  generator: Generator,
  { name, port, load, windowMs, turns, keep }: ApiRun,
): Promise<readonly string[]> {
  const requests = cases[0]?.requests ?? [];
  await generator.open({ port, connections, requests, ratePerSecond });
  const warm = await generator.phase(windowMs / 2);
  const idle = await generator.phase(windowMs);
  keep(`${name} idle`, latencies(idle));
  // What is beside begins before the API's window and ends after it.
  const during = async <T>(work: Promise<T>): Promise<readonly [LoadReport, T]> => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const report = await generator.phase(windowMs);
    return [report, await work];
  };
  const ms = windowMs + 600;
  const reports = [warm, idle];
  if (turns) {
    const [report] = await during(child.order({ do: "turns", ms } satisfies JobsOrder));
    keep(`${name} beside turns`, { ...latencies(report), p99BesideIdle: report.p99Us / idle.p99Us });
    reports.push(report);
  }
  const [busy, { jobsPerSecond = 0 }] = await during(observe(child, { do: "run", ms, ...load }));
  keep(`${name} beside jobs`, { ...latencies(busy), p99BesideIdle: busy.p99Us / idle.p99Us, jobsPerSecond });
  reports.push(busy);
  await generator.close();
  return reports.flatMap(({ errors }) =>
    Object.entries(errors).map(([what, count]) => `${name}: ${what} (${count} times)`),
  );
}

function latencies({ requestsPerSecond, p50Us, p99Us, lateP99Us }: LoadReport): Sample["metrics"] {
  return { requestsPerSecond, p50Us, p99Us, lateP99Us };
}
