/**
 * Conformance by model: random operations on the store and on a list of plain records, crashes and restarts among them; both must agree after every
 * step. `TENSILE_MODEL_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isFinished, type NewJob } from "../jobs/index.ts";
import { at, type MakePlace, StoreBench, value } from "./store-harness.ts";
import { modelAttempts, modelNames, modelPolicy, outcomes, Pair } from "./store-model-pair.ts";

type Step = (pair: Pair) => Promise<void>;

/** One step out of three random numbers: what, which, how. */
function stepOf([what, which, how]: readonly [number, number, number]): Step {
  if (what < 30) return (pair) => pair.enqueue(jobsOf(pair, which, how));
  if (what < 50) {
    return async (pair) => {
      const name = at(modelNames, which % modelNames.length);
      // Sometimes some is taken back.
      const credit = how % 10 === 9 ? -(which % 7) : 1 + (how % 9);
      pair.hands.grant(name, credit);
      pair.credit.set(name, (pair.credit.get(name) ?? 0) + credit);
    };
  }
  if (what < 75) {
    return async (pair) => {
      const chosen = pair.running().filter((_, index) => (which >> (index % 12)) % 2 === 0);
      await pair.settle(
        chosen.map((job, index) => ({
          job,
          to: at(outcomes, (how + index * which) % outcomes.length),
          delay: how % 5,
        })),
      );
    };
  }
  if (what < 80) {
    return async (pair) => {
      const job = pair.old[which % Math.max(1, pair.old.length)];
      if (job === undefined || pair.byId.get(job.id)?.claim === job) return;
      assert.deepEqual(value(await pair.bench.session.settle([{ job, to: "succeeded" }])), ["stale"]);
    };
  }
  if (what < 84) return (pair) => cancelStep(pair, which);
  if (what < 87) return (pair) => redriveStep(pair, which);
  if (what < 90) return (pair) => signalStep(pair, which, how);
  if (what < 92) return (pair) => pauseStep(pair, at(modelNames, which % modelNames.length));
  if (what < 97) return (pair) => advanceStep(pair, how % 7);
  return (pair) => pair.crash();
}

/** One millisecond at a time: what becomes due first may be claimed before what becomes due next. */
async function advanceStep(pair: Pair, ms: number): Promise<void> {
  for (let step = 0; step < ms; step++) {
    await pair.bench.clock.advance(1);
    await pair.sync();
  }
}

function jobsOf(pair: Pair, which: number, how: number): NewJob[] {
  return Array.from({ length: 1 + (which % 6) }, (_, index) => {
    const dice = (which * 31 + how * 17 + index * 7) % 101;
    const name = at(modelNames, (which + (dice > 70 ? index : 0)) % modelNames.length);
    return {
      name,
      ...(name === "k" || name === "o" ? keyOf(dice) : undefined),
      ...(dice % 4 === 1 ? afterOf(pair, index, dice) : undefined),
      priority: dice % 4 === 0 ? 1 : 5,
      payload: `"${"p".repeat(dice % 50 === 0 ? 30_000 : dice)}"`,
      ...(dice % 7 === 0 ? { context: `{"deadline":${dice}}é` } : undefined),
      ...(dice % 5 === 0 ? { runAt: pair.now + (dice % 6) - 1 } : undefined),
      ...(dice % 6 === 0 ? { uniqueKey: `k${dice % 3}` } : undefined),
      ...(dice % 17 === 0 ? { occurrence: { schedule: "s", at: how % 50 } } : undefined),
    };
  });
}

function keyOf(dice: number): { readonly key?: string } {
  return dice % 5 === 0 ? {} : { key: `k${dice % 2}` };
}

/** An earlier job of the call, and some job of before or none. */
function afterOf(pair: Pair, index: number, dice: number): Pick<NewJob, "after"> {
  const before = pair.jobs[dice % Math.max(1, pair.jobs.length)];
  const jobs = [...(index > 0 ? [index - 1] : []), ...(before === undefined ? [] : [before.id])];
  if (jobs.length === 0) return {};
  return { after: { jobs, on: dice % 3 === 0 ? "finished" : "succeeded" } };
}

async function signalStep(pair: Pair, which: number, how: number): Promise<void> {
  const waiting = pair.jobs.filter((one) => one.awaits !== undefined);
  const from = how % 3 === 0 || waiting.length === 0 ? pair.jobs : waiting;
  const job = from[which % Math.max(1, from.length)];
  if (job === undefined) return;
  const name = `s${how % 2}`;
  const answer = value(await pair.bench.session.signal(job.id, name, `${how}`));
  if (isFinished(job.state)) return assert.equal(answer, undefined);
  if (!job.signals.includes(name)) job.signals.push(name);
  pair.wake(job);
  assert.equal(answer, job.state);
}

async function pauseStep(pair: Pair, name: string): Promise<void> {
  if (pair.paused.delete(name)) return value(await pair.bench.session.resume([name]));
  value(await pair.bench.session.pause([name]));
  pair.paused.add(name);
}

async function cancelStep(pair: Pair, which: number): Promise<void> {
  const job = pair.jobs[which % Math.max(1, pair.jobs.length)];
  if (job === undefined) return;
  const answer = value(await pair.bench.session.cancel(job.id));
  if (job.state === "ready" || job.state === "scheduled" || job.state === "waiting") {
    job.order = undefined;
    pair.end(job, "cancelled");
  } else if (job.state === "running") {
    assert.equal(pair.hands.cancelRequests.at(-1), job.id);
  }
  assert.equal(answer, job.state);
}

async function redriveStep(pair: Pair, which: number): Promise<void> {
  const job = pair.jobs[which % Math.max(1, pair.jobs.length)];
  if (job === undefined) return;
  const answer = value(await pair.bench.session.retry(job.id));
  const free = job.uniqueKey === undefined || pair.holder(job.name, job.uniqueKey) === undefined;
  if ((job.state === "failed" || job.state === "cancelled") && free) {
    Object.assign(job, { state: "ready", finishedAt: undefined, order: undefined });
  }
  assert.equal(answer, job.state);
}

const suiteRuns = 8;
const suiteSeed = -1_223_125_276;

export function modelCase(makePlace: MakePlace): void {
  test("random operations, crashes and restarts among them, do what a simple model does", async () => {
    const fc = await import("fast-check");
    const runs = Number(process.env["TENSILE_MODEL_RUNS"] ?? suiteRuns);
    const number = fc.nat(1_000);
    const steps = fc.array(fc.tuple(fc.nat(99), number, number), { minLength: 20, maxLength: 80, size: "max" });
    await fc.assert(
      fc.asyncProperty(steps, async (numbers) => {
        const bench = new StoreBench(await makePlace(), { maxAttempts: () => modelAttempts, policy: modelPolicy });
        try {
          await bench.open();
          const pair = new Pair(bench);
          await pair.start();
          for (const triple of numbers) {
            await stepOf(triple)(pair);
            await pair.sync();
          }
          await pair.check();
          await pair.crash();
          await pair.check();
        } finally {
          await bench.end();
        }
      }),
      // A suite answers for a commit: the same cases each time. New ones are what the long form is for.
      { numRuns: runs, endOnFailure: runs < 100, ...(runs === suiteRuns && { seed: suiteSeed }) },
    );
  });
}
