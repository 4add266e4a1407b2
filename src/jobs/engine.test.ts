import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { contract, discard, fault, fixed, implementContract, job, retryAfter } from "../contract/index.ts";
import { ok, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";

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

interface Call {
  readonly input: { readonly n: number };
  readonly signal: AbortSignal;
  readonly job: {
    readonly id: string;
    readonly attempt: number;
    readonly maxAttempts: number;
    readonly enqueuedAt: Date;
    readonly idempotencyKey: string;
    readonly fence: string;
  };
}

async function bench(run: (call: Call) => unknown, options?: JobBenchOptions): Promise<JobBench> {
  const made = await jobBench(demo, () => implementContract(demo, { handlers: { double: run as never } }), options);
  await made.engine.start();
  return made;
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

function fault1(result: Result<unknown, Fault>): Fault {
  assert.ok(!result.ok, "expected a fault");
  return result.fault;
}

/** Runs one job through all its attempts; its record, and what an awaiting caller got. */
async function ended(run: (call: Call) => unknown, options?: JobBenchOptions) {
  const made = await bench(run, options);
  const defects: unknown[] = [];
  made.events.on("defect", ({ error }) => defects.push(error));
  const ref = value(await made.jobs.enqueue(double, { n: 21 }));
  const awaited = ref.result();
  await elapse(made.clock, 60_000, 1_000);
  const info = value(await made.jobs.get(ref.id));
  assert.ok(info !== undefined);
  const result = info.finishedAt === undefined ? undefined : await awaited;
  assert.equal((await made.engine.drain()).outcome, "drained");
  return { ...made, ref, info, result, defects, codes: info.errors.map(({ code }) => code) };
}

test("an enqueued job runs, and its output can be awaited", async () => {
  const { info, result } = await ended(({ input }) => ({ n: input.n * 2 }));
  assert.deepEqual(result && value(result), { n: 42 });
  assert.deepEqual([info.state, info.attempt, info.errors.length], ["succeeded", 1, 0]);
});

test("a handler may be plain, async or a generator", async () => {
  const forms: ((call: Call) => unknown)[] = [
    ({ input }) => input,
    ({ input }) => ok(input),
    async ({ input }) => input,
    function* ({ input }) {
      return { n: yield* ok(input.n) };
    },
    async function* ({ input }) {
      return { n: yield* await Promise.resolve(ok(input.n)) };
    },
  ];
  for (const form of forms) {
    const { result } = await ended(form);
    assert.deepEqual(result && value(result), { n: 21 });
  }
});

test("a fault without a rule is retried after the backoff, until attempts are used up; the caller gets the last fault", async () => {
  const { info, result, codes } = await ended(({ job: { attempt } }) => {
    throw new Error(`attempt ${attempt}`);
  });
  assert.deepEqual([info.state, info.attempt, codes], ["failed", 3, ["INTERNAL", "INTERNAL", "INTERNAL"]]);
  assert.equal(fault1(result as never).code, "INTERNAL");
});

test("retryAfter waits as long as the fault said, not the backoff", async () => {
  const starts: number[] = [];
  const { clock, jobs, engine } = await bench(({ input }) => {
    starts.push(clock.now());
    return starts.length === 1 ? Busy({ wait: 3_000 }) : input;
  });
  const ref = value(await jobs.enqueue(double, { n: 1 }));
  await elapse(clock, 5_000, 100);
  assert.deepEqual(value(await ref.result()), { n: 1 });
  assert.equal((starts[1] ?? 0) - (starts[0] ?? 0), 3_000);
  await engine.drain();
});

test("discard ends the job at once, and the declared fault comes back with its data and kind", async () => {
  const { info, result } = await ended(() => Hopeless());
  assert.deepEqual([info.state, info.attempt], ["failed", 1]);
  const fault = fault1(result as never);
  assert.deepEqual([fault.code, fault.kind, fault.data], ["HOPELESS", "not_found", {}]);
});

test("the data of the last fault is what the awaiting caller gets", async () => {
  const { result } = await ended(() => Busy({ wait: 7 }));
  assert.deepEqual(fault1(result as never).data, { wait: 7 });
});

test("what a handler throws stays in the process: the job records an incident, the event has the error", async () => {
  const secret = new Error("password=hunter2");
  for (const form of [
    () => {
      throw secret;
    },
    async () => {
      throw secret;
    },
    () => Promise.reject(secret),
  ]) {
    const { info, defects } = await ended(form);
    assert.ok(!JSON.stringify(info).includes("hunter2"));
    assert.deepEqual(defects, [secret, secret, secret]);
  }
});

test("an output that does not fit its schema is a defect, not a result", async () => {
  const { info, result, defects } = await ended(() => ({ n: "many" }));
  assert.equal(info.state, "failed");
  assert.equal(fault1(result as never).code, "INTERNAL");
  assert.match(String(defects[0]), /The output of job "double" does not fit its schema/);
});

test("a fault that the job does not declare is a defect", async () => {
  const Stranger = fault("STRANGER", { kind: "conflict" });
  const { codes } = await ended(() => Stranger());
  assert.deepEqual(codes, ["INTERNAL", "INTERNAL", "INTERNAL"]);
});

test("a handler that takes too long is timed out, its signal aborts, and it is retried", async () => {
  const aborted: string[] = [];
  const { info, codes, result } = await ended(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted.push((signal.reason as Error).name);
          reject(signal.reason as Error);
        });
      }),
  );
  assert.deepEqual(aborted, ["TimeoutError", "TimeoutError", "TimeoutError"]);
  assert.deepEqual([info.state, codes], ["failed", ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]]);
  assert.equal(fault1(result as never).code, "DEADLINE_EXCEEDED");
});

test("the handler is told its attempt, a key that stays the same and a fence that grows", async () => {
  const seen: Call["job"][] = [];
  const { ref } = await ended((call) => {
    seen.push(call.job);
    return Busy({ wait: 0 });
  });
  assert.deepEqual(
    seen.map(({ id, attempt, maxAttempts }) => [id, attempt, maxAttempts]),
    [1, 2, 3].map((attempt) => [ref.id, attempt, 3]),
  );
  assert.equal(new Set(seen.map(({ idempotencyKey }) => idempotencyKey)).size, 1);
  const fences = seen.map(({ fence }) => fence);
  assert.equal(new Set(fences).size, 3);
  assert.deepEqual(fences.toSorted(), fences);
  assert.deepEqual(seen[0]?.enqueuedAt, new Date(Date.UTC(2026, 0, 1)));
});

test("a payload that no longer fits its schema is a failed attempt, and a deploy that accepts it lets the job succeed", async () => {
  const store = memoryStore();
  const before = await bench(() => ({ n: 0 }), { store });
  await before.engine.drain();
  const [receipt] = value(await before.session.enqueue([{ name: "double", priority: 5, payload: '{"m":1}' }]));
  const broken = value(await before.session.enqueue([{ name: "double", priority: 5, payload: '{"n":' }]))[0];
  await before.session.close();

  const old = await bench(({ input }) => input, { store, clock: before.clock });
  await elapse(old.clock, 5_000, 1_000);
  for (const id of [receipt?.id, broken?.id]) {
    const info = value(await old.jobs.get(id ?? ""));
    assert.deepEqual([info?.state, info?.attempt, info?.errors[0]?.code], ["scheduled", 1, "INVALID_PAYLOAD"]);
  }
  await old.engine.drain();
  await old.session.close();

  const wide = job("double", { input: { n: t.default(t.int(), 9), m: t.optional(t.int()) }, output: { n: t.int() } });
  const next = contract("demo.v1", { double: wide });
  const after = await jobBench(
    next,
    () => implementContract(next, { handlers: { double: ({ input }) => ({ n: input.n }) } }),
    { store, clock: old.clock },
  );
  await after.engine.start();
  await elapse(after.clock, 20_000, 1_000);
  assert.deepEqual(value(await after.jobs.ref(wide, receipt?.id ?? "").result()), { n: 9 });
  await after.engine.drain();
});

test("a payload that never fits uses up its attempts, and the caller learns what is wrong with it", async () => {
  const { jobs, session, clock, engine } = await bench(({ input }) => input);
  const [receipt] = value(await session.enqueue([{ name: "double", priority: 5, payload: '{"n":"secret-text"}' }]));
  await elapse(clock, 60_000, 1_000);
  const fault = fault1(await jobs.ref(double, receipt?.id ?? "").result());
  assert.equal(fault.code, "INVALID_PAYLOAD");
  assert.match(JSON.stringify(fault.data), /"pointer":"\/n"/);
  assert.ok(!JSON.stringify(value(await jobs.get(receipt?.id ?? ""))).includes("secret-text"));
  await engine.drain();
});

test("a failed job that is retried by hand runs again and counts on", async () => {
  let works = false;
  const { jobs, clock, engine } = await bench(({ input }) => (works ? input : Hopeless()));
  const ref = value(await jobs.enqueue(double, { n: 5 }));
  assert.equal(fault1(await ref.result()).code, "HOPELESS");
  works = true;
  assert.equal(value(await jobs.retry(ref.id)), "ready");
  await elapse(clock, 100);
  assert.deepEqual(value(await ref.result()), { n: 5 });
  assert.equal(value(await jobs.get(ref.id))?.attempt, 2);
  await engine.drain();
});

test("a result can be awaited after a restart, and by another process's reference", async () => {
  const store = memoryStore();
  const first = await bench(({ input }) => ({ n: input.n + 1 }), { store });
  const ref = value(await first.jobs.enqueue(double, { n: 1 }));
  value(await ref.result());
  const late = value(await first.jobs.enqueue(double, { n: 2 }, { delay: "1h" }));
  await first.engine.drain();
  await first.session.close();
  const second = await bench(({ input }) => ({ n: input.n + 10 }), { store, clock: first.clock });
  assert.deepEqual(value(await second.jobs.ref(double, ref.id).result()), { n: 2 });
  const awaited = second.jobs.ref(double, late.id).result();
  await elapse(second.clock, 3_600_000);
  assert.deepEqual(value(await awaited), { n: 12 });
  await second.engine.drain();
});

test("a crash counts its attempt, and the job runs again after the restart", async () => {
  const store = memoryStore();
  const attempts: number[] = [];
  const first = await bench(() => new Promise(() => undefined), { store });
  const ref = value(await first.jobs.enqueue(double, { n: 1 }));
  await settled();
  assert.equal(first.engine.active, 1);
  store.crash();
  first.engine.stop();
  const second = await bench(
    ({ input, job: { attempt } }) => {
      attempts.push(attempt);
      return input;
    },
    { store, clock: first.clock },
  );
  assert.deepEqual(value(await second.jobs.ref(double, ref.id).result()), { n: 1 });
  assert.deepEqual(attempts, [2]);
  await second.engine.drain();
});

test("a job whose attempts crashed away has failed, and says so", async () => {
  const store = memoryStore();
  let bench1 = await bench(() => new Promise(() => undefined), { store });
  const ref = value(await bench1.jobs.enqueue(double, { n: 1 }));
  for (let crash = 0; crash < 3; crash++) {
    await settled();
    store.crash();
    bench1.engine.stop();
    bench1 = await bench(() => new Promise(() => undefined), { store, clock: bench1.clock });
  }
  assert.equal(fault1(await bench1.jobs.ref(double, ref.id).result()).code, "JOB_CRASHED");
  await bench1.engine.drain();
});

test("a job that is not there, or has another name, is not found", async () => {
  const { jobs, session, engine } = await bench(({ input }) => input);
  assert.equal(fault1(await jobs.ref(double, "999").result()).code, "JOB_NOT_FOUND");
  assert.equal(value(await jobs.get("999")), undefined);
  await engine.drain();
  await session.close();
});

test("awaiting ends when the caller's signal aborts; the job does not", async () => {
  const { jobs, engine, clock } = await bench(({ input }) => input);
  const ref = value(await jobs.enqueue(double, { n: 1 }, { delay: "1m" }));
  const leave = new AbortController();
  const awaited = ref.result(leave.signal);
  await settled();
  leave.abort();
  assert.equal(fault1(await awaited).code, "CANCELLED");
  assert.equal(fault1(await ref.result(leave.signal)).code, "CANCELLED");
  await elapse(clock, 61_000);
  assert.deepEqual(value(await ref.result()), { n: 1 });
  await engine.drain();
});

test("each attempt is an event when somebody listens, and one that ended with a fault another", async () => {
  const { jobs, events, clock, engine } = await bench(({ input, job: { attempt } }) =>
    attempt === 1 ? Busy({ wait: 1 }) : input,
  );
  const seen: unknown[] = [];
  events.on("job.attempt", ({ name, attempt, to, fault }) => seen.push([name, attempt, to, fault?.code]));
  events.on("job.faulted", ({ attempt, to, fault }) => seen.push([attempt, to, fault?.code]));
  value(await jobs.enqueue(double, { n: 1 }));
  await elapse(clock, 100);
  assert.deepEqual(seen, [
    ["double", 1, "retry", "BUSY"],
    [1, "retry", "BUSY"],
    ["double", 2, "succeeded", undefined],
  ]);
  await engine.drain();
});

test("an outcome that the store refuses is offered again until it is taken", async () => {
  const store = memoryStore();
  let runs = 0;
  const { jobs, clock, events, engine } = await bench(
    ({ input }) => {
      runs++;
      store.breakDown("the disk is full");
      return input;
    },
    { store },
  );
  const trouble: string[] = [];
  events.on("store.trouble", ({ code }) => trouble.push(code));
  const ref = value(await jobs.enqueue(double, { n: 1 }));
  await elapse(clock, 10_000, 100);
  assert.ok(trouble.length > 3);
  store.breakDown(undefined);
  await elapse(clock, 10_000, 100);
  assert.deepEqual(value(await ref.result()), { n: 1 });
  assert.equal(runs, 1);
  assert.equal((await engine.drain()).unfinished, 0);
});

test("an error message is cut, and data that is too long is left out", async () => {
  const { info } = await ended(() => Busy({ wait: 1 }, "x".repeat(5_000)), { limits: { errorMessageChars: 100 } });
  assert.equal(info.errors[0]?.message.length, 100);
});

test("an output over the limit is a defect that says so", async () => {
  const { defects } = await ended(({ input }) => input, { limits: { resultBytes: 4 } });
  assert.match(String(defects[0]), /has 8 bytes as JSON, at most 4 are kept/);
});

test("a schema of another library that validates asynchronously is waited for, within the attempt's time", async () => {
  let answer: () => Promise<{ value: { n: number } }> = async () => ({ value: { n: 4 } });
  const foreign: StandardSchemaV1<{ n: number }> = {
    "~standard": { version: 1, vendor: "test", validate: () => answer() },
  };
  const slow = job("slow", { input: foreign, output: { n: t.int() }, timeout: "5s", retry: { attempts: 1 } });
  const other = contract("other.v1", { slow });
  let runs = 0;
  const { jobs, session, engine, clock } = await jobBench(other, () =>
    implementContract(other, { handlers: { slow: ({ input }) => (runs++, input) } }),
  );
  await engine.start();
  const enqueue = async () => value(await session.enqueue([{ name: "slow", priority: 5, payload: "{}" }]))[0]?.id ?? "";
  assert.deepEqual(value(await jobs.ref(slow, await enqueue()).result()), { n: 4 });
  answer = () => Promise.reject(new Error("the validator broke"));
  const broken = jobs.ref(slow, await enqueue()).result();
  await elapse(clock, 6_000);
  assert.equal(fault1(await broken).code, "INTERNAL");
  answer = () => new Promise(() => undefined);
  const never = await enqueue();
  await elapse(clock, 6_000);
  assert.equal(fault1(await jobs.ref(slow, never).result()).code, "DEADLINE_EXCEEDED");
  assert.equal(runs, 1);
  await engine.drain();
});
