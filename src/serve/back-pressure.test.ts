import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, job, mutation, QueueFull, StoreUnavailable } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { memoryStore } from "../testing/index.ts";
import { implement, serve } from "./index.ts";

const mail = job("mail", { input: { to: t.string() }, backPressure: { depth: 2 } });
const order = mutation("order", {
  access: "public",
  input: { to: t.string() },
  output: { id: t.string() },
  faults: [QueueFull, StoreUnavailable],
  http: "POST /orders",
});
const shop = contract("shop.v1", { order, mail });

test("a handler that passes QUEUE_FULL on answers 429 with Retry-After, and 503 where the store is gone", async () => {
  const app = implement(shop, {
    handlers: {
      order: async function* ({ input, jobs }) {
        const { id } = yield* await jobs.enqueue(mail, input, { delay: 0 });
        return { id };
      },
      mail: () => new Promise(() => undefined),
    },
  });
  const store = memoryStore();
  const server = await serve(app, {
    port: 0,
    store,
    log: false,
    signals: [],
    limits: { jobs: { concurrency: 1 } },
    drain: 0,
  });
  const post = () =>
    fetch(`${server.url}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ to: "Ann" }),
    });
  // Two that run or were claimed, two that wait.
  let refused = await post();
  for (let n = 0; n < 10 && refused.ok; n++) refused = await post();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  const problem = (await refused.json()) as { code: string; data: unknown };
  assert.deepEqual([problem.code, problem.data], ["QUEUE_FULL", { limit: 2, retryAfterMs: 1_000 }]);
  store.breakDown("the disk is full");
  // What was read before still holds for a moment.
  for (let n = 0; n < 100 && refused.status === 429; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    refused = await post();
  }
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  store.breakDown(undefined);
  await server.stop();
});
