import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contract, fixed, implementContract, job, type Jobs } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";

const input = { n: t.int() };
const retry = { attempts: 3, backoff: fixed("10s", { jitter: 0 }) };
const wide = job("wide", { input, timeout: "5s", retry });
const narrow = job("narrow", { input, concurrency: 2, timeout: "5s", retry });
const once = job("once", { input, retry: { attempts: 1 } });
const demo = contract("demo.v1", { wide, narrow, once });

interface Call {
  readonly input: { readonly n: number };
  readonly signal: AbortSignal;
}
type Run = (name: string, call: Call) => unknown;

async function bench(run: Run, options?: JobBenchOptions): Promise<JobBench> {
  const handler = (name: string) => (call: Call) => run(name, call) as undefined;
  const implement = () =>
    implementContract(demo, {
      handlers: { wide: handler("wide"), narrow: handler("narrow"), once: handler("once") },
    });
  return jobBench(demo, implement, options);
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

async function fill(jobs: Jobs, kind: typeof wide, count: number): Promise<string[]> {
  const refs = value(
    await jobs.enqueueMany(
      kind,
      Array.from({ length: count }, (_, n) => ({ n })),
    ),
  );
  return refs.map(({ id }) => id);
}

/** Handlers that run until they are told to end. */
function gate() {
  const running: { name: string; n: number; end: () => void }[] = [];
  const run: Run = (name, call) =>
    new Promise<void>((resolve) => {
      const entry = { name, n: call.input.n, end: () => (running.splice(running.indexOf(entry), 1), resolve()) };
      running.push(entry);
    });
  return { running, run };
}

test("no job runs more often at a time than its concurrency, and none more than the worker allows", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.record({ kind: fc.constantFrom("wide", "narrow", "once"), turns: fc.integer({ min: 0, max: 5 }) }), {
        maxLength: 60,
      }),
      async (concurrency, plan) => {
        const now = { wide: 0, narrow: 0, once: 0 } as Record<string, number>;
        const most = { wide: 0, narrow: 0, once: 0, all: 0 } as Record<string, number>;
        let done = 0;
        const { jobs, engine } = await bench(
          async (name, { input: { n } }) => {
            now[name] = (now[name] ?? 0) + 1;
            most[name] = Math.max(most[name] ?? 0, now[name]);
            most["all"] = Math.max(
              most["all"] ?? 0,
              Object.values(now).reduce((a, b) => a + b),
            );
            await settled(plan[n]?.turns ?? 0);
            now[name]--;
            done++;
          },
          { limits: { concurrency } },
        );
        const kinds = { wide, narrow, once };
        for (const [n, { kind }] of plan.entries()) value(await jobs.enqueue(kinds[kind], { n }));
        await engine.start();
        for (let waited = 0; done < plan.length && waited < 2_000; waited++) await settled(1);
        assert.equal(done, plan.length);
        assert.ok((most["all"] ?? 0) <= concurrency);
        assert.ok((most["narrow"] ?? 0) <= Math.min(2, concurrency));
        assert.deepEqual(await engine.drain(), { outcome: "drained", released: 0, interrupted: 0, unfinished: 0 });
      },
    ),
    { numRuns: 30 },
  );
});

test("the most urgent waiting job runs next, the oldest among equals", async () => {
  const order: number[] = [];
  const { jobs, engine } = await bench((_, call) => void order.push(call.input.n), { limits: { concurrency: 1 } });
  const priorities = [5, 9, 0, 5, 1, 9, 0];
  for (const [n, priority] of priorities.entries()) value(await jobs.enqueue(wide, { n }, { priority }));
  await engine.start();
  await settled(60);
  assert.deepEqual(order, [2, 6, 4, 0, 3, 1, 5]);
  await engine.drain();
});

test("all slots are used when the work is there", async () => {
  const { running, run } = gate();
  const { jobs, engine, clock } = await bench(run, { limits: { concurrency: 10 } });
  await engine.start();
  await fill(jobs, wide, 50);
  await settled(60);
  assert.equal(running.length, 10);
  running[0]?.end();
  await settled();
  assert.equal(running.length, 10);
  assert.equal(engine.active, 10);
  for (let left = 50; left > 0; left--) {
    running[0]?.end();
    await settled(4);
  }
  await elapse(clock, 10);
  assert.equal(value(await jobs.counts()).succeeded, 50);
  await engine.drain();
});

test("a full job does not keep the others from running", async () => {
  const { running, run } = gate();
  const { jobs, engine } = await bench(run, { limits: { concurrency: 5 } });
  await engine.start();
  await fill(jobs, narrow, 20);
  await settled();
  await fill(jobs, wide, 20);
  await settled(60);
  assert.deepEqual(running.map(({ name }) => name).toSorted(), ["narrow", "narrow", "wide", "wide", "wide"]);
  for (const entry of [...running]) entry.end();
  engine.stop();
});

test("slow jobs are not claimed far ahead, and a job with one attempt never ahead of a slot", async () => {
  const { running, run } = gate();
  const { jobs, engine } = await bench(run, { limits: { concurrency: 4 } });
  await engine.start();
  await fill(jobs, narrow, 1_000);
  await fill(jobs, once, 1_000);
  await settled(100);
  assert.equal(running.length, 4);
  const claimedOnce = value(await jobs.counts("once")).running;
  assert.equal(claimedOnce, running.filter(({ name }) => name === "once").length);
  assert.ok(value(await jobs.counts("narrow")).running <= 2 + 4);
  engine.stop();
});

test("tiny jobs are claimed by the hundred", async () => {
  const deliveries: number[] = [];
  let done = 0;
  const made = await bench(() => void done++);
  const { consume } = made.session;
  made.session.consume = (options) =>
    consume.call(made.session, {
      ...options,
      onClaimed: (claimed) => {
        deliveries.push(claimed.length);
        options.onClaimed(claimed);
      },
    });
  await fill(made.jobs, wide, 20_000);
  await made.engine.start();
  for (let waited = 0; done < 20_000 && waited < 5_000; waited++) await settled(1);
  assert.equal(done, 20_000);
  assert.equal(deliveries[0], 1);
  assert.ok(Math.max(...deliveries) >= 500);
  await made.engine.drain();
});

test("other work of the process gets its turn while thousands of jobs wait", async () => {
  let done = 0;
  let doneAtTurn = Infinity;
  const { jobs, engine } = await bench(
    () => {
      const end = performance.now() + 0.5;
      while (performance.now() < end);
      done++;
    },
    // The slice is measured by the clock that the engine is given: one that runs.
    { limits: { sliceMs: 0 } },
  );
  await fill(jobs, wide, 400);
  await engine.start();
  while (done < 50) await settled(1);
  setImmediate(() => (doneAtTurn = done));
  const before = done;
  await settled(2);
  assert.ok(doneAtTurn - before <= 2);
  engine.stop();
});

test("a handler that ignores its timeout keeps its slot until it ends", async () => {
  const { running, run } = gate();
  const { jobs, engine, clock } = await bench(run);
  await engine.start();
  const ids = await fill(jobs, narrow, 3);
  await elapse(clock, 6_000);
  const errors = value(await jobs.get(ids[0] ?? ""))?.errors.map(({ code }) => code);
  assert.deepEqual(errors, ["DEADLINE_EXCEEDED"]);
  assert.equal(running.length, 2);
  assert.equal(engine.active, 0);
  running[0]?.end();
  await settled();
  assert.deepEqual(
    running.map(({ n }) => n),
    [1, 2],
  );
  engine.stop();
});

test("after a grace the slot of a runaway handler goes to other work, and an event tells it", async () => {
  const { running, run } = gate();
  const { jobs, engine, clock, events } = await bench(run, { limits: { runawayMs: 20_000, runaways: 1 } });
  const seen: unknown[] = [];
  events.on("job.runaway", ({ name, attempt, slotFreed }) => seen.push([name, attempt, slotFreed]));
  await engine.start();
  await fill(jobs, narrow, 2);
  await elapse(clock, 14_000, 1_000);
  assert.equal(running.length, 2);
  await elapse(clock, 12_000, 1_000);
  assert.deepEqual(seen, [
    ["narrow", 1, true],
    ["narrow", 1, false],
  ]);
  assert.equal(running.length, 3);
  engine.stop();
});

test("outcomes that wait for their commit stop new jobs at the limit", async () => {
  let done = 0;
  const made = await bench(() => void done++, { limits: { unsettled: 50 } });
  const settle = made.session.settle.bind(made.session);
  let open: () => void = () => undefined;
  const shut = new Promise<void>((resolve) => {
    open = resolve;
  });
  made.session.settle = (settlements) => shut.then(() => settle(settlements));
  await fill(made.jobs, wide, 500);
  await made.engine.start();
  await settled(60);
  assert.equal(done, 50);
  open();
  for (let waited = 0; done < 500 && waited < 2_000; waited++) await settled(1);
  assert.equal(done, 500);
  await made.engine.drain();
});
