/** Conformance: limits that names share. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClaimedJob, JobPolicy, Settlement } from "../jobs/index.ts";
import { at, failure, value, type BenchOptions, type WithBench } from "./store-harness.ts";

/** The names "a" and "b" share a gate; "free" has none. */
function shared(gate: Omit<NonNullable<JobPolicy["gates"]>[number], "id">): BenchOptions {
  return { policy: (name) => (name === "free" ? undefined : { gates: [{ id: "g", ...gate }] }) };
}

export function gateCases(bench: WithBench): void {
  concurrencyCases(bench);
  rateCases(bench);

  test(
    "a job must pass every gate of its name, and holds a slot in each",
    bench(
      {
        policy: (name) => ({
          gates: [
            { id: `job ${name}`, concurrency: 1 },
            { id: "queue", concurrency: 2 },
          ],
        }),
      },
      async (b) => {
        await b.enqueue(...["a", "a", "b", "b"].map((name) => ({ name })));
        const hands = b.hands("a", "b");
        hands.grant("a", 10);
        hands.grant("b", 10);
        const jobs = await hands.take(2);
        assert.deepEqual(jobs.map(({ name }) => name).toSorted(), ["a", "b"]);
        await hands.nothing();
        const settle = async (name: string): Promise<void> => {
          const job = hands.claimed.findLast((claimed) => claimed.name === name);
          await b.settle({ job: job as ClaimedJob, to: "succeeded" });
        };
        await settle("b");
        assert.equal(at(await hands.take(1), 0).name, "b", "the queue has room, and a's own gate has not");
        await hands.nothing();
        await settle("a");
        assert.equal(at(await hands.take(1), 0).name, "a");
      },
    ),
  );
}

function concurrencyCases(bench: WithBench): void {
  test(
    "over all names that share a gate no more run than it lets, whatever the credit",
    bench(shared({ concurrency: 3 }), async (b) => {
      await b.enqueue(...Array.from({ length: 20 }, (_, index) => ({ name: index % 2 === 0 ? "a" : "b" })));
      await b.enqueue({ name: "free" }, { name: "free" }, { name: "free" }, { name: "free" });
      const hands = b.hands("a", "b", "free");
      for (const name of ["a", "b", "free"]) hands.grant(name, 100);
      const first = await hands.take(7);
      assert.equal(first.filter(({ name }) => name === "free").length, 4);
      await hands.nothing();
      const running = first.filter(({ name }) => name !== "free");
      for (let left = 17; left > 0; left--) {
        await b.settle({ job: at(running, 0), to: "succeeded" });
        running.shift();
        running.push(at(await hands.take(1), 0));
        await hands.nothing();
      }
    }),
  );

  test(
    "a name does not starve behind another that shares its gate",
    bench(shared({ concurrency: 1 }), async (b) => {
      await b.enqueue(...Array.from({ length: 30 }, () => ({ name: "a" })));
      await b.enqueue({ name: "b" }, { name: "b" });
      await b.enqueue(...Array.from({ length: 30 }, () => ({ name: "a" })));
      const hands = b.hands("a", "b");
      hands.grant("a", 100);
      hands.grant("b", 100);
      const order: string[] = [];
      for (let count = 0; count < 62; count++) {
        const [job] = await hands.take(1);
        order.push(job?.name ?? "");
        await b.settle({ job: job as ClaimedJob, to: "succeeded" });
      }
      assert.ok(order.lastIndexOf("b") < 45, `b came last at ${order.lastIndexOf("b")}`);
    }),
  );

  const ways: { readonly [way: string]: (job: ClaimedJob, now: number) => Settlement } = {
    failed: (job) => ({ job, to: "failed", error: failure(job) }),
    cancelled: (job) => ({ job, to: "cancelled" }),
    "retried later": (job, now) => ({ job, to: "retry", runAt: now + 60_000, error: failure(job) }),
    snoozed: (job, now) => ({ job, to: "snoozed", runAt: now + 60_000 }),
    waiting: (job) => ({ job, to: "waiting", signal: "go" }),
  };
  for (const [way, settlement] of Object.entries(ways)) {
    test(
      `a job that is ${way} gives up its slot in the gate`,
      bench(shared({ concurrency: 1 }), async (b) => {
        await b.enqueue({ name: "a" }, { name: "a" });
        const hands = b.hands("a");
        hands.grant("a", 2);
        const job = at(await hands.take(1), 0);
        await hands.nothing();
        await b.settle(settlement(job, b.now));
        assert.notEqual(at(await hands.take(1), 0).id, job.id);
      }),
    );
  }

  test(
    "slots of a crash are free, and the gate holds after it",
    bench(shared({ concurrency: 2 }), async (b) => {
      await b.enqueue(...Array.from({ length: 5 }, () => ({ name: "a" })));
      let hands = b.hands("a");
      hands.grant("a", 5);
      await hands.take(2);
      await b.reopen();
      hands = b.hands("a");
      hands.grant("a", 5);
      await hands.take(2);
      await hands.nothing();
    }),
  );

  test(
    "a cancelled ready job takes no slot, and a full gate does not keep others from being cancelled",
    bench(shared({ concurrency: 1 }), async (b) => {
      const [, second, third] = await b.enqueue({ name: "a" }, { name: "a" }, { name: "a" });
      const hands = b.hands("a");
      hands.grant("a", 3);
      const job = at(await hands.take(1), 0);
      assert.equal(value(await b.session.cancel(second?.id ?? "")), "cancelled");
      await b.settle({ job, to: "succeeded" });
      assert.equal(at(await hands.take(1), 0).id, third?.id);
    }),
  );
}

function rateCases(bench: WithBench): void {
  test(
    "a gate's rate counts the starts of all its names: a burst, then evenly spaced",
    bench(shared({ rate: { limit: 4, periodMs: 2_000 } }), async (b) => {
      await b.enqueue(...Array.from({ length: 12 }, (_, index) => ({ name: index % 2 === 0 ? "a" : "b" })));
      const hands = b.hands("a", "b");
      hands.grant("a", 20);
      hands.grant("b", 20);
      await b.settle(...(await hands.take(4)).map((job) => ({ job, to: "succeeded" as const })));
      await hands.nothing();
      for (let count = 0; count < 3; count++) {
        await b.advance(499);
        await hands.nothing();
        await b.advance(1);
        await hands.take(1);
        await hands.nothing();
      }
    }),
  );

  test(
    "after a quiet period the whole burst is there again, and never more",
    bench(shared({ rate: { limit: 4, periodMs: 2_000 } }), async (b) => {
      await b.enqueue(...Array.from({ length: 20 }, () => ({ name: "a" })));
      const hands = b.hands("a");
      hands.grant("a", 4);
      await hands.take(4);
      await b.advance(60_000);
      hands.grant("a", 20);
      await hands.take(4);
      await hands.nothing();
      await b.advance(1_000);
      await hands.take(2);
      await hands.nothing();
    }),
  );

  test(
    "a rate that does not divide evenly allows exactly its limit at once",
    bench(shared({ rate: { limit: 7, periodMs: 1_000 } }), async (b) => {
      await b.enqueue(...Array.from({ length: 20 }, () => ({ name: "a" })));
      const hands = b.hands("a");
      hands.grant("a", 20);
      await hands.take(7);
      await hands.nothing();
    }),
  );
}
