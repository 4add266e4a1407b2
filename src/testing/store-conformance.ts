/**
 * One suite for every store of jobs: what the seam in `src/jobs/store.ts` promises, as tests. A store passes when it passes all of them; none may be
 * skipped.
 */
import { describe } from "node:test";
import { endCases } from "./store-cases-end.ts";
import { enqueueCases } from "./store-cases-enqueue.ts";
import { lifeCases } from "./store-cases-life.ts";
import { moveCases } from "./store-cases-moves.ts";
import { readCases } from "./store-cases-read.ts";
import { withBench, type MakePlace } from "./store-harness.ts";
import { modelCase } from "./store-model.ts";

export type { MakePlace, StorePlace } from "./store-harness.ts";

/**
 * Registers the suite with `node:test`.
 *
 * @example
 * storeConformance("sqlite", async () => {
 *   const folder = await mkdtemp(join(tmpdir(), "jobs-"));
 *   return { store: () => sqlite(join(folder, "jobs.db")), remove: () => rm(folder, { recursive: true }) };
 * });
 */
export function storeConformance(name: string, makePlace: MakePlace): void {
  const bench = withBench(makePlace);
  describe(`the ${name} store: enqueue`, () => enqueueCases(bench));
  describe(`the ${name} store: the table of moves`, () => moveCases(bench));
  describe(`the ${name} store: claims, fences, crashes`, () => lifeCases(bench));
  describe(`the ${name} store: ends`, () => endCases(bench));
  describe(`the ${name} store: reading and retention`, () => readCases(bench));
  describe(`the ${name} store: against a model`, () => modelCase(makePlace));
}
