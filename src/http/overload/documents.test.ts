import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { overloadLimits } from "./limits.ts";

test("docs/overload.md lists every limit with its default, and no other", () => {
  const text = readFileSync(new URL("../../../docs/overload.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, Number(value)]);
  assert.deepEqual(rows, Object.entries(overloadLimits));
});
