/**
 * The job engine on a real SQLite file with the real clock, and a real process that is killed with SIGKILL while it works.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sleep, systemClock } from "../src/core/index.ts";
import { contract, fault, fixed, implementContract, job, type Implemented } from "../src/contract/index.ts";
import { t } from "../src/schema/index.ts";
import { killContract, killWorker } from "./engine-kill-jobs.ts";
import { value } from "../src/testing/store-harness.ts";
import { inFolder } from "../tools/test-folder.ts";
import { worker } from "./sqlite-worker.ts";

const Busy = fault("BUSY", { kind: "unavailable", data: { wait: t.int() } });
const add = job("add", {
  input: { a: t.int(), b: t.int() },
  output: { sum: t.int() },
  faults: [Busy],
  retry: { attempts: 3, backoff: fixed("20ms") },
  unique: ({ a, b }) => `${a}+${b}`,
});
const wait = job("wait", { input: { n: t.int() } });
const sums = contract("sums.v1", { add, wait });

function summing(fail: (attempt: number) => boolean = () => false): Implemented {
  return implementContract(sums, {
    handlers: {
      add: ({ input: { a, b }, job: { attempt } }) => (fail(attempt) ? Busy({ wait: attempt }) : { sum: a + b }),
      wait: ({ signal }) => sleep(systemClock, 60_000, signal),
    },
  });
}

test("thousands of jobs run, and every one is settled as succeeded", async () => {
  await inFolder(async (path) => {
    const { jobs, end } = await worker(path, sums, summing());
    const inputs = Array.from({ length: 5_000 }, (_, n) => ({ a: n, b: 1 }));
    const refs = value(await jobs.enqueueMany(add, inputs));
    const results = await Promise.all(refs.map((ref) => ref.result()));
    assert.ok(results.every((result, n) => result.ok && result.value.sum === n + 1));
    assert.deepEqual(await end(), { outcome: "drained", released: 0, interrupted: 0, unfinished: 0 });
  });
});

test("retries, errors and the last fault survive in the file", async () => {
  await inFolder(async (path) => {
    const first = await worker(
      path,
      sums,
      summing((attempt) => attempt < 3),
    );
    const lucky = value(await first.jobs.enqueue(add, { a: 1, b: 2 }));
    assert.deepEqual(value(await lucky.result()), { sum: 3 });
    await first.end();
    const second = await worker(
      path,
      sums,
      summing(() => true),
    );
    const info = value(await second.jobs.get(lucky.id));
    assert.deepEqual([info?.attempt, info?.errors.map(({ code }) => code)], [3, ["BUSY", "BUSY"]]);
    const unlucky = value(await second.jobs.enqueue(add, { a: 1, b: 2 }));
    assert.equal(unlucky.duplicate, false);
    void (await unlucky.result());
    await second.end();
    const third = await worker(path, sums, summing());
    const result = await third.jobs.ref(add, unlucky.id).result();
    assert.ok(!result.ok && result.fault.code === "BUSY");
    assert.deepEqual(result.fault.data, { wait: 3 });
    assert.equal(value(await third.jobs.retry(unlucky.id)), "ready");
    await third.end();
  });
});

test("a delayed job, a duplicate and a cancelled running job", async () => {
  await inFolder(async (path) => {
    const { jobs, engine, end } = await worker(path, sums, summing());
    const delayed = value(await jobs.enqueue(add, { a: 2, b: 2 }, { delay: "60ms" }));
    assert.equal(value(await jobs.enqueue(add, { a: 2, b: 2 })).id, delayed.id);
    assert.deepEqual(value(await delayed.result()), { sum: 4 });
    const waiting = value(await jobs.enqueue(wait, { n: 1 }));
    while (engine.active === 0) await sleep(systemClock, 2);
    assert.equal(value(await jobs.cancel(waiting.id)), "running");
    const cancelled = await waiting.result();
    assert.ok(!cancelled.ok && cancelled.fault.code === "JOB_CANCELLED");
    await end();
  });
});

test("a drain that runs out of time gives the job to the next start", async () => {
  await inFolder(async (path) => {
    const first = await worker(path, sums, summing());
    const ref = value(await first.jobs.enqueue(wait, { n: 1 }));
    while (first.engine.active === 0) await sleep(systemClock, 2);
    assert.deepEqual(await first.engine.drain(20), {
      outcome: "timed_out",
      released: 0,
      interrupted: 1,
      unfinished: 0,
    });
    await first.session.close();
    const second = await worker(path, sums, summing());
    while (second.engine.active === 0) await sleep(systemClock, 2);
    const info = value(await second.jobs.get(ref.id));
    assert.deepEqual([info?.state, info?.attempt, info?.errors[0]?.code], ["running", 2, "SHUTTING_DOWN"]);
    await second.engine.drain(10);
    await second.session.close();
  });
});

const child = fileURLToPath(new URL("./engine-kill-child.ts", import.meta.url));
const rounds = Number(process.env["TENSILE_KILL_ROUNDS"] ?? 3);

interface Said {
  readonly acknowledged: Set<string>;
  /** Attempts begun, by id. */
  readonly runs: Map<string, number>;
  readonly ended: Set<string>;
  poison: string;
}

/** One life of the worker process: until it dies by its own job, or is killed. */
async function live(path: string, life: number, ms: number, said: Said): Promise<void> {
  const started = performance.now();
  const worker = spawn(process.execPath, [child, path, String(life)], { stdio: ["ignore", "pipe", "inherit"] });
  let opened = false;
  for await (const line of createInterface({ input: worker.stdout })) {
    const [word, id = "", rest = ""] = line.split(" ");
    if (word === "open") {
      opened = true;
      assert.ok(performance.now() - started < 5_000, "the worker was not back within 5 s");
      setTimeout(() => worker.kill("SIGKILL"), ms);
    } else if (word === "ack") {
      said.acknowledged.add(id);
      if (rest === "poison") said.poison = id;
    } else if (word === "run") said.runs.set(id, Math.max(said.runs.get(id) ?? 0, Number(rest)));
    else if (word === "end") said.ended.add(id);
  }
  assert.ok(opened || said.poison !== "", "the worker died before it was open");
}

test(
  "kill -9 of a worker loses no job, counts its attempts, and a job that kills it ends as crashed",
  { timeout: 120_000 },
  async () => {
    await inFolder(async (path) => {
      const said: Said = { acknowledged: new Set(), runs: new Map(), ended: new Set(), poison: "" };
      for (let life = 0; life < rounds || (said.runs.get(said.poison) ?? 0) < 2; life++) {
        await live(path, life, 150 + ((life * 7_919) % 300), said);
      }
      const last = await worker(
        path,
        killContract,
        killWorker(
          () => undefined,
          () => assert.fail("the poison ran a third time"),
        ),
      );
      try {
        await judge(last, said);
      } finally {
        await last.end();
      }
    });
  },
);

async function judge({ jobs }: Awaited<ReturnType<typeof worker>>, said: Said): Promise<void> {
  const crashed = await jobs.ref(killContract.members.poison, said.poison).result();
  assert.ok(!crashed.ok && crashed.fault.code === "JOB_CRASHED");
  const left = async () => {
    const { ready, scheduled, running } = value(await jobs.counts());
    return ready + scheduled + running;
  };
  while ((await left()) > 0) await sleep(systemClock, 10);
  let again = 0;
  for (const id of said.acknowledged) {
    if (id === said.poison) continue;
    const info = value(await jobs.get(id));
    assert.equal(info?.state, "succeeded", `job ${id}`);
    assert.ok(info.attempt >= (said.runs.get(id) ?? 1), `job ${id} forgot an attempt`);
    // Every attempt but the last ended with the process.
    const codes = new Set(info.errors.map(({ code }) => code));
    codes.delete("CRASHED");
    assert.deepEqual(codes, new Set());
    if (info.attempt > 1) again++;
  }
  assert.ok(again > 0 && said.acknowledged.size > 100 && said.ended.size > 0);
}
