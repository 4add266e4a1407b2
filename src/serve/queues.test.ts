import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, job } from "../contract/index.ts";
import { manualClock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";
import { implement, serve, work } from "./index.ts";

const input = { n: t.int() };
const mail = job("mail", { input, queue: "mail" });
const digest = job("digest", { input, queue: "mail", schedule: { cron: "* * * * *", input: { n: 0 } } });
const resize = job("resize", { input, queue: "images" });
const tidy = job("tidy", { input, schedule: { cron: "* * * * *", input: { n: 0 } } });
const demo = contract("demo.v1", { mail, digest, resize, tidy });
const quiet = { log: false, signals: [] } as const;

function app(seen: string[]) {
  const handler = (name: string) => () => void seen.push(name);
  return implement(demo, {
    handlers: { mail: handler("mail"), digest: handler("digest"), resize: handler("resize"), tidy: handler("tidy") },
  });
}

test("a worker of some queues runs their jobs and schedules, and leaves the others", async () => {
  const seen: string[] = [];
  const store = memoryStore();
  const clock = manualClock();
  const worker = await work(app(seen), { store, clock, queues: ["mail"], ...quiet });
  for (const one of [mail, resize]) assert.ok((await worker.jobs.enqueue(one, { n: 1 })).ok);
  await elapse(clock, 61_000, 5_000);
  assert.deepEqual(seen.toSorted(), ["digest", "mail"]);
  await worker.stop();
  const other = await work(app(seen), { store, clock, queues: ["images", "default"], ...quiet });
  await elapse(clock, 61_000, 5_000);
  assert.deepEqual(seen.slice(2).toSorted(), ["resize", "tidy"]);
  await other.stop();
});

test("a server without workers enqueues, and runs nothing, also no schedule", async () => {
  const seen: string[] = [];
  const store = memoryStore();
  const clock = manualClock();
  const server = await serve(app(seen), { port: 0, store, clock, workers: false, ...quiet });
  assert.ok((await server.jobs.enqueue(mail, { n: 1 })).ok);
  await elapse(clock, 200_000, 20_000);
  assert.deepEqual(seen, []);
  const counts = await server.jobs.counts();
  assert.ok(counts.ok);
  assert.deepEqual([counts.value.ready, counts.value.succeeded], [1, 0]);
  await server.stop();
  const worker = await work(app(seen), { store, clock, ...quiet });
  await elapse(clock, 1_000, 100);
  assert.deepEqual(seen, ["mail"]);
  await worker.stop();
});

test("a queue that has no jobs is a start-up error", async () => {
  await assert.rejects(
    work(app([]), { store: memoryStore(), queues: ["mial"], ...quiet }),
    /no job of "demo\.v1" is in the queue "mial"\. There are mail, images, default\./,
  );
});
