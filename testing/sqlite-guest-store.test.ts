/**
 * The SQLite store as a guest sees it: every verb goes over a socket to the process that owns the file. Here that is another store of this process, whose
 * writer and guest are threads like any others; `sqlite-fleet.test.ts` and `sqlite-shared.test.ts` do it with processes. Of the suite those parts are run in
 * which something is decided on the way; what all stores share goes by the same messages.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { sqlite } from "../src/sqlite/index.ts";
import type { Store, StoreSession } from "../src/jobs/index.ts";
import { endCases } from "../src/testing/store-cases-end.ts";
import { gateCases } from "../src/testing/store-cases-gates.ts";
import { lifeCases } from "../src/testing/store-cases-life.ts";
import { noteCases } from "../src/testing/store-cases-notes.ts";
import { pauseCases } from "../src/testing/store-cases-pause.ts";
import { signalCases } from "../src/testing/store-cases-signals.ts";
import { value, withBench, type StorePlace } from "../src/testing/store-harness.ts";
import { modelCase } from "../src/testing/store-model.ts";

async function guestPlace(): Promise<StorePlace> {
  const folder = await mkdtemp(join(tmpdir(), "tensile-guest-"));
  const file = join(folder, "jobs.db");
  let owner: StoreSession | undefined;
  const store = (): Store => {
    const guest = sqlite(file, { shared: true });
    return {
      kind: "sqlite",
      async open(options) {
        owner ??= value(await sqlite(file, { shared: true }).open(options));
        return guest.open(options);
      },
    };
  };
  return {
    store,
    async remove() {
      await owner?.close();
      await rm(folder, { recursive: true });
    },
  };
}

const bench = withBench(guestPlace);
describe("a guest on the sqlite store: claims, fences, crashes", () => lifeCases(bench));
describe("a guest on the sqlite store: ends", () => endCases(bench));
describe("a guest on the sqlite store: notes", () => noteCases(bench));
describe("a guest on the sqlite store: signals", () => signalCases(bench));
describe("a guest on the sqlite store: gates", () => gateCases(bench));
describe("a guest on the sqlite store: pause", () => pauseCases(bench));
describe("a guest on the sqlite store: against a model", () => modelCase(guestPlace));
