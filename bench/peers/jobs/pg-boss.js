/**
 * pg-boss in the process that produces: `default` as it comes, a job in two seconds; `tuned` with LISTEN/NOTIFY, four workers that fetch 500 and fetch on
 * at once while batches come back full. Jobs with a key are of a group that runs one at a time, counted in the database.
 */
import pg from "pg";
import { PgBoss } from "pg-boss";
import { announce } from "../../child.ts";
import { ledger } from "../../jobs/ledger.ts";
import { orderTaker } from "../../jobs/order-taker.ts";

const [connectionString, mode] = process.argv.slice(2);
const tuned = mode === "tuned";
const boss = new PgBoss({ connectionString, max: tuned ? 20 : 10, ...(tuned && { useListenNotify: true }) });
boss.on("error", (error) => console.error(error));
await boss.start();
const queue = tuned ? { notify: true } : {};
await boss.createQueue("mail", queue);
await boss.createQueue("keyed", queue);

const book = ledger();
const options = tuned
  ? { batchSize: 500, localConcurrency: 4, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
  : {};
const handle = async (jobs) => {
  for (const { data } of jobs) book.ran(data);
};
const work = async () => {
  await boss.work("mail", options, handle);
  await boss.work("keyed", { ...options, groupConcurrency: 1 }, handle);
};

async function enqueue(payloads, keyed) {
  if (keyed) return void (await boss.send("keyed", payloads[0], { group: { id: payloads[0].to } }));
  if (payloads.length === 1) return void (await boss.send("mail", payloads[0]));
  await boss.insert("mail", payloads.map((data) => ({ data })));
}

const pool = new pg.Pool({ connectionString, max: 1 });
async function settle() {
  await book.untilAllRan(30_000);
  const { acknowledged, wrong, ...verdict } = book.verdict();
  let left = Infinity;
  for (let i = 0; i < 200 && left > 0; i++) {
    const { rows } = await pool.query("select count(*)::int as left from pgboss.job where name in ('mail', 'keyed') and state <> 'completed'");
    left = rows[0].left;
    if (left > 0) await new Promise((done) => setTimeout(done, 10));
  }
  return { ...verdict, acknowledged, wrong, left };
}

announce({ durability: "synchronous_commit=on" }, orderTaker({ book, enqueue, work, settle }));
