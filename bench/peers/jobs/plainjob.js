/**
 * plainjob on better-sqlite3: the embedded SQLite queue that npm has for Node. It works on the main thread, one transaction for
 * each step of each job. Started with `full` it runs as durably as Tensile; with `normal` as it comes.
 */
import Database from "better-sqlite3";
import { better, defineQueue, defineWorker, JobStatus } from "plainjob";
import { announce } from "../../child.ts";
import { ledger } from "../../jobs/ledger.ts";
import { orderTaker } from "../../jobs/order-taker.ts";

const [file, durability] = process.argv.slice(2);
const database = new Database(file);
const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const queue = defineQueue({ connection: better(database), logger: quiet });
// plainjob sets NORMAL itself, so this comes after it.
if (durability === "full") database.pragma("synchronous = FULL");
const isFull = database.pragma("synchronous", { simple: true }) === 2;

const book = ledger();
const worker = defineWorker(
  "sendMail",
  async (job) => {
    book.ran(JSON.parse(job.data));
    // Its worker never gives way while there is work; without this the producer, and an API, would stand still.
    await new Promise(setImmediate);
  },
  { queue, logger: quiet, pollIntervall: 1 },
);
void worker.start();

async function enqueue(payloads) {
  if (payloads.length === 1) queue.add("sendMail", payloads[0]);
  else queue.addMany("sendMail", payloads);
  // It blocks until the commit; the worker gets its turn between two calls.
  await new Promise(setImmediate);
}

async function settle() {
  await book.untilAllRan(30_000);
  await new Promise((done) => setTimeout(done, 100));
  const { acknowledged, wrong, ...verdict } = book.verdict();
  const done = queue.countJobs({ status: JobStatus.Done });
  return { ...verdict, acknowledged, wrong, left: queue.countJobs() - done };
}

announce({ durability: `WAL, synchronous=${isFull ? "FULL" : "NORMAL: a power loss may take acknowledged jobs"}` }, orderTaker({ book, enqueue, settle }));
