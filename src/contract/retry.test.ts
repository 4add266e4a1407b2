import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs, exponential, fixed, linear, retryAfter } from "./retry.ts";

test("exponential backoff doubles from the first delay and stops at the longest", () => {
  const policy = exponential({ first: "1s", max: "10s", jitter: 0 });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 60].map((attempt) => backoffMs(policy, attempt, 0.5)),
    [1000, 2000, 4000, 8000, 10_000, 10_000],
  );
});

test("linear backoff adds the first delay each time", () => {
  const policy = linear({ first: 100, max: 250, jitter: 0 });
  assert.deepEqual(
    [1, 2, 3].map((attempt) => backoffMs(policy, attempt, 0)),
    [100, 200, 250],
  );
});

test("fixed backoff never changes", () => {
  const policy = fixed("5s", { jitter: 0 });
  assert.deepEqual([backoffMs(policy, 1, 0), backoffMs(policy, 900, 0)], [5000, 5000]);
});

test("a delay lies between its unspread length less the jitter and that length, whatever the attempt", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(exponential, linear),
      (attempt, random, jitter, make) => {
        const full = backoffMs(make({ first: 50, max: "1h", jitter: 0 }), attempt, 0);
        const delay = backoffMs(make({ first: 50, max: "1h", jitter }), attempt, random);
        assert.ok(Number.isInteger(delay) && delay <= full && delay >= Math.floor(full * (1 - jitter)));
      },
    ),
  );
});

test("a policy that cannot work is refused with a sentence", () => {
  assert.throws(() => exponential({ first: "2s", max: "1s" }), /max \(1000 ms\) is shorter than first \(2000 ms\)/);
  assert.throws(() => linear({ first: 1, jitter: 2 }), /jitter is a number from 0 to 1/);
  assert.throws(() => exponential({ first: 1, factor: 0.5 }), /factor is at least 1/);
  assert.throws(() => retryAfter("soon"), /"soon" is not a duration/);
});
