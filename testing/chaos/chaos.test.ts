/** Chaos in its short form. `npm run chaos -- --minutes 10` is the long one. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { chaos, type ChaosPlace, type ChaosReport } from "./chaos.ts";
import { postgresPlace, sqlitePlace } from "./places.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

const short = { seed: 1, ms: 3_000, atLeast: { acknowledged: 40, faults: 2 } };

async function assertKept(
  context: TestContext,
  mebibytes: number,
  make: (disk: SmallDisk) => ChaosPlace | Promise<ChaosPlace>,
): Promise<void> {
  const disk = smallDisk(mebibytes);
  if (!disk.isOwn) context.diagnostic("No file system can be mounted here, so the disk is never full.");
  try {
    assertReport(await chaos(await make(disk), short));
  } finally {
    disk.remove();
  }
}

function assertReport({ violations, acknowledged, faults, events }: ChaosReport): void {
  const said = violations.slice(0, 10).map(({ rule, text }) => `${rule}: ${text}`);
  assert.deepEqual(said, [], `after ${[...faults].map(([what, count]) => `${count} x ${what}`).join(", ")}`);
  assert.ok(acknowledged >= short.atLeast.acknowledged, `only ${acknowledged} jobs were acknowledged`);
  assert.ok(faults.size > 0 && events.some(({ kind }) => kind === "claimed"));
}

test(
  "an SQLite file that three processes share loses nothing though they are killed, stopped and moved in time, and its disk is full",
  { timeout: 300_000 },
  (context) => assertKept(context, 64, (disk) => sqlitePlace({ disk, leaseMs: 2_000 })),
);

test(
  "a PostgreSQL whose processes are killed and stopped, and that is restarted, cut off and full, loses nothing",
  { timeout: 300_000 },
  (context) => assertKept(context, 700, (disk) => postgresPlace({ disk, leaseMs: 2_000 })),
);
