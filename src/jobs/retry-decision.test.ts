import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  discard,
  exponential,
  fixed,
  job,
  linear,
  retry,
  retryAfter,
  type JobSettings,
  type RetryDecision,
} from "../contract/index.ts";
import { Fault } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { decideRetry, type RetryVerdict } from "./retry-decision.ts";

const base = job("work", { input: { n: t.int() } }).settings;
const fault = new Fault("BUSY", "unavailable", { wait: 5 }, "busy");
const now = 1_000_000;
const maxDelayMs = 86_400_000;
const snoozeUntil = now + 3_600_000;

function decide(settings: Partial<JobSettings>, attempt = 1, given: Fault = fault, random = 0): RetryVerdict {
  return decideRetry({ ...base, ...settings }, { fault: given, attempt, now, random, maxDelayMs, snoozeUntil });
}

const backoffs = fc
  .record({
    make: fc.constantFrom("exponential", "linear", "fixed"),
    first: fc.integer({ min: 0, max: 100_000 }),
    more: fc.integer({ min: 0, max: 10_000_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ make, first, more, jitter }) => {
    if (make === "fixed") return fixed(first, { jitter });
    const options = { first, max: first + more, jitter };
    return make === "linear" ? linear(options) : exponential(options);
  });

test("a job never gets more attempts than its policy has, whatever its rules say", () => {
  const rules = fc.constantFrom<RetryDecision | (() => RetryDecision) | undefined>(
    undefined,
    retry,
    discard,
    retryAfter(0),
    () => retryAfter("1h"),
    () => {
      throw new Error("a broken rule");
    },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      backoffs,
      rules,
      fc.double({ min: 0, max: 0.999 }),
      (attempts, backoff, rule, random) => {
        let attempt = 1;
        while (decide({ attempts, backoff, rules: { BUSY: rule } }, attempt, fault, random).to === "retry") attempt++;
        assert.ok(attempt <= attempts);
      },
    ),
    { numRuns: 200 },
  );
});

test("without jitter, no delay is shorter than the one before it", () => {
  fc.assert(
    fc.property(backoffs, fc.integer({ min: 1, max: 60 }), (backoff, attempt) => {
      const [earlier, later] = [attempt, attempt + 1].map((number) => {
        const verdict = decide({ attempts: 1000, backoff: { ...backoff, jitter: 0 } }, number);
        return verdict.to === "retry" ? verdict.runAt - now : NaN;
      }) as [number, number];
      assert.ok(later >= earlier);
      assert.ok(later <= Math.max(backoff.maxMs, 0));
    }),
  );
});

test("jitter only shortens, by at most its share", () => {
  fc.assert(
    fc.property(
      backoffs,
      fc.integer({ min: 1, max: 60 }),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (backoff, attempt, random) => {
        const full = decide({ attempts: 1000, backoff: { ...backoff, jitter: 0 } }, attempt, fault, 0);
        const spread = decide({ attempts: 1000, backoff }, attempt, fault, random);
        assert.ok(full.to === "retry" && spread.to === "retry");
        assert.ok(spread.runAt <= full.runAt);
        assert.ok(spread.runAt - now >= Math.floor((full.runAt - now) * (1 - backoff.jitter)));
      },
    ),
  );
});

test("discard is final at the first attempt", () => {
  assert.deepEqual(decide({ attempts: 1000, rules: { BUSY: discard } }), { to: "failed" });
  assert.deepEqual(decide({ attempts: 1000, rules: { BUSY: () => discard } }), { to: "failed" });
});

test("a rule sees the fault and may tell the delay, which is bounded", () => {
  const rules = { BUSY: (busy: Fault<string, { wait: number }>) => retryAfter(busy.data.wait) };
  assert.deepEqual(decide({ rules: rules }), { to: "retry", runAt: now + 5 });
  assert.deepEqual(decide({ rules: { BUSY: retryAfter("400d") } }), { to: "retry", runAt: now + maxDelayMs });
});

test("a rule that throws, or answers with something else, is reported and the fault is retried after the backoff", () => {
  for (const broken of [
    () => assert.fail("no"),
    () => "discard",
    () => undefined,
    () => ({ do: "retry_after", ms: NaN }),
  ]) {
    const verdict = decide({ rules: { BUSY: broken as never }, backoff: fixed(7) });
    assert.equal(verdict.to, "retry");
    assert.equal(verdict.to === "retry" && verdict.runAt, now + 7);
    assert.ok(verdict.brokenRule instanceof Error);
  }
});

test("a rule is found by its own name only", () => {
  const odd = new Fault("constructor", "unavailable", undefined, "");
  assert.equal(decide({ backoff: fixed(3) }, 1, odd).to, "retry");
});

test("an attempt that a shutdown cut short is tried again at once, while attempts are left", () => {
  const shutdown = new Fault("SHUTTING_DOWN", "unavailable", {}, "");
  assert.deepEqual(decide({ attempts: 2 }, 1, shutdown), { to: "retry", runAt: now });
  assert.deepEqual(decide({ attempts: 2 }, 2, shutdown), { to: "failed" });
  assert.deepEqual(decide({ attempts: 2, rules: { SHUTTING_DOWN: discard } }, 1, shutdown), { to: "failed" });
});
