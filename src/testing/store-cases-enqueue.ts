/** Conformance: what enqueue answers, and the order in which jobs come out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import { failure, value, type WithBench } from "./store-harness.ts";

export function enqueueCases(bench: WithBench): void {
  test(
    "a receipt carries an id of digits, and no two jobs share one",
    bench({}, async (b) => {
      const receipts = await b.enqueue({ name: "a" }, { name: "b" }, { name: "a", priority: 0 });
      for (const receipt of receipts) assert.match(receipt.id, /^[1-9][0-9]*$/);
      assert.equal(new Set(receipts.map((receipt) => receipt.id)).size, 3);
      assert.ok(receipts.every((receipt) => !receipt.duplicate));
    }),
  );

  test(
    "an empty batch is accepted",
    bench({}, async (b) => {
      assert.deepEqual(await b.enqueue(), []);
      assert.deepEqual(value(await b.session.settle([])), []);
    }),
  );

  test(
    "what was acknowledged is there after a restart",
    bench({}, async (b) => {
      const [first, second] = await b.enqueue(
        { name: "a", payload: "1" },
        { name: "b", payload: "2", runAt: b.clock.now() + 1_000 },
      );
      await b.reopen();
      assert.equal((await b.record(first?.id ?? "")).payload, "1");
      assert.equal((await b.record(second?.id ?? "")).state, "scheduled");
    }),
  );

  test(
    "ids are not used again after a restart, even when every job is gone",
    bench({}, async (b) => {
      const before = await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      await b.settle({ job: await hands.takeOne("a"), to: "succeeded" });
      await b.reopen();
      assert.ok(Number(await b.enqueueOne({ name: "a" })) > Number(before));
    }),
  );

  test(
    "lower priority numbers come first, and within one the first in is the first out",
    bench({}, async (b) => {
      const priorities = [5, 0, 9, 5, 0, 3, 9, 5];
      await b.enqueue(...priorities.map((priority, index) => ({ name: "a", priority, payload: String(index) })));
      const hands = b.hands("a");
      hands.grant("a", 100);
      const order = (await hands.take(8)).map((job) => Number(job.payload));
      assert.deepEqual(order, [1, 4, 5, 0, 3, 7, 2, 6]);
    }),
  );

  test(
    "credit that is taken back is not used, and where more is taken back than there is the next is used for that",
    bench({}, async (b) => {
      const hands = b.hands("a", "b");
      hands.grant("a", 10);
      hands.grant("b", 3);
      // Nothing is being claimed with it.
      await hands.quiet();
      hands.grant("a", -8);
      hands.grant("b", -5);
      await hands.quiet();
      for (let index = 0; index < 12; index++) await b.enqueue({ name: index % 2 === 0 ? "a" : "b" });
      assert.deepEqual(
        (await hands.take(2)).map(({ name }) => name),
        ["a", "a"],
      );
      await hands.nothing();
      hands.grant("b", 4);
      assert.deepEqual(
        (await hands.take(2)).map(({ name }) => name),
        ["b", "b"],
      );
      await hands.nothing();
    }),
  );

  test(
    "the order holds across many calls and one claim at a time",
    bench({}, async (b) => {
      for (let index = 0; index < 20; index++) await b.enqueue({ name: "a", payload: String(index) });
      const hands = b.hands("a");
      for (let index = 0; index < 20; index++) assert.equal((await hands.takeOne("a")).payload, String(index));
    }),
  );

  test(
    "the order holds when plain, unique and scheduled jobs are mixed in one call",
    bench({}, async (b) => {
      const soon = b.clock.now() - 5;
      await b.enqueue(
        { name: "a", payload: "0" },
        { name: "a", payload: "1", uniqueKey: "k" },
        { name: "a", payload: "2" },
        { name: "a", payload: "3", runAt: soon },
        { name: "a", payload: "4" },
      );
      const hands = b.hands("a");
      hands.grant("a", 10);
      assert.deepEqual(
        (await hands.take(5)).map((job) => job.payload),
        ["0", "1", "2", "3", "4"],
      );
    }),
  );

  test(
    "a claimed job carries what was enqueued",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", priority: 2, payload: '{"x":1}' });
      const job = await b.hands("a").takeOne("a");
      assert.equal(job.id, id);
      assert.equal(job.name, "a");
      assert.equal(job.priority, 2);
      assert.equal(job.payload, '{"x":1}');
      assert.equal(job.attempt, 1);
      assert.equal(job.enqueuedAt, b.clock.now());
      assert.ok(job.fence.epoch >= 1 && job.fence.claim >= 1);
    }),
  );

  test(
    "a job's context stays with it: handed over, listed, retried, handed back, crashed, redriven",
    bench({}, async (b) => {
      const context = '{"deadline":1,"tracestate":"é"}';
      const ids = [
        await b.enqueueOne({ name: "a", payload: '{"x":1}', context, uniqueKey: "k" }),
        await b.enqueueOne({ name: "a", payload: "", context, runAt: b.clock.now() + 1 }),
      ];
      const plain = await b.enqueueOne({ name: "a", payload: "2" });
      assert.equal("context" in (await b.record(plain)), false);
      await b.clock.advance(1);
      let hands = b.hands("a");
      hands.grant("a", 3);
      let jobs = await hands.take(3);
      const check = (job: ClaimedJob): void => {
        assert.equal(job.context, job.id === plain ? undefined : context);
        assert.equal(job.payload, job.id === plain ? "2" : job.id === ids[0] ? '{"x":1}' : "");
      };
      for (const job of jobs) check(job);
      await b.settle(
        ...jobs.map((job) => ({ job, to: "retry" as const, runAt: b.clock.now() + 5, error: failure(job) })),
      );
      await b.clock.advance(5);
      hands.grant("a", 3);
      for (const job of await hands.take(3)) check(job);
      await b.reopen();
      hands = b.hands("a");
      hands.grant("a", 3);
      jobs = await hands.take(3);
      for (const job of jobs) check(job);
      await b.settle(...jobs.map((job) => ({ job, to: "released" as const })));
      hands.grant("a", 3);
      jobs = await hands.take(3);
      for (const job of jobs) check(job);
      await b.settle(...jobs.map((job) => ({ job, to: "failed" as const, error: failure(job) })));
      for (const id of ids) assert.equal((await b.record(id)).context, context);
      value(await b.session.retry(ids[0] ?? ""));
      check(await hands.takeOne("a"));
      const listed = value(await b.session.list({ name: "a" }));
      assert.equal(listed.filter((record) => record.context === context).length, 2);
    }),
  );

  test(
    "payloads of every kind come back as they were",
    bench({}, async (b) => {
      const payloads = [
        "",
        '"é😀漢字"',
        '"a\u0000b"',
        "\u0000",
        '"\\ud800"',
        `"${"x".repeat(300_000)}"`,
        `"${"漢".repeat(100_000)}"`,
        '{"__proto__":1}',
      ];
      const receipts = await b.enqueue(...payloads.map((payload) => ({ name: "a", payload })));
      for (const [index, receipt] of receipts.entries())
        assert.equal((await b.record(receipt.id)).payload, payloads[index]);
      const hands = b.hands("a");
      hands.grant("a", 100);
      assert.deepEqual(
        (await hands.take(payloads.length)).map((job) => job.payload),
        payloads,
      );
    }),
  );

  test(
    "names and keys of every kind come back as they were",
    bench({}, async (b) => {
      const names = ["a", "a.b", "ä b", "constructor", "__proto__", "'; DROP TABLE x; --"];
      const receipts = await b.enqueue(...names.map((name) => ({ name, uniqueKey: `key of ${name} \u0000 😀` })));
      for (const [index, receipt] of receipts.entries()) {
        const record = await b.record(receipt.id);
        assert.equal(record.name, names[index]);
        assert.equal(record.uniqueKey, `key of ${names[index]} \u0000 😀`);
      }
    }),
  );

  test(
    "a job for later is not handed over before its time",
    bench({}, async (b) => {
      const hands = b.hands("a");
      hands.grant("a", 10);
      const later = await b.enqueueOne({ name: "a", runAt: b.clock.now() + 60_000 });
      const now = await b.enqueueOne({ name: "a" });
      assert.equal((await hands.take(1))[0]?.id, now);
      assert.equal((await b.record(later)).runAt, b.clock.now() + 60_000);
      await b.clock.advance(59_999);
      assert.equal(await b.state(later), "scheduled");
      await b.clock.advance(1);
      assert.equal((await hands.take(1))[0]?.id, later);
    }),
  );

  test(
    "jobs for later become ready in the order of their times",
    bench({}, async (b) => {
      const start = b.clock.now();
      const times = [300, 100, 200, 100];
      await b.enqueue(...times.map((time, index) => ({ name: "a", runAt: start + time, payload: String(index) })));
      await b.clock.advance(1_000);
      const hands = b.hands("a");
      hands.grant("a", 10);
      assert.deepEqual(
        (await hands.take(4)).map((job) => job.payload),
        ["1", "3", "2", "0"],
      );
    }),
  );

  test(
    "a scheduled job survives a restart and comes at its time",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", runAt: b.clock.now() + 5_000 });
      await b.reopen();
      const hands = b.hands("a");
      hands.grant("a", 1);
      await b.clock.advance(5_000);
      assert.equal((await hands.take(1))[0]?.id, id);
    }),
  );

  test(
    "while an unfinished job holds a unique key, that job is the answer",
    bench({}, async (b) => {
      const [first, second, other] = await b.enqueue(
        { name: "a", uniqueKey: "k" },
        { name: "a", uniqueKey: "k" },
        { name: "b", uniqueKey: "k" },
      );
      assert.deepEqual(second, { id: first?.id, duplicate: true });
      assert.equal(other?.duplicate, false);
      const job = await b.hands("a").takeOne("a");
      assert.equal((await b.enqueue({ name: "a", uniqueKey: "k" }))[0]?.duplicate, true);
      await b.settle({ job, to: "succeeded" });
      assert.equal((await b.enqueue({ name: "a", uniqueKey: "k" }))[0]?.duplicate, false);
    }),
  );

  for (const how of ["failed", "cancelled", "cancel while waiting", "cancel while scheduled"] as const) {
    test(
      `a unique key is free again after: ${how}`,
      bench({}, async (b) => {
        const runAt = how === "cancel while scheduled" ? { runAt: b.clock.now() + 1_000 } : {};
        const id = await b.enqueueOne({ name: "a", uniqueKey: "k", ...runAt });
        if (how === "failed" || how === "cancelled") {
          const job = await b.hands("a").takeOne("a");
          const error = { attempt: 1, at: 1, code: "X", message: "" };
          await b.settle(how === "failed" ? { job, to: "failed", error } : { job, to: "cancelled" });
        } else {
          assert.equal(value(await b.session.cancel(id)), "cancelled");
        }
        assert.equal((await b.enqueue({ name: "a", uniqueKey: "k" }))[0]?.duplicate, false);
      }),
    );
  }

  test(
    "a unique key is held through a retry and a restart",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", uniqueKey: "k" });
      const job = await b.hands("a").takeOne("a");
      const error = { attempt: 1, at: 1, code: "X", message: "" };
      await b.settle({ job, to: "retry", runAt: b.clock.now() + 1_000, error });
      assert.deepEqual(await b.enqueue({ name: "a", uniqueKey: "k" }), [{ id, duplicate: true }]);
      await b.reopen();
      assert.deepEqual(await b.enqueue({ name: "a", uniqueKey: "k" }), [{ id, duplicate: true }]);
      assert.equal((await b.record(id)).uniqueKey, "k");
    }),
  );

  test(
    "an occurrence is enqueued once, and only when it is later than the last",
    bench({}, async (b) => {
      const make = (at: number) => ({ name: "a", occurrence: { schedule: "nightly", at } });
      const [first, again, earlier, later] = await b.enqueue(make(100), make(100), make(50), make(200));
      assert.equal(first?.duplicate, false);
      assert.deepEqual(again, { id: "", duplicate: true });
      assert.deepEqual(earlier, { id: "", duplicate: true });
      assert.equal(later?.duplicate, false);
      await b.reopen();
      assert.deepEqual([...value(await b.session.occurrences())], [["nightly", 200]]);
      assert.equal((await b.enqueue(make(200)))[0]?.duplicate, true);
      assert.equal((await b.counts()).ready, 2);
    }),
  );

  test(
    "QUEUE_FULL keeps nothing of the batch, and room is found again",
    bench({ maxWaiting: 5 }, async (b) => {
      await b.enqueue(...Array.from({ length: 4 }, () => ({ name: "a" })));
      const refused = await b.session.enqueue([1, 2].map(() => ({ name: "a", priority: 5, payload: "" })));
      assert.ok(!refused.ok && refused.fault.code === "QUEUE_FULL" && refused.fault.data.limit === 5);
      assert.equal((await b.counts()).ready, 4);
      await b.hands("a").takeOne("a");
      await b.enqueue({ name: "a" }, { name: "a", runAt: b.clock.now() + 1_000 });
      assert.equal((await b.session.enqueue([{ name: "a", priority: 5, payload: "" }])).ok, false);
    }),
  );

  test(
    "calls made in one turn are all answered",
    bench({}, async (b) => {
      const calls = await Promise.all(
        Array.from({ length: 500 }, (_, index) => b.enqueue({ name: `n${index % 7}`, priority: index % 10 })),
      );
      assert.equal(new Set(calls.flat().map((receipt) => receipt.id)).size, 500);
      assert.equal((await b.counts()).ready, 500);
      assert.equal((await b.counts("n0")).ready, 72);
    }),
  );
}
