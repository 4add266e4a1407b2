import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contract, implementContract, job } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";

const plain = job("plain", { input: { n: t.int(), text: t.default(t.string(), "-") }, priority: 3 });
const whole = job("whole", { input: { a: t.optional(t.int()), b: t.optional(t.map(t.int())) }, unique: true });
const keyed = job("keyed", { input: { id: t.int(), note: t.default(t.string(), "") }, unique: ({ id }) => `id-${id}` });
const demo = contract("demo.v1", { plain, whole, keyed });
const seen: unknown[] = [];

function bench(options?: JobBenchOptions): Promise<JobBench> {
  seen.length = 0;
  const handler = ({ input }: { input: unknown }) => void seen.push(input);
  return jobBench(
    demo,
    () => implementContract(demo, { handlers: { plain: handler, whole: handler, keyed: handler } }),
    options,
  );
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

test("an input is checked before anything is stored, and its defaults are filled in", async () => {
  const { jobs, session, engine } = await bench();
  const refused = await jobs.enqueue(plain, { n: 1.5 });
  assert.ok(!refused.ok && refused.fault.code === "INVALID_INPUT");
  assert.deepEqual(
    refused.fault.data.issues.map(({ pointer }) => pointer),
    ["/n"],
  );
  const ref = value(await jobs.enqueue(plain, { n: 1, more: "dropped" } as { n: number }));
  assert.equal(value(await session.get(ref.id))?.payload, '{"n":1,"text":"-"}');
  assert.equal(value(await session.counts()).ready, 1);
  await engine.start();
  await settled();
  assert.deepEqual(seen, [{ n: 1, text: "-" }]);
  await engine.drain();
});

test("a payload over the limit is refused with its size", async () => {
  const { jobs } = await bench({ limits: { payloadBytes: 100 } });
  const fits = await jobs.enqueue(plain, { n: 1, text: "x".repeat(83) });
  assert.ok(fits.ok);
  for (const text of ["x".repeat(84), "ä".repeat(42), "€".repeat(28)]) {
    const refused = await jobs.enqueue(plain, { n: 1, text });
    assert.ok(!refused.ok && refused.fault.code === "INVALID_INPUT");
    assert.match(refused.fault.message, /has 101 bytes as JSON; a job's payload has at most 100/);
  }
});

test("priority: the job's, or the call's", async () => {
  const { jobs } = await bench();
  assert.equal(value(await jobs.get(value(await jobs.enqueue(plain, { n: 1 })).id))?.priority, 3);
  assert.equal(value(await jobs.get(value(await jobs.enqueue(plain, { n: 1 }, { priority: 9 })).id))?.priority, 9);
  assert.throws(() => void jobs.enqueue(plain, { n: 1 }, { priority: 10 }), /priority is a whole number from 0/);
});

test("a delayed job runs when its time has come, not before", async () => {
  const { jobs, engine, clock } = await bench();
  await engine.start();
  const delayed = value(await jobs.enqueue(plain, { n: 1 }, { delay: "10s" }));
  value(await jobs.enqueue(plain, { n: 2 }, { at: new Date(clock.now() + 20_000) }));
  value(await jobs.enqueue(plain, { n: 3 }, { at: new Date(0) }));
  const info = value(await jobs.get(delayed.id));
  assert.deepEqual([info?.state, info?.runAt], ["scheduled", new Date(clock.now() + 10_000)]);
  const ns = () => seen.map((input) => (input as { n: number }).n);
  await elapse(clock, 9_900);
  assert.deepEqual(ns(), [3]);
  await elapse(clock, 200);
  assert.deepEqual(ns(), [3, 1]);
  await elapse(clock, 10_000);
  assert.deepEqual(ns(), [3, 1, 2]);
  await engine.drain();
});

test("wrong options are a TypeError that says what to do", async () => {
  const { jobs } = await bench();
  assert.throws(
    () => void jobs.enqueue(plain, { n: 1 }, { delay: "1s", at: new Date() }),
    /give delay or at, not both/,
  );
  assert.throws(() => void jobs.enqueue(plain, { n: 1 }, { at: new Date("never") }), /at is an invalid Date/);
  assert.throws(() => void jobs.enqueue(plain, { n: 1 }, { delay: "soon" }), /is not a duration/);
  const stranger = job("stranger", { input: {} });
  assert.throws(() => void jobs.enqueue(stranger, {}), /job\("stranger"\) is not in the app's contract/);
  const twin = job("plain", { input: { n: t.int() } });
  assert.throws(() => void jobs.enqueue(twin, { n: 1 }), /not in the app's contract/);
});

test("enqueues of one turn reach the store as one batch, and each gets its own answer", async () => {
  const { jobs, session } = await bench();
  const batches: number[] = [];
  const enqueue = session.enqueue.bind(session);
  session.enqueue = (records) => {
    batches.push(records.length);
    return enqueue(records);
  };
  const refs = await Promise.all(Array.from({ length: 100 }, (_, n) => jobs.enqueue(plain, { n })));
  assert.deepEqual(batches, [100]);
  for (const [n, ref] of refs.entries()) {
    assert.match(value(await session.get(value(ref).id))?.payload ?? "", new RegExp(`"n":${n},`));
  }
});

test("a refused batch refuses every call in it", async () => {
  const store = memoryStore();
  const { jobs } = await bench({ store, maxWaiting: 3 });
  const full = await Promise.all([1, 2, 3, 4].map((n) => jobs.enqueue(plain, { n })));
  assert.deepEqual(
    full.map((result) => !result.ok && result.fault.code),
    Array(4).fill("QUEUE_FULL"),
  );
  value(await jobs.enqueueMany(plain, [{ n: 1 }, { n: 2 }, { n: 3 }]));
  const one = await jobs.enqueue(plain, { n: 4 });
  assert.ok(!one.ok && one.fault.code === "QUEUE_FULL" && one.fault.data.limit === 3);
  store.breakDown("the disk is full");
  const gone = await jobs.enqueue(plain, { n: 5 });
  assert.ok(!gone.ok && gone.fault.code === "STORE_UNAVAILABLE");
});

test("a store that throws refuses the calls of that batch and harms nobody else", async () => {
  const { jobs, session } = await bench();
  const enqueue = session.enqueue.bind(session);
  session.enqueue = () => {
    throw new TypeError("The payload is longer than this store keeps.");
  };
  const refused = await jobs.enqueue(plain, { n: 1 });
  assert.ok(!refused.ok && refused.fault.code === "STORE_UNAVAILABLE");
  assert.match(refused.fault.message, /longer than this store keeps/);
  session.enqueue = enqueue;
  assert.ok((await jobs.enqueue(plain, { n: 1 })).ok);
});

test("enqueueMany is all or nothing, and says which input is wrong", async () => {
  const { jobs } = await bench();
  const wrong = await jobs.enqueueMany(plain, [{ n: 1 }, { n: 2 }, { n: 0.5 }]);
  assert.ok(!wrong.ok && wrong.fault.code === "INVALID_INPUT");
  assert.equal(wrong.fault.data.issues[0]?.pointer, "/2/n");
  assert.equal(value(await jobs.counts()).ready, 0);
  assert.deepEqual(value(await jobs.enqueueMany(plain, [])), []);
  const refs = value(
    await jobs.enqueueMany(
      plain,
      Array.from({ length: 1_234 }, (_, n) => ({ n })),
    ),
  );
  assert.equal(new Set(refs.map(({ id }) => id)).size, 1_234);
  await assert.rejects(jobs.enqueueMany(plain, Array(100_001).fill({ n: 1 })), /at most 100000 inputs/);
});

test("unique: true makes the whole input the key, however it is written", async () => {
  const { jobs, engine } = await bench();
  const first = value(await jobs.enqueue(whole, { a: 1, b: { x: 1, y: 2 } }));
  const again = value(await jobs.enqueue(whole, { b: { y: 2, x: 1 }, a: 1 }));
  assert.deepEqual([again.id, again.duplicate], [first.id, true]);
  const other = value(await jobs.enqueue(whole, { a: 2 }));
  assert.equal(other.duplicate, false);
  await engine.start();
  await settled();
  assert.equal(value(await jobs.enqueue(whole, { a: 2 })).duplicate, false);
  await engine.drain();
});

test("a key function sees the decoded input; keys of different jobs are different", async () => {
  const { jobs } = await bench();
  const first = value(await jobs.enqueue(keyed, { id: 7 }));
  assert.equal(value(await jobs.enqueue(keyed, { id: 7, note: "later" })).id, first.id);
  assert.equal(value(await jobs.enqueue(keyed, { id: 8 })).duplicate, false);
  assert.equal(value(await jobs.enqueue(plain, { n: 1 }, { uniqueKey: "id-7" })).duplicate, false);
  assert.equal(value(await jobs.enqueue(plain, { n: 2 }, { uniqueKey: "id-7" })).duplicate, true);
  assert.equal(value(await jobs.enqueue(keyed, { id: 7 }, { uniqueKey: "other" })).duplicate, false);
});

test("an awaited duplicate gets the result of the job that is there", async () => {
  const { jobs, engine } = await bench();
  const refs = value(await jobs.enqueueMany(keyed, [{ id: 1 }, { id: 1 }, { id: 1 }]));
  assert.deepEqual(
    refs.map(({ duplicate }) => duplicate),
    [false, true, true],
  );
  await engine.start();
  for (const ref of refs) assert.equal((await ref.result()).ok, true);
  assert.equal(seen.length, 1);
  await engine.drain();
});

test("a key as long as it likes works", async () => {
  const { jobs, session } = await bench();
  const first = value(await jobs.enqueue(plain, { n: 1 }, { uniqueKey: "k".repeat(100_000) }));
  assert.match(value(await session.get(first.id))?.uniqueKey ?? "", /^sha256:/);
  assert.equal(value(await jobs.enqueue(plain, { n: 1 }, { uniqueKey: "k".repeat(100_000) })).duplicate, true);
  assert.equal(value(await jobs.enqueue(plain, { n: 1 }, { uniqueKey: "k".repeat(100_001) })).duplicate, false);
});

test("a prepared job is the record that a transaction stores, checked", async () => {
  const { jobs } = await bench();
  const prepared = value(await jobs.prepare(keyed, { id: 1 }, { delay: "1s", priority: 0 }));
  assert.equal(prepared.job, keyed);
  assert.deepEqual(prepared.record, {
    name: "keyed",
    priority: 0,
    payload: '{"id":1,"note":""}',
    delayMs: 1_000,
    uniqueKey: "id-1",
  });
  const wrong = await jobs.prepare(keyed, { id: 0.5 });
  assert.equal(!wrong.ok && wrong.fault.code, "INVALID_INPUT");
});

test("what operators see never holds the payload", async () => {
  const { jobs } = await bench();
  value(await jobs.enqueue(plain, { n: 1, text: "hunter2" }));
  const [info] = value(await jobs.list());
  assert.ok(info !== undefined);
  assert.deepEqual(Object.keys(info).toSorted(), [
    "attempt",
    "enqueuedAt",
    "errors",
    "finishedAt",
    "id",
    "key",
    "name",
    "priority",
    "progress",
    "runAt",
    "state",
    "tenant",
  ]);
  assert.ok(!JSON.stringify(info).includes("hunter2"));
});

test("whatever is enqueued arrives as it was", async () => {
  const { jobs, engine } = await bench();
  await engine.start();
  await fc.assert(
    fc.asyncProperty(fc.maxSafeInteger(), fc.string({ unit: "grapheme" }), async (n, text) => {
      seen.length = 0;
      const ref = value(await jobs.enqueue(plain, { n, text }));
      assert.ok((await ref.result()).ok);
      assert.deepEqual(seen, [{ n: n === 0 ? 0 : n, text }]);
    }),
    { numRuns: 100 },
  );
  await engine.drain();
});
