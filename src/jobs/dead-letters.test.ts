import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fault, implementContract, job } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench } from "../../testing/job-bench.ts";

const Busy = fault("BUSY", { kind: "unavailable" });
const mail = job("mail", { input: { n: t.int() }, faults: [Busy], retry: { attempts: 1 } });
const report = job("report", { input: { n: t.int() }, retry: { attempts: 1 }, unique: ({ n }) => String(n % 2) });
const demo = contract("demo.v1", { mail, report });

interface Office extends JobBench {
  /** From now on nothing fails. */
  work(): void;
}

async function bench(): Promise<Office> {
  const state = { works: false };
  const made = await jobBench(demo, () =>
    implementContract(demo, {
      handlers: {
        mail: ({ input }) => (state.works || input.n % 2 === 0 ? undefined : Busy()),
        report: () => {
          if (!state.works) throw new Error("no paper");
        },
      },
    }),
  );
  await made.engine.start();
  return Object.assign(made, {
    work: () => {
      state.works = true;
    },
  });
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

/** So many mails, of which every second one fails. */
async function failing(count: number): Promise<Office> {
  const made = await bench();
  value(
    await made.jobs.enqueueMany(
      mail,
      Array.from({ length: count }, (_, n) => ({ n })),
    ),
  );
  await settled(200);
  return made;
}

test("dead letters are found by job, code and time, a page at a time", async () => {
  const made = await failing(100);
  const start = new Date(made.clock.now() + 1_000);
  await elapse(made.clock, 10_000);
  value(await made.jobs.enqueue(report, { n: 1 }));
  await settled(100);
  const { deadLetters } = made.jobs;
  assert.equal(value(await deadLetters()).jobs.length, 51);
  assert.equal(value(await deadLetters({ job: "mail" })).jobs.length, 50);
  assert.deepEqual(
    value(await deadLetters({ code: "INTERNAL" })).jobs.map(({ name }) => name),
    ["report"],
  );
  assert.equal(value(await deadLetters({ failedBefore: start })).jobs.length, 50);
  assert.equal(value(await deadLetters({ failedAfter: start })).jobs.length, 1);
  const first = value(await deadLetters({ limit: 30 }));
  assert.equal(first.jobs.length, 30);
  const second = value(await deadLetters({ limit: 30, after: first.next ?? assert.fail("no next") }));
  assert.deepEqual([second.jobs.length, second.next], [21, undefined]);
  await made.engine.drain();
});

test("a redrive runs all of them again, and those of other jobs not", async () => {
  const made = await failing(300);
  value(await made.jobs.enqueue(report, { n: 1 }));
  await settled(100);
  made.work();
  const redriving = made.jobs.redrive({ job: "mail" });
  await elapse(made.clock, 1_000, 20);
  assert.deepEqual(value(await redriving), { redriven: 150, left: 0, next: undefined });
  const counts = value(await made.jobs.counts());
  assert.deepEqual([counts.succeeded, counts.failed], [300, 1]);
  await made.engine.drain();
});

test("perSecond spreads a redrive, a limit bounds it, and a signal stops it", async () => {
  const made = await failing(400);
  made.work();
  const stop = new AbortController();
  const slow = made.jobs.redrive({}, { perSecond: 50, signal: stop.signal });
  await elapse(made.clock, 900, 100);
  // The first fifty at once, and then none for a second.
  assert.equal(value(await made.jobs.counts()).failed, 150);
  stop.abort();
  const stopped = value(await slow);
  assert.equal(stopped.redriven, 50);
  const few = value(await made.jobs.redrive({ limit: 10, after: stopped.next ?? assert.fail("no next") }));
  assert.equal(few.redriven, 10);
  assert.equal(value(await made.jobs.counts()).failed, 140);
  await assert.rejects(async () => made.jobs.redrive({}, { perSecond: 0 }), /perSecond is a number above 0/);
  await made.engine.drain();
});

test("what another job holds the unique key of is left, and said", async () => {
  const made = await bench();
  value(await made.jobs.enqueue(report, { n: 1 }));
  await settled(50);
  value(await made.jobs.enqueue(report, { n: 1 }, { delay: "1h" }));
  assert.deepEqual(value(await made.jobs.redrive({})), { redriven: 0, left: 1, next: undefined });
  await made.engine.drain();
});
