/** Conformance of a fleet: leases. The dead are found out, the living are left alone, and who comes back late can do no harm. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob } from "../jobs/index.ts";
import type { WithFleet } from "./fleet-harness.ts";
import { isLater, value } from "./store-harness.ts";

export function leaseCases(fleet: WithFleet): void {
  test(
    "the jobs of a process that was killed are rescued when its lease is over, and not before; at once where its death is seen",
    fleet({}, async (f) => {
      const dead = await f.process();
      const { b } = await f.process();
      const id = await dead.b.enqueueOne({ name: "a", payload: "7" });
      const zombie = await dead.b.hands("a").takeOne("a");
      const hands = b.hands("a");
      hands.grant("a", 1);
      await dead.process.kill();
      if (!f.seesDeath) {
        await f.pass(f.leaseMs / 2);
        await hands.nothing();
        assert.equal(await b.state(id), "running");
        await f.pass(f.leaseMs);
      }
      const [job] = await hands.take(1);
      assert.deepEqual([job?.id, job?.attempt, job?.payload], [id, 2, "7"]);
      assert.ok(job !== undefined && isLater(job, zombie));
      assert.deepEqual(
        (await b.record(id)).errors.map(({ attempt, code }) => [attempt, code]),
        [[1, "CRASHED"]],
      );
    }),
  );

  test(
    "the order of a job's fences is that of its claims, whichever process claims it",
    fleet({}, async (f) => {
      const both = await f.two();
      const id = await both[1].enqueueOne({ name: "a" });
      const claims: ClaimedJob[] = [];
      for (let claim = 0; claim < 6; claim++) {
        // The process that came last has the higher epoch, and begins.
        const b = both[claim % 2 === 0 ? 1 : 0];
        const hands = b.hands("a");
        const job = await hands.takeOne("a");
        assert.equal(job.id, id);
        claims.push(job);
        const error = { attempt: job.attempt, at: 0, code: "X", message: "" };
        const again = { job, to: "retry", runAt: 0, error } as const;
        assert.deepEqual(await b.settle(claim % 3 === 0 ? { job, to: "released" } : again), ["settled"]);
        await hands.stop();
      }
      assert.ok(
        claims.every((job, at) => at === 0 || isLater(job, claims[at - 1] as ClaimedJob)),
        JSON.stringify(claims.map(({ fence }) => fence)),
      );
    }),
  );

  test(
    "a job whose attempts are used up by crashes fails at the rescue",
    fleet({ maxAttempts: () => 1 }, async (f) => {
      const dead = await f.process();
      const { b } = await f.process();
      const id = await dead.b.enqueueOne({ name: "a" });
      const after = await b.enqueueOne({ name: "z", after: { jobs: [id], on: "finished" } });
      await dead.b.hands("a").takeOne("a");
      await dead.process.kill();
      await f.pass(f.leaseMs * 1.5);
      await b.reaches(id, "failed");
      await b.reaches(after, "ready");
    }),
  );

  test(
    "the slots and the order of a killed process are free after the rescue",
    fleet({ policy: () => ({ gates: [{ id: "g", concurrency: 1 }], perKey: { ordered: true } }) }, async (f) => {
      const dead = await f.process();
      const { b } = await f.process();
      const ids = (await b.enqueue({ name: "a", key: "x" }, { name: "a", key: "x" })).map(({ id }) => id);
      await dead.b.hands("a").takeOne("a");
      await dead.process.kill();
      const hands = b.hands("a");
      hands.grant("a", 10);
      if (!f.seesDeath) await hands.nothing();
      await f.pass(f.leaseMs * 1.5);
      for (const id of ids) {
        const [job] = await hands.take(1);
        assert.equal(job?.id, id);
        await hands.nothing();
        await b.settle({ job, to: "succeeded" });
      }
    }),
  );

  test(
    "a process that is heard keeps its jobs, however long they run",
    fleet({}, async (f) => {
      const [one, two] = await f.two();
      const id = await one.enqueueOne({ name: "a" });
      const own = one.hands("a");
      const job = await own.takeOne("a");
      const hands = two.hands("a");
      hands.grant("a", 1);
      await f.pass(f.leaseMs * 10);
      await hands.nothing();
      assert.equal(await two.state(id), "running");
      assert.deepEqual(own.lost, []);
      assert.deepEqual(await one.settle({ job, to: "succeeded" }), ["settled"]);
    }),
  );

  test(
    "who stood still for longer than its lease can finish and note nothing, is told so, and goes on in a new life",
    fleet({}, async (f) => {
      const late = await f.process();
      const { b } = await f.process();
      const id = await late.b.enqueueOne({ name: "a" });
      const lateHands = late.b.hands("a", "b");
      const zombie = await lateHands.takeOne("a");
      await late.process.freeze();
      await f.pass(f.leaseMs * 1.5);
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      assert.equal(job.id, id);
      await late.process.thaw();
      assert.deepEqual(await late.b.settle({ job: zombie, to: "succeeded", result: '"late"' }), ["stale"]);
      assert.equal(value(await late.b.session.note(zombie, [{ name: "late", value: "1" }], "1")), "stale");
      await f.pass(f.leaseMs);
      await lateHands.quiet();
      assert.deepEqual(lateHands.lost, [id]);
      assert.deepEqual(value(await b.session.notes(id)), []);
      assert.deepEqual(await b.settle({ job, to: "succeeded", result: '"right"' }), ["settled"]);
      assert.equal((await b.record(id)).result, '"right"');
      await b.enqueue({ name: "b" });
      const next = await lateHands.takeOne("b");
      assert.ok(isLater(next, zombie));
      assert.deepEqual(await late.b.settle({ job: next, to: "succeeded" }), ["settled"]);
    }),
  );

  test(
    "who stood still for less than its lease has lost nothing",
    fleet({}, async (f) => {
      const late = await f.process();
      const { b } = await f.process();
      await late.b.enqueueOne({ name: "a" });
      const own = late.b.hands("a");
      const job = await own.takeOne("a");
      const hands = b.hands("a");
      hands.grant("a", 1);
      await late.process.freeze();
      await f.pass(f.leaseMs / 2);
      await late.process.thaw();
      await f.pass(f.leaseMs * 2);
      await hands.nothing();
      assert.deepEqual(own.lost, []);
      assert.deepEqual(await late.b.settle({ job, to: "succeeded" }), ["settled"]);
    }),
  );

  test(
    "a process that comes new takes nothing from those that live",
    fleet({}, async (f) => {
      const { b } = await f.process();
      const id = await b.enqueueOne({ name: "a" });
      const job = await b.hands("a").takeOne("a");
      const young = await f.process();
      assert.equal(await young.b.state(id), "running");
      const hands = young.b.hands("a");
      hands.grant("a", 1);
      await hands.nothing();
      assert.deepEqual(await b.settle({ job, to: "succeeded" }), ["settled"]);
    }),
  );
}
