/**
 * A process on PostgreSQL whose clock is wrong: all times of jobs are by the clock of the database, so what it puts off is due when it would be by a right one, and the
 * deadlines that it gives end nothing too early.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fault, fixed, implementContract, job, type JobRun } from "../src/contract/index.ts";
import { systemClock, type Clock } from "../src/core/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { onPlace, until } from "./worker-place.ts";

const hourMs = 3_600_000;
const Broken = fault("BROKEN", { kind: "unavailable" });
const members = {
  retried: job("retried", { input: {}, faults: [Broken], retry: { attempts: 2, backoff: fixed("10m") } }),
  sleeps: job("sleeps", { input: {} }),
  plain: job("plain", { input: { n: t.int() }, output: { n: t.int() } }),
};
const skewed = contract("skew.v1", members);
const handlers = implementContract(skewed, {
  handlers: {
    retried: async () => Broken(),
    sleeps: async ({ job: run }: { readonly job: JobRun }) => await run.sleep("nap", "10m"),
    plain: async ({ input: { n } }: { readonly input: { readonly n: number } }) => ({ n }),
  },
});

for (const skewMs of [hourMs, -hourMs]) {
  const clock: Clock = { ...systemClock, now: () => Date.now() + skewMs };
  const title = `a process whose clock is an hour ${skewMs > 0 ? "ahead" : "behind"}`;

  test(`${title} puts retries and sleeps off as long as any other`, () =>
    onPlace("PostgreSQL", async ({ worker }) => {
      const { session, jobs } = await worker(skewed, handlers, { clock });
      const startedAt = Date.now();
      for (const made of [await jobs.enqueue(members.retried, {}), await jobs.enqueue(members.sleeps, {})]) {
        const { id } = value(made);
        let due: number | undefined;
        await until(async () => (due = value(await session.get(id))?.runAt) !== undefined);
        // The test takes seconds, the clocks differ by an hour.
        assert.ok(Math.abs((due ?? NaN) - startedAt - 600_000) < 300_000, `due in ${(due ?? NaN) - Date.now()} ms`);
      }
    }));

  test(`${title} gives deadlines that hold elsewhere`, () =>
    onPlace("PostgreSQL", async ({ worker }) => {
      const producer = await worker(skewed, handlers, { clock, idle: true });
      await worker(skewed, handlers);
      const made = value(await producer.jobs.enqueue(members.plain, { n: 7 }, { deadline: "1m" }));
      assert.deepEqual(value(await made.result()), { n: 7 });
    }));
}
