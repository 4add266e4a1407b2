/**
 * One suite for every store of jobs: what the seam in `src/jobs/store.ts` promises, as tests. A store passes when it passes all of them; none may be
 * skipped. (While issue 4 is built, a store may name the features that it does not have yet.)
 */
import { describe } from "node:test";
import { dependencyCases } from "./store-cases-dependencies.ts";
import { endCases } from "./store-cases-end.ts";
import { enqueueCases } from "./store-cases-enqueue.ts";
import { ageingCases, tenantCases } from "./store-cases-fairness.ts";
import { gateCases } from "./store-cases-gates.ts";
import { keyCases } from "./store-cases-keys.ts";
import { lifeCases } from "./store-cases-life.ts";
import { moveCases } from "./store-cases-moves.ts";
import { noteCases } from "./store-cases-notes.ts";
import { orderCases } from "./store-cases-order.ts";
import { backlogCases, pauseCases } from "./store-cases-pause.ts";
import { readCases } from "./store-cases-read.ts";
import { signalCases } from "./store-cases-signals.ts";
import { snoozeCases } from "./store-cases-snooze.ts";
import { delayCases, uniqueCases } from "./store-cases-unique.ts";
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
  const group = (title: string, register: () => void): void => void describe(`the ${name} store: ${title}`, register);
  group("enqueue", () => enqueueCases(bench));
  group("the table of moves", () => moveCases(bench));
  group("claims, fences, crashes", () => lifeCases(bench));
  group("ends", () => endCases(bench));
  group("reading and retention", () => readCases(bench));
  group("snooze", () => snoozeCases(bench));
  group("signals", () => signalCases(bench));
  group("notes", () => noteCases(bench));
  group("dependencies", () => dependencyCases(bench));
  group("keys", () => keyCases(bench));
  group("order", () => orderCases(bench));
  group("gates", () => gateCases(bench));
  group("tenants", () => tenantCases(bench));
  group("ageing", () => ageingCases(bench));
  group("unique", () => uniqueCases(bench));
  group("delay", () => delayCases(bench));
  group("pause", () => pauseCases(bench));
  group("backlog", () => backlogCases(bench));
  group("against a model", () => modelCase(makePlace));
}
