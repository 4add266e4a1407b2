/**
 * A worker in a process of its own for the tests of rough treatment: `node rough-worker.ts ADDRESS`. Says `run NAME ATTEMPT` at each begin, each line at
 * once, since the process may not live to say it later. Ends when there is nothing left to do.
 */
import { writeSync } from "node:fs";
import { value } from "../src/testing/store-harness.ts";
import { roughContract, roughWorker } from "./rough-jobs.ts";
import { storeAt, until, workerOn } from "./worker-place.ts";

const [address] = process.argv.slice(2);
if (address === undefined) throw new TypeError("usage: rough-worker ADDRESS");
const say = (line: string): void => void writeSync(1, `${line}\n`);
const { jobs, end } = await workerOn(storeAt(address), roughContract, roughWorker(say));
await until(async () => {
  const { ready, running, scheduled } = value(await jobs.counts());
  return ready + running + scheduled === 0;
});
await end();
say("done");
