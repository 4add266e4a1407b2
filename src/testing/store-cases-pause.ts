/** Conformance: names that are paused, and how much waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backlog } from "../jobs/index.ts";
import { at, failure, value, type StoreBench, type WithBench } from "./store-harness.ts";

export function pauseCases(bench: WithBench): void {
  test(
    "of a paused name nothing is handed over until it is resumed; other names go on, and enqueueing too",
    bench({}, async (b) => {
      const hands = b.hands("a", "b");
      value(await b.session.pause(["a"]));
      hands.grant("a", 10);
      hands.grant("b", 10);
      await b.enqueue({ name: "a", payload: "0" }, { name: "b" }, { name: "a", payload: "1" });
      assert.equal((await hands.take(1))[0]?.name, "b");
      await hands.nothing();
      assert.equal((await b.counts("a")).ready, 2);
      value(await b.session.resume(["a"]));
      assert.deepEqual(
        (await hands.take(2)).map(({ payload }) => payload),
        ["0", "1"],
      );
    }),
  );

  test(
    "what runs of a paused name goes on, ends, retries and is cancelled; none of it starts again",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const [, , third] = await b.enqueue({ name: "a" }, { name: "a" }, { name: "a" }, { name: "a", delayMs: 1_000 });
      hands.grant("a", 2);
      const [one, two] = await hands.take(2);
      assert.ok(one && two);
      value(await b.session.pause(["a"]));
      hands.grant("a", 10);
      assert.deepEqual(
        await b.settle(
          { job: one, to: "succeeded" },
          { job: two, to: "retry", runAt: b.now + 1_000, error: failure(two) },
        ),
        ["settled", "settled"],
      );
      await b.advance(1_000);
      await b.reaches(two.id, "ready");
      await hands.nothing();
      assert.equal(value(await b.session.cancel(third?.id ?? "")), "cancelled");
      value(await b.session.resume(["a"]));
      await hands.take(2);
      await hands.nothing();
    }),
  );

  test(
    "pauses outlive a restart, and saying it twice is saying it once",
    bench({}, async (b) => {
      assert.deepEqual(value(await b.session.paused()), []);
      value(await b.session.pause(["b", "a", "never"]));
      value(await b.session.pause(["a"]));
      value(await b.session.pause([]));
      await b.enqueue({ name: "a" });
      await b.reopen();
      const names = value(await b.session.paused());
      assert.deepEqual(
        names.toSorted((one, two) => (one < two ? -1 : 1)),
        ["a", "b", "never"],
      );
      const hands = b.hands("a");
      hands.grant("a", 1);
      await hands.nothing();
      value(await b.session.resume(["a", "unknown", "a"]));
      await hands.take(1);
      assert.deepEqual(value(await b.session.paused()).length, 2);
    }),
  );
}

async function backlog(b: StoreBench, ...names: string[]): Promise<Backlog> {
  return value(await b.session.backlog(names));
}

/** The store may be a second early. */
function assertSince(answer: Backlog, since: number | undefined): void {
  if (since === undefined || answer.readySince === undefined) return assert.equal(answer.readySince, since);
  const early = since - answer.readySince;
  assert.ok(early >= 0 && early <= 1_000, `ready since ${early} ms before it should be`);
}

export function backlogCases(bench: WithBench): void {
  test(
    "what is scheduled, waiting or ready is the backlog of its name; what runs or is finished is not",
    bench({}, async (b) => {
      assert.deepEqual(await backlog(b, "a"), { unstarted: 0, ready: 0, readySince: undefined });
      await b.enqueue({ name: "a" }, { name: "a" }, { name: "a", delayMs: 60_000 }, { name: "b" }, { name: "c" });
      const start = b.now;
      const all = await backlog(b, "a", "b", "a", "never");
      assert.deepEqual([all.unstarted, all.ready], [4, 3]);
      assertSince(all, start);
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.deepEqual([(await backlog(b, "a")).unstarted, (await backlog(b, "a")).ready], [2, 1]);
      await b.settle({ job, to: "succeeded" });
      await b.settle({ job: await hands.takeOne("a"), to: "succeeded" });
      assert.deepEqual(await backlog(b, "a"), { unstarted: 1, ready: 0, readySince: undefined });
      assert.deepEqual(await backlog(b), { unstarted: 0, ready: 0, readySince: undefined });
    }),
  );

  test(
    "the age is that of the oldest ready job, from when it became ready",
    bench({}, async (b) => {
      const start = b.now;
      await b.enqueue({ name: "a", delayMs: 60_000 }, { name: "a", priority: 9 });
      await b.advance(30_000);
      await b.enqueue({ name: "a", priority: 0 });
      assertSince(await backlog(b, "a"), start);
      const hands = b.hands("a");
      await hands.takeOne("a");
      assertSince(await backlog(b, "a"), start);
      await hands.takeOne("a");
      assertSince(await backlog(b, "a"), undefined);
      await b.advance(30_000);
      await b.reaches(at(value(await b.session.list({ name: "a" })), 0).id, "ready");
      await b.advance(5_000);
      assertSince(await backlog(b, "a"), start + 60_000);
    }),
  );

  test(
    "paused and blocked jobs count, also after a restart",
    bench({ policy: () => ({ perKey: { concurrency: 1 } }) }, async (b) => {
      const start = b.now;
      await b.enqueue({ name: "a", key: "x" }, { name: "a", key: "x" }, { name: "b" });
      value(await b.session.pause(["b"]));
      const hands = b.hands("a", "b");
      hands.grant("a", 10);
      hands.grant("b", 10);
      await hands.take(1);
      await hands.nothing();
      await b.advance(10_000);
      for (const name of ["a", "b"]) {
        const answer = await backlog(b, name);
        assert.deepEqual([answer.unstarted, answer.ready], [1, 1]);
        assertSince(answer, start);
      }
      await b.reopen();
      assert.deepEqual([(await backlog(b, "b")).unstarted, (await backlog(b, "b")).ready], [1, 1]);
    }),
  );

  test(
    "a hundred thousand jobs are counted, and twenty ask at once",
    bench({}, async (b) => {
      for (let call = 0; call < 10; call++) await b.enqueue(...Array.from({ length: 10_000 }, () => ({ name: "a" })));
      const answers = await Promise.all(Array.from({ length: 20 }, () => backlog(b, "a")));
      for (const answer of answers) assert.equal(answer.ready, 100_000);
    }),
  );
}
