import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { jobLimits, withJobLimits } from "./limits.ts";

test("every limit has its row in docs/jobs.md, and every row is a limit", () => {
  const guide = readFileSync(new URL("../../docs/jobs.md", import.meta.url), "utf8");
  const table = guide.slice(guide.indexOf("## Limits"));
  const named = table
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(new Set(named), new Set(Object.keys(jobLimits)));
});

test("a limit that does not exist, or is no number, is refused at start", () => {
  assert.equal(withJobLimits({ concurrency: 7 }).concurrency, 7);
  assert.equal(withJobLimits().concurrency, jobLimits.concurrency);
  assert.throws(() => withJobLimits({ concurency: 7 } as object), /There is no job limit "concurency"/);
  for (const wrong of [-1, NaN, Infinity]) {
    assert.throws(() => withJobLimits({ concurrency: wrong }), /The job limit concurrency is a number of at least 0/);
  }
});
