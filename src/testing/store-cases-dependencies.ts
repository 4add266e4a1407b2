/** Conformance: jobs that wait for other jobs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, JobRecord } from "../jobs/index.ts";
import { at, failure, value, type Hands, type StoreBench, type WithBench } from "./store-harness.ts";

type End = "succeeded" | "failed" | "cancelled";

/** Runs the next job of the name to this end. */
async function run(b: StoreBench, hands: Hands, name: string, to: End, result = "1"): Promise<ClaimedJob> {
  const job = await hands.takeOne(name);
  if (to === "succeeded") await b.settle({ job, to, result });
  else if (to === "failed") await b.settle({ job, to, error: failure(job) });
  else await b.settle({ job, to });
  return job;
}

/** The dependency that its error names. */
function blamed(record: JobRecord): string {
  const error = record.errors.at(-1);
  assert.equal(error?.code, "DEPENDENCY_FAILED");
  return (JSON.parse(error.data ?? "{}") as { id: string }).id;
}

export function dependencyCases(bench: WithBench): void {
  waitCases(bench);
  failureCases(bench);
  earlyCases(bench);
  recordCases(bench);
}

function waitCases(bench: WithBench): void {
  test(
    "a job after others is waiting until the last of them has succeeded, and then comes",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const [one, two] = await b.enqueue({ name: "a" }, { name: "a" });
      const id = await b.enqueueOne({
        name: "z",
        payload: "7",
        after: { jobs: [one?.id ?? "", two?.id ?? ""], on: "succeeded" },
      });
      hands.grant("z", 1);
      await hands.nothing();
      assert.equal((await b.counts("z")).waiting, 1);
      await run(b, hands, "a", "succeeded");
      await hands.nothing();
      assert.equal(await b.state(id), "waiting");
      await run(b, hands, "a", "succeeded");
      const [job] = await hands.take(1);
      assert.deepEqual([job?.id, job?.payload, job?.attempt], [id, "7", 1]);
    }),
  );

  test(
    "numbers are places of the same call: a graph goes in at once and runs in its order",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const ids = (
        await b.enqueue(
          { name: "a", payload: "0" },
          { name: "a", payload: "1", priority: 0, after: { jobs: [0], on: "succeeded" } },
          { name: "a", payload: "2", priority: 1, after: { jobs: [0], on: "succeeded" } },
          { name: "a", payload: "3", priority: 0, after: { jobs: [1, 2], on: "succeeded" } },
          { name: "a", payload: "4", priority: 9 },
        )
      ).map(({ id }) => id);
      const order: string[] = [];
      for (let step = 0; step < 5; step++) order.push((await run(b, hands, "a", "succeeded")).payload);
      assert.deepEqual(order, ["0", "1", "2", "3", "4"]);
      assert.equal(new Set(ids).size, 5);
    }),
  );

  test(
    "ids and places in one list, the same job twice, and a place that answered with another job's id",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const before = await b.enqueueOne({ name: "a", uniqueKey: "k" });
      const [again, other, last] = await b.enqueue(
        { name: "a", uniqueKey: "k" },
        { name: "a" },
        { name: "z", after: { jobs: [before, 0, 1, 1, before], on: "succeeded" } },
      );
      assert.deepEqual(again, { id: before, duplicate: true });
      await run(b, hands, "a", "succeeded");
      assert.equal(await b.state(last?.id ?? ""), "waiting");
      await run(b, hands, "a", "succeeded");
      await b.reaches(last?.id ?? "", "ready");
      const records = value(await b.session.dependencies(last?.id ?? ""));
      assert.deepEqual(
        records.map(({ id }) => id),
        [before, before, other?.id, other?.id, before],
      );
    }),
  );

  test(
    "a place that is not an earlier job of the call is a mistake, and so is waiting for nobody",
    bench({}, async (b) => {
      for (const jobs of [[0], [1], [-1], [0.5], [Number.NaN], []]) {
        const enqueue = async (): Promise<unknown> =>
          b.session.enqueue([{ name: "a", priority: 5, payload: "", after: { jobs, on: "succeeded" } }]);
        await assert.rejects(enqueue, TypeError);
      }
      assert.equal((await b.counts("a")).waiting, 0);
    }),
  );

  test(
    "retries and crashes of a dependency are not its end, and a restart forgets nobody who waits",
    bench({}, async (b) => {
      let hands = b.hands("a", "z");
      const [, last] = await b.enqueue({ name: "a" }, { name: "z", after: { jobs: [0], on: "finished" } });
      const id = last?.id ?? "";
      const job = await hands.takeOne("a");
      await b.settle({ job, to: "retry", runAt: b.now, error: failure(job) });
      await hands.takeOne("a");
      await b.reopen();
      assert.equal(await b.state(id), "waiting");
      hands = b.hands("a", "z");
      await run(b, hands, "a", "succeeded");
      assert.equal((await hands.takeOne("z")).id, id);
    }),
  );

  test(
    "a job for later that waits becomes scheduled when its time has not come, and ready when it has",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const [, late, soon] = await b.enqueue(
        { name: "a" },
        { name: "z", runAt: b.now + 60_000, after: { jobs: [0], on: "succeeded" } },
        { name: "z", runAt: b.now + 1_000, after: { jobs: [0], on: "succeeded" } },
      );
      await b.advance(1_000);
      assert.equal(await b.state(soon?.id ?? ""), "waiting");
      await run(b, hands, "a", "succeeded");
      await b.reaches(soon?.id ?? "", "ready");
      await b.reaches(late?.id ?? "", "scheduled");
      assert.equal((await b.record(late?.id ?? "")).runAt, b.now + 59_000);
      assert.equal((await hands.takeOne("z")).id, soon?.id);
      hands.grant("z", 1);
      await b.advance(59_000);
      assert.equal((await hands.take(1))[0]?.id, late?.id);
    }),
  );

  test(
    "fan-out and fan-in: three thousand after one, and one after them",
    bench({}, async (b) => {
      const hands = b.hands("a", "m", "z");
      const receipts = await b.enqueue(
        { name: "a" },
        ...Array.from({ length: 3_000 }, () => ({ name: "m", after: { jobs: [0], on: "succeeded" as const } })),
        {
          name: "z",
          after: { jobs: Array.from({ length: 3_000 }, (_, index) => index + 1), on: "succeeded" as const },
        },
      );
      await run(b, hands, "a", "succeeded");
      hands.grant("m", 3_000);
      const jobs = await hands.take(3_000);
      await b.settle(...jobs.slice(1).map((job) => ({ job, to: "succeeded" as const })));
      hands.grant("z", 1);
      await hands.nothing();
      await b.settle({ job: at(jobs, 0), to: "succeeded" });
      assert.equal((await hands.take(1))[0]?.id, receipts.at(-1)?.id);
    }),
  );
}

function failureCases(bench: WithBench): void {
  for (const end of ["failed", "cancelled"] as const) {
    test(
      `when one of them has ${end}, a job that needs success is cancelled with an error that names it`,
      bench({}, async (b) => {
        const hands = b.hands("a", "z");
        const [one, , last, other] = await b.enqueue(
          { name: "a" },
          { name: "b" },
          { name: "z", uniqueKey: "k", after: { jobs: [1, 0], on: "succeeded" } },
          { name: "z", after: { jobs: [0], on: "finished" } },
        );
        const finished = b.session.finished(last?.id ?? "");
        await run(b, hands, "a", end);
        const record = value(await finished);
        assert.ok(record);
        assert.deepEqual([record.state, record.attempt, record.finishedAt], ["cancelled", 0, b.now]);
        assert.equal(blamed(record), one?.id);
        assert.equal((await b.enqueue({ name: "z", uniqueKey: "k", priority: 9 }))[0]?.duplicate, false);
        assert.equal((await hands.takeOne("z")).id, other?.id, "how it ended does not matter to this one");
      }),
    );
  }

  test(
    "cancelling a job before it runs cancels what needs it, through a long chain",
    bench({}, async (b) => {
      const length = 1_000;
      const receipts = await b.enqueue(
        { name: "a" },
        ...Array.from({ length }, (_, index) => ({ name: "z", after: { jobs: [index], on: "succeeded" as const } })),
        { name: "end", after: { jobs: [length], on: "finished" as const } },
      );
      assert.equal(value(await b.session.cancel(at(receipts, 0).id)), "cancelled");
      await b.reaches(at(receipts, length).id, "cancelled");
      await b.reaches(at(receipts, length + 1).id, "ready");
      assert.deepEqual(await b.counts("z"), {
        waiting: 0,
        scheduled: 0,
        ready: 0,
        running: 0,
        succeeded: 0,
        failed: 0,
        cancelled: length,
      });
      for (const index of [1, 2, length])
        assert.equal(blamed(await b.record(at(receipts, index).id)), at(receipts, index - 1).id);
    }),
  );

  test(
    "a dependency that crashes for the last time has failed",
    bench({ maxAttempts: () => 1 }, async (b) => {
      const [one, two] = await b.enqueue({ name: "a" }, { name: "z", after: { jobs: [0], on: "succeeded" } });
      await b.hands("a").takeOne("a");
      await b.reopen();
      await b.reaches(two?.id ?? "", "cancelled");
      assert.equal(blamed(await b.record(two?.id ?? "")), one?.id);
    }),
  );

  test(
    "a job that was cancelled for its dependency runs when it is redriven by hand",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const [one, two] = await b.enqueue({ name: "a" }, { name: "z", after: { jobs: [0], on: "succeeded" } });
      await run(b, hands, "a", "failed");
      await b.reaches(two?.id ?? "", "cancelled");
      assert.equal(value(await b.session.retry(one?.id ?? "")), "ready");
      assert.equal(await b.state(two?.id ?? ""), "cancelled");
      assert.equal(value(await b.session.retry(two?.id ?? "")), "ready");
      const job = await hands.takeOne("z");
      assert.equal(job.id, two?.id);
      await run(b, hands, "a", "failed");
      assert.equal(await b.state(two?.id ?? ""), "running");
    }),
  );

  test(
    "a job that was cancelled while it waited stays cancelled when the others succeed",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const [, two] = await b.enqueue({ name: "a" }, { name: "z", after: { jobs: [0], on: "succeeded" } });
      assert.equal(value(await b.session.cancel(two?.id ?? "")), "cancelled");
      await run(b, hands, "a", "succeeded");
      hands.grant("z", 1);
      await hands.nothing();
      assert.equal(await b.state(two?.id ?? ""), "cancelled");
    }),
  );
}

function earlyCases(bench: WithBench): void {
  test(
    "dependencies that ended before the call count as they ended",
    bench({}, async (b) => {
      const hands = b.hands("a", "z");
      const [good, bad] = await b.enqueue({ name: "a" }, { name: "a" });
      await run(b, hands, "a", "succeeded");
      await run(b, hands, "a", "failed");
      const [ready, scheduled, cancelled, either] = await b.enqueue(
        { name: "z", after: { jobs: [good?.id ?? ""], on: "succeeded" } },
        { name: "z", after: { jobs: [good?.id ?? ""], on: "succeeded" }, runAt: b.now + 1_000 },
        { name: "z", after: { jobs: [good?.id ?? "", bad?.id ?? ""], on: "succeeded" } },
        { name: "z", after: { jobs: [bad?.id ?? ""], on: "finished" } },
      );
      await b.reaches(ready?.id ?? "", "ready");
      await b.reaches(scheduled?.id ?? "", "scheduled");
      await b.reaches(cancelled?.id ?? "", "cancelled");
      await b.reaches(either?.id ?? "", "ready");
      assert.equal(blamed(await b.record(cancelled?.id ?? "")), bad?.id);
      hands.grant("z", 2);
      assert.deepEqual(
        (await hands.take(2)).map(({ id }) => id),
        [ready?.id, either?.id],
      );
    }),
  );

  test(
    "an id that nobody has counts as cancelled",
    bench({}, async (b) => {
      for (const unknown of ["999999999", "0", "x", ""]) {
        const [needs, either, after] = await b.enqueue(
          { name: "z", after: { jobs: [unknown], on: "succeeded" } },
          { name: "z", after: { jobs: [unknown], on: "finished" } },
          { name: "z", after: { jobs: [0], on: "succeeded" } },
        );
        await b.reaches(needs?.id ?? "", "cancelled");
        await b.reaches(either?.id ?? "", "ready");
        await b.reaches(after?.id ?? "", "cancelled");
        assert.equal(blamed(await b.record(needs?.id ?? "")), unknown);
        assert.equal(blamed(await b.record(after?.id ?? "")), needs?.id);
        const [record] = value(await b.session.dependencies(either?.id ?? ""));
        assert.deepEqual([record?.id, record?.state], [unknown, "cancelled"]);
      }
    }),
  );
}

function recordCases(bench: WithBench): void {
  test(
    "dependencies tell in the order of the naming what the others have come to, with their results",
    bench({}, async (b) => {
      const hands = b.hands("a", "b", "z");
      const [one, two, three, last] = await b.enqueue(
        { name: "a" },
        { name: "b" },
        { name: "a", priority: 9 },
        { name: "z", after: { jobs: [2, 0, 1], on: "finished" } },
      );
      const id = last?.id ?? "";
      await run(b, hands, "b", "failed");
      await run(b, hands, "a", "succeeded", '{"é":1}');
      assert.deepEqual(value(await b.session.dependencies(id)), [
        { id: three?.id, name: "a", state: "ready" },
        { id: one?.id, name: "a", state: "succeeded", result: '{"é":1}' },
        { id: two?.id, name: "b", state: "failed" },
      ]);
      await run(b, hands, "a", "succeeded", "2");
      await hands.takeOne("z");
      await b.reopen();
      assert.deepEqual(
        value(await b.session.dependencies(id)).map(({ state, result }) => [state, result]),
        [
          ["succeeded", "2"],
          ["succeeded", '{"é":1}'],
          ["failed", undefined],
        ],
      );
      for (const none of [one?.id ?? "", "999999999", "x"])
        assert.deepEqual(value(await b.session.dependencies(none)), []);
    }),
  );

  test(
    "how a dependency ended is known also when retention has removed it",
    bench(
      {
        retention: {
          succeeded: { ageMs: 0, count: 0 },
          failed: { ageMs: 0, count: 0 },
          cancelled: { ageMs: 86_400_000, count: 1_000 },
        },
      },
      async (b) => {
        const hands = b.hands("a", "b", "z");
        const [one, two, last] = await b.enqueue(
          { name: "a" },
          { name: "b" },
          { name: "z", after: { jobs: [0, 1], on: "finished" } },
        );
        await run(b, hands, "a", "succeeded");
        value(await b.session.prune());
        assert.equal(await b.state(one?.id ?? ""), undefined);
        assert.equal(await b.state(last?.id ?? ""), "waiting");
        await run(b, hands, "b", "failed");
        value(await b.session.prune());
        await hands.takeOne("z");
        assert.deepEqual(
          value(await b.session.dependencies(last?.id ?? "")).map(({ id, state }) => [id, state]),
          [
            [one?.id, "succeeded"],
            [two?.id, "failed"],
          ],
        );
      },
    ),
  );
}
