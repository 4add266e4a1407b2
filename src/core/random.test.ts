import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomHex, seededRandom, systemRandom } from "./random.ts";

test("a seeded generator repeats its numbers", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (seed) => {
      const [one, two] = [seededRandom(seed), seededRandom(seed)];
      for (let i = 0; i < 20; i++) assert.equal(one.next(), two.next());
    }),
  );
});

test("different seeds give different numbers", () => {
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => seededRandom(seed).next()));
  assert.equal(firsts.size, 1000);
});

test("seeds that differ above 32 bits give different numbers", () => {
  assert.notEqual(seededRandom(1).next(), seededRandom(1 + 2 ** 32).next());
});

for (const [name, random] of [
  ["seeded", seededRandom(7)],
  ["system", systemRandom],
] as const) {
  test(`the ${name} generator stays in its range and covers it evenly`, () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 20_000; i++) {
      const value = random.next();
      assert.ok(value >= 0 && value < 1);
      const at = random.int(10);
      assert.ok(Number.isInteger(at) && at >= 0 && at < 10);
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    // 2,000 are expected in each; 300 away is more than seven standard deviations.
    for (const count of buckets) assert.ok(Math.abs(count - 2000) < 300, `a bucket holds ${count}`);
  });
}

test("randomHex makes two digits for each byte and never the same text twice", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const text = randomHex();
    assert.match(text, /^[0-9a-f]{32}$/);
    seen.add(text);
  }
  assert.equal(seen.size, 5000);
  assert.match(randomHex(8), /^[0-9a-f]{16}$/);
  assert.match(randomHex(64), /^[0-9a-f]{128}$/);
});

test("randomHex refuses a length that it cannot give", () => {
  for (const bytes of [0, -1, 1.5, 65, Number.NaN]) assert.throws(() => randomHex(bytes), TypeError);
});
