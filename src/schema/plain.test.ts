/** `isPlain`: where it says yes, encoding gives what reading the JSON text would give; whatever could make a difference makes it say no. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import fc from "fast-check";
import { compile, isPlain, t, type Node } from "./index.ts";
import { arbitraryMutation } from "./testing/arbitrary-json.ts";
import { arbitrarySchema, arbitraryValue } from "./testing/arbitrary.ts";

const numRuns = Number(process.env["SCHEMA_RUNS"] ?? 300);
const modes = ["compiled", "interpreted"] as const;

const samples = arbitrarySchema()
  .filter(isPlain)
  .chain((node) =>
    arbitraryValue(node).chain((value) =>
      fc.record({ node: fc.constant(node), values: arbitraryMutation(value).map((mutated) => [value, mutated]) }),
    ),
  );

/** The one difference that is left: JSON has no -0. */
function withoutMinusZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(withoutMinusZero);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as object;
  for (const [name, member] of Object.entries(value)) {
    Object.defineProperty(copy, name, {
      value: withoutMinusZero(member),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}

test("what a plain schema encodes is what reading its text gives, also from values with more in them", () => {
  let compared = 0;
  fc.assert(
    fc.property(samples, ({ node, values }) => {
      for (const mode of modes) {
        const codec = compile(node, { mode });
        for (const value of values) {
          const encoded = codec.encode(value);
          if (!encoded.ok) continue;
          const read = codec.parseJson(JSON.stringify(encoded.value));
          assert.ok(!(read instanceof Promise) && read.ok);
          assert.deepStrictEqual(withoutMinusZero(encoded.value), read.value);
          compared++;
        }
      }
    }),
    { numRuns },
  );
  assert.ok(compared >= numRuns, `${compared} values of ${numRuns} schemas`);
});

test("-0 is a number like others to a plain schema, and the same text", () => {
  for (const node of [t.int32(), t.int(), t.float()]) {
    assert.ok(isPlain(node));
    for (const mode of modes) {
      const encoded = compile(node, { mode }).encode(-0);
      assert.ok(encoded.ok && encoded.value === 0 && String(encoded.value) === "0");
    }
  }
});

const foreign: StandardSchemaV1<string, string> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: String(value).trim() }) },
};
const others: { readonly [what: string]: Node } = {
  "a Date": t.timestamp(),
  "a bigint": t.int64(),
  bytes: t.bytes(),
  "a duration": t.duration(),
  "a decimal, which has a canonical form": t.decimal({ precision: 5, scale: 2 }),
  "any JSON": t.json(),
  "a record without a prototype": t.map(t.int()),
  "an optional field": t.object({ a: t.optional(t.int()) }),
  "a default": t.object({ a: t.default(t.int(), 1) }),
  "another name on the wire": t.object({ a: t.rename(t.int(), "b") }),
  "a condition in code": t.refine(t.int(), () => true, "no"),
  "a schema of another library, which may transform": t.foreign(foreign),
};
for (const [what, node] of Object.entries(others)) {
  test(`${what} is not plain, at the top or deep inside`, () => {
    assert.equal(isPlain(node), false);
    assert.equal(isPlain(t.object({ list: t.array(t.nullable(t.tuple([t.string(), node]))) })), false);
  });
}
