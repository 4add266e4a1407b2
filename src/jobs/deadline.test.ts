import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fixed, implementContract, job, type CallDeadline, type Jobs } from "../contract/index.ts";
import type { TraceContext } from "../exchange/index.ts";
import { elapse, jobBench, settled, type JobBench } from "../../testing/job-bench.ts";

const outer = job("outer", { input: {}, timeout: "30s" });
const inner = job("inner", {
  input: {},
  timeout: "60s",
  retry: { attempts: 10, backoff: fixed("4s", { jitter: 0 }) },
});
const demo = contract("demo.v1", { outer, inner });

interface Call {
  readonly jobs: Jobs;
  readonly signal: AbortSignal;
  readonly deadline: CallDeadline;
  readonly trace: TraceContext | undefined;
}

interface Handlers {
  readonly outer?: (call: Call) => unknown;
  readonly inner: (call: Call) => unknown;
}

async function bench({ outer: first = () => undefined, inner: second }: Handlers): Promise<JobBench> {
  const handlers = { outer: first as () => never, inner: second as () => never };
  const made = await jobBench(demo, () => implementContract(demo, { handlers }));
  await made.engine.start();
  return made;
}

async function infoOf({ jobs }: JobBench, id: string): Promise<readonly [string, number, readonly string[]]> {
  const info = await jobs.get(id);
  assert.ok(info.ok && info.value !== undefined);
  const { state, attempt, errors } = info.value;
  return [state, attempt, errors.map(({ code }) => code)];
}

async function enqueued(made: JobBench, options: Parameters<Jobs["enqueue"]>[2]): Promise<string> {
  const ref = await made.jobs.enqueue(inner, {}, options);
  assert.ok(ref.ok);
  return ref.value.id;
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a job whose deadline has passed before it could start ends with DEADLINE_EXCEEDED, and never starts", async () => {
  let started = 0;
  const made = await bench({ inner: () => void started++ });
  const id = await enqueued(made, { deadline: "5s", delay: "6s" });
  const awaited = made.jobs.ref(inner, id).result();
  await elapse(made.clock, 20_000, 1_000);
  assert.deepEqual(await infoOf(made, id), ["failed", 1, ["DEADLINE_EXCEEDED"]]);
  assert.equal(started, 0);
  const result = await awaited;
  assert.equal(result.ok ? "" : result.fault.code, "DEADLINE_EXCEEDED");
});

test("an attempt has no more time than the deadline leaves it, and is not repeated after it", async () => {
  let aborted: unknown;
  let left = 0;
  const made = await bench({
    inner: ({ signal, deadline }) => {
      left = deadline.remaining();
      signal.addEventListener("abort", () => void (aborted = signal.reason), { once: true });
      return new Promise(() => {});
    },
  });
  const id = await enqueued(made, { deadline: "5s" });
  await elapse(made.clock, 20_000, 1_000);
  assert.equal(left, 5_000);
  assert.equal((aborted as Error).name, "TimeoutError");
  assert.deepEqual(await infoOf(made, id), ["failed", 1, ["DEADLINE_EXCEEDED"]]);
});

test("a retry that would begin after the deadline is not made: the job fails with its own fault", async () => {
  const made = await bench({
    inner: () => {
      throw new Error("no");
    },
  });
  const id = await enqueued(made, { deadline: new Date(made.clock.now() + 5_000) });
  await elapse(made.clock, 20_000, 1_000);
  assert.deepEqual(await infoOf(made, id), ["failed", 2, ["INTERNAL", "INTERNAL"]]);
});

test("a job inherits deadline and trace of the call that enqueues it; without the word it inherits the trace alone", async () => {
  const seen: { left: number; trace: string | undefined; state: string | undefined }[] = [];
  const made = await bench({
    outer: async ({ jobs }) => {
      assert.ok((await jobs.enqueue(inner, {}, { deadline: "inherit" })).ok);
      assert.ok((await jobs.enqueueMany(inner, [{}])).ok);
    },
    inner: ({ deadline, trace }) => {
      seen.push({ left: deadline.remaining(), trace: trace?.traceparent, state: trace?.tracestate });
    },
  });
  const trace = { traceparent, tracestate: "a=1" };
  assert.ok((await made.jobs.enqueue(outer, {}, { parent: { trace } })).ok);
  await elapse(made.clock, 1_000, 100);
  await settled();
  assert.deepEqual(
    seen.map(({ left, trace: own, state }) => [left <= 30_000, own, state]),
    [
      [true, traceparent, "a=1"],
      [false, traceparent, "a=1"],
    ],
  );
});

test("what nobody can inherit is a mistake at the enqueue, as is a date that is none", async () => {
  const made = await bench({ inner: () => undefined });
  assert.throws(() => made.jobs.enqueue(inner, {}, { deadline: "inherit" }), /there is no deadline to inherit/);
  assert.throws(() => made.jobs.enqueue(inner, {}, { deadline: new Date(Number.NaN) }), /deadline is an invalid Date/);
});

test("a context that this version cannot read does not keep a job from running", async () => {
  let ran = 0;
  const made = await bench({ inner: () => void ran++ });
  const base = { name: "inner", priority: 5, payload: "{}" };
  const contexts = ["", "{", "null", "7", '{"deadline":"soon","traceparent":5}', '{"later":true}'];
  assert.ok((await made.session.enqueue(contexts.map((context) => ({ ...base, context })))).ok);
  await elapse(made.clock, 1_000, 100);
  assert.equal(ran, contexts.length);
});
