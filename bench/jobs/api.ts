/** An API route beside jobs: the same open-loop load on it, alone and while jobs run flat out in turn; and beside threads that are busy without jobs. */
import { cases } from "../http/cases.ts";
import type { LoadReport } from "../load.ts";
import type { Generator } from "../load-process.ts";
import type { Measured } from "../processes.ts";
import { mediansOf, type Sample } from "../result.ts";
import type { JobsOrder } from "./protocol.ts";
import type { Load } from "./systems.ts";
import { inTurn, observe } from "./window.ts";

const connections = 32;
const ratePerSecond = 500;

export const apiLoad = `GET with a parameter, ${ratePerSecond} requests/s on ${connections} connections, open loop`;

export interface ApiRun {
  /** Cases begin with it. */
  readonly name: string;
  readonly port: number;
  readonly load: Load;
  /** Each phase of the load takes three quarters of it. */
  readonly windowMs: number;
  /** Measured as well: what the API costs beside threads that are busy without jobs. */
  readonly turns: boolean;
  readonly keep: (name: string, metrics: Sample["metrics"]) => void;
}

/** Windows beside jobs, each between two of the idle API: the machine's other guests change from one to the next. */
const turnsBesideJobs = 3;

/** Resolves with what went wrong. */
export async function besideApi(
  child: Measured,
  generator: Generator,
  { name, port, load, windowMs, turns, keep }: ApiRun,
): Promise<readonly string[]> {
  const requests = cases[0]?.requests ?? [];
  await generator.open({ port, connections, requests, ratePerSecond });
  const reports: LoadReport[] = [];
  const phase = async (ms: number): Promise<LoadReport> => {
    const report = await generator.phase(ms);
    reports.push(report);
    return report;
  };
  await phase(windowMs / 2);
  const ms = (windowMs * 3) / 4;
  // What is beside begins before the API's window and ends after it.
  const during = async <T>(work: (ms: number) => Promise<T>): Promise<readonly [LoadReport, T]> => {
    const working = work(ms + 600);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const report = await phase(ms);
    return [report, await working];
  };
  const idle = async (): Promise<Sample["metrics"]> => latencies(await phase(ms));
  if (turns) {
    const before = await phase(ms);
    const [report] = await during((time) => child.order({ do: "turns", ms: time } satisfies JobsOrder));
    keep(`${name} beside turns`, { ...latencies(report), p99BesideIdle: report.p99Us / before.p99Us });
  }
  const busy = async (): Promise<Sample["metrics"]> => {
    const [report, { jobsPerSecond = 0 }] = await during((time) => observe(child, { do: "run", ms: time, ...load }));
    return { ...latencies(report), jobsPerSecond };
  };
  const { references, works } = await inTurn(idle, busy, "p99Us", turnsBesideJobs);
  keep(`${name} idle`, mediansOf(references));
  const besideIdle = works.map(({ metrics, reference }) => ({
    ...metrics,
    p99BesideIdle: (metrics["p99Us"] ?? 0) / reference,
  }));
  keep(`${name} beside jobs`, mediansOf(besideIdle));
  await generator.close();
  return reports.flatMap(({ errors }) =>
    Object.entries(errors).map(([what, count]) => `${name}: ${what} (${count} times)`),
  );
}

function latencies({ requestsPerSecond, p50Us, p99Us, lateP99Us }: LoadReport): Sample["metrics"] {
  return { requestsPerSecond, p50Us, p99Us, lateP99Us };
}
