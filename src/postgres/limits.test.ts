import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { postgresLimits } from "./limits.ts";

test("the table of limits in docs/jobs-postgres.md is the one in the source", () => {
  const text = readFileSync(new URL("../../docs/jobs-postgres.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)].map(([, name, value]) => [
    name,
    Number(value?.replaceAll(",", "")),
  ]);
  assert.deepEqual(rows, Object.entries(postgresLimits));
});
