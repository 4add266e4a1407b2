import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { durationMs } from "./duration.ts";

test("durations read as they are written", () => {
  assert.equal(durationMs(250), 250);
  assert.equal(durationMs(0), 0);
  assert.equal(durationMs("250ms"), 250);
  assert.equal(durationMs("5s"), 5000);
  assert.equal(durationMs("1m30s"), 90_000);
  assert.equal(durationMs("1.5h"), 5_400_000);
  assert.equal(durationMs("7d"), 604_800_000);
});

test("the parts of a duration add up", () => {
  const n = fc.nat(1000);
  fc.assert(
    fc.property(n, n, n, n, n, (d, h, m, s, ms) => {
      assert.equal(
        durationMs(`${d}d${h}h${m}m${s}s${ms}ms`),
        d * 86_400_000 + h * 3_600_000 + m * 60_000 + s * 1000 + ms,
      );
    }),
  );
});

test("what is not a duration is refused with its name and what to write instead", () => {
  for (const wrong of ["", " ", "5", "s", "5 s", "5s ", "-5s", "5sec", "1m 30s", "5S", "1,5h", ".5h", "5s5"]) {
    assert.throws(() => durationMs(wrong), { name: "TypeError", message: /is not a duration\. Write/ }, wrong);
  }
  for (const wrong of [-1, Number.NaN, Infinity, -Infinity]) assert.throws(() => durationMs(wrong), TypeError);
});

test("any text is read or refused, and a duration that was read is finite and not negative", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.msdh]{0,12}$/)), (text) => {
      try {
        const ms = durationMs(text);
        assert.ok(Number.isFinite(ms) && ms >= 0);
      } catch (error) {
        assert.ok(error instanceof TypeError);
      }
    }),
  );
});
