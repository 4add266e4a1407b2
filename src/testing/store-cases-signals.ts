/** Conformance: jobs that wait for a signal from outside, and signals that come before, during and after. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import { value, type Hands, type StoreBench, type WithBench } from "./store-harness.ts";

/** A job that waits for "go", for at most so long. */
async function waiter(b: StoreBench, hands: Hands, forMs?: number): Promise<string> {
  const id = await b.enqueueOne({ name: "a", payload: "7" });
  const job = await hands.takeOne("a");
  const until = forMs === undefined ? {} : { until: b.now + forMs };
  assert.deepEqual(await b.settle({ job, to: "waiting", signal: "go", ...until }), ["settled"]);
  return id;
}

async function signal(b: StoreBench, id: string, name: string, text = '"yes"'): Promise<string | undefined> {
  return value(await b.session.signal(id, name, text));
}

async function notes(b: StoreBench, id: string): Promise<[string, string][]> {
  return value(await b.session.notes(id)).map((note) => [note.name, note.value]);
}

export function signalCases(bench: WithBench): void {
  orderCases(bench);
  timeCases(bench);

  test(
    "signals of jobs that are finished or never were answer undefined and keep nothing",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await b.enqueueOne({ name: "a" });
      await b.settle({ job: await hands.takeOne("a"), to: "succeeded" });
      for (const gone of [id, "999999999", "0", "x", ""]) {
        assert.equal(await signal(b, gone, "go"), undefined);
        assert.deepEqual(await notes(b, gone), []);
      }
    }),
  );

  test(
    "a job that waits is never handed over, counts as waiting, and can be cancelled",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands);
      hands.grant("a", 1);
      await hands.nothing();
      assert.equal((await b.counts("a")).waiting, 1);
      assert.deepEqual(
        value(await b.session.list({ state: "waiting" })).map((record) => record.id),
        [id],
      );
      const finished = b.session.finished(id);
      assert.equal(value(await b.session.cancel(id)), "cancelled");
      assert.equal(value(await finished)?.state, "cancelled");
      assert.equal(await signal(b, id, "go"), undefined);
      await hands.nothing();
    }),
  );

  test(
    "a signal to a ready job leaves it where it stands, and those behind it too",
    bench({}, async (b) => {
      const first = await b.enqueueOne({ name: "a" });
      const ids = [first, await b.enqueueOne({ name: "a" }), await b.enqueueOne({ name: "a", uniqueKey: "u" })];
      assert.equal(await signal(b, first, "go"), "ready");
      const hands = b.hands("a");
      for (const id of ids) assert.equal((await hands.takeOne("a")).id, id);
    }),
  );

  test(
    "a stale claim cannot begin to wait",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const zombie = await b.hands("a").takeOne("a");
      await b.reopen();
      assert.deepEqual(await b.settle({ job: zombie, to: "waiting", signal: "go" }), ["stale"]);
      assert.equal(await b.state(id), "ready");
    }),
  );

  test(
    "a job that waits counts for QUEUE_FULL",
    bench({ maxWaiting: 2 }, async (b) => {
      await waiter(b, b.hands("a"));
      await b.enqueue({ name: "b" });
      const refused = await b.session.enqueue([{ name: "b", priority: 5, payload: "" }]);
      assert.ok(!refused.ok && refused.fault.code === "QUEUE_FULL");
    }),
  );
}

function orderCases(bench: WithBench): void {
  test(
    "a signal wakes the job that waits for it; its attempt was not counted, and the note is there",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands);
      assert.equal((await b.record(id)).attempt, 0);
      hands.grant("a", 1);
      assert.equal(await signal(b, id, "go", '{"by":"é"}'), "ready");
      const job = (await hands.take(1))[0] as ClaimedJob;
      assert.deepEqual([job.id, job.attempt, job.payload, job.noted], [id, 1, "7", true]);
      assert.deepEqual(await notes(b, id), [["signal:go", '{"by":"é"}']]);
    }),
  );

  test(
    "a signal that came before the wait makes it ready at once",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await b.enqueueOne({ name: "a" });
      assert.equal(await signal(b, id, "early"), "ready");
      const job = await hands.takeOne("a");
      assert.equal(job.noted, true);
      assert.equal(await signal(b, id, "go"), "running");
      await b.settle({ job, to: "waiting", signal: "go" });
      const again = await hands.takeOne("a");
      assert.equal(again.id, id);
      await b.settle({ job: again, to: "waiting", signal: "early", until: b.now + 1_000 });
      assert.equal((await hands.takeOne("a")).id, id);
      assert.deepEqual(await notes(b, id), [
        ["signal:early", '"yes"'],
        ["signal:go", '"yes"'],
      ]);
    }),
  );

  test(
    "a signal of another name is kept and wakes nobody",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands);
      hands.grant("a", 1);
      assert.equal(await signal(b, id, "other"), "waiting");
      await hands.nothing();
      assert.deepEqual(await notes(b, id), [["signal:other", '"yes"']]);
      assert.equal(await signal(b, id, "go"), "ready");
      await hands.take(1);
    }),
  );

  test(
    "the first signal of a name counts, later ones change nothing",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands);
      const states = await Promise.all([1, 2, 3].map((n) => signal(b, id, "go", String(n))));
      assert.deepEqual(states, ["ready", "ready", "ready"]);
      const job = await hands.takeOne("a");
      assert.equal(await signal(b, id, "go", "4"), "running");
      assert.deepEqual(await notes(b, id), [["signal:go", "1"]]);
      await b.settle({ job, to: "snoozed", runAt: b.now + 1_000 });
      assert.equal(await signal(b, id, "go", "5"), "scheduled");
      assert.deepEqual(await notes(b, id), [["signal:go", "1"]]);
    }),
  );

  test(
    "a wait and its signal outlive a restart, in either order",
    bench({}, async (b) => {
      let hands = b.hands("a");
      const id = await waiter(b, hands);
      const early = await b.enqueueOne({ name: "a", runAt: b.now + 60_000 });
      assert.equal(await signal(b, early, "go", "1"), "scheduled");
      await b.reopen();
      assert.equal(await b.state(id), "waiting");
      assert.deepEqual(await notes(b, early), [["signal:go", "1"]]);
      assert.equal(await signal(b, id, "go"), "ready");
      await b.reopen();
      hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.deepEqual([job.id, job.noted], [id, true]);
    }),
  );
}

function timeCases(bench: WithBench): void {
  test(
    "a wait ends at its time without a signal, and leaves no note",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands, 1_000);
      hands.grant("a", 1);
      await b.advance(999);
      await hands.nothing();
      assert.equal(await b.state(id), "waiting");
      await b.advance(1);
      const job = (await hands.take(1))[0] as ClaimedJob;
      assert.deepEqual([job.id, job.attempt, job.noted ?? false], [id, 1, false]);
      assert.deepEqual(await notes(b, id), []);
    }),
  );

  test(
    "a wait until a time that has passed is over at once",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands, -1);
      assert.equal((await hands.takeOne("a")).id, id);
    }),
  );

  test(
    "a wait that a signal ended does not end again at its time",
    bench({}, async (b) => {
      const hands = b.hands("a");
      const id = await waiter(b, hands, 1_000);
      await signal(b, id, "go");
      const job = await hands.takeOne("a");
      await b.settle({ job, to: "waiting", signal: "next" });
      hands.grant("a", 1);
      await b.advance(5_000);
      await hands.nothing();
      assert.equal(await b.state(id), "waiting");
    }),
  );

  test(
    "the time of a wait passes over a restart",
    bench({}, async (b) => {
      const id = await waiter(b, b.hands("a"), 1_000);
      await b.reopen();
      assert.equal(await b.state(id), "waiting");
      await b.advance(1_000);
      await b.reaches(id, "ready");
      assert.equal((await b.hands("a").takeOne("a")).attempt, 1);
    }),
  );
}
