/** Chaos in its short form. `npm run chaos -- --minutes 10` is the long one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chaos, type ChaosReport } from "./chaos.ts";
import { sqlitePlace } from "./places.ts";

function assertKept({ violations, acknowledged, faults, events }: ChaosReport): void {
  const said = violations.slice(0, 10).map(({ rule, text }) => `${rule}: ${text}`);
  assert.deepEqual(said, [], `after ${[...faults].map(([what, count]) => `${count} x ${what}`).join(", ")}`);
  assert.ok(acknowledged > 20, `only ${acknowledged} jobs were acknowledged`);
  assert.ok(faults.size > 0 && events.some(({ kind }) => kind === "claimed"));
}

test(
  "an SQLite file whose owner is killed, stopped and moved in time loses nothing",
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "tensile-chaos-sqlite-"));
    try {
      assertKept(await chaos(sqlitePlace(join(folder, "jobs.db")), { seed: 1, ms: 8_000 }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
