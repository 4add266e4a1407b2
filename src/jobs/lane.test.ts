import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptRunner } from "./attempt-runner.ts";
import { Lane } from "./lane.ts";
import type { ClaimedJob } from "./store.ts";

// A lane keeps the runner for others and never uses it.
const runner = {} as AttemptRunner;

function lane(options: { concurrency?: number; maxAttempts?: number } = {}): Lane {
  const { concurrency = 100, maxAttempts = 5 } = options;
  return new Lane({ name: "a", runner, maxAttempts, concurrency, prefetchMs: 20, prefetchJobs: 4_096 });
}

function claimed(id: number, priority = 5): ClaimedJob {
  const fence = { epoch: 1, claim: 1 };
  return { id: String(id), name: "a", priority, payload: "{}", attempt: 1, enqueuedAt: 0, fence };
}

/** A store with endless work that answers a grant after `roundTripMs`, and a worker that runs so many a millisecond. */
function simulate(subject: Lane, perMs: number, roundTripMs: number, ms: number) {
  const onTheWay: { at: number; count: number }[] = [];
  let id = 0;
  let ran = 0;
  let mostHeld = 0;
  let budget = 0;
  for (let now = 1; now <= ms; now++) {
    for (let due = onTheWay[0]; due !== undefined && due.at <= now; due = onTheWay[0]) {
      onTheWay.shift();
      for (let index = 0; index < due.count; index++) subject.push(claimed(id++));
      subject.delivered(due.count, now);
    }
    mostHeld = Math.max(mostHeld, subject.queued);
    budget = Math.min(budget, Math.max(1, perMs)) + perMs;
    for (; budget >= 1 && subject.take() !== undefined; budget--) {
      subject.ended();
      if (now > ms / 2) ran++;
    }
    subject.measure(now);
    const missing =
      subject.wanted(0, 8_388_608) + (subject.queued + subject.credit === 0 ? 1 : 0) - subject.queued - subject.credit;
    if (missing > 0) {
      subject.granted(missing, now);
      onTheWay.push({ at: now + roundTripMs, count: missing });
    }
  }
  return { perMs: ran / (ms / 2), mostHeld };
}

test("the most urgent is taken first, the oldest among equals", () => {
  const subject = lane();
  for (const [id, priority] of [5, 0, 9, 5, 0].entries()) subject.push(claimed(id, priority));
  assert.equal(subject.headPriority, 0);
  const order = [];
  for (let job = subject.take(); job !== undefined; job = subject.take()) order.push(job.id);
  assert.deepEqual(order, ["1", "4", "0", "3", "2"]);
  assert.deepEqual([subject.headPriority, subject.queued, subject.queuedBytes], [10, 0, 0]);
});

test("whatever the way to the store takes, fast jobs come at full speed", () => {
  for (const roundTripMs of [1, 5, 20, 60]) {
    const { perMs } = simulate(lane(), 40, roundTripMs, 4_000);
    assert.ok(perMs > 36, `${perMs} jobs/ms with a way of ${roundTripMs} ms`);
  }
});

test("slow jobs are held by the handful", () => {
  for (const [perMs, most] of [
    [0.001, 1],
    [0.02, 3],
    [0.2, 12],
    [2, 90],
  ] as const) {
    const { mostHeld } = simulate(lane(), perMs, 5, 10_000);
    assert.ok(mostHeld <= most, `${mostHeld} held at ${perMs} jobs/ms`);
  }
});

test("a first claim is one job, the next ones double", () => {
  const subject = lane();
  const wanted: number[] = [];
  for (let step = 0; step < 5; step++) {
    wanted.push(subject.wanted(100, 1e6));
    const count = wanted.at(-1) ?? 0;
    subject.granted(count, step + 1);
    for (let index = 0; index < count; index++) subject.push(claimed(index));
    subject.delivered(count, step + 1);
    while (subject.take() !== undefined) subject.ended();
  }
  assert.deepEqual(wanted, [1, 2, 4, 8, 16]);
});

test("a job with a single attempt is never claimed ahead of a slot", () => {
  const subject = lane({ maxAttempts: 1 });
  assert.ok(simulate(subject, 40, 5, 1_000).mostHeld <= 1);
  assert.equal(subject.wanted(3, 1e6), 3);
});

test("large payloads are claimed in small numbers", () => {
  const subject = lane();
  for (let index = 0; index < 500; index++) {
    subject.push({ ...claimed(index), payload: "x".repeat(1_000_000) });
    subject.take();
  }
  simulate(subject, 40, 5, 20);
  assert.ok(subject.wanted(0, 8_388_608) <= 200);
  assert.equal(subject.wanted(0, -1), 0);
});

test("an idle lane yields what it was granted and cannot use", () => {
  const subject = lane();
  simulate(subject, 100, 5, 1_000);
  while (subject.take() !== undefined) subject.ended();
  const { credit } = subject;
  subject.granted(2_000, 1_001);
  const granted = credit + 2_000;
  assert.equal(subject.yield(100, 1_050), 0, "it was handed something a moment ago");
  assert.equal(subject.yield(100, 1_500), granted - 100);
  assert.deepEqual([subject.credit, subject.yield(100, 1_600)], [100, 0]);
  assert.equal(subject.wanted(100, 8_388_608), 100);
  // What was being claimed meanwhile still comes.
  for (let id = 0; id < 150; id++) subject.push(claimed(id));
  subject.delivered(150, 1_700);
  assert.equal(subject.credit, -50);
});
