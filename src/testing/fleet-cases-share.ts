/** Conformance of a fleet: what two processes on one place share, exactly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import type { WithFleet } from "./fleet-harness.ts";
import { value, type Hands } from "./store-harness.ts";

/** What both have got by now, when both had their turn. */
async function handedOver(...all: readonly Hands[]): Promise<ClaimedJob[]> {
  // What one takes may open the way for the other, so the last one asked is not the last one to get something.
  for (let round = 0; round < 2; round++) for (const hands of all) await hands.quiet();
  const taken = await Promise.all(all.map((hands) => hands.take(hands.untaken)));
  return taken.flat();
}

export function shareCases(fleet: WithFleet): void {
  limitCases(fleet);
  wordCases(fleet);

  test(
    "every job is handed over once, to one of them",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const hands = [one.hands("a"), two.hands("a")] as const;
      for (const each of hands) each.grant("a", 1_000);
      const ids = new Set<string>();
      for (let call = 0; call < 20; call++) {
        const receipts = await (call % 2 === 0 ? one : two).enqueue(
          ...Array.from({ length: 25 }, () => ({ name: "a" })),
        );
        for (const { id } of receipts) ids.add(id);
      }
      const jobs = await handedOver(...hands);
      assert.equal(ids.size, 500);
      assert.equal(jobs.length, 500);
      assert.deepEqual(new Set(jobs.map(({ id }) => id)), ids);
    }),
  );

  test(
    "an occurrence fires once, whoever is asked first",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      for (let at = 100; at < 110; at++) {
        const job = { name: "a", occurrence: { schedule: "s", at } };
        const receipts = (await Promise.all([one.enqueue(job), two.enqueue(job), one.enqueue(job)])).flat();
        assert.equal(receipts.filter(({ duplicate }) => !duplicate).length, 1);
      }
      assert.equal((await two.counts("a")).ready, 10);
    }),
  );

  test(
    "a unique key is held in the whole fleet",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      for (let key = 0; key < 10; key++) {
        const job = { name: "a", uniqueKey: String(key) };
        const receipts = (await Promise.all([one.enqueue(job), two.enqueue(job)])).flat();
        assert.equal(receipts.filter(({ duplicate }) => duplicate).length, 1);
        assert.equal(new Set(receipts.map(({ id }) => id)).size, 1);
      }
    }),
  );
}

function limitCases(fleet: WithFleet): void {
  const limits = {
    "a gate": { policy: () => ({ gates: [{ id: "g", concurrency: 3 }] }) },
    "a key": { policy: () => ({ perKey: { concurrency: 3 } }) },
  };
  for (const [what, options] of Object.entries(limits)) {
    test(
      `the concurrency of ${what} is exact over both`,
      fleet(options, async (f) => {
        const [one, two] = await f.two();
        const hands = [one.hands("a"), two.hands("a")] as const;
        await one.enqueue(...Array.from({ length: 15 }, () => ({ name: "a", key: "x" })));
        for (const each of hands) each.grant("a", 100);
        let running = await handedOver(...hands);
        assert.equal(running.length, 3);
        for (let done = 0; done < 12; done++) {
          const job = running.shift() as ClaimedJob;
          const own = hands[0].claimed.includes(job) ? one : two;
          assert.deepEqual(await own.settle({ job, to: "succeeded" }), ["settled"]);
          running = [...running, ...(await handedOver(...hands))];
          assert.equal(running.length, 3, `after ${done + 1}`);
        }
      }),
    );
  }

  test(
    "a rate counts the starts of both",
    fleet({ policy: () => ({ gates: [{ id: "g", rate: { limit: 4, periodMs: 4_000 } }] }) }, async (f) => {
      const [one, two] = await f.two();
      const hands = [one.hands("a"), two.hands("a")] as const;
      await two.enqueue(...Array.from({ length: 20 }, () => ({ name: "a" })));
      for (const each of hands) each.grant("a", 100);
      assert.equal((await handedOver(...hands)).length, 4);
      for (let second = 0; second < 3; second++) {
        await f.pass(1_000);
        assert.equal((await handedOver(...hands)).length, 1);
      }
    }),
  );

  test(
    "the order of a key holds over both",
    fleet({ policy: () => ({ perKey: { ordered: true } }) }, async (f) => {
      const [one, two] = await f.two();
      const hands = [one.hands("a"), two.hands("a")] as const;
      const ids: string[] = [];
      for (let index = 0; index < 20; index++)
        ids.push(await (index % 3 === 0 ? one : two).enqueueOne({ name: "a", key: "x", priority: index % 10 }));
      for (const each of hands) each.grant("a", 100);
      const order: string[] = [];
      while (order.length < 20) {
        const jobs = await handedOver(...hands);
        assert.equal(jobs.length, 1);
        order.push(...jobs.map(({ id }) => id));
        for (const job of jobs) await (hands[0].claimed.includes(job) ? one : two).settle({ job, to: "succeeded" });
      }
      assert.deepEqual(order, ids);
    }),
  );
}

/** What is said in one process is heard in the other. */
function wordCases(fleet: WithFleet): void {
  test(
    "a pause is seen by both, and so is its end",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const hands = [one.hands("a"), two.hands("a")] as const;
      value(await one.session.pause(["a"]));
      await f.pass(1_000);
      assert.deepEqual(value(await two.session.paused()), ["a"]);
      await one.enqueue(...Array.from({ length: 10 }, () => ({ name: "a" })));
      for (const each of hands) each.grant("a", 100);
      assert.equal((await handedOver(...hands)).length, 0);
      value(await two.session.resume(["a"]));
      await f.pass(1_000);
      assert.equal((await handedOver(...hands)).length, 10);
    }),
  );

  test(
    "cancelling in one asks the other, which runs the job",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const id = await one.enqueueOne({ name: "a" });
      const hands = one.hands("a");
      const idle = two.hands("a");
      const job = await hands.takeOne("a");
      assert.equal(value(await two.session.cancel(id)), "running");
      await f.pass(2_000);
      await hands.quiet();
      assert.deepEqual([hands.cancelRequests, idle.cancelRequests], [[id], []]);
      assert.deepEqual(await one.settle({ job, to: "cancelled" }), ["settled"]);
      assert.equal(await two.state(id), "cancelled");
    }),
  );

  test(
    "the end of a job is heard where it is waited for, and frees what depends on it anywhere",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const id = await one.enqueueOne({ name: "a" });
      const after = await two.enqueueOne({ name: "z", after: { jobs: [id], on: "succeeded" } });
      const finished = two.session.finished(id);
      await one.settle({ job: await one.hands("a").takeOne("a"), to: "succeeded", result: "7" });
      await f.pass(2_000);
      assert.equal(value(await finished)?.result, "7");
      assert.equal((await two.hands("z").takeOne("z")).id, after);
    }),
  );

  test(
    "a signal reaches a job that another process put to wait",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const id = await one.enqueueOne({ name: "a" });
      const hands = one.hands("a");
      await one.settle({ job: await hands.takeOne("a"), to: "waiting", signal: "go" });
      hands.grant("a", 1);
      assert.equal(value(await two.session.signal(id, "go", "1")), "ready");
      await f.pass(1_000);
      const [job] = await hands.take(1);
      assert.deepEqual([job?.id, job?.noted], [id, true]);
    }),
  );
}
