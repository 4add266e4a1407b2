/**
 * BullMQ on a Redis of its own, on a socket beside the data: a worker of 200 at a time, in the process that produces. Finished jobs are removed at
 * once, which is its fastest way; what is durable is up to the Redis that the benchmark has started.
 */
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { announce } from "../../child.ts";
import { ledger } from "../../jobs/ledger.ts";
import { orderTaker } from "../../jobs/order-taker.ts";

const [path, durability] = process.argv.slice(2);
// A worker blocks on its connection, so it has one of its own.
const connect = () => new Redis({ path, maxRetriesPerRequest: null });
const queue = new Queue("mail", { connection: connect(), defaultJobOptions: { removeOnComplete: true } });
const book = ledger();
const worker = new Worker("mail", async ({ data }) => book.ran(data), { connection: connect(), concurrency: 200 });
worker.on("error", (error) => console.error(error));
await worker.waitUntilReady();

async function enqueue(payloads) {
  if (payloads.length === 1) await queue.add("sendMail", payloads[0]);
  else await queue.addBulk(payloads.map((data) => ({ name: "sendMail", data })));
}

async function settle() {
  await book.untilAllRan(30_000);
  const { acknowledged, wrong, ...verdict } = book.verdict();
  let left = Infinity;
  // A handler ends before its outcome is written.
  for (let i = 0; i < 200 && left > 0; i++) {
    const counts = await queue.getJobCounts("active", "waiting", "delayed", "prioritized", "failed");
    left = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (left > 0) await new Promise((done) => setTimeout(done, 10));
  }
  return { ...verdict, acknowledged, wrong, left };
}

announce(
  {
    durability:
      durability === "always"
        ? "append-only file, appendfsync always: acknowledged after the fsync"
        : "append-only file, appendfsync everysec: a power loss may take the last second of acknowledged jobs",
  },
  orderTaker({ book, enqueue, settle }),
);
