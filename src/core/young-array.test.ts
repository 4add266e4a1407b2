import assert from "node:assert/strict";
import { test } from "node:test";
import { youngArray } from "./young-array.ts";

test("each is empty, and nobody else's", () => {
  const one = youngArray<number>();
  one.push(1, 2);
  const two = youngArray<string>();
  assert.deepEqual([one, two], [[1, 2], []]);
  two.length = 3;
  assert.deepEqual(youngArray(), []);
});
