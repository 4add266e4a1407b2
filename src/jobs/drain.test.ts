import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, implementContract, job } from "../contract/index.ts";
import { lifecycle, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";

const work = job("work", { input: { n: t.int() }, output: { n: t.int() }, concurrency: 2, retry: { attempts: 3 } });
const demo = contract("demo.v1", { work });

interface Call {
  readonly input: { readonly n: number };
  readonly signal: AbortSignal;
}

function bench(run: (call: Call) => unknown, options?: JobBenchOptions): Promise<JobBench> {
  return jobBench(demo, () => implementContract(demo, { handlers: { work: run as never } }), options);
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

/** Ends when it is told, or with the reason of its signal. */
function obedient() {
  const ends: (() => void)[] = [];
  const run = ({ input, signal }: Call) =>
    new Promise((resolve, reject) => {
      ends.push(() => resolve(input));
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  return { ends, run };
}

async function fill({ jobs }: JobBench, count: number): Promise<void> {
  value(
    await jobs.enqueueMany(
      work,
      Array.from({ length: count }, (_, n) => ({ n })),
    ),
  );
}

test("a drain waits for what runs, begins nothing more, and hands back what was claimed", async () => {
  const { ends, run } = obedient();
  const made = await bench(run);
  await made.engine.start();
  await fill(made, 20);
  await settled();
  assert.equal(ends.length, 2);
  const report = made.engine.drain();
  await settled();
  for (const end of ends) end();
  const { outcome, interrupted, unfinished } = await report;
  assert.deepEqual([outcome, interrupted, unfinished], ["drained", 0, 0]);
  assert.equal(ends.length, 2);
  const counts = value(await made.jobs.counts());
  assert.deepEqual([counts.succeeded, counts.ready, counts.running], [2, 18, 0]);
  const waiting = value(await made.jobs.list({ state: "ready" }));
  assert.ok(waiting.every(({ attempt, errors }) => attempt === 0 && errors.length === 0));
});

test("when the time is up, running attempts are aborted, and run again at once after the next start", async () => {
  const { run } = obedient();
  const store = memoryStore();
  const made = await bench(run, { store });
  await made.engine.start();
  await fill(made, 2);
  await settled();
  const report = made.engine.drain(5_000);
  await elapse(made.clock, 5_000);
  assert.deepEqual(await report, { outcome: "timed_out", released: 0, interrupted: 2, unfinished: 0 });
  const [first] = value(await made.jobs.list());
  assert.deepEqual(
    first?.errors.map(({ code }) => code),
    ["SHUTTING_DOWN"],
  );
  await made.session.close();
  const next = await bench(({ input }) => input, { store, clock: made.clock });
  await next.engine.start();
  await elapse(next.clock, 10);
  assert.equal(value(await next.jobs.counts()).succeeded, 2);
  await next.engine.drain();
});

test("a handler that ignores the abort is counted as unfinished after the grace, and its job is not lost", async () => {
  const store = memoryStore();
  const made = await bench(() => new Promise(() => undefined), { store });
  await made.engine.start();
  await fill(made, 1);
  await settled();
  const report = made.engine.drain(1_000);
  await elapse(made.clock, 4_000);
  assert.deepEqual(await report, { outcome: "timed_out", released: 0, interrupted: 1, unfinished: 1 });
  await made.session.close();
  const next = await bench(({ input }) => input, { store, clock: made.clock });
  await next.engine.start();
  await settled();
  const [job] = value(await next.jobs.list());
  assert.deepEqual([job?.state, job?.attempt, job?.errors[0]?.code], ["succeeded", 2, "CRASHED"]);
  await next.engine.drain();
});

test("a drain ends although the store takes no outcomes any more", async () => {
  const store = memoryStore();
  const made = await bench(
    ({ input }) => {
      store.breakDown("gone");
      return input;
    },
    { store },
  );
  await made.engine.start();
  await fill(made, 1);
  await settled();
  const report = made.engine.drain(1_000);
  await elapse(made.clock, 4_000);
  assert.deepEqual(await report, { outcome: "timed_out", released: 0, interrupted: 0, unfinished: 1 });
});

test("drain and stop are safe twice, in any order, and unstarted", async () => {
  const nothing = { outcome: "drained", released: 0, interrupted: 0, unfinished: 0 };
  const unstarted = await bench(({ input }) => input);
  assert.deepEqual(await unstarted.engine.drain(), nothing);
  assert.deepEqual(await unstarted.engine.drain(), nothing);
  unstarted.engine.stop();
  unstarted.engine.stop();
  await unstarted.engine.start();
  await fill(unstarted, 1);
  await settled();
  assert.equal(value(await unstarted.jobs.counts()).ready, 1);

  const stopped = await bench(({ input }) => input);
  await stopped.engine.start();
  await stopped.engine.start();
  stopped.engine.stop();
  assert.equal((await stopped.engine.drain()).unfinished, 0);
});

test("the engine is a part of an app's lifecycle", async () => {
  const { ends, run } = obedient();
  const made = await bench(run);
  const life = lifecycle({ clock: made.clock, parts: [made.engine.part], drainMs: 1_000 });
  await life.start();
  await fill(made, 2);
  await settled();
  ends[0]?.();
  const report = life.stop();
  await elapse(made.clock, 2_000);
  assert.deepEqual([(await report).outcome, (await report).failures], ["timed_out", []]);
  const counts = value(await made.jobs.counts());
  assert.deepEqual([counts.succeeded, counts.running], [1, 0]);
});

test("after a drain no timer and no listener is left", async () => {
  const made = await bench(({ input }) => input);
  await made.engine.start();
  await fill(made, 10);
  await settled();
  await made.engine.drain();
  await made.session.close();
  assert.equal(made.clock.waiting, 0);
});
