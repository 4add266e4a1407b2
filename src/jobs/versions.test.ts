import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fixed, implementContract, job, type Contract } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore, type MemoryStore } from "../testing/index.ts";

const retry = { attempts: 2, backoff: fixed("1s", { jitter: 0 }) };
const mail1 = job("mail", { input: { to: t.string() }, retry });
const mail3 = job("mail", {
  input: { to: t.array(t.string()), sent: t.optional(t.timestamp()), urgent: t.boolean() },
  retry,
  version: 3,
  upcast: {
    1: (old) => ({ to: [(old as { to: string }).to] }),
    2: (old) => ({ ...(old as { to: string[] }), sent: new Date(0), urgent: false }),
  },
});
const v1 = contract("mail.v1", { mail: mail1 });
const v3 = contract("mail.v1", { mail: mail3 });

async function bench(of: Contract, given?: JobBenchOptions): Promise<JobBench & { seen: unknown[] }> {
  const seen: unknown[] = [];
  const handlers = { mail: ({ input }: { input: unknown }) => void seen.push(input) } as never;
  return Object.assign(await jobBench(of, () => implementContract(of, { handlers }), given), { seen });
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

/** Enqueues with one version of the code. */
async function enqueued(store: MemoryStore, of: Contract, enqueue: (bench: JobBench) => Promise<unknown>) {
  const made = await bench(of, { store });
  await enqueue(made);
  await made.session.close();
  return made.clock;
}

test("what old code has enqueued is brought up to date, step by step", async () => {
  const store = memoryStore();
  const clock = await enqueued(store, v1, async ({ jobs }) => value(await jobs.enqueue(mail1, { to: "Ann" })));
  const { engine, seen } = await bench(v3, { store, clock });
  await engine.start();
  await elapse(clock, 100);
  assert.deepEqual(seen, [{ to: ["Ann"], sent: new Date(0), urgent: false }]);
  await engine.drain();
});

test("the version is kept beside the payload, from 2 on, and a payload of now is not touched", async () => {
  const store = memoryStore();
  const made = await bench(v3, { store });
  const { id } = value(await made.jobs.enqueue(mail3, { to: ["Bob"], urgent: true }, { deadline: "1h" }));
  assert.match(value(await made.session.get(id))?.context ?? "", /"version":3/);
  const prepared = value(await made.jobs.prepare(mail3, { to: [], urgent: true }));
  assert.equal(prepared.record.context, '{"version":3}');
  await made.engine.start();
  await elapse(made.clock, 100);
  assert.deepEqual(made.seen, [{ to: ["Bob"], urgent: true }]);
  await made.engine.drain();
  const old = await bench(v1);
  assert.equal(value(await old.jobs.prepare(mail1, { to: "Ann" })).record.context, undefined);
});

test("a payload that is newer than the code is kept, without using up attempts, until the code is there", async () => {
  const store = memoryStore();
  const clock = await enqueued(store, v3, async ({ jobs }) =>
    value(await jobs.enqueue(mail3, { to: ["Cid"], urgent: true })),
  );
  const old = await bench(v1, { store, clock });
  const heard: unknown[] = [];
  old.events.on("job.attempt", ({ to, fault }) => heard.push([to, fault?.code, fault?.message]));
  await old.engine.start();
  await elapse(clock, 30_000, 500);
  const [info] = value(await old.jobs.list());
  assert.deepEqual([info?.state, info?.attempt, old.seen.length], ["scheduled", 0, 0]);
  assert.deepEqual(heard[0], [
    "snoozed",
    "PAYLOAD_NEWER",
    "The payload was written in version 3 of the job's input, and this process knows 1. Deploy the newer version here too.",
  ]);
  await old.engine.drain();
  await old.session.close();
  const made = await bench(v3, { store, clock });
  await made.engine.start();
  await elapse(clock, 60_000, 5_000);
  assert.deepEqual(made.seen, [{ to: ["Cid"], urgent: true }]);
  await made.engine.drain();
});

test("a step that throws is a defect, and an answer that does not fit is INVALID_PAYLOAD: both by the retry policy", async () => {
  const broken = (step: (old: unknown) => never | object): Contract =>
    contract("mail.v1", {
      mail: job("mail", { input: { to: t.int() }, retry, version: 2, upcast: { 1: step as never } }),
    });
  const throws = broken(() => {
    throw new Error("no idea");
  });
  for (const [of, code] of [
    [throws, "INTERNAL"],
    [broken(() => ({ to: "text" })), "INVALID_PAYLOAD"],
  ] as const) {
    const store = memoryStore();
    const clock = await enqueued(store, v1, async ({ jobs }) => value(await jobs.enqueue(mail1, { to: "Ann" })));
    const { engine, jobs, seen } = await bench(of, { store, clock });
    await engine.start();
    await elapse(clock, 5_000);
    const [info] = value(await jobs.list());
    assert.deepEqual([info?.state, info?.errors.map((error) => error.code), seen], ["failed", [code, code], []]);
    await engine.drain();
  }
});

test("a version without a step for the old form leaves it to the schema", async () => {
  const store = memoryStore();
  const clock = await enqueued(store, v1, async ({ jobs }) => value(await jobs.enqueue(mail1, { to: "Ann" })));
  const wider = job("mail", { input: { to: t.string(), cc: t.default(t.string(), "-") }, version: 2 });
  const { engine, seen } = await bench(contract("mail.v1", { mail: wider }), { store, clock });
  await engine.start();
  await elapse(clock, 100);
  assert.deepEqual(seen, [{ to: "Ann", cc: "-" }]);
  await engine.drain();
});

test("steps that lead nowhere are found when the job is declared", () => {
  const declared = (version: number, upcast: object) => () =>
    job("mail", { input: {}, version, upcast: upcast as never });
  const step = (old: unknown): unknown => old;
  assert.throws(declared(0, {}), /version is a whole number from 1 to 999, not 0/);
  assert.throws(declared(2, { 2: step }), /a step from version 2, and version is 2\. Steps go from 1 to 1/);
  assert.throws(declared(4, { 1: step, 3: step }), /lacks the step from version 2 to 3/);
  assert.throws(declared(4, { 2: step }), /lacks the step from version 3 to 4/);
  assert.doesNotThrow(declared(4, { 3: step }));
});
