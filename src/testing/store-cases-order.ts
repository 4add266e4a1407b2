/** Conformance: jobs of an ordered key run one after the other in the order of their enqueueing, whatever happens to each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import { at, failure, value, type BenchOptions, type StoreBench, type WithBench } from "./store-harness.ts";

const ordered: BenchOptions = { policy: () => ({ perKey: { ordered: true } }) };

async function enqueueX(b: StoreBench, count: number): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, index) => ({ name: "k", key: "x", payload: String(index) }));
  return (await b.enqueue(...jobs)).map(({ id }) => id);
}

async function succeed(b: StoreBench, job: ClaimedJob | undefined): Promise<void> {
  assert.ok(job);
  assert.deepEqual(await b.settle({ job, to: "succeeded" }), ["settled"]);
}

export function orderCases(bench: WithBench): void {
  test(
    "one at a time, in the order of enqueueing; priority does not matter inside a key, and other keys go past",
    bench(ordered, async (b) => {
      await b.enqueue(
        { name: "k", key: "x", payload: "0", priority: 9 },
        { name: "k", key: "x", payload: "1", priority: 0 },
        { name: "k", key: "x", payload: "2", priority: 5 },
        { name: "k", key: "y", payload: "3", priority: 9 },
        { name: "k", payload: "4", priority: 9 },
      );
      const hands = b.hands("k");
      hands.grant("k", 10);
      const first = await hands.take(3);
      assert.deepEqual(first.map(({ payload }) => payload).toSorted(), ["0", "3", "4"]);
      await hands.nothing();
      await succeed(
        b,
        first.find(({ payload }) => payload === "0"),
      );
      const [second] = await hands.take(1);
      assert.equal(second?.payload, "1");
      await hands.nothing();
      await succeed(b, second);
      assert.equal((await hands.take(1))[0]?.payload, "2");
    }),
  );

  test(
    "the order holds over calls, restarts and many jobs",
    bench(ordered, async (b) => {
      for (let call = 0; call < 5; call++) await enqueueX(b, 10);
      const seen: number[] = [];
      for (let life = 0; life < 5; life++) {
        const hands = b.hands("k");
        hands.grant("k", 10);
        for (let done = 0; done < 10; done++) {
          const [job] = await hands.take(1);
          seen.push(Number(job?.id));
          await succeed(b, job);
        }
        await b.reopen();
      }
      assert.deepEqual(
        seen,
        seen.toSorted((one, two) => one - two),
      );
      assert.equal(new Set(seen).size, 50);
    }),
  );

  test(
    "an older job that is in backoff, asleep or waits for a signal blocks the younger",
    bench(ordered, async (b) => {
      const [first] = await enqueueX(b, 2);
      const hands = b.hands("k");
      hands.grant("k", 10);
      const take = async (): Promise<ClaimedJob> => {
        const job = at(await hands.take(1), 0);
        assert.equal(job.id, first);
        return job;
      };
      let job = await take();
      await b.settle({ job, to: "retry", runAt: b.now + 1_000, error: failure(job) });
      await hands.nothing();
      await b.advance(1_000);
      job = await take();
      await b.settle({ job, to: "snoozed", runAt: b.now + 1_000 });
      await hands.nothing();
      await b.advance(1_000);
      job = await take();
      await b.settle({ job, to: "waiting", signal: "go" });
      await hands.nothing();
      value(await b.session.signal(first ?? "", "go", "1"));
      job = await take();
      await b.settle({ job, to: "released" });
      job = await take();
      await hands.nothing();
      await b.settle({ job, to: "failed", error: failure(job) });
      assert.equal((await hands.take(1))[0]?.payload, "1");
    }),
  );

  test(
    "an older job for later, or after others, blocks the younger until it has run or is cancelled",
    bench(ordered, async (b) => {
      const [, late] = await b.enqueue(
        { name: "gate" },
        { name: "k", key: "x", payload: "late", runAt: b.now + 1_000 },
        { name: "k", key: "x", payload: "after", after: { jobs: [0], on: "succeeded" } },
        { name: "k", key: "x", payload: "young" },
      );
      const hands = b.hands("k", "gate");
      hands.grant("k", 10);
      await hands.nothing();
      assert.equal(value(await b.session.cancel(late?.id ?? "")), "cancelled");
      await hands.nothing();
      await succeed(b, await hands.takeOne("gate"));
      const [job] = await hands.take(1);
      assert.equal(job?.payload, "after");
      await hands.nothing();
      await succeed(b, job);
      assert.equal((await hands.take(1))[0]?.payload, "young");
    }),
  );

  test(
    "a crash keeps the order",
    bench(ordered, async (b) => {
      await enqueueX(b, 3);
      await b.hands("k").takeOne("k");
      await b.reopen();
      const hands = b.hands("k");
      hands.grant("k", 10);
      for (const payload of ["0", "1", "2"]) {
        const [job] = await hands.take(1);
        assert.equal(job?.payload, payload);
        await hands.nothing();
        await succeed(b, job);
      }
    }),
  );

  test(
    "a redriven job waits for the one that runs, and comes before the younger that have not begun",
    bench(ordered, async (b) => {
      const ids = await enqueueX(b, 3);
      const hands = b.hands("k");
      hands.grant("k", 10);
      const [first] = await hands.take(1);
      await b.settle({ job: first as ClaimedJob, to: "failed", error: failure(first as ClaimedJob) });
      const [second] = await hands.take(1);
      assert.equal(value(await b.session.retry(at(ids, 0))), "ready");
      await hands.nothing();
      await succeed(b, second);
      assert.equal((await hands.take(1))[0]?.id, at(ids, 0));
      await hands.nothing();
    }),
  );
}
