/**
 * The process that `sqlite-kill.test.ts` kills: enqueues, runs and settles without pause, and says on standard output what was acknowledged. Every
 * line is written at once, so that nothing that was said is lost with the process.
 */
import { writeSync } from "node:fs";
import { systemClock } from "../src/core/index.ts";
import type { ClaimedJob, Settlement } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";

const [path, life] = process.argv.slice(2);
if (path === undefined || life === undefined) throw new TypeError("usage: sqlite-kill-child PATH LIFE");

const opened = await sqlite(path).open({
  clock: systemClock,
  retention: keepMany,
  maxWaiting: 1_000_000,
  maxAttempts: () => 1_000,
});
const session = value(opened);
const say = (words: readonly string[]): void => void writeSync(1, words.map((word) => `${word}\n`).join(""));
say(["open"]);

/** Most succeed; some retry at once, some later, some are handed back. */
function outcome(job: ClaimedJob): Settlement {
  const dice = (Number(job.id) * 31 + job.attempt * 7) % 10;
  const error = { attempt: job.attempt, at: systemClock.now(), code: "AGAIN", message: "" };
  if (dice === 0) return { job, to: "retry", runAt: systemClock.now() + (job.attempt % 3) * 5, error };
  if (dice === 1 && job.attempt === 1) return { job, to: "released" };
  if (dice === 2) return { job, to: "failed", error };
  return { job, to: "succeeded", result: job.payload };
}

async function finish(jobs: readonly ClaimedJob[]): Promise<void> {
  // Some jobs are still running when the process dies.
  const settlements = jobs.filter((_, index) => index % 13 !== 12).map(outcome);
  const receipts = value(await session.settle(settlements));
  say(
    settlements
      .filter((one, index) => receipts[index] === "settled" && one.to === "succeeded")
      .map(({ job }) => `done ${job.id}`),
  );
  consumer.grant("work", settlements.length);
}

const consumer = session.consume({
  names: ["work"],
  onClaimed(jobs) {
    say(jobs.map((job) => `run ${job.id} ${job.attempt}`));
    void finish(jobs);
  },
  onCancelRequested: () => undefined,
  onTrouble: (fault) => say([`trouble ${fault}`]),
});
consumer.grant("work", 500);

for (let call = 0; ; call++) {
  const jobs = Array.from({ length: 1 + (call % 40) }, (_, index) => ({
    name: "work",
    priority: (call + index) % 3,
    payload: `"${life}.${call}.${index}"`,
    ...(index % 11 === 10 ? { runAt: systemClock.now() + 5 } : undefined),
    ...(index % 17 === 16 ? { uniqueKey: `${life}.${call}` } : undefined),
  }));
  const receipts = value(await session.enqueue(jobs));
  say(receipts.flatMap(({ id, duplicate }, index) => (duplicate ? [] : [`ack ${id} ${jobs[index]?.payload}`])));
}
