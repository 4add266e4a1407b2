/** A worker on a real SQLite file with the real clock, for tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Contract, Implemented } from "../src/contract/index.ts";
import type { JobLimits } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { workerOn } from "./worker-place.ts";

/** A file in a folder that goes with the test. */
export async function inFolder(act: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-worker-"));
  try {
    await act(join(folder, "jobs.db"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function worker(path: string, of: Contract, implemented: Implemented, limits: Partial<JobLimits> = {}) {
  return workerOn(sqlite(path), of, implemented, { limits });
}
