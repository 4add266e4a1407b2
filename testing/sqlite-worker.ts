/** A worker on a real SQLite file with the real clock, for tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bind, type Contract, type Implemented } from "../src/contract/index.ts";
import { randomHex, systemClock } from "../src/core/index.ts";
import { attemptsOf, createJobEngine, createJobs, policyOf, type JobLimits } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { Events } from "../src/telemetry/index.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";

/** A file in a folder that goes with the test. */
export async function inFolder(act: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-worker-"));
  try {
    await act(join(folder, "jobs.db"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

export async function worker(path: string, of: Contract, implemented: Implemented, limits: Partial<JobLimits> = {}) {
  const clock = systemClock;
  const events = new Events();
  const session = value(
    await sqlite(path).open({
      clock,
      retention: keepMany,
      maxWaiting: 1_000_000,
      maxAttempts: attemptsOf(of),
      policy: policyOf(of),
    }),
  );
  const jobs = createJobs({ contract: of, session, clock, events });
  const shutdown = new AbortController().signal;
  const bound = bind(implemented, { clock, events, jobs, shutdown, newId: () => randomHex() });
  const engine = createJobEngine({ bound, session, clock, events, limits });
  await engine.start();
  const end = async () => {
    const report = await engine.drain(5_000);
    await session.close();
    return report;
  };
  return { session, jobs, engine, events, end };
}
