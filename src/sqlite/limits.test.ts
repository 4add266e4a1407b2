import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sqliteLimits } from "./index.ts";

test("the table of limits in docs/jobs-sqlite.md is the one in the source", () => {
  const text = readFileSync(new URL("../../docs/jobs-sqlite.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)].map(([, name, value]) => [
    name,
    Number(value?.replaceAll(",", "")),
  ]);
  assert.deepEqual(rows, Object.entries(sqliteLimits));
});
