/** What the conformance suite demands of waiting for the end of a job, and of closing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at, failure, value, type WithBench } from "./store-harness.ts";

export function endCases(bench: WithBench): void {
  test(
    "finished resolves when the job succeeds, fails or is cancelled",
    bench({}, async (b) => {
      const ids = (
        await b.enqueue(
          { name: "a", payload: "0" },
          { name: "a", payload: "1" },
          { name: "a", payload: "2" },
          { name: "b" },
        )
      ).map(({ id }) => id);
      const waiting = ids.map((id) => b.session.finished(id));
      const hands = b.hands("a");
      hands.grant("a", 3);
      const [one, two, three] = await hands.take(3);
      assert.ok(one && two && three);
      await b.settle(
        { job: one, to: "succeeded", result: "11" },
        { job: two, to: "failed", error: failure(two) },
        { job: three, to: "cancelled" },
      );
      assert.equal(value(await b.session.cancel(at(ids, 3))), "cancelled");
      const records = (await Promise.all(waiting)).map((result) => value(result));
      assert.deepEqual(
        records.map((record) => record?.state),
        ["succeeded", "failed", "cancelled", "cancelled"],
      );
      assert.deepEqual(records[0], value(await b.session.get(at(ids, 0))));
      assert.equal(records[1]?.errors.length, 1);
      assert.equal(value(await b.session.finished(at(ids, 0)))?.result, "11");
    }),
  );

  test(
    "finished waits through retries, snoozes, waits and releases, also where several settle together",
    bench({}, async (b) => {
      const ids = (await b.enqueue({ name: "a" }, { name: "a" }, { name: "a" }, { name: "a" })).map(({ id }) => id);
      const told = new Map<string, string | undefined>();
      const waiting = ids.map(async (id) => {
        const record = value(await b.session.finished(id));
        told.set(id, record?.state);
      });
      const hands = b.hands("a");
      hands.grant("a", 4);
      const [one, two, three, four] = await hands.take(4);
      assert.ok(one && two && three && four);
      await b.settle(
        { job: one, to: "retry", runAt: b.now + 1_000, error: failure(one) },
        { job: two, to: "snoozed", runAt: b.now + 1_000 },
        { job: three, to: "waiting", signal: "go", until: b.now + 1_000 },
        { job: four, to: "released" },
      );
      await b.counts();
      assert.equal(told.size, 0);
      await b.advance(1_000);
      hands.grant("a", 4);
      for (const job of await hands.take(4)) await b.settle({ job, to: "succeeded" });
      await Promise.all(waiting);
      assert.deepEqual(told, new Map(ids.map((id) => [id, "succeeded"])));
    }),
  );

  test(
    "finished stops waiting when its signal aborts, and at close it answers with a fault",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const stop = new AbortController();
      const aborted = b.session.finished(id, stop.signal);
      const reason = new Error("gone");
      stop.abort(reason);
      await assert.rejects(aborted, reason);
      const left = b.session.finished(id);
      await b.counts();
      await b.close();
      const answer = await left;
      assert.ok(!answer.ok && answer.fault.code === "STORE_UNAVAILABLE");
    }),
  );

  test(
    "close is safe to call twice, and afterwards every call answers STORE_UNAVAILABLE",
    bench({}, async (b) => {
      const session = b.session;
      const enqueued = session.enqueue([{ name: "a", priority: 5, payload: "" }]);
      await Promise.all([session.close(), session.close()]);
      assert.ok((await enqueued).ok, "what was under way is finished");
      for (const call of [
        session.enqueue([{ name: "a", priority: 5, payload: "" }]),
        session.get("1"),
        session.counts(),
        session.cancel("1"),
        session.prune(),
      ]) {
        const answer = await call;
        assert.ok(!answer.ok && answer.fault.code === "STORE_UNAVAILABLE");
      }
    }),
  );
}
