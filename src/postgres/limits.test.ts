import assert from "node:assert/strict";
import { test } from "node:test";
import { documentedLimits } from "../../tools/test-limits.ts";
import { postgresLimits } from "./limits.ts";

test("the table of limits in docs/jobs-postgres.md is the one in the source", () => {
  assert.deepEqual(documentedLimits("jobs-postgres.md"), Object.entries(postgresLimits));
});
