/**
 * The process of `sqlite-full-disk.test.ts`, which no file may outgrow: fills the store until it refuses, then runs what was acknowledged, or
 * stays idle, and says how it went.
 */
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { value } from "../src/testing/store-harness.ts";

const [path, what] = process.argv.slice(2);
if (path === undefined) throw new TypeError('usage: sqlite-full-disk-child PATH "log" | "file too"');

const none = { ageMs: 0, count: 0 };
const session = value(
  await sqlite(path).open({
    clock: systemClock,
    retention: { succeeded: none, failed: none, cancelled: none },
    maxWaiting: 1_000_000,
    maxAttempts: () => 1,
  }),
);
const acknowledged = new Set<string>();
const done = new Set<string>();
const troubles: string[] = [];
async function finish(jobs: readonly ClaimedJob[]): Promise<void> {
  const settled = await session.settle(jobs.map((job) => ({ job, to: "succeeded" })));
  if (settled.ok) for (const job of jobs) done.add(job.id);
  else troubles.push(settled.fault.message);
}

const consumer = session.consume({
  names: ["a"],
  onClaimed: (jobs) => void finish(jobs),
  onCancelRequested: () => undefined,
  onTrouble: (fault) => troubles.push(fault.message),
});

const some = Array.from({ length: 20 }, () => ({ name: "a", priority: 5, payload: `"${"x".repeat(1_000)}"` }));

async function fill(refusals: number): Promise<void> {
  for (let refused = 0; refused < refusals;) {
    const result = await session.enqueue(some);
    if (result.ok) for (const { id } of result.value) acknowledged.add(id);
    else refused++;
  }
}

/** Longer than the pause after which the writer checkpoints by itself. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 800));

await fill(1);
if (what === "file too") {
  // The pause empties the log into the file; then the log is full again, and the file has no room for it.
  await pause();
  await fill(20);
  await pause();
} else {
  // No pause: what runs has to make room.
  for (let turn = 0; turn < 500 && done.size < acknowledged.size; turn++) {
    consumer.grant("a", 20);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const counts = value(await session.counts());
const doneBefore = done.size;
// A grant may be left over, and what fits now may then run before the end.
const again = await session.enqueue(some);
await session.close();
console.log(
  JSON.stringify({
    acknowledged: acknowledged.size,
    done: doneBefore,
    ready: counts.ready,
    again: again.ok,
    troubles: [...new Set(troubles)],
  }),
);
