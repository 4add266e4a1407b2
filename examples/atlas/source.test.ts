import assert from "node:assert/strict";
import { test } from "node:test";
import { beginning, openSource } from "./source.ts";
import { packageCities } from "./testing/package-cities.ts";

test("every row is read as the package itself reads it, wherever the reading is interrupted", async () => {
  const expected = packageCities();
  const source = await openSource();
  assert.equal(source.total, expected.length);

  let position = beginning;
  for (let row = 0, step = 1; row < expected.length; step = (step % 997) + 1) {
    const { records, next } = source.read(JSON.parse(JSON.stringify(position)) as typeof position, step);
    assert.deepEqual(
      records,
      expected.slice(row, row + step).map(({ city }) => city),
    );
    row += records.length;
    position = next;
  }
  assert.deepEqual(source.read(position, 10).records, []);
});
