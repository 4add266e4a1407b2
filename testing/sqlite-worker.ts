/** A worker on a real SQLite file with the real clock, for tests. */
import type { Contract, Implemented } from "../src/contract/index.ts";
import type { JobLimits } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { workerOn } from "./worker-place.ts";

export function worker(path: string, of: Contract, implemented: Implemented, limits: Partial<JobLimits> = {}) {
  return workerOn(sqlite(path), of, implemented, { limits });
}
