import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, implementContract, job, StoreUnavailable, type Jobs } from "../contract/index.ts";
import { manualClock, type Fault, type ManualClock, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";
import { createJobs, type Store, type StoreSession } from "./index.ts";
import { Events } from "../telemetry/index.ts";

const bounded = job("bounded", { input: { n: t.int() }, backPressure: { depth: 3 } });
const timely = job("timely", { input: {}, backPressure: { age: "5m" } });
const free = job("free", { input: {} });
const demo = contract("demo.v1", { bounded, free });
const timed = contract("timed.v1", { timely });

/** A session whose backlog the test says, counting how often it is asked. */
interface Said {
  ready: number;
  readySince?: number | undefined;
  asked: number;
  fails?: boolean;
  /** The name of a job of which nothing waits. */
  empty?: string;
}

async function saying(
  clock: ManualClock,
  of = demo as typeof demo | typeof timed,
): Promise<{ jobs: Jobs; said: Said }> {
  const opened = await (memoryStore() as Store).open({
    clock,
    retention: { succeeded: keep, failed: keep, cancelled: keep },
    maxWaiting: 1_000_000,
    maxAttempts: () => 5,
  });
  assert.ok(opened.ok);
  const said: Said = { ready: 0, asked: 0 };
  const session: StoreSession = opened.value;
  session.backlog = async ([name]) => {
    said.asked++;
    if (name === said.empty) return { ok: true, value: { unstarted: 0, ready: 0, readySince: undefined } } as never;
    if (said.fails === true) return { ok: false, fault: StoreUnavailable({ reason: "gone" }) } as never;
    return { ok: true, value: { unstarted: said.ready, ready: said.ready, readySince: said.readySince } } as never;
  };
  return { jobs: createJobs({ contract: of, session, clock, events: new Events() }), said };
}

const keep = { ageMs: Infinity, count: 1_000 };

function code(result: Result<unknown, Fault>): string {
  return result.ok ? "ok" : result.fault.code;
}

test("a full queue refuses, and lets in again when jobs have begun", async () => {
  const made = await jobBench(demo, () => implementContract(demo, { handlers: { bounded: () => {}, free: () => {} } }));
  const { jobs, clock } = made;
  const codes: string[] = [];
  for (let n = 0; n < 5; n++) codes.push(code(await jobs.enqueue(bounded, { n })));
  assert.deepEqual(codes, ["ok", "ok", "ok", "QUEUE_FULL", "QUEUE_FULL"]);
  assert.equal(code(await jobs.enqueue(free, {})), "ok");
  assert.equal(code(await jobs.enqueue(bounded, { n: 9 }, { backPressure: false })), "ok");
  await made.engine.start();
  await elapse(clock, 300);
  assert.equal(code(await jobs.enqueue(bounded, { n: 10 })), "ok");
  await made.engine.drain();
});

test("those who come together are counted together, and the store is asked once for all of them", async () => {
  const { jobs, said } = await saying(manualClock());
  const results = await Promise.all(Array.from({ length: 10 }, (_, n) => jobs.enqueue(bounded, { n })));
  assert.deepEqual(
    results.map(code),
    Array.from({ length: 10 }, (_, n) => (n < 3 ? "ok" : "QUEUE_FULL")),
  );
  assert.equal(said.asked, 1);
});

test("a reading holds for a quarter of a second; what was let in since is read anew rather than refused", async () => {
  const clock = manualClock();
  const { jobs, said } = await saying(clock);
  for (let n = 0; n < 3; n++) assert.equal(code(await jobs.enqueue(bounded, { n })), "ok");
  assert.equal(said.asked, 1);
  // All three have begun meanwhile.
  await clock.advance(10);
  assert.equal(code(await jobs.enqueue(bounded, { n: 4 })), "ok");
  assert.equal(said.asked, 2);
  said.ready = 3;
  await clock.advance(251);
  for (let n = 0; n < 100; n++) assert.equal(code(await jobs.enqueue(bounded, { n })), "QUEUE_FULL");
  assert.equal(said.asked, 3);
});

test("a call with many finds room for all of them, or for none", async () => {
  const { jobs, said } = await saying(manualClock());
  const inputs = Array.from({ length: 10 }, (_, n) => ({ n }));
  assert.equal(code(await jobs.enqueueMany(bounded, inputs)), "ok");
  assert.equal(code(await jobs.enqueueMany(bounded, inputs)), "QUEUE_FULL");
  assert.equal(code(await jobs.enqueueMany(bounded, inputs, { backPressure: false })), "ok");
  assert.equal(code(await jobs.enqueueMany(bounded, [])), "ok");
  said.ready = 0;
});

test("a graph and a batch ask for room before anything is written, and come in whole or not at all", async () => {
  const { jobs, said } = await saying(manualClock());
  const graph = jobs.graph();
  const first = graph.add(bounded, { n: 1 });
  graph.add(free, {});
  graph.add(bounded, { n: 2 }, { after: [first] });
  assert.equal(code(await graph.enqueue()), "ok");
  const last = { job: free, input: {} };
  // One is ready, one waits for it: there is room for a batch, and then for nothing.
  assert.equal(code(await jobs.batch(bounded, [{ n: 3 }, { n: 4 }], last)), "ok");
  const refused = jobs.graph();
  refused.add(free, {});
  refused.add(bounded, { n: 5 });
  assert.equal(code(await refused.enqueue()), "QUEUE_FULL");
  assert.equal(code(await jobs.batch(bounded, [{ n: 6 }], last)), "QUEUE_FULL");
  assert.equal(code(await jobs.batch(free, [{}], { job: bounded, input: { n: 7 } })), "QUEUE_FULL");
  const counts = await jobs.counts();
  // Two of each: in the first graph, and the batch with its last.
  assert.deepEqual(counts.ok && [counts.value.ready, counts.value.waiting], [4, 2]);
  assert.equal(code(await jobs.batch(bounded, [{ n: 8 }], last, { backPressure: false })), "ok");
  said.ready = 0;
});

test("a graph that one full queue refuses takes no room in the others", async () => {
  const wide = job("wide", { input: {}, backPressure: { depth: 1 } });
  const { jobs, said } = await saying(manualClock(), contract("wide.v1", { wide, bounded }) as never);
  said.ready = 3;
  said.empty = "wide";
  const graph = jobs.graph();
  graph.add(wide, {});
  graph.add(bounded, { n: 4 });
  assert.equal(code(await graph.enqueue()), "QUEUE_FULL");
  assert.equal(code(await jobs.enqueue(wide, {})), "ok");
  assert.equal(code(await jobs.enqueue(wide, {})), "QUEUE_FULL");
});

test("jobs that wait too long refuse too, and say for how long", async () => {
  const clock = manualClock();
  const { jobs, said } = await saying(clock, timed);
  said.ready = 1;
  said.readySince = clock.now() - 300_000;
  assert.equal(code(await jobs.enqueue(timely, {})), "ok");
  await clock.advance(30_000);
  const refused = await jobs.enqueue(timely, {});
  assert.ok(!refused.ok && refused.fault.code === "QUEUE_FULL");
  assert.deepEqual(refused.fault.data, { limit: 300_000, retryAfterMs: 30_000 });
  assert.match(refused.fault.message, /"timely" wait longer than 300000 ms/);
});

test("retryAfterMs follows the rate at which jobs begin, between a second and a minute", async () => {
  const clock = manualClock();
  const deep = job("deep", { input: {}, backPressure: { depth: 1_000 } });
  const { jobs, said } = await saying(clock, contract("deep.v1", { deep }) as never);
  const retryAfter = async (): Promise<number> => {
    const refused = await jobs.enqueue(deep, {});
    assert.ok(!refused.ok && refused.fault.code === "QUEUE_FULL");
    return refused.fault.data.retryAfterMs;
  };
  said.ready = 3_000;
  assert.equal(await retryAfter(), 1_000);
  // A hundred in a second: to a tenth below the depth it is 2,000 more.
  await clock.advance(1_000);
  said.ready = 2_900;
  assert.equal(await retryAfter(), 20_000);
  await clock.advance(1_000);
  said.ready = 500_000;
  assert.equal(await retryAfter(), 60_000);
});

test("where the store does not answer, nothing is refused here: it refuses by itself, and says why", async () => {
  const { jobs, said } = await saying(manualClock());
  said.fails = true;
  assert.equal(code(await jobs.enqueue(bounded, { n: 1 })), "ok");
});

test("a bound that bounds nothing, or that the store cannot keep, is found early", async () => {
  assert.throws(() => job("x", { input: {}, backPressure: {} }), /neither depth nor age/);
  assert.throws(
    () => job("x", { input: {}, backPressure: { depth: 0 } }),
    /backPressure\.depth is a whole number from 1/,
  );
});
