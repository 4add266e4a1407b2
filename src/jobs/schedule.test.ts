import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, implementContract, job } from "../contract/index.ts";
import type { Fault, Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBench, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore } from "../testing/index.ts";

const hour = 3_600_000;
const tick = job("tick", { input: { why: t.string() }, schedule: { cron: "0 * * * *", input: { why: "hourly" } } });
const demo = contract("demo.v1", { tick });

interface ScheduleBench extends JobBench {
  /** Hours since the start of 2026 at which the job ran. */
  readonly ran: number[];
}

async function bench(options: JobBenchOptions = {}): Promise<ScheduleBench> {
  const ran: number[] = [];
  const start = Date.UTC(2026, 0, 1);
  const made: JobBench = await jobBench(
    demo,
    () => implementContract(demo, { handlers: { tick: () => void ran.push((made.clock.now() - start) / hour) } }),
    options,
  );
  await made.engine.start();
  return { ...made, ran };
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

const rounded = (hours: readonly number[]): number[] => hours.map((at) => Math.round(at * 100) / 100);

async function end({ engine, session }: JobBench): Promise<void> {
  await engine.drain();
  await session.close();
}

test("a schedule enqueues its job at each occurrence, once", async () => {
  const made = await bench();
  await elapse(made.clock, 3.5 * hour, 60_000);
  assert.deepEqual(rounded(made.ran), [1, 2, 3]);
  assert.deepEqual([...value(await made.session.occurrences())], [["tick", Date.UTC(2026, 0, 1, 3)]]);
  await end(made);
});

test("a restart within the hour fires nothing twice", async () => {
  const store = memoryStore();
  const first = await bench({ store });
  await elapse(first.clock, 1.2 * hour, 60_000);
  assert.deepEqual(rounded(first.ran), [1]);
  await end(first);
  const second = await bench({ store, clock: first.clock });
  await elapse(second.clock, hour, 60_000);
  assert.deepEqual(rounded(second.ran), [2]);
  await end(second);
});

test("of what was missed while nothing ran, only the latest is caught up", async () => {
  const store = memoryStore();
  const first = await bench({ store });
  await elapse(first.clock, 1.5 * hour, 60_000);
  await end(first);
  await first.clock.advance(5 * hour);
  const second = await bench({ store, clock: first.clock });
  await settled();
  assert.deepEqual(second.ran, [6.5]);
  assert.equal(value(await second.session.occurrences()).get("tick"), Date.UTC(2026, 0, 1, 6));
  await elapse(second.clock, hour, 60_000);
  assert.deepEqual(rounded(second.ran), [6.5, 7]);
  await end(second);
});

test("what was missed longer ago than the catch-up window is left alone", async () => {
  const store = memoryStore();
  const first = await bench({ store });
  await elapse(first.clock, 1.5 * hour, 60_000);
  await end(first);
  await first.clock.advance(5 * hour);
  const second = await bench({ store, clock: first.clock, limits: { catchUpMs: 60_000 } });
  await elapse(second.clock, hour, 60_000);
  assert.deepEqual(rounded(second.ran), [7]);
  await end(second);
});

test("a schedule that is new does not fire for the past", async () => {
  const made = await bench();
  await settled();
  assert.deepEqual(made.ran, []);
  await end(made);
});

test("a wall clock that is put forward fires the latest occurrence it passed, one that is put back fires none again", async () => {
  const made = await bench();
  await elapse(made.clock, 1.5 * hour, 60_000);
  made.clock.stepWall(3 * hour);
  await elapse(made.clock, 120_000, 30_000);
  assert.equal(made.ran.length, 2);
  assert.ok((made.ran[1] ?? 0) >= 4.5);
  made.clock.stepWall(-2 * hour);
  await elapse(made.clock, 1.9 * hour, 60_000);
  assert.equal(made.ran.length, 2);
  await elapse(made.clock, hour, 60_000);
  assert.deepEqual(rounded(made.ran).slice(2), [5]);
  await end(made);
});

test("an occurrence that the store refuses is tried again, and told", async () => {
  const store = memoryStore();
  const made = await bench({ store });
  const trouble: string[] = [];
  made.events.on("schedule.trouble", ({ schedule }) => trouble.push(schedule));
  store.breakDown("the disk is full");
  await elapse(made.clock, hour + 5_000, 1_000 * 60);
  assert.ok(trouble.length > 0 && trouble.every((name) => name === "tick"));
  assert.deepEqual(made.ran, []);
  store.breakDown(undefined);
  await elapse(made.clock, 5_000, 1_000);
  assert.equal(made.ran.length, 1);
  await end(made);
});

test("a start while the store is in trouble ends well when the trouble does", async () => {
  const store = memoryStore();
  store.breakDown("locked");
  const made = await bench({ store });
  await elapse(made.clock, 3_000, 1_000);
  store.breakDown(undefined);
  await elapse(made.clock, 1.1 * hour, 60_000);
  assert.equal(made.ran.length, 1);
  await end(made);
});

test("a recorded occurrence in the future is reported at start", async () => {
  const store = memoryStore();
  const first = await bench({ store });
  await elapse(first.clock, 1.5 * hour, 60_000);
  await end(first);
  first.clock.stepWall(-24 * hour);
  const trouble: string[] = [];
  const second = await jobBench(demo, () => implementContract(demo, { handlers: { tick: () => undefined } }), {
    store,
    clock: first.clock,
  });
  second.events.on("schedule.trouble", ({ message }) => trouble.push(message));
  await second.engine.start();
  assert.match(trouble[0] ?? "", /2026-01-01T01:00:00.000Z, which is in the future/);
  await end(second);
});

test("a worker without schedules makes no timer and reads nothing", async () => {
  const quiet = contract("quiet.v1", { plain: job("plain", { input: {} }) });
  const made = await jobBench(quiet, () => implementContract(quiet, { handlers: { plain: () => undefined } }));
  made.session.occurrences = () => assert.fail("read");
  await made.engine.start();
  await settled();
  assert.equal(made.clock.waiting, 0);
  await end(made);
});

test("a schedule with an input that does not fit stops the start", async () => {
  const odd = job("odd", { input: { n: t.int() }, schedule: { cron: "0 3 * * *", input: { n: 0.5 } } });
  const wrong = contract("wrong.v1", { odd });
  const made = await jobBench(wrong, () => implementContract(wrong, { handlers: { odd: () => undefined } }));
  value(await made.session.enqueue([{ name: "odd", priority: 5, payload: "{}" }]));
  await assert.rejects(made.engine.start(), /job\("odd"\): the input of its schedule does not fit/);
  await settled();
  assert.equal(value(await made.session.counts()).ready, 1, "an engine that does not start takes no jobs");
  await end(made);
  const never = job("never", { input: {}, schedule: { cron: "soon", input: {} } });
  const broken = contract("broken.v1", { never });
  const unmade = jobBench(broken, () => implementContract(broken, { handlers: { never: () => undefined } }));
  await assert.rejects(unmade, /job\("never"\): schedule .* is wrong/);
});
