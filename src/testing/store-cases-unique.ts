/** Conformance: how far a unique key reaches, how long it is held, and delays by the store's own clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewJob } from "../jobs/index.ts";
import { failure, value, type StoreBench, type WithBench } from "./store-harness.ts";

type Keyed = Partial<NewJob> & { readonly name: string };

/** Whether a job with this key would be a duplicate, and whose. A job that is none stays. */
async function enqueue(b: StoreBench, job: Keyed): Promise<{ id: string; duplicate: boolean }> {
  const [receipt] = await b.enqueue({ uniqueKey: "k", ...job });
  assert.ok(receipt);
  return receipt;
}

export function uniqueCases(bench: WithBench): void {
  scopeCases(bench);
  startedCases(bench);
  windowCases(bench);
}

function scopeCases(bench: WithBench): void {
  test(
    "names of one scope share its keys; other scopes, and names without one, do not",
    bench({}, async (b) => {
      const queue = { unique: { scope: "queue" } };
      const first = await enqueue(b, { name: "a", ...queue });
      assert.deepEqual(await enqueue(b, { name: "b", ...queue }), { id: first.id, duplicate: true });
      assert.equal((await enqueue(b, { name: "b", unique: { scope: "other" } })).duplicate, false);
      assert.equal((await enqueue(b, { name: "a" })).duplicate, false);
      assert.equal((await enqueue(b, { name: "b" })).duplicate, false);
      const [one, two] = await b.enqueue(
        { name: "a", uniqueKey: "new", ...queue },
        { name: "b", uniqueKey: "new", ...queue },
      );
      assert.deepEqual(two, { id: one?.id, duplicate: true });
    }),
  );

  test(
    "a scope's key is held through a restart, and free when its job is finished",
    bench({}, async (b) => {
      const first = await enqueue(b, { name: "a", unique: { scope: "queue" } });
      await b.reopen();
      assert.equal((await b.record(first.id)).uniqueKey, "k");
      assert.deepEqual(await enqueue(b, { name: "b", unique: { scope: "queue" } }), { id: first.id, duplicate: true });
      await b.settle({ job: await b.hands("a").takeOne("a"), to: "succeeded" });
      assert.equal((await enqueue(b, { name: "b", unique: { scope: "queue" } })).duplicate, false);
    }),
  );

  test(
    "a job that waits for others holds its key",
    bench({}, async (b) => {
      const other = await b.enqueueOne({ name: "z" });
      const first = await enqueue(b, { name: "a", after: { jobs: [other], on: "succeeded" } });
      assert.deepEqual(await enqueue(b, { name: "a" }), { id: first.id, duplicate: true });
      assert.equal(value(await b.session.cancel(other)), "cancelled");
      await b.reaches(first.id, "cancelled");
      assert.equal((await enqueue(b, { name: "a" })).duplicate, false);
    }),
  );
}

function startedCases(bench: WithBench): void {
  const job = { name: "a", unique: { until: "started" } } as const;

  test(
    "until it has started: held while it waits, free from the first claim on",
    bench({}, async (b) => {
      const first = await enqueue(b, job);
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      await b.reopen();
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      const hands = b.hands("a");
      const claimed = await hands.takeOne("a");
      const second = await enqueue(b, job);
      assert.equal(second.duplicate, false);
      assert.deepEqual(await enqueue(b, job), { id: second.id, duplicate: true });
      await b.settle({ job: claimed, to: "retry", runAt: b.now, error: failure(claimed) });
      assert.deepEqual(await enqueue(b, job), { id: second.id, duplicate: true });
      await b.reopen();
      assert.deepEqual(await enqueue(b, job), { id: second.id, duplicate: true });
    }),
  );

  test(
    "until it has started: the end of the first frees nothing that the second holds",
    bench({}, async (b) => {
      await enqueue(b, job);
      const hands = b.hands("a");
      const claimed = await hands.takeOne("a");
      const second = await enqueue(b, job);
      await b.settle({ job: claimed, to: "succeeded" });
      assert.deepEqual(await enqueue(b, job), { id: second.id, duplicate: true });
      assert.equal(value(await b.session.cancel(second.id)), "cancelled");
      assert.equal((await enqueue(b, job)).duplicate, false);
    }),
  );
}

function windowCases(bench: WithBench): void {
  const job = { name: "a", unique: { windowMs: 1_000 } };

  test(
    "a window holds the key from the enqueueing on, also when its job is finished",
    bench({}, async (b) => {
      const first = await enqueue(b, job);
      await b.settle({ job: await b.hands("a").takeOne("a"), to: "succeeded" });
      await b.advance(999);
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      await b.reopen();
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      await b.advance(1);
      const second = await enqueue(b, job);
      assert.equal(second.duplicate, false);
      assert.deepEqual(await enqueue(b, job), { id: second.id, duplicate: true });
    }),
  );

  test(
    "when the window is over, an unfinished job holds the key still",
    bench({}, async (b) => {
      const first = await enqueue(b, job);
      await b.advance(5_000);
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      assert.equal(value(await b.session.cancel(first.id)), "cancelled");
      assert.equal((await enqueue(b, job)).duplicate, false);
    }),
  );

  test(
    "within its window a cancelled job holds the key, and may itself be redriven",
    bench({}, async (b) => {
      const first = await enqueue(b, job);
      assert.equal(value(await b.session.cancel(first.id)), "cancelled");
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
      assert.equal(value(await b.session.retry(first.id)), "ready");
      await b.advance(1_000);
      assert.deepEqual(await enqueue(b, job), { id: first.id, duplicate: true });
    }),
  );

  test(
    "a window and a key that is free at the start: whichever holds longer",
    bench({}, async (b) => {
      const both = { name: "a", unique: { windowMs: 1_000, until: "started" } } as const;
      const first = await enqueue(b, both);
      await b.hands("a").takeOne("a");
      assert.deepEqual(await enqueue(b, both), { id: first.id, duplicate: true });
      await b.advance(1_000);
      assert.equal((await enqueue(b, both)).duplicate, false);
    }),
  );
}

export function delayCases(bench: WithBench): void {
  test(
    "a delay counts from the commit on, by the store's clock",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", delayMs: 1_000, payload: "7", uniqueKey: "k" });
      const record = await b.record(id);
      assert.deepEqual([record.state, record.runAt], ["scheduled", b.now + 1_000]);
      const hands = b.hands("a");
      hands.grant("a", 1);
      await b.advance(999);
      await hands.nothing();
      await b.advance(1);
      const [job] = await hands.take(1);
      assert.deepEqual([job?.id, job?.payload], [id, "7"]);
    }),
  );

  test(
    "a delay of nothing is none, and delays sort among times",
    bench({}, async (b) => {
      await b.enqueue(
        { name: "a", payload: "2", delayMs: 200 },
        { name: "a", payload: "1", runAt: b.now + 100 },
        { name: "a", payload: "0", delayMs: 0 },
        { name: "a", payload: "3", delayMs: 300 },
      );
      const hands = b.hands("a");
      hands.grant("a", 4);
      const order: string[] = [];
      for (let step = 0; step < 4; step++) {
        order.push(...(await hands.take(1)).map(({ payload }) => payload));
        await hands.nothing();
        await b.advance(100);
      }
      assert.deepEqual(order, ["0", "1", "2", "3"]);
    }),
  );
}
