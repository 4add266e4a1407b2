import assert from "node:assert/strict";
import { test } from "node:test";
import { bind, contract, implementContract, job, type JobSchedule } from "../contract/index.ts";
import { seededRandom, type Fault, type ManualClock, type Result } from "../core/index.ts";
import { Events } from "../telemetry/index.ts";
import { elapse, jobBench, settled, type JobBench } from "../../testing/job-bench.ts";
import { memoryStore, type MemoryStore } from "../testing/index.ts";
import { createJobEngine, createJobs, type JobEngine, type JobLimits, type StoreSession } from "./index.ts";

const hour = 3_600_000;

type CatchUp = NonNullable<JobSchedule<unknown>["catchUp"]>;

function hourly(catchUp: CatchUp | undefined) {
  const schedule = { cron: "0 * * * *", input: {}, ...(catchUp !== undefined && { catchUp }) };
  return contract("demo.v1", { tick: job("tick", { input: {}, schedule }) });
}

interface Ran extends JobBench {
  readonly ran: number[];
}

async function bench(
  catchUp: CatchUp | undefined,
  store: MemoryStore,
  clock?: ManualClock,
  limits: Partial<JobLimits> = {},
): Promise<Ran> {
  const demo = hourly(catchUp);
  const ran: number[] = [];
  const handler = (): void => void ran.push(made.clock.now());
  const made: JobBench = await jobBench(demo, () => implementContract(demo, { handlers: { tick: handler } }), {
    store,
    limits,
    ...(clock !== undefined && { clock }),
  });
  await made.engine.start();
  return { ...made, ran };
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

async function end({ engine, session }: JobBench): Promise<void> {
  await engine.drain();
  await session.close();
}

/** Fires at 1:00, is down from 1:30 on for so long, and comes back: how many ran then. */
async function caughtUp(catchUp: CatchUp | undefined, downMs: number, limits?: Partial<JobLimits>): Promise<Ran> {
  const store = memoryStore();
  const first = await bench(catchUp, store);
  await elapse(first.clock, 1.5 * hour, 60_000);
  assert.equal(first.ran.length, 1);
  await end(first);
  await first.clock.advance(downMs);
  const second = await bench(catchUp, store, first.clock, limits);
  await settled();
  return second;
}

test("latest, the default: one job for the last occurrence that was missed", async () => {
  for (const catchUp of [undefined, "latest"] as const) {
    const made = await caughtUp(catchUp, 5 * hour);
    assert.equal(made.ran.length, 1);
    await end(made);
  }
});

test("all: one job for each that was missed, the latest where there are too many, none twice", async () => {
  const made = await caughtUp("all", 5 * hour);
  assert.equal(made.ran.length, 5);
  assert.equal(value(await made.session.occurrences()).get("tick"), Date.UTC(2026, 0, 1, 6));
  await elapse(made.clock, hour, 60_000);
  assert.equal(made.ran.length, 6);
  await end(made);
  const few = await caughtUp("all", 5 * hour, { catchUpJobs: 3 });
  assert.equal(few.ran.length, 3);
  await end(few);
  const young = await caughtUp("all", 5 * hour, { catchUpMs: 2.6 * hour });
  assert.equal(young.ran.length, 3);
  await end(young);
});

test("none: what was missed is left alone, and one that is a moment late is not missed", async () => {
  const made = await caughtUp("none", 5 * hour);
  assert.deepEqual(made.ran, []);
  await elapse(made.clock, hour, 60_000);
  assert.equal(made.ran.length, 1);
  await end(made);
  const late = await caughtUp("none", 0.5 * hour + 10_000);
  assert.equal(late.ran.length, 1);
  await end(late);
});

test("the schedule of a paused job makes none; when it is resumed, what was missed is caught up", async () => {
  for (const [catchUp, jobs] of [
    ["latest", 1],
    ["all", 3],
    ["none", 0],
  ] as const) {
    const made = await bench(catchUp, memoryStore());
    value(await made.session.pause(["tick"]));
    await elapse(made.clock, 3.5 * hour, 60_000);
    const counts = value(await made.session.counts("tick"));
    assert.deepEqual([counts.ready, counts.succeeded], [0, 0]);
    value(await made.session.resume(["tick"]));
    await elapse(made.clock, 61_000, 10_000);
    assert.equal(made.ran.length, jobs);
    await end(made);
  }
});

test("two engines on one store: each occurrence fires once", async () => {
  const demo = hourly("all");
  const ran: number[] = [];
  const handler = (): void => void ran.push(made.clock.now());
  const made: JobBench = await jobBench(demo, () => implementContract(demo, { handlers: { tick: handler } }));
  // A second process: it watches the same schedules, and has no slot for a job.
  const duplicates: boolean[] = [];
  const other = await idleEngine(made, (duplicate) => duplicates.push(duplicate));
  const heard: boolean[] = [];
  made.events.on("job.enqueued", ({ duplicate }) => heard.push(duplicate));
  await Promise.all([made.engine.start(), other.start()]);
  await elapse(made.clock, 3.5 * hour, 60_000);
  assert.equal(ran.length, 3);
  // Both tried each of them, and one got it.
  assert.deepEqual([heard.length, duplicates.length], [3, 3]);
  assert.equal([...heard, ...duplicates].filter((duplicate) => !duplicate).length, 3);
  await other.drain();
  await end(made);
});

async function idleEngine({ session, clock }: JobBench, enqueued: (duplicate: boolean) => void): Promise<JobEngine> {
  const demo = hourly("all");
  const events = new Events();
  events.on("job.enqueued", ({ duplicate }) => enqueued(duplicate));
  const verbs: StoreSession = {
    enqueue: (jobs) => session.enqueue(jobs),
    occurrences: () => session.occurrences(),
    paused: () => session.paused(),
    consume: () => ({ grant: () => undefined, stop: async () => undefined }),
  } as Partial<StoreSession> as StoreSession;
  const jobs = createJobs({ contract: demo, session: verbs, clock, events });
  const bound = bind(implementContract(demo, { handlers: { tick: () => assert.fail("it ran here") } }), {
    clock,
    events,
    jobs,
    shutdown: new AbortController().signal,
    newId: () => "1",
  });
  return createJobEngine({ bound, session: verbs, clock, events, random: seededRandom(2) });
}
