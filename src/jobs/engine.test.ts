import assert from "node:assert/strict";
import { test } from "node:test";
import { implementContract, contract, fault, job, discard, retryAfter, fixed } from "../contract/index.ts";
import { err, ok, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";

const Busy = fault("BUSY", { kind: "unavailable", data: { wait: t.int() } });
const Hopeless = fault("HOPELESS", { kind: "not_found" });

const double = job("double", {
  input: { n: t.int() },
  output: { n: t.int() },
  faults: [Busy, Hopeless],
  retry: {
    attempts: 3,
    backoff: fixed("10s", { jitter: 0 }),
    on: { BUSY: (busy) => retryAfter(busy.data.wait), HOPELESS: discard },
  },
  timeout: "5s",
});
const demo = contract("demo.v1", { double });

type Run = (call: { input: { n: number }; signal: AbortSignal; job: { attempt: number } }) => unknown;

function bench(run: Run, options?: JobBenchOptions): Promise<JobBench> {
  return jobBench(demo, () => implementContract(demo, { handlers: { double: run as never } }), options);
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

test("an enqueued job runs and its output can be awaited", async () => {
  const { jobs, engine } = await bench(({ input }) => ({ n: input.n * 2 }));
  await engine.start();
  const ref = value(await jobs.enqueue(double, { n: 21 }));
  assert.equal(ref.duplicate, false);
  assert.deepEqual(value(await ref.result()), { n: 42 });
  assert.equal((await engine.drain()).outcome, "drained");
});

test("a fault is retried after the backoff until it works", async () => {
  const { jobs, engine, clock } = await bench(({ input, job: { attempt } }) =>
    attempt < 3 ? err(Busy({ wait: 1000 })) : ok(input),
  );
  await engine.start();
  const ref = value(await jobs.enqueue(double, { n: 1 }));
  await elapse(clock, 2100);
  assert.deepEqual(value(await ref.result()), { n: 1 });
  const info = value(await jobs.get(ref.id));
  assert.equal(info?.attempt, 3);
  assert.deepEqual(
    info?.errors.map(({ code, attempt }) => [code, attempt]),
    [
      ["BUSY", 1],
      ["BUSY", 2],
    ],
  );
});
