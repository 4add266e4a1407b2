/**
 * The process that `engine-sqlite.test.ts` kills: a whole worker on a SQLite file. It enqueues, runs jobs of several kinds and says on
 * standard output what was acknowledged, begun and ended, each line at once.
 */
import { writeSync } from "node:fs";
import { randomHex, systemClock } from "../src/core/index.ts";
import { bind } from "../src/contract/index.ts";
import { attemptsOf, createJobEngine, createJobs, policyOf } from "../src/jobs/index.ts";
import { sqlite } from "../src/sqlite/index.ts";
import { Events } from "../src/telemetry/index.ts";
import { killContract, killWorker } from "./engine-kill-jobs.ts";
import { keepMany, value } from "../src/testing/store-harness.ts";

const [path, life] = process.argv.slice(2);
if (path === undefined || life === undefined) throw new TypeError("usage: engine-kill-child PATH LIFE");

/** A full pipe is no failure: whoever reads is slow. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EAGAIN")) throw thrown;
    }
  }
}
const clock = systemClock;
const events = new Events();
const opened = await sqlite(path).open({
  clock,
  retention: keepMany,
  maxWaiting: 1_000_000,
  maxAttempts: attemptsOf(killContract),
  policy: policyOf(killContract),
});
const session = value(opened);
const jobs = createJobs({ contract: killContract, session, clock, events });
const bound = bind(
  killWorker(say, () => process.kill(process.pid, "SIGKILL")),
  {
    clock,
    events,
    jobs,
    shutdown: new AbortController().signal,
    newId: () => randomHex(),
  },
);
const engine = createJobEngine({ bound, session, clock, events });
await engine.start();
say("open");

const { quick, slow, poison } = killContract.members;
if (life === "0") say(`ack ${value(await jobs.enqueue(poison, { n: 0 })).id} poison`);
for (let n = 0; ; n++) {
  const refs = value(
    await jobs.enqueueMany(
      quick,
      Array.from({ length: 1 + (n % 50) }, (_, at) => ({ n: n * 100 + at })),
    ),
  );
  for (const { id } of refs) say(`ack ${id} quick`);
  if (n % 5 === 0) say(`ack ${value(await jobs.enqueue(slow, { n })).id} slow`);
}
