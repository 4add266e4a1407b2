import assert from "node:assert/strict";
import { test } from "node:test";
import { documentedLimits } from "../../tools/test-limits.ts";
import { sqliteLimits } from "./index.ts";

test("the table of limits in docs/jobs-sqlite.md is the one in the source", () => {
  assert.deepEqual(documentedLimits("jobs-sqlite.md"), Object.entries(sqliteLimits));
});
