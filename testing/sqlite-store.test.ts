/** The SQLite store against the conformance suite. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlite } from "../src/sqlite/index.ts";
import { storeConformance } from "../src/testing/index.ts";

storeConformance("sqlite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-store-"));
  return { store: () => sqlite(join(folder, "jobs.db")), remove: () => rm(folder, { recursive: true }) };
});
