/** Conformance: a running job that goes on later, without its attempt being counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, value, type WithBench } from "./store-harness.ts";

export function snoozeCases(bench: WithBench): void {
  test(
    "a snoozed job comes back at its time, and its attempt was not counted",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", payload: "7" });
      const hands = b.hands("a");
      const first = await hands.takeOne("a");
      assert.deepEqual(await b.settle({ job: first, to: "snoozed", runAt: b.now + 1_000 }), ["settled"]);
      const record = await b.record(id);
      assert.deepEqual([record.state, record.runAt, record.attempt], ["scheduled", b.now + 1_000, 0]);
      assert.deepEqual(record.errors, []);
      hands.grant("a", 1);
      await b.advance(999);
      await hands.nothing();
      await b.advance(1);
      const [again] = await hands.take(1);
      assert.deepEqual([again?.id, again?.attempt, again?.payload], [id, 1, "7"]);
    }),
  );

  test(
    "a snooze until a time that has passed is ready at once",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      await b.settle({ job: await hands.takeOne("a"), to: "snoozed", runAt: b.now - 1 });
      assert.equal((await hands.takeOne("a")).id, id);
    }),
  );

  test(
    "attempts that failed before a snooze stay counted, and a snooze ends no job however often",
    bench({ maxAttempts: () => 2 }, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      let hands = b.hands("a");
      const first = await hands.takeOne("a");
      await b.settle({ job: first, to: "retry", runAt: b.now, error: failure(first) });
      for (let time = 0; time < 5; time++) {
        const job = await hands.takeOne("a");
        assert.equal(job.attempt, 2);
        await b.settle({ job, to: "snoozed", runAt: b.now });
      }
      await b.reopen();
      hands = b.hands("a");
      assert.equal((await hands.takeOne("a")).attempt, 2);
      await b.reopen();
      assert.equal(await b.state(id), "failed");
    }),
  );

  test(
    "a snoozed job sleeps through a restart and can be cancelled",
    bench({}, async (b) => {
      const [one, two] = await b.enqueue({ name: "a" }, { name: "a" });
      const hands = b.hands("a");
      hands.grant("a", 2);
      const jobs = await hands.take(2);
      await b.settle(...jobs.map((job) => ({ job, to: "snoozed" as const, runAt: b.now + 60_000 })));
      await b.reopen();
      assert.equal((await b.record(one?.id ?? "")).runAt, b.now + 60_000);
      value(await b.session.cancel(two?.id ?? ""));
      await b.advance(60_000);
      await b.reaches(one?.id ?? "", "ready");
      assert.equal(await b.state(two?.id ?? ""), "cancelled");
    }),
  );

  test(
    "a stale claim snoozes nothing",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const zombie = await b.hands("a").takeOne("a");
      await b.reopen();
      assert.deepEqual(await b.settle({ job: zombie, to: "snoozed", runAt: b.now + 1_000 }), ["stale"]);
      const record = await b.record(id);
      assert.deepEqual([record.state, record.attempt], ["ready", 1]);
    }),
  );
}
