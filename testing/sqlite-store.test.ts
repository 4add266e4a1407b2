/** The SQLite store against the conformance suite. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlite } from "../src/sqlite/index.ts";
import { storeConformance } from "../src/testing/index.ts";

// What is listed here is being built; a feature that is there leaves the list.
storeConformance(
  "sqlite",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "tensile-store-"));
    return { store: () => sqlite(join(folder, "jobs.db")), remove: () => rm(folder, { recursive: true }) };
  },
  {
    without: ["keys", "order", "gates", "tenants", "ageing", "pause", "backlog"],
  },
);
