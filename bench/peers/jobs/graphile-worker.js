/**
 * graphile-worker in the process that produces: `plain` as its documentation starts it, 24 at a time; `batched` with its local queue, which claims 500
 * at once, and batched completion. Jobs with a key go to a named queue, which runs one at a time.
 */
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { announce } from "../../child.ts";
import { ledger } from "../../jobs/ledger.ts";
import { orderTaker } from "../../jobs/order-taker.ts";

const [connectionString, mode] = process.argv.slice(2);

const logger = new Logger(() => (level, message) => (level === "error" ? console.error(message) : undefined));
const pool = new pg.Pool({ connectionString, max: 10 });
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();

const book = ledger();
const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const work = async () => {
  await run({
    preset: {
      worker: { connectionString, maxPoolSize: 26, concurrentJobs: 24, ...(mode === "batched" ? batched : {}) },
    },
    logger,
    noHandleSignals: true,
    taskList: { sendMail: (payload) => book.ran(payload) },
  });
};

async function enqueue(payloads, keyed) {
  const specOf = ({ to }) => (keyed ? { queueName: to } : {});
  if (payloads.length === 1) return void (await utils.addJob("sendMail", payloads[0], specOf(payloads[0])));
  await utils.addJobs(payloads.map((payload) => ({ identifier: "sendMail", payload, ...specOf(payload) })));
}

async function settle() {
  await book.untilAllRan(30_000);
  const { acknowledged, wrong, ...verdict } = book.verdict();
  let left = Infinity;
  // A handler ends before its outcome is committed.
  for (let i = 0; i < 200 && left > 0; i++) {
    const { rows } = await pool.query("select count(*)::int as left from graphile_worker._private_jobs");
    left = rows[0].left;
    if (left > 0) await new Promise((done) => setTimeout(done, 10));
  }
  return { ...verdict, acknowledged, wrong, left };
}

announce({ durability: "synchronous_commit=on" }, orderTaker({ book, enqueue, work, settle }));
