/** Conformance: what a job keeps between its runs, and its progress. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, JobNote } from "../jobs/index.ts";
import { copyOf, failure, keepMany, value, type StoreBench, type WithBench } from "./store-harness.ts";

async function note(b: StoreBench, job: ClaimedJob, notes: readonly JobNote[], progress?: string): Promise<string> {
  return value(await b.session.note(job, notes, progress));
}

async function notes(b: StoreBench, id: string): Promise<[string, string][]> {
  return value(await b.session.notes(id)).map(({ name, value: text }) => [name, text]);
}

export function noteCases(bench: WithBench): void {
  test(
    "notes come back in the order in which their names were first written, with their last values",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const job = await b.hands("a").takeOne("a");
      assert.equal(job.noted ?? false, false);
      assert.deepEqual(await notes(b, id), []);
      assert.equal(await note(b, job, [{ name: "z", value: "1" }]), "settled");
      const odd = "é \u0000 '; --";
      await note(b, job, [
        { name: "b", value: "2" },
        { name: odd, value: '"漢\\u0000"' },
      ]);
      await note(b, job, [
        { name: "z", value: "3" },
        { name: "a", value: `"${"x".repeat(200_000)}"` },
      ]);
      assert.deepEqual(await notes(b, id), [
        ["z", "3"],
        ["b", "2"],
        [odd, '"漢\\u0000"'],
        ["a", `"${"x".repeat(200_000)}"`],
      ]);
      assert.equal("progress" in (await b.record(id)), false);
    }),
  );

  test(
    "notes stay through retry, release, crash and restart, and the claim says that there are some",
    bench({}, async (b) => {
      const [one, plain] = await b.enqueue({ name: "a" }, { name: "a", priority: 9 });
      let hands = b.hands("a");
      let job = await hands.takeOne("a");
      await note(b, job, [{ name: "charge", value: '{"paid":1}' }]);
      const again = async (): Promise<ClaimedJob> => {
        const next = await hands.takeOne("a");
        assert.deepEqual([next.id, next.noted], [one?.id, true]);
        assert.deepEqual(await notes(b, next.id), [["charge", '{"paid":1}']]);
        return next;
      };
      await b.settle({ job, to: "retry", runAt: b.now, error: failure(job) });
      job = await again();
      await b.settle({ job, to: "released" });
      job = await again();
      await b.settle({ job, to: "snoozed", runAt: b.now });
      await again();
      await b.reopen();
      hands = b.hands("a");
      await again();
      const other = await hands.takeOne("a");
      assert.deepEqual([other.id, other.noted ?? false], [plain?.id, false]);
    }),
  );

  test(
    "a redriven job has its notes still",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      await note(b, job, [{ name: "charge", value: "1" }]);
      await b.settle({ job, to: "failed", error: failure(job) });
      assert.equal(value(await b.session.retry(id)), "ready");
      assert.equal((await hands.takeOne("a")).noted, true);
      assert.deepEqual(await notes(b, id), [["charge", "1"]]);
    }),
  );

  test(
    "the last progress is in the record, beside notes or alone",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.equal(await note(b, job, [], '{"done":1}'), "settled");
      assert.equal((await b.record(id)).progress, '{"done":1}');
      await note(b, job, [{ name: "n", value: "1" }], '{"done":2}');
      await note(b, job, [{ name: "n", value: "2" }]);
      assert.equal((await b.record(id)).progress, '{"done":2}');
      assert.equal(value(await b.session.list({ state: "running" }))[0]?.progress, '{"done":2}');
      await b.reopen();
      assert.equal((await b.record(id)).progress, '{"done":2}');
      assert.deepEqual(await notes(b, id), [["n", "2"]]);
    }),
  );

  test(
    "only the newest claim of a running job writes notes",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const zombie = await b.hands("a").takeOne("a");
      await b.reopen();
      const late = [{ name: "late", value: "1" }];
      assert.equal(await note(b, zombie, late, "1"), "stale");
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.equal(await note(b, zombie, late, "1"), "stale");
      await b.settle({ job, to: "released" });
      assert.equal(await note(b, job, late, "1"), "stale");
      const last = await hands.takeOne("a");
      assert.equal(await note(b, { ...copyOf(last), id: "999999999" }, late), "stale");
      await b.settle({ job: last, to: "succeeded" });
      assert.equal(await note(b, last, late, "1"), "stale");
      assert.deepEqual(await notes(b, id), []);
      assert.equal("progress" in (await b.record(id)), false);
    }),
  );

  test(
    "notes are gone with their job, and no other job has them",
    bench({ retention: { ...keepMany, failed: { ageMs: 0, count: 0 } } }, async (b) => {
      const [one, two] = await b.enqueue({ name: "a" }, { name: "a" });
      const hands = b.hands("a");
      hands.grant("a", 2);
      for (const job of await hands.take(2)) await note(b, job, [{ name: "id", value: job.id }]);
      const [job] = hands.claimed;
      assert.ok(job);
      await b.settle({ job, to: "failed", error: failure(job) });
      value(await b.session.prune());
      assert.equal(await b.state(one?.id ?? ""), undefined);
      assert.deepEqual(await notes(b, one?.id ?? ""), []);
      assert.deepEqual(await notes(b, two?.id ?? ""), [["id", two?.id]]);
      assert.deepEqual(await notes(b, "x"), []);
    }),
  );
}
