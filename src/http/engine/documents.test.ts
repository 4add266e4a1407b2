import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { http2Limits } from "./h2/index.ts";
import { engineLimits } from "./limits.ts";
import { refusals } from "./refusal.ts";

const text = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");

test("docs/http.md lists every limit with its default, and no other", () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, Number(value)]);
  assert.deepEqual(rows, [...Object.entries(engineLimits), ...Object.entries(http2Limits)]);
});

test("docs/http.md lists every status that the engine refuses with, and no other", () => {
  const section = text.slice(text.indexOf("## What is refused"));
  const listed = [...section.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell]) =>
    (cell ?? "").split(", ").map(Number),
  );
  const known = Object.values(refusals).map(({ status }) => status);
  assert.deepEqual(new Set(listed), new Set(known));
});
