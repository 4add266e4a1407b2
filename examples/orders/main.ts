/** Places two orders, approves the dear one, and shows what happens. `npx node examples/orders/main.ts [FILE]` */
import { ok, work } from "tensile";
import { sqlite } from "tensile/sqlite";
import { handOver, order, ordersApp } from "./orders.ts";

const app = ordersApp({
  charge: (card, total) => ok(`receipt-${card}-${total}`),
  say: (line) => console.log(line),
});
const worker = await work(app, { store: sqlite(process.argv[2] ?? "orders.db") });
const { jobs } = worker;

const cheap = await jobs.enqueue(order, { id: 1, card: "visa", parcels: 2, total: 90 });
const dear = await jobs.enqueue(order, { id: 2, card: "visa", parcels: 3, total: 9_000 });
if (!cheap.ok || !dear.ok) throw new Error("The store takes no jobs.");
const told = await jobs.signal(order, dear.value.id, "approved", { by: "Ada" });
if (!told.ok) throw new Error(told.fault.message);

for (const placed of [cheap.value, dear.value]) {
  const done = await placed.result();
  if (!done.ok) throw new Error(done.fault.message);
  const sent = await jobs.ref(handOver, done.value.batch).result();
  console.log(done.value.receipt, sent.ok ? `${sent.value.grams} g` : sent.fault.code);
}
await worker.stop();
