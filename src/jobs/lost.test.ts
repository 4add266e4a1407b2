import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, implementContract, job, type Contract } from "../contract/index.ts";
import { manualClock, ok, type Aborted, type Clock, type Fault, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { elapse, jobBench, settled, type JobBenchOptions } from "../../testing/job-bench.ts";
import { memoryStore, type MemoryStore } from "../testing/index.ts";
import type { ConsumeOptions, Settlement, StoreSession } from "./store.ts";

const work = job("work", {
  input: { n: t.int() },
  output: { n: t.int() },
  timeout: "1h",
  concurrency: 1,
  signals: { go: {} },
});
const demo = contract("demo.v1", { work });
type Call = Parameters<Parameters<typeof implementContract<typeof demo.members, never>>[1]["handlers"]["work"]>[0];

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

async function bench(run: (call: Call) => unknown, options?: JobBenchOptions) {
  const made = await jobBench(
    demo,
    (of: Contract) => implementContract(of, { handlers: { work: run as never } }),
    options,
  );
  await made.engine.start();
  return made;
}

/** A memory store that tells what the engine was given and what it settled. */
function watched(answers: { readonly note?: "stale" } = {}): {
  store: MemoryStore;
  consume: () => ConsumeOptions;
  settlements: Settlement[];
} {
  const store = memoryStore();
  const settlements: Settlement[] = [];
  let consume: ConsumeOptions | undefined;
  const watch = (session: StoreSession): StoreSession =>
    new Proxy(session, {
      get(target, name) {
        const verb: unknown = Reflect.get(target, name);
        if (typeof verb !== "function") return verb;
        return (...call: unknown[]): unknown => {
          if (name === "consume") consume = call[0] as ConsumeOptions;
          if (name === "note" && answers.note !== undefined) return Promise.resolve(ok(answers.note));
          if (name === "settle") settlements.push(...(call[0] as Settlement[]));
          return Reflect.apply(verb, target, call);
        };
      },
    });
  const open: MemoryStore["open"] = async (options) => {
    const opened = await store.open(options);
    if (opened.ok) Reflect.set(opened, "value", watch(opened.value));
    return opened;
  };
  return {
    store: { ...store, open },
    settlements,
    consume: () => consume ?? assert.fail("nothing consumes"),
  };
}

test("a lost attempt is told so, settles nothing, and what waited here for a slot never begins", async () => {
  const { store, consume, settlements } = watched();
  const begun: number[] = [];
  const reasons: unknown[] = [];
  const { jobs, events, engine, clock } = await bench(
    ({ input, signal }) => {
      begun.push(input.n);
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as Aborted).why);
          resolve({ n: input.n });
        });
      });
    },
    { store },
  );
  const lost: unknown[] = [];
  events.on("job.lost", (event) => lost.push(event));
  const first = value(await jobs.enqueue(work, { n: 1 }));
  await settled();
  const waits = { id: "77", name: "work", priority: 5, payload: '{"n":2}', attempt: 1, enqueuedAt: 0 };
  consume().onClaimed([{ ...waits, fence: { epoch: 1, claim: 1 } }]);
  consume().onLost?.([first.id, waits.id]);
  await elapse(clock, 100);
  assert.deepEqual([begun, reasons], [[1], ["lost"]]);
  assert.deepEqual(lost, [{ id: first.id, name: "work", attempt: 1 }]);
  assert.deepEqual(settlements, []);
  assert.equal(engine.active, 0);
});

test("the slot of a lost attempt goes to the next, and the same job may run here again", async () => {
  const { store, consume } = watched();
  const ended = Promise.withResolvers<{ n: number }>();
  const runs: string[] = [];
  const made = await bench(
    ({ job: run, input }) => {
      runs.push(run.fence);
      return runs.length === 1 ? ended.promise : { n: input.n };
    },
    { store },
  );
  const ref = value(await made.jobs.enqueue(work, { n: 1 }));
  await settled();
  consume().onLost?.([ref.id]);
  // As the store would, once it has rescued the job.
  const again = { id: ref.id, name: "work", priority: 5, payload: '{"n":1}', attempt: 2, enqueuedAt: 0 };
  consume().onClaimed([{ ...again, fence: { epoch: 9, claim: 9 } }]);
  await settled();
  assert.equal(runs.length, 1);
  ended.resolve({ n: 1 });
  await settled();
  assert.equal(runs.length, 2);
  assert.equal(made.engine.active, 0);
});

test("a step whose claim is gone does not answer, nothing more of the run happens, and its slot is free", async () => {
  const { store, settlements } = watched({ note: "stale" });
  const seen: string[] = [];
  const made = await bench(
    async ({ job: run, input }) => {
      await run.step("slow", () => void seen.push("act"));
      seen.push("after");
      return { n: input.n };
    },
    { store },
  );
  const lost: string[] = [];
  made.events.on("job.lost", ({ id }) => lost.push(id));
  const ref = value(await made.jobs.enqueue(work, { n: 1 }));
  await settled();
  assert.deepEqual([seen, lost, settlements, made.engine.active], [["act"], [ref.id], [], 0]);
});

test("a drain ends a run at its next step, and the next process goes on there without an attempt being counted", async () => {
  const store = memoryStore();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  let told = false;
  const handler = async ({ job: run, input }: Call) => {
    run.draining.addEventListener("abort", () => (told = true));
    await run.step("one", async () => {
      await gate.promise;
      done.push("one");
    });
    await run.step("two", () => void done.push("two"));
    return { n: input.n };
  };
  const first = await bench(handler, { store });
  const ref = value(await first.jobs.enqueue(work, { n: 3 }));
  await settled();
  const drained = first.engine.drain(60_000);
  await settled();
  assert.equal(told, true);
  gate.resolve();
  assert.deepEqual(await drained, { outcome: "drained", released: 0, interrupted: 0, unfinished: 0 });
  assert.deepEqual(done, ["one"]);
  await first.session.close();
  const second = await bench(handler, { store, clock: first.clock });
  await elapse(second.clock, 100);
  assert.deepEqual(value(await second.jobs.ref(work, ref.id).result()), { n: 3 });
  assert.deepEqual([done, value(await second.jobs.get(ref.id))?.attempt], [["one", "two"], 1]);
});

test("a drain wakes a short sleep, which goes on after the restart", async () => {
  const store = memoryStore();
  const handler = async ({ job: run, input }: Call) => {
    await run.sleep("breath", 900);
    return { n: input.n };
  };
  const first = await bench(handler, { store });
  const ref = value(await first.jobs.enqueue(work, { n: 3 }));
  await settled();
  assert.equal((await first.engine.drain(60_000)).outcome, "drained");
  assert.equal(value(await first.jobs.get(ref.id))?.state, "scheduled");
  await first.session.close();
  const second = await bench(handler, { store, clock: first.clock });
  await elapse(second.clock, 1_000, 100);
  assert.deepEqual(value(await second.jobs.ref(work, ref.id).result()), { n: 3 });
});

test("a job that waits or sleeps is cancelled like any other, at rest and in a short sleep", async () => {
  const made = await bench(async ({ job: run, input }) => {
    if (input.n === 1) void (await run.waitFor("go"));
    if (input.n === 2) await run.sleep("long", "1d");
    if (input.n === 3) await run.sleep("short", 900);
    return { n: input.n };
  });
  for (const n of [1, 2, 3]) {
    const ref = value(await made.jobs.enqueue(work, { n }));
    await settled();
    value(await made.jobs.cancel(ref.id));
    await elapse(made.clock, 100);
    assert.equal(value(await made.jobs.get(ref.id))?.state, "cancelled");
  }
});

test("a job that blocks the event loop is named, and so is the time", async () => {
  const base = manualClock();
  let blocked = 0;
  const clock: Clock & typeof base = {
    ...base,
    now: () => base.now() + blocked,
    monotonic: () => base.monotonic() + blocked,
    get waiting() {
      return base.waiting;
    },
  };
  const made = await bench(
    ({ input }) => {
      blocked += 60_000;
      return { n: input.n };
    },
    { clock },
  );
  const stalls: unknown[] = [];
  made.events.on("job.stalled", (event) => stalls.push(event));
  value(await made.jobs.enqueue(work, { n: 1 }));
  await settled();
  assert.deepEqual(stalls, [{ blockedMs: 60_000, name: "work" }]);
});

test("whoever else blocks it while jobs run is noticed too", async () => {
  const base = manualClock();
  let blocked = 0;
  const clock: Clock & typeof base = {
    ...base,
    monotonic: () => base.monotonic() + blocked,
    get waiting() {
      return base.waiting;
    },
  };
  const gate = Promise.withResolvers<void>();
  const made = await jobBench(
    demo,
    (of: Contract) =>
      implementContract(of, {
        handlers: { work: (async ({ input }: Call) => gate.promise.then(() => input)) as never },
      }),
    { clock },
  );
  const stalls: { blockedMs: number; name: string | undefined }[] = [];
  made.events.on("job.stalled", (event) => stalls.push(event));
  await made.engine.start();
  value(await made.jobs.enqueue(work, { n: 1 }));
  await settled();
  blocked += 7_000;
  await base.advance(2_500);
  assert.deepEqual(stalls, [{ blockedMs: 7_000, name: undefined }]);
  gate.resolve();
  await settled();
  await base.advance(10_000);
  assert.equal(stalls.length, 1);
});
