import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, storedKey } from "./keys.ts";

test("a short key is kept as it is, a long one as its SHA-256", () => {
  assert.equal(storedKey("city-7", 10), "city-7");
  assert.match(storedKey("x".repeat(11), 10), /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(storedKey("x".repeat(11), 10), storedKey("x".repeat(12), 10));
  assert.equal(storedKey("x".repeat(11), 10), storedKey("x".repeat(11), 10));
});

test("equal JSON values have one canonical text, however their members are ordered", () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== "object" || value === null) return value;
    const made = Object.create(null) as Record<string, unknown>;
    for (const [key, member] of Object.entries(value).toReversed()) made[key] = shuffled(member);
    return made;
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.equal(canonicalJson(JSON.stringify(shuffled(value))), canonicalJson(text));
      assert.deepEqual(JSON.parse(canonicalJson(text)), JSON.parse(text));
    }),
  );
});

test("a member called __proto__ counts", () => {
  assert.notEqual(canonicalJson('{"__proto__":1}'), canonicalJson("{}"));
});
