import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fault, fixed, implementContract, job, snooze, type Contract } from "../contract/index.ts";
import { err, ok, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";

const Declined = fault("DECLINED", { kind: "conflict", data: { reason: t.string() } });
const NotReady = fault("NOT_READY", { kind: "unavailable" });

const order = job("order", {
  input: { id: t.int() },
  output: { text: t.string() },
  faults: [Declined, NotReady],
  retry: { attempts: 3, backoff: fixed("10s", { jitter: 0 }), on: { NOT_READY: snooze("5m") } },
  timeout: "1h",
  signals: { approved: { by: t.string() }, paid: { at: t.timestamp() } },
});
const shop = contract("shop.v1", { order });

type Call = Parameters<Parameters<typeof implementContract<typeof shop.members, never>>[1]["handlers"]["order"]>[0];

const hour = 3_600_000;
const day = 24 * hour;

async function bench(run: (call: Call) => unknown, options?: JobBenchOptions): Promise<JobBench> {
  const made = await jobBench(
    shop,
    (of: Contract) => implementContract(of, { handlers: { order: run as never } }),
    options,
  );
  await made.engine.start();
  return made;
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

/** Enqueues one order and lets so much time pass; what became of it. */
async function ran(run: (call: Call) => unknown, ms: number, options?: JobBenchOptions) {
  const made = await bench(run, options);
  const defects: string[] = [];
  const outcomes: string[] = [];
  const steps: string[] = [];
  made.events.on("defect", ({ error }) => defects.push(String(error)));
  made.events.on("job.attempt", ({ to, attempt }) => outcomes.push(`${to} ${attempt}`));
  made.events.on("job.step", ({ step }) => steps.push(step));
  const ref = value(await made.jobs.enqueue(order, { id: 7 }));
  await elapse(made.clock, ms, Math.max(1_000, ms / 50));
  const info = value(await made.jobs.get(ref.id));
  assert.ok(info !== undefined);
  return { ...made, ref, info, defects, outcomes, steps };
}

async function textOf({ ref, info }: Awaited<ReturnType<typeof ran>>): Promise<string> {
  assert.equal(info.state, "succeeded");
  return value(await ref.result()).text;
}

test("a step is carried out once, whatever the run does after it", async () => {
  let charges = 0;
  const done = await ran(async ({ job: run }) => {
    const receipt = await run.step("charge", () => ({ number: ++charges }));
    if (run.attempt < 3) throw new Error("later");
    return { text: `receipt ${receipt.number}` };
  }, 60_000);
  assert.equal(await textOf(done), "receipt 1");
  assert.deepEqual([charges, done.steps, done.outcomes], [1, ["charge"], ["retry 1", "retry 2", "succeeded 3"]]);
});

test("a step outlives the death of its process; one that had not answered runs again, with the same key", async () => {
  const store = memoryStore();
  const keys: string[] = [];
  let reserved = 0;
  const handler = async ({ job: run }: Call) => {
    await run.step("reserve", () => ++reserved);
    const charged = await run.step("charge", ({ idempotencyKey }) => {
      keys.push(idempotencyKey);
      return keys.length === 1 ? new Promise<string>(() => undefined) : "charged";
    });
    return { text: charged };
  };
  const first = await ran(handler, 0, { store });
  await settled();
  store.crash();
  const second = await bench(handler, { store, clock: first.clock });
  await settled();
  assert.deepEqual(value(await second.jobs.ref(order, first.ref.id).result()), { text: "charged" });
  assert.equal(reserved, 1);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.match(keys[0] ?? "", /^order-.*-charge$/);
});

test("a fault of a step holds through the sleeps of its attempt, and a retry runs the step again", async () => {
  let charges = 0;
  const done = await ran(async ({ job: run }) => {
    const charge = await run.step("charge", () =>
      ++charges < 3 ? err(Declined({ reason: `no ${charges}` })) : ok(charges),
    );
    await run.sleep("grace", "1h");
    if (!charge.ok) return charge.fault;
    return { text: `paid ${charge.value}` };
  }, 5 * hour);
  // Attempt 1 was declined once, and still was after the sleep. The sleep is over for the whole job.
  assert.equal(await textOf(done), "paid 3");
  assert.deepEqual(done.outcomes, ["snoozed 1", "retry 1", "retry 2", "succeeded 3"]);
  assert.deepEqual(
    done.info.errors.map(({ message }) => message),
    [Declined({ reason: "" }).message, Declined({ reason: "" }).message],
  );
});

test("a generator stops at a step's fault with yield*", async () => {
  const done = await ran(async function* ({ job: run }) {
    const paid = yield* await run.step(
      "charge",
      () => err(Declined({ reason: "stolen" })) as Result<number, ReturnType<typeof Declined>>,
    );
    return { text: String(paid) };
  }, 60_000);
  assert.equal(done.info.state, "failed");
  const result = await done.ref.result();
  assert.ok(!result.ok && result.fault.code === "DECLINED");
  assert.deepEqual(result.fault.data, { reason: "stolen" });
});

test("a rule that snoozes puts the job off without an attempt, and the step that was not ready runs again", async () => {
  const at: number[] = [];
  const done = await ran(async ({ job: run }) => {
    const report = await run.step("report", () => (at.push(run.attempt) < 6 ? err(NotReady()) : ok("ready")));
    return report.ok ? { text: report.value } : report.fault;
  }, hour);
  assert.equal(await textOf(done), "ready");
  assert.deepEqual(at, [1, 1, 1, 1, 1, 1]);
  assert.deepEqual([done.info.attempt, done.info.errors.length], [1, 0]);
});

test("a job cannot snooze for ever: after the limit its attempts count", async () => {
  const done = await ran(() => NotReady(), 2 * hour, { limits: { snoozeMs: hour } });
  assert.equal(done.info.state, "failed");
  assert.deepEqual(done.outcomes.slice(-3), ["retry 1", "retry 2", "failed 3"]);
  const snoozes = done.outcomes.filter((one) => one === "snoozed 1").length;
  assert.ok(snoozes > 6 && snoozes <= 12, `snoozed ${snoozes} times in an hour`);
});

test("a long sleep ends the run and frees its slot; what comes before it is given, not done, by the next", async () => {
  const runs: number[] = [];
  let welcomed = 0;
  const done = await ran(async ({ job: run }) => {
    await run.step("welcome", () => void welcomed++);
    await run.sleep("trial", "14d");
    runs.push(run.attempt);
    return { text: "reminded" };
  }, 13 * day);
  assert.deepEqual([done.info.state, done.info.attempt, done.engine.active], ["scheduled", 0, 0]);
  await elapse(done.clock, 2 * day, hour);
  assert.deepEqual(value(await done.ref.result()), { text: "reminded" });
  assert.deepEqual([welcomed, runs], [1, [1]]);
});

test("a short sleep stays in the process, and takes its time once", async () => {
  const done = await ran(async ({ job: run }) => {
    await run.sleep("breath", 800);
    return { text: "rested" };
  }, 500);
  assert.equal(done.engine.active, 1);
  await elapse(done.clock, 400, 100);
  assert.equal(value(await done.ref.result()).text, "rested");
  assert.deepEqual(done.outcomes, ["succeeded 1"]);
});

test("neither catch nor finally sees that a run was left, and steps beside a sleep end first", async () => {
  const seen: string[] = [];
  const done = await ran(async ({ job: run }) => {
    try {
      await Promise.all([
        run.sleep("trial", "1d"),
        run.step("a", async () => settled(3)).then(() => run.step("b", () => void seen.push("b"))),
      ]);
      return { text: "after" };
    } catch {
      seen.push("catch");
      return { text: "caught" };
    } finally {
      seen.push("finally");
    }
  }, hour);
  assert.deepEqual([seen, done.steps, done.info.state], [["b"], ["a", "b"], "scheduled"]);
  await elapse(done.clock, day, hour);
  assert.deepEqual(value(await done.ref.result()), { text: "after" });
  assert.deepEqual(seen, ["b", "finally"]);
});

test("a signal ends a wait, checked and decoded by the schema that the job declares", async () => {
  const done = await ran(async function* ({ job: run }) {
    const { by } = yield* await run.waitFor("approved", { timeout: "3d" });
    const { at } = yield* await run.waitFor("paid");
    return { text: `${by} ${at.toISOString()}` };
  }, hour);
  assert.deepEqual([done.info.state, done.info.attempt, done.engine.active], ["waiting", 0, 0]);
  const wrong = await done.jobs.signal(order, done.ref.id, "approved", { by: 7 } as never);
  assert.ok(!wrong.ok && wrong.fault.code === "INVALID_INPUT");
  // Before it is waited for, and twice: the first counts.
  value(await done.jobs.signal(order, done.ref.id, "paid", { at: new Date(0) }));
  value(await done.jobs.signal(order, done.ref.id, "paid", { at: new Date(1) }));
  assert.equal(value(await done.jobs.signal(order, done.ref.id, "approved", { by: "ada" })), "ready");
  assert.deepEqual(value(await done.ref.result()), { text: "ada 1970-01-01T00:00:00.000Z" });
  assert.equal(value(await done.jobs.signal(order, done.ref.id, "approved", { by: "eve" })), undefined);
});

test("a wait that is over stays over: the fault is typed, and a signal that comes later changes nothing", async () => {
  const faults: (string | undefined)[] = [];
  const done = await ran(async ({ job: run }) => {
    const approved = await run.waitFor("approved", { timeout: "1d" });
    faults.push(approved.ok ? undefined : `${approved.fault.code} ${approved.fault.data.signal}`);
    await run.sleep("appeal", "1d");
    return { text: approved.ok ? "yes" : "no" };
  }, 1.5 * day);
  assert.deepEqual(faults, ["SIGNAL_TIMED_OUT approved"]);
  value(await done.jobs.signal(order, done.ref.id, "approved", { by: "late" }));
  await elapse(done.clock, 2 * day, hour);
  assert.deepEqual(value(await done.ref.result()), { text: "no" });
  assert.deepEqual(faults, ["SIGNAL_TIMED_OUT approved", "SIGNAL_TIMED_OUT approved"]);
});

test("a handler may let a timed-out wait pass without declaring it, and the awaiting caller gets it", async () => {
  const done = await ran(async function* ({ job: run }) {
    const { by } = yield* await run.waitFor("approved", { timeout: 5_000 });
    return { text: by };
  }, hour);
  const result = await done.ref.result();
  assert.ok(!result.ok && result.fault.code === "SIGNAL_TIMED_OUT");
});

test("progress is seen from outside, the latest of it", async () => {
  const gate = Promise.withResolvers<void>();
  const done = await ran(async ({ job: run }) => {
    for (let n = 0; n <= 10; n++) run.progress({ done: n, of: 10 });
    await gate.promise;
    return { text: "" };
  }, 0);
  await settled();
  assert.deepEqual(value(await done.jobs.get(done.ref.id))?.progress, { done: 10, of: 10 });
  gate.resolve();
  assert.ok((await done.ref.result()).ok);
});

test("mistakes with steps are defects with a sentence that says what to do", async () => {
  const mistakes: [(call: Call) => Promise<unknown>, RegExp][] = [
    [
      async ({ job: run }) => {
        await run.step("same", () => 1);
        await run.step("same", () => 2);
      },
      /job\.step\("same"\) was called twice in one run of job "order".* put an id into it/,
    ],
    [async ({ job: run }) => run.step("date", () => new Date()), /is no JSON: an instance of Date.*\{ output: t/],
    [async ({ job: run }) => run.step("nan", () => ({ a: [1, Number.NaN] })), /is no JSON at \/a\/1: NaN/],
    [async ({ job: run }) => run.step("", () => 1), /name of 1 to 150 characters/],
    [async ({ job: run }) => run.sleep("ever", "500d"), /at most 366 days, not 500/],
    [async ({ job: run }) => run.waitFor("nobody" as never), /declares no signal "nobody"/],
    [async ({ job: run }) => run.progress("x".repeat(5_000)), /1 to 4096 characters/],
    [
      async ({ job: run }) => {
        for (let n = 0; n <= 1_000; n++) await run.step(`n${n}`, () => n);
      },
      /more than 1000 steps, sleeps and waits/,
    ],
  ];
  for (const [mistake, message] of mistakes) {
    const { defects } = await ran(mistake, 0);
    await settled(2_500);
    assert.match(defects[0] ?? "", message);
  }
});

test("a step keeps more than JSON by a schema, and every run reads it alike", async () => {
  const read: unknown[] = [];
  const done = await ran(async ({ job: run }) => {
    const at = await run.step("when", () => new Date(86_400_000), { output: t.timestamp() });
    read.push(at);
    await run.sleep("while", "1h");
    return { text: at.toISOString() };
  }, 2 * hour);
  assert.equal(await textOf(done), "1970-01-02T00:00:00.000Z");
  assert.deepEqual(read, [new Date(86_400_000), new Date(86_400_000)]);
});
