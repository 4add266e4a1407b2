import assert from "node:assert/strict";
import { test } from "node:test";
import { err, ok } from "tensile";
import { testJobs } from "tensile/testing";
import { Declined, handOver, order, ordersApp, type World } from "./orders.ts";

function world(charge: World["charge"] = (card, total) => ok(`${card} ${total}`)) {
  const said: string[] = [];
  const charged: string[] = [];
  const app = ordersApp({
    charge(card, total, idempotencyKey) {
      charged.push(idempotencyKey);
      return charge(card, total, idempotencyKey);
    },
    say: (line) => said.push(line),
  });
  return { app, said, charged };
}

test("a dear order is charged once, waits for its approval, and all its parcels are handed over together", async () => {
  const { app, said, charged } = world();
  const { jobs, drain, stop } = await testJobs(app);
  const placed = await jobs.enqueue(order, { id: 2, card: "visa", parcels: 3, total: 9_000 });
  assert.ok(placed.ok);
  assert.deepEqual(
    (await drain()).map(({ name, to }) => `${name} ${to}`),
    ["order waiting"],
  );
  const told = await jobs.signal(order, placed.value.id, "approved", { by: "Ada" });
  assert.ok(told.ok);
  const ran = (await drain()).map(({ name, to }) => `${name} ${to}`);
  assert.deepEqual(ran.toSorted(), [
    "handOver succeeded",
    "order succeeded",
    "packParcel succeeded",
    "packParcel succeeded",
    "packParcel succeeded",
  ]);
  assert.equal(ran.at(-1), "handOver succeeded");
  const done = await placed.value.result();
  assert.ok(done.ok);
  assert.equal(done.value.receipt, "visa 9000");
  const sent = await jobs.ref(handOver, done.value.batch).result();
  assert.deepEqual(sent.ok && sent.value, { parcels: 3, grams: 600 });
  assert.equal(charged.length, 1);
  // What stands outside of a step is done by every run.
  assert.deepEqual(said, [
    "order 2 waits for somebody to approve it",
    "order 2 waits for somebody to approve it",
    "order 2 approved: Ada",
    "order 2: 3 parcels, 600 g handed over",
  ]);
  await stop();
});

test("nobody answers: after two days the order goes on by itself", async () => {
  const { app, said } = world();
  const { jobs, drain, stop } = await testJobs(app);
  assert.ok((await jobs.enqueue(order, { id: 3, card: "visa", parcels: 1, total: 5_000 })).ok);
  await drain({ advance: "3d" });
  assert.ok(said.includes("order 3 approved: nobody said no in time"));
  await stop();
});

test("a declined card ends the order at once", async () => {
  const { app } = world((card) => err(Declined({ card })));
  const { jobs, drain, stop } = await testJobs(app);
  const placed = await jobs.enqueue(order, { id: 4, card: "stolen", parcels: 1, total: 10 });
  assert.ok(placed.ok);
  assert.deepEqual(
    (await drain()).map(({ to }) => to),
    ["failed"],
  );
  const done = await placed.value.result();
  assert.ok(!done.ok && done.fault.code === "DECLINED");
  await stop();
});
