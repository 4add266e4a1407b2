/** The table against a Map, with numbers as jobs have them: neighbours, in blocks whose firsts are multiples of 512. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import fc from "fast-check";
import { NumberTable } from "./number-table.ts";

interface Thing {
  readonly n: number;
}

const someNumber = fc
  .tuple(fc.constantFrom(0, 1, 2, 3, 40, 2 ** 23, 2 ** 32), fc.integer({ min: 0, max: 80 }))
  .map(([block, place]) => block * 512 + place);
const someStep = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ verb: fc.constant("set" as const), number: someNumber, n: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("delete" as const), number: someNumber }) },
);

test("it holds what a Map holds, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 800, size: "max" }), (steps) => {
      const table = new NumberTable<Thing>();
      const model = new Map<number, Thing>();
      for (const step of steps) {
        if (step.verb === "delete") assert.equal(table.delete(step.number), model.delete(step.number));
        else {
          const thing = { n: step.n };
          table.set(step.number, thing);
          model.set(step.number, thing);
        }
        assert.equal(table.get(step.number), model.get(step.number));
        assert.equal(table.size, model.size);
      }
      for (const [number, thing] of model) assert.equal(table.get(number), thing);
      assert.equal(table.values.length, model.size);
      assert.deepEqual(new Set(table.values), new Set(model.values()));
    }),
    { numRuns: 200 },
  );
});

test("it grows with what it holds, and is empty when it is cleared", () => {
  const table = new NumberTable<Thing>();
  for (let n = 0; n < 10_000; n++) table.set(n, { n });
  assert.equal(table.size, 10_000);
  for (let n = 0; n < 10_000; n++) assert.deepEqual(table.get(n), { n });
  table.clear();
  assert.deepEqual([table.size, table.get(0), table.values], [0, undefined, []]);
});

for (const live of [100, 8_192]) {
  test(`what was taken out is not kept by what the table was before (${live} at a time)`, () => {
    const table = new NumberTable<number[]>();
    const last = 200_000;
    const before = oldMB();
    for (let n = 1; n <= last; n++) {
      const value = Array.from({ length: 40 }, () => n);
      table.set(n, value);
      if (n > live) table.delete(n - live);
    }
    const grown = oldMB() - before;
    assert.equal(table.size, live);
    assert.ok(grown < 20, `${grown.toFixed(1)} MB of ${((last * 320) / 1e6).toFixed(0)} became old`);
  });
}

function oldMB(): number {
  const old = getHeapSpaceStatistics().filter(({ space_name: name }) => /^(old|large_object)_space$/.test(name));
  return old.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0) / 1e6;
}
