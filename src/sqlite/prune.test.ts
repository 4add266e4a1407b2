/** Retention of many: what has succeeded is let go outcome by outcome, and no block is read for it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { manualClock } from "../core/index.ts";
import type { ClaimedJob } from "../jobs/index.ts";
import { sqlite } from "./index.ts";

test("of many that succeeded, up to a hundredth more than retention counts stay, and then half of these go at once; none is written anew, and the newest stay", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-prune-"));
  const kept = { ageMs: 86_400_000, count: 140_000 };
  const path = join(folder, "jobs.db");
  const opened = await sqlite(path, { durability: "normal" }).open({
    clock: manualClock(),
    retention: { succeeded: kept, failed: kept, cancelled: kept },
    maxWaiting: 1_000_000,
    maxAttempts: () => 5,
  });
  assert.ok(opened.ok);
  const session = opened.value;
  let claimed: ClaimedJob[] = [];
  const consumer = session.consume({
    names: ["a"],
    onClaimed: (jobs) => void (claimed = claimed.concat(jobs)),
    onCancelRequested: () => undefined,
    onTrouble: (fault) => assert.fail(String(fault)),
  });
  consumer.grant("a", 1_000_000);
  let last = "";
  for (let round = 0; round < 30; round++) {
    const receipts = await session.enqueue(
      Array.from({ length: 4_999 }, (_, n) => ({ name: "a", priority: 5, payload: `${n}` })),
    );
    assert.ok(receipts.ok);
    last = receipts.value.at(-1)?.id ?? "";
    while (claimed.length < 4_999) assert.ok((await session.counts()).ok);
    const settled = await session.settle(claimed.splice(0).map((job) => ({ job, to: "succeeded" })));
    assert.ok(settled.ok && settled.value.every((receipt) => receipt === "settled"));
  }
  assert.ok((await session.prune()).ok);
  const counts = await session.counts();
  assert.ok(counts.ok);
  const { succeeded } = counts.value;
  assert.ok(succeeded >= 140_000 && succeeded <= 140_000 + Math.floor(140_000 / 128 / 2), `${succeeded} are kept`);
  const newest = await session.get(last);
  assert.ok(newest.ok && newest.value?.state === "succeeded");
  await session.close();

  const file = new DatabaseSync(path, { readOnly: true });
  const cut = file
    .prepare("SELECT count(*) AS n FROM tensile_outcome o JOIN tensile_block b ON b.seq = o.block WHERE o.count <> b.n")
    .get();
  file.close();
  assert.equal(cut?.["n"], 0, "no outcome was cut to keep a part of it");
  await rm(folder, { recursive: true });
});
