import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeNumber, wholeNumbers } from "./driver.ts";

test("whole numbers are read as PostgreSQL writes them", () => {
  for (const value of [0, 7, -1, 512, 2_147_483_648, -4_294_967_296, Number.MAX_SAFE_INTEGER])
    assert.equal(wholeNumber(String(value)), value);
});

test("arrays of them as well, empty ones too", () => {
  for (const values of [[], [5], [1, 20, 300], [-1, 0, 9_007_199_254_740_991], [10, -10]])
    assert.deepEqual(wholeNumbers(`{${values.join(",")}}`), values);
});
