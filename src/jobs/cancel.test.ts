import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fixed, implementContract, job } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";

const work = job("work", {
  input: { n: t.int() },
  concurrency: 1,
  timeout: "5s",
  retry: { attempts: 3, backoff: fixed("10s", { jitter: 0 }) },
});
const demo = contract("demo.v1", { work });

interface Call {
  readonly input: { readonly n: number };
  readonly signal: AbortSignal;
}

async function bench(run: (call: Call) => unknown, options?: JobBenchOptions): Promise<JobBench> {
  const made = await jobBench(demo, () => implementContract(demo, { handlers: { work: run as never } }), options);
  await made.engine.start();
  return made;
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

function untilAborted({ signal }: Call): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
}

test("a job that waits for its time is cancelled at once and never runs", async () => {
  let runs = 0;
  const { jobs, engine, clock } = await bench(() => void runs++);
  const ref = value(await jobs.enqueue(work, { n: 1 }, { delay: "1m" }));
  assert.equal(value(await jobs.cancel(ref.id)), "cancelled");
  await elapse(clock, 120_000);
  assert.equal(runs, 0);
  const result = await ref.result();
  assert.equal(!result.ok && result.fault.code, "JOB_CANCELLED");
  await engine.drain();
});

test("a running job learns it through its signal, and is cancelled, not retried", async () => {
  const reasons: string[] = [];
  const { jobs, engine } = await bench((call) => {
    call.signal.addEventListener("abort", () => reasons.push(String(call.signal.reason)));
    return untilAborted(call);
  });
  const ref = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  assert.equal(value(await jobs.cancel(ref.id)), "running");
  await settled();
  assert.deepEqual(reasons, ["AbortError: The call was cancelled."]);
  const info = value(await jobs.get(ref.id));
  assert.deepEqual([info?.state, info?.attempt, info?.errors], ["cancelled", 1, []]);
  await engine.drain();
});

test("a cancelled job that fails in another way keeps that error and is not retried", async () => {
  const { jobs, engine } = await bench(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("while cleaning up")));
      }),
  );
  const ref = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  value(await jobs.cancel(ref.id));
  await settled();
  const info = value(await jobs.get(ref.id));
  assert.deepEqual([info?.state, info?.errors.map(({ code }) => code)], ["cancelled", ["INTERNAL"]]);
  await engine.drain();
});

test("a job that succeeds although it was asked to stop has succeeded", async () => {
  const { jobs, engine } = await bench(
    ({ signal }) =>
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
      }),
  );
  const ref = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  value(await jobs.cancel(ref.id));
  await settled();
  assert.equal(value(await jobs.get(ref.id))?.state, "succeeded");
  await engine.drain();
});

test("a job that ignores the cancellation is cancelled when its time is up", async () => {
  const { jobs, engine, clock } = await bench(() => new Promise(() => undefined));
  const ref = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  value(await jobs.cancel(ref.id));
  await elapse(clock, 6_000);
  const info = value(await jobs.get(ref.id));
  assert.deepEqual([info?.state, info?.errors.map(({ code }) => code)], ["cancelled", ["DEADLINE_EXCEEDED"]]);
  engine.stop();
});

test("a claimed job that has not begun is cancelled without running", async () => {
  const ran: number[] = [];
  const { jobs, engine, session } = await bench((call) => {
    ran.push(call.input.n);
    return call.input.n < 50 ? undefined : untilAborted(call);
  });
  // Fast jobs first, so that several are claimed ahead; then one that stays.
  for (let n = 0; n < 60; n++) value(await jobs.enqueue(work, { n }));
  await settled();
  const claimed = value(await session.list({ state: "running" })).map(({ id }) => id);
  for (const id of claimed) value(await jobs.cancel(id));
  await settled(40);
  for (const id of claimed) assert.equal(value(await jobs.get(id))?.state, "cancelled");
  assert.ok(claimed.length > 0);
  engine.stop();
});

test("a cancellation that comes while the outcome is on its way does no harm", async () => {
  const { jobs, engine, clock } = await bench(({ input }) => void input);
  for (let n = 0; n < 50; n++) {
    const ref = value(await jobs.enqueue(work, { n }));
    await settled(n % 5);
    value(await jobs.cancel(ref.id));
    await settled();
    const state = value(await jobs.get(ref.id))?.state;
    assert.ok(state === "succeeded" || state === "cancelled");
  }
  await elapse(clock, 1_000);
  assert.equal((await engine.drain()).unfinished, 0);
});

test("a cancellation that comes while a retry is on its way still cancels the job", async () => {
  const { jobs, engine, session, clock } = await bench(() => {
    throw new Error("again");
  });
  const settle = session.settle.bind(session);
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  session.settle = (settlements) => held.then(() => settle(settlements));
  const ref = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  assert.equal(value(await jobs.cancel(ref.id)), "running");
  go();
  await elapse(clock, 100);
  const info = value(await jobs.get(ref.id));
  assert.deepEqual([info?.state, info?.attempt], ["cancelled", 1]);
  await engine.drain();
});

test("a cancelled job can be retried by hand", async () => {
  const { jobs, engine } = await bench(({ input }) => void input);
  const ref = value(await jobs.enqueue(work, { n: 1 }, { delay: "1m" }));
  value(await jobs.cancel(ref.id));
  assert.equal(value(await jobs.retry(ref.id)), "ready");
  assert.equal((await ref.result()).ok, true);
  assert.equal(value(await jobs.retry(ref.id)), "succeeded");
  assert.equal(value(await jobs.cancel("12345")), undefined);
  await engine.drain();
});
