/** Conformance: credit, fences, crashes, hand-over on shutdown, many jobs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import { at, copyOf, failure, isLater, value, type WithBench } from "./store-harness.ts";

export function lifeCases(bench: WithBench): void {
  test(
    "no more is handed over than there is credit for, by name",
    bench({}, async (b) => {
      await b.enqueue(...Array.from({ length: 50 }, (_, index) => ({ name: index % 2 === 0 ? "a" : "b" })));
      const hands = b.hands("a", "b");
      hands.grant("a", 7);
      hands.grant("b", 3);
      hands.grant("a", 1);
      const jobs = await hands.take(11);
      assert.equal(jobs.filter((job) => job.name === "a").length, 8);
      assert.equal(jobs.filter((job) => job.name === "b").length, 3);
      await b.enqueue({ name: "a" }, { name: "b" });
      assert.equal(hands.untaken, 0);
      assert.equal((await b.counts()).running, 11);
    }),
  );

  test(
    "credit waits for work",
    bench({}, async (b) => {
      const hands = b.hands("a");
      hands.grant("a", 2);
      await b.counts();
      await b.enqueue({ name: "a", payload: "1" });
      assert.equal((await hands.take(1))[0]?.payload, "1");
      await b.enqueue({ name: "a", payload: "2" }, { name: "a", payload: "3" });
      assert.equal((await hands.take(1))[0]?.payload, "2");
      await b.counts();
      assert.equal(hands.untaken, 0);
    }),
  );

  test(
    "nothing is handed over after stop, and the next consumer starts without credit",
    bench({}, async (b) => {
      const hands = b.hands("a");
      hands.grant("a", 100);
      await b.enqueue({ name: "a" });
      await hands.take(1);
      await hands.stop();
      await b.enqueue({ name: "a" });
      assert.equal(hands.untaken, 0);
      const next = b.hands("a");
      await b.counts();
      assert.equal(next.claimed.length, 0);
      await next.takeOne("a");
    }),
  );

  test(
    "a second consumer at the same time is a mistake",
    bench({}, async (b) => {
      b.hands("a");
      assert.throws(() => b.hands("a"), TypeError);
    }),
  );

  test(
    "an attempt is counted before the job runs: a crash leaves it counted and recorded",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", payload: "1" });
      await b.hands("a").takeOne("a");
      await b.clock.advance(5_000);
      await b.reopen();
      const record = await b.record(id);
      assert.equal(record.state, "ready");
      assert.equal(record.attempt, 1);
      assert.deepEqual(
        record.errors.map(({ attempt, at, code }) => ({ attempt, at, code })),
        [{ attempt: 1, at: b.clock.now(), code: "CRASHED" }],
      );
      const job = await b.hands("a").takeOne("a");
      assert.equal(job.id, id);
      assert.equal(job.attempt, 2);
      assert.equal(job.payload, "1");
    }),
  );

  test(
    "a job that crashes its process every time fails when its attempts are used up",
    bench({ maxAttempts: (name) => (name === "a" ? 3 : 1) }, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      for (let life = 1; life <= 3; life++) {
        assert.equal(await b.state(id), "ready");
        assert.equal((await b.hands("a").takeOne("a")).attempt, life);
        await b.reopen();
      }
      const record = await b.record(id);
      assert.equal(record.state, "failed");
      assert.equal(record.errors.length, 3);
      assert.equal(record.finishedAt, b.clock.now());
      const again = { name: "a", again: 1, failed: 0 };
      assert.deepEqual(b.crashed, [again, again, { name: "a", again: 0, failed: 1 }]);
    }),
  );

  test(
    "jobs that a crash gave back come before those that waited behind them, in their order",
    bench({}, async (b) => {
      await b.enqueue(...Array.from({ length: 30 }, (_, index) => ({ name: "a", payload: String(index) })));
      const hands = b.hands("a");
      hands.grant("a", 10);
      const jobs = await hands.take(10);
      await b.settle(
        ...jobs.filter((job) => Number(job.payload) % 3 === 0).map((job) => ({ job, to: "succeeded" as const })),
      );
      await b.reopen();
      const again = b.hands("a");
      again.grant("a", 30);
      const order = (await again.take(26)).map((job) => Number(job.payload));
      assert.deepEqual(order, [1, 2, 4, 5, 7, 8, ...Array.from({ length: 20 }, (_, index) => index + 10)]);
    }),
  );

  test(
    "released jobs keep their attempts and come first again",
    bench({}, async (b) => {
      await b.enqueue(...Array.from({ length: 10 }, (_, index) => ({ name: "a", payload: String(index) })));
      const hands = b.hands("a");
      hands.grant("a", 6);
      const jobs = await hands.take(6);
      const [first, ...rest] = jobs;
      assert.ok(first);
      await b.settle({ job: first, to: "succeeded" }, ...rest.map((job) => ({ job, to: "released" as const })));
      const record = await b.record(at(rest, 0).id);
      assert.equal(record.state, "ready");
      assert.equal(record.attempt, 0);
      hands.grant("a", 20);
      const again = await hands.take(9);
      assert.deepEqual(
        again.map((job) => job.payload),
        ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
      );
      assert.ok(again.every((job) => job.attempt === 1));
    }),
  );

  test(
    "released jobs come first again after a restart",
    bench({}, async (b) => {
      await b.enqueue(...Array.from({ length: 6 }, (_, index) => ({ name: "a", payload: String(index) })));
      const hands = b.hands("a");
      hands.grant("a", 4);
      const jobs = await hands.take(4);
      await b.settle(...jobs.slice(2).map((job) => ({ job, to: "released" as const })));
      await b.settle(...jobs.slice(0, 2).map((job) => ({ job, to: "released" as const })));
      await b.reopen();
      const again = b.hands("a");
      again.grant("a", 10);
      assert.deepEqual(
        (await again.take(6)).map((job) => job.payload),
        ["0", "1", "2", "3", "4", "5"],
      );
    }),
  );

  test(
    "settling twice: the second is stale and changes nothing",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const job = await b.hands("a").takeOne("a");
      assert.deepEqual(await b.settle({ job, to: "succeeded", result: "1" }), ["settled"]);
      assert.deepEqual(
        await b.settle({ job, to: "succeeded", result: "2" }, { job, to: "failed", error: failure(job) }),
        ["stale", "stale"],
      );
      const record = await b.record(id);
      assert.equal(record.state, "succeeded");
      assert.equal(record.result, "1");
    }),
  );

  test(
    "settling twice in one batch: only the first counts",
    bench({}, async (b) => {
      await b.enqueue({ name: "a" }, { name: "a" });
      const hands = b.hands("a");
      hands.grant("a", 2);
      const [one, two] = await hands.take(2);
      assert.ok(one && two);
      const receipts = await b.settle(
        { job: one, to: "succeeded" },
        { job: one, to: "succeeded" },
        { job: two, to: "failed", error: failure(two) },
        { job: two, to: "released" },
      );
      assert.deepEqual(receipts.toSorted(), ["settled", "settled", "stale", "stale"]);
      assert.deepEqual(await b.counts(), {
        waiting: 0,
        scheduled: 0,
        ready: 0,
        running: 0,
        succeeded: 1,
        failed: 1,
        cancelled: 0,
      });
    }),
  );

  test(
    "a claim of an earlier life can finish nothing",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const zombie = await b.hands("a").takeOne("a");
      await b.reopen();
      assert.deepEqual(await b.settle({ job: zombie, to: "succeeded" }), ["stale"]);
      assert.equal(await b.state(id), "ready");
      const job = await b.hands("a").takeOne("a");
      assert.ok(isLater(job, zombie));
      assert.deepEqual(await b.settle({ job: zombie, to: "failed", error: failure(zombie) }), ["stale"]);
      assert.deepEqual(await b.settle({ job, to: "succeeded" }), ["settled"]);
    }),
  );

  test(
    "a claim of the same life that was handed back can finish nothing",
    bench({}, async (b) => {
      await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      const before = await hands.takeOne("a");
      await b.settle({ job: before, to: "released" });
      const job = await hands.takeOne("a");
      assert.deepEqual(await b.settle({ job: before, to: "succeeded" }), ["stale"]);
      assert.equal(await b.state(job.id), "running");
      assert.deepEqual(await b.settle({ job, to: "succeeded" }), ["settled"]);
    }),
  );

  test(
    "a settlement is judged by its fence, also when the job is a copy",
    bench({}, async (b) => {
      await b.enqueue({ name: "a" }, { name: "a" });
      const hands = b.hands("a");
      hands.grant("a", 2);
      const [one, two] = await hands.take(2);
      assert.ok(one && two);
      const old = (job: ClaimedJob, change: Partial<ClaimedJob["fence"]>): ClaimedJob => ({
        ...copyOf(job),
        fence: { ...job.fence, ...change },
      });
      assert.deepEqual(await b.settle({ job: old(one, { epoch: one.fence.epoch - 1 }), to: "succeeded" }), ["stale"]);
      assert.deepEqual(await b.settle({ job: old(one, { claim: one.fence.claim + 7 }), to: "succeeded" }), ["stale"]);
      assert.deepEqual(
        await b.settle({ job: copyOf(one), to: "succeeded", result: "1" }, { job: copyOf(two), to: "released" }),
        ["settled", "settled"],
      );
      assert.equal((await b.record(one.id)).result, "1");
    }),
  );

  test(
    "cancelling a running job asks its consumer, who settles",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.equal(value(await b.session.cancel(id)), "running");
      assert.deepEqual(hands.cancelRequests, [id]);
      await b.settle({ job, to: "cancelled" });
      assert.equal(value(await b.session.cancel(id)), "cancelled");
      assert.equal((await b.record(id)).attempt, 1);
    }),
  );

  test(
    "a cancelled waiting job is never handed over",
    bench({}, async (b) => {
      const receipts = await b.enqueue(
        ...Array.from({ length: 5 }, (_, index) => ({ name: "a", payload: String(index) })),
      );
      for (const index of [0, 2, 4]) assert.equal(value(await b.session.cancel(at(receipts, index).id)), "cancelled");
      const hands = b.hands("a");
      hands.grant("a", 10);
      assert.deepEqual(
        (await hands.take(2)).map((job) => job.payload),
        ["1", "3"],
      );
      await b.counts();
      assert.equal(hands.untaken, 0);
      await b.reopen();
      assert.equal((await b.counts()).cancelled, 3);
    }),
  );

  test(
    "a hundred thousand jobs go through, each once",
    bench({ maxWaiting: 200_000 }, async (b) => {
      const total = 100_000;
      const seen = new Set<string>();
      let settled = 0;
      await new Promise<void>((resolve, reject) => {
        const consumer = b.session.consume({
          names: ["a", "b"],
          onClaimed(jobs) {
            for (const job of jobs) {
              if (seen.has(job.id)) reject(new Error(`job ${job.id} was handed over twice`));
              seen.add(job.id);
            }
            const a = jobs.filter((job) => job.name === "a").length;
            consumer.grant("a", a);
            consumer.grant("b", jobs.length - a);
            void b.session
              .settle(jobs.map((job) => ({ job, to: "succeeded" })))
              .then(() => ((settled += jobs.length) === total ? resolve() : undefined));
          },
          onCancelRequested: () => undefined,
          onTrouble: (fault) => reject(new Error(String(fault))),
        });
        consumer.grant("a", 1_000);
        consumer.grant("b", 500);
        for (let call = 0; call < 1_000; call++) {
          void b.enqueue(
            ...Array.from({ length: 100 }, (_, index) => ({
              name: index % 3 === 0 ? "b" : "a",
              priority: call % 10,
              payload: `${call}.${index}`,
            })),
          );
        }
      });
      assert.deepEqual(await b.counts(), {
        waiting: 0,
        scheduled: 0,
        ready: 0,
        running: 0,
        succeeded: total,
        failed: 0,
        cancelled: 0,
      });
    }),
  );
}
