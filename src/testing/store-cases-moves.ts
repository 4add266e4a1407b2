/** Conformance: every move of the table in `src/jobs/state.ts`, the legal ones by doing them, the illegal ones by trying. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jobMoves, type ClaimedJob, type JobMove, type JobState } from "../jobs/index.ts";
import { failure, value, type Hands, type StoreBench, type WithBench } from "./store-harness.ts";

/** How a job came to be in its state. There are two ways of waiting. */
type Way = Exclude<JobState, "waiting"> | "waiting for a signal" | "waiting for another";

/** A job in a state, and the claim that it came through, when it was claimed. */
interface Subject {
  /** No other subject's. */
  readonly name: string;
  readonly id: string;
  readonly job: ClaimedJob | undefined;
  readonly hands: Hands;
}

const reach: { readonly [W in Way]: (b: StoreBench, name: string, move: JobMove) => Promise<Subject> } = {
  "waiting for a signal": async (b, name) => {
    const subject = await claimNew(b, name);
    await b.settle({ job: subject.job, to: "waiting", signal: "go" });
    return subject;
  },
  "waiting for another": async (b, name, move) => {
    const other = await b.enqueueOne({ name: otherOf(name) });
    const later = move === "defer" ? { runAt: b.now + 1_000 } : {};
    const id = await b.enqueueOne({ name, after: { jobs: [other], on: "succeeded" }, ...later });
    return { name, id, job: undefined, hands: b.hands(name, otherOf(name)) };
  },
  scheduled: async (b, name) => ({
    name,
    id: await b.enqueueOne({ name, runAt: b.now + 1_000 }),
    job: undefined,
    hands: b.hands(name),
  }),
  ready: async (b, name) => ({ name, id: await b.enqueueOne({ name }), job: undefined, hands: b.hands(name) }),
  running: async (b, name) => claimNew(b, name),
  succeeded: async (b, name) => {
    const subject = await claimNew(b, name);
    await b.settle({ job: subject.job, to: "succeeded", result: "1" });
    return subject;
  },
  failed: async (b, name) => {
    const subject = await claimNew(b, name);
    await b.settle({ job: subject.job, to: "failed", error: failure(subject.job) });
    return subject;
  },
  cancelled: async (b, name) => {
    const subject = await claimNew(b, name);
    await b.settle({ job: subject.job, to: "cancelled" });
    return subject;
  },
};

function otherOf(name: string): string {
  return `${name}, the other`;
}

async function claimNew(b: StoreBench, name: string): Promise<Subject & { readonly job: ClaimedJob }> {
  const id = await b.enqueueOne({ name });
  const hands = b.hands(name);
  return { name, id, job: await hands.takeOne(name), hands };
}

/** Tries a move through the seam. A move that the seam cannot even express from that state is left out. */
type Try = (b: StoreBench, subject: Subject, way: Way) => Promise<void>;

function bySettling(to: "release" | "succeed" | "retry" | "snooze" | "wait" | "fail"): Try {
  return async (b, { job }) => {
    if (job === undefined) return;
    const error = failure(job);
    if (to === "release") await b.settle({ job, to: "released" });
    else if (to === "succeed") await b.settle({ job, to: "succeeded" });
    else if (to === "snooze") await b.settle({ job, to: "snoozed", runAt: b.now + 1_000 });
    else if (to === "wait") await b.settle({ job, to: "waiting", signal: "go" });
    else if (to === "retry") await b.settle({ job, to: "retry", runAt: b.now + 1_000, error });
    else await b.settle({ job, to: "failed", error });
  };
}

/** The job that the subject waits for ends. */
function byTheOther(to: "succeeded" | "failed"): Try {
  return async (b, { name, hands }, way) => {
    if (way !== "waiting for another") return;
    const job = await hands.takeOne(otherOf(name));
    await b.settle(to === "succeeded" ? { job, to } : { job, to, error: failure(job) });
  };
}

const tries: { readonly [M in JobMove]: Try } = {
  unblock: async (b, subject, way) => {
    if (way === "waiting for another") await byTheOther("succeeded")(b, subject, way);
    else value(await b.session.signal(subject.id, "go", "1"));
  },
  defer: byTheOther("succeeded"),
  abandon: byTheOther("failed"),
  promote: (b) => b.advance(1_000),
  claim: async (b, { name, hands, job }) => {
    hands.grant(name, 1);
    const sentinel = await b.enqueueOne({ name, priority: 9 });
    await hands.take(1);
    // Where the job could not be claimed, the sentinel was: it must not stay in the way.
    if (job === undefined) void (await b.session.cancel(sentinel));
  },
  release: bySettling("release"),
  succeed: bySettling("succeed"),
  retry: bySettling("retry"),
  snooze: bySettling("snooze"),
  wait: bySettling("wait"),
  fail: bySettling("fail"),
  cancel: async (b, { id, job, hands }) => {
    const state = value(await b.session.cancel(id));
    if (state !== "running" || job === undefined) return;
    assert.deepEqual(hands.cancelRequests, [id]);
    await b.settle({ job, to: "cancelled", error: failure(job) });
  },
  crash: async (b) => void (await b.reopen()),
  crash_out: async (b) => void (await b.reopen()),
  redrive: async (b, { id }) => void value(await b.session.retry(id)),
};

/** Whether a job in this state can be asked for it at all. */
function canTry(way: Way, move: JobMove): boolean {
  return way === "waiting for another" || (move !== "defer" && move !== "abandon");
}

async function tryMove(b: StoreBench, way: Way, from: JobState, move: JobMove, to: JobState): Promise<void> {
  const subject = await reach[way](b, move, move);
  assert.equal(await b.state(subject.id), from);
  await tries[move](b, subject, way);
  await b.reaches(subject.id, to);
  const counts = await b.counts(move);
  assert.ok(counts[to] >= 1);
  await b.letGo();
}

export function moveCases(bench: WithBench): void {
  for (const way of Object.keys(reach) as Way[]) {
    const state = way === "waiting for a signal" || way === "waiting for another" ? "waiting" : way;
    // One store for all of them: each has a job with a name of its own.
    test(`from ${way}`, (t) =>
      bench({ maxAttempts: (name) => (name === "crash_out" ? 1 : 5) }, async (b) => {
        for (const move of Object.keys(tries) as JobMove[]) {
          if (!canTry(way, move)) continue;
          const expected = jobMoves[state][move];
          const title =
            expected === undefined
              ? `${way} stays ${state} when asked to ${move}`
              : `${way} becomes ${expected} by ${move}`;
          await t.test(title, () => tryMove(b, way, state, move, expected ?? state));
        }
      })());
  }
  test(
    "errors are kept for each attempt, through retry, crash, failure and redrive",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", payload: "7" });
      let hands = b.hands("a");
      const first = await hands.takeOne("a");
      await b.settle({
        job: first,
        to: "retry",
        runAt: b.clock.now() + 10,
        error: { ...failure(first, "ONE"), data: '{"x":1}' },
      });
      await b.clock.advance(10);
      await hands.takeOne("a");
      await b.reopen();
      hands = b.hands("a");
      const third = await hands.takeOne("a");
      assert.equal(third.attempt, 3);
      await b.settle({ job: third, to: "failed", error: failure(third, "THREE") });
      assert.equal(value(await b.session.retry(id)), "ready");
      const fourth = await hands.takeOne("a");
      assert.equal(fourth.attempt, 4);
      assert.equal(fourth.payload, "7");
      await b.settle({ job: fourth, to: "succeeded", result: '"done"' });
      const record = await b.record(id);
      assert.equal(record.state, "succeeded");
      assert.equal(record.attempt, 4);
      assert.equal(record.result, '"done"');
      assert.deepEqual(
        record.errors.map((error) => [error.attempt, error.code]),
        [
          [1, "ONE"],
          [2, "CRASHED"],
          [3, "THREE"],
        ],
      );
      assert.equal(record.errors[0]?.data, '{"x":1}');
    }),
  );

  test(
    "a redrive does not take a unique key that another job holds",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a", uniqueKey: "k" });
      assert.equal(value(await b.session.cancel(id)), "cancelled");
      const holder = await b.enqueueOne({ name: "a", uniqueKey: "k" });
      assert.equal(value(await b.session.retry(id)), "cancelled");
      assert.equal(value(await b.session.cancel(holder)), "cancelled");
      assert.equal(value(await b.session.retry(id)), "ready");
      assert.deepEqual(await b.enqueue({ name: "a", uniqueKey: "k" }), [{ id, duplicate: true }]);
    }),
  );

  test(
    "a retry whose time has come already runs at once",
    bench({}, async (b) => {
      await b.enqueueOne({ name: "a" });
      const hands = b.hands("a");
      const job = await hands.takeOne("a");
      hands.grant("a", 1);
      await b.settle({ job, to: "retry", runAt: b.clock.now() - 1, error: failure(job) });
      const [again] = await hands.take(1);
      assert.equal(again?.attempt, 2);
      assert.equal(again?.id, job.id);
      assert.equal(again?.enqueuedAt, job.enqueuedAt);
    }),
  );

  test(
    "a job whose time has come is not said to be scheduled, whatever else comes at that moment",
    bench({}, async (b) => {
      const id = await b.enqueueOne({ name: "a" });
      const job = await b.hands("a").takeOne("a");
      // Side by side: a store that commits in groups gets both into one.
      const [settled, redriven] = await Promise.all([
        b.settle({ job, to: "retry", runAt: b.clock.now(), error: failure(job) }),
        b.session.retry(id),
      ]);
      assert.deepEqual(settled, ["settled"]);
      assert.ok(["ready", "running"].includes(String(value(redriven))), `it was said to be ${value(redriven)}`);
      assert.equal(await b.state(id), "ready");
    }),
  );

  test(
    "operations on a job that never was answer undefined",
    bench({}, async (b) => {
      for (const id of ["1", "999999999", "0", "-1", "x", "", "1.5", "1e3", "9999999999999999999"]) {
        assert.equal(value(await b.session.get(id)), undefined);
        assert.equal(value(await b.session.cancel(id)), undefined);
        assert.equal(value(await b.session.retry(id)), undefined);
        assert.equal(value(await b.session.finished(id)), undefined);
      }
    }),
  );
}
