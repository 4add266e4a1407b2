/** Conformance: who comes first among ready jobs: tenants in turn, and with ageing those that have waited. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at, type StoreBench, type WithBench } from "./store-harness.ts";

/** One job for each letter: the tenant. A dot: none. */
async function enqueueTenants(b: StoreBench, tenants: string, priority = 5): Promise<void> {
  await b.enqueue(
    ...tenants.split("").map((tenant, index) => ({
      name: "a",
      priority,
      payload: `${tenant}${index}`,
      ...(tenant === "." ? undefined : { tenant }),
    })),
  );
}

export function tenantCases(bench: WithBench): void {
  for (const how of ["one credit at a time", "all credit at once"] as const) {
    test(
      `tenants take turns, each in its own order: ${how}`,
      bench({}, async (b) => {
        await enqueueTenants(b, "xxxxxxyyz");
        const hands = b.hands("a");
        if (how === "all credit at once") hands.grant("a", 9);
        const order: string[] = [];
        for (let count = 0; count < 9; count++) {
          const job = how === "all credit at once" ? at(await hands.take(1), 0) : await hands.takeOne("a");
          order.push(job.payload);
        }
        assert.deepEqual(order.slice(0, 3).map(first).toSorted(), ["x", "y", "z"]);
        assert.deepEqual(order.slice(3, 5).map(first).toSorted(), ["x", "y"]);
        for (const tenant of ["x", "y", "z"]) {
          const own = order.filter((payload) => payload.startsWith(tenant)).map((payload) => Number(payload.slice(1)));
          assert.deepEqual(
            own,
            own.toSorted((one, two) => one - two),
          );
        }
      }),
    );
  }

  test(
    "a tenant that comes new waits for one turn of the others, not for their backlog",
    bench({}, async (b) => {
      await enqueueTenants(b, "xyxyxyxyxyxyxyxyxyxy");
      const hands = b.hands("a");
      for (let count = 0; count < 6; count++) await hands.takeOne("a");
      await enqueueTenants(b, "zz");
      const next = [await hands.takeOne("a"), await hands.takeOne("a"), await hands.takeOne("a")];
      assert.ok(next.some(({ tenant }) => tenant === "z"));
    }),
  );

  test(
    "jobs without a tenant are a tenant as well",
    bench({}, async (b) => {
      await enqueueTenants(b, "xxxxxx..");
      const hands = b.hands("a");
      const first = [await hands.takeOne("a"), await hands.takeOne("a")];
      assert.deepEqual(first.map(({ tenant }) => tenant ?? ".").toSorted(), [".", "x"]);
      const second = [await hands.takeOne("a"), await hands.takeOne("a")];
      assert.deepEqual(second.map(({ tenant }) => tenant ?? ".").toSorted(), [".", "x"]);
    }),
  );

  test(
    "turns are taken within a priority: the more urgent of any tenant comes first",
    bench({}, async (b) => {
      await enqueueTenants(b, "yy", 5);
      await enqueueTenants(b, "xxx", 1);
      const hands = b.hands("a");
      const order: (string | undefined)[] = [];
      for (let count = 0; count < 5; count++) order.push((await hands.takeOne("a")).tenant);
      assert.deepEqual(order, ["x", "x", "x", "y", "y"]);
    }),
  );

  test(
    "tenants take turns after a restart",
    bench({}, async (b) => {
      await enqueueTenants(b, "xxxxyy");
      await b.reopen();
      const hands = b.hands("a");
      hands.grant("a", 4);
      assert.deepEqual((await hands.take(4)).map(({ tenant }) => tenant ?? ".").toSorted(), ["x", "x", "y", "y"]);
    }),
  );
}

function first(payload: string): string {
  return payload.slice(0, 1);
}

export function ageingCases(bench: WithBench): void {
  const ageing = { policy: (name: string) => (name === "a" ? { ageingMs: 1_000 } : undefined) };

  test(
    "a job that has waited long enough comes before a more urgent one that has not",
    bench(ageing, async (b) => {
      const old = await b.enqueueOne({ name: "a", priority: 8 });
      const hands = b.hands("a");
      await b.advance(3_000);
      const urgent = await b.enqueueOne({ name: "a", priority: 4 });
      assert.equal((await hands.takeOne("a")).id, urgent, "8 counts as 5 after three times");
      await b.advance(2_000);
      await b.enqueue({ name: "a", priority: 4 }, { name: "a", priority: 4 });
      assert.equal((await hands.takeOne("a")).id, old, "8 counts as 3 after five times");
    }),
  );

  test(
    "with ageing no stream of urgent jobs starves the least urgent",
    bench(ageing, async (b) => {
      const old = await b.enqueueOne({ name: "a", priority: 9 });
      const hands = b.hands("a");
      for (let second = 0; second <= 10; second++) {
        await b.enqueue({ name: "a", priority: 0 });
        if ((await hands.takeOne("a")).id === old) return;
        await b.advance(1_000);
      }
      assert.fail("it was passed over for ten times the time of ageing");
    }),
  );

  test(
    "a job ages from when it became ready, not from its enqueueing",
    bench(ageing, async (b) => {
      const late = await b.enqueueOne({ name: "a", priority: 8, runAt: b.now + 10_000 });
      await b.advance(10_000);
      await b.reaches(late, "ready");
      await b.enqueue({ name: "a", priority: 4 });
      const hands = b.hands("a");
      assert.notEqual((await hands.takeOne("a")).id, late);
    }),
  );

  test(
    "names without ageing keep their priorities for ever",
    bench(ageing, async (b) => {
      const old = await b.enqueueOne({ name: "b", priority: 8 });
      await b.advance(60_000);
      await b.enqueue({ name: "b", priority: 7 });
      assert.notEqual((await b.hands("b").takeOne("b")).id, old);
    }),
  );
}
