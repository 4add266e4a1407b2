/** The table of jobs against a Map, with ids as blocks give them: neighbours, in blocks whose firsts are multiples of 512. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import fc from "fast-check";
import { JobTable } from "./job-table.ts";

const someId = fc
  .tuple(fc.constantFrom(1, 2, 3, 40, 2 ** 23, 2 ** 32), fc.integer({ min: 0, max: 80 }))
  .map(([block, place]) => String(block * 512 + place));
const someStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("set" as const), id: someId, value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("delete" as const), id: someId }) },
);

test("it holds what a Map holds, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 800, size: "max" }), (steps) => {
      const table = new JobTable<number>();
      const model = new Map<string, number>();
      for (const step of steps) {
        if (step.verb === "delete") assert.equal(table.delete(step.id), model.delete(step.id));
        else {
          table.set(step.id, step.value);
          model.set(step.id, step.value);
        }
        assert.equal(table.get(step.id), model.get(step.id));
        assert.equal(table.size, model.size);
      }
      for (const [id, value] of model) assert.equal(table.get(id), value);
      const ascending = (one: number, two: number): number => one - two;
      assert.deepEqual([...table.values()].toSorted(ascending), [...model.values()].toSorted(ascending));
    }),
    { numRuns: 200 },
  );
});

test("it grows with what it holds, and is empty when it is cleared", () => {
  const table = new JobTable<string>();
  for (let id = 512; id < 512 + 10_000; id++) table.set(String(id), `job ${id}`);
  assert.equal(table.size, 10_000);
  for (let id = 512; id < 512 + 10_000; id++) assert.equal(table.get(String(id)), `job ${id}`);
  table.clear();
  assert.deepEqual([table.size, table.get("512"), [...table.values()]], [0, undefined, []]);
});

test("what was taken out is not kept by what the table was before", () => {
  const table = new JobTable<number[]>();
  const live = 8_192;
  const last = 200_000;
  const oldMB = (): number =>
    getHeapSpaceStatistics()
      .filter(({ space_name: name }) => name.startsWith("old") || name === "large_object_space")
      .reduce((sum, { space_used_size: bytes }) => sum + bytes, 0) / 1e6;
  const before = oldMB();
  for (let id = 1; id <= last; id++) {
    table.set(
      String(id),
      Array.from({ length: 40 }, () => id),
    );
    if (id > live) table.delete(String(id - live));
  }
  const grown = oldMB() - before;
  assert.equal(table.size, live);
  assert.ok(grown < 20, `${grown.toFixed(1)} MB of ${((last * 320) / 1e6).toFixed(0)} became old`);
});
