/**
 * The binary form says what JSON says: over random schemas, the compiled codec equals the interpreter, and a value that goes through
 * it comes out as it does through JSON. `SCHEMA_RUNS=20000` makes it long.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as z from "zod";
import { failed } from "./check/walk.ts";
import { generateBinary } from "./compile/binary.ts";
import { compile, compileBinary, defaultLimits, encode, t, type BinaryCodec, type Node } from "./index.ts";
import { issuesOf, valueOf } from "./testing/both-modes.ts";
import { arbitraryMutation } from "./testing/arbitrary-json.ts";
import { arbitrarySchema, arbitraryValue } from "./testing/arbitrary.ts";

const numRuns = Number(process.env["SCHEMA_RUNS"] ?? 400);

/** Wire values that JSON does not have. */
const binaryOnly = fc.constantFrom<unknown>(
  5n,
  -1n,
  2n ** 53n,
  2n ** 63n,
  new Uint8Array([1, 2]),
  undefined,
  Number.NaN,
);

interface Sample {
  readonly node: Node;
  readonly values: readonly unknown[];
  readonly wires: readonly unknown[];
}

const samples: fc.Arbitrary<Sample> = arbitrarySchema().chain((node) =>
  fc.array(arbitraryValue(node), { minLength: 1, maxLength: 3 }).chain((values) => {
    const binary = compileBinary(node, { mode: "interpreted" });
    const wires = values.flatMap((value) => {
      const wire = binary.encode(value);
      return wire.ok ? [wire.value] : [];
    });
    const mutated = wires.slice(0, 2).map((wire) => fc.array(arbitraryMutation(wire), { minLength: 1, maxLength: 3 }));
    return fc
      .tuple(fc.tuple(...values.slice(0, 2).map(arbitraryMutation)), fc.array(binaryOnly, { maxLength: 2 }), ...mutated)
      .map(([more, strange, ...others]) => ({
        node,
        values: [...values, ...more, ...strange],
        wires: [...wires, ...others.flat(), ...strange],
      }));
  }),
);

test("a compiled binary codec answers as the interpreter does, both ways", () => {
  fc.assert(
    fc.property(samples, ({ node, values, wires }) => {
      const fast = compileBinary(node, { mode: "compiled" });
      const slow = compileBinary(node, { mode: "interpreted" });
      for (const wire of wires) assert.deepStrictEqual(fast.parse(wire), slow.parse(wire));
      for (const value of values) assert.deepStrictEqual(fast.encode(value), slow.encode(value));
    }),
    { numRuns },
  );
});

test("generated code decides by itself whatever the interpreter accepts", () => {
  let fast = 0;
  fc.assert(
    fc.property(samples, ({ node, values, wires }) => {
      const generated = generateBinary(node, defaultLimits);
      const slow = compileBinary(node, { mode: "interpreted" });
      for (const wire of wires) {
        const read = slow.parse(wire);
        if (read instanceof Promise || !read.ok) continue;
        assert.notEqual(generated.decode(wire, 0), failed);
        fast++;
      }
      for (const value of values) if (slow.encode(value).ok) assert.notEqual(generated.encode(value, 0), failed);
    }),
    { numRuns },
  );
  assert.ok(fast > numRuns / 2);
});

test("a value that is sent in binary form is the one that JSON would have brought, and has the same verdict", () => {
  fc.assert(
    fc.property(samples, ({ node, values }) => {
      const json = compile(node);
      const binary = compileBinary(node);
      for (const value of values) {
        const text = json.encode(value);
        const wire = binary.encode(value);
        assert.deepStrictEqual(issuesIn(wire), issuesIn(text));
        if (!wire.ok || !text.ok) continue;
        // JSON text has no way out for -0: it is written as 0.
        if (hasMinusZero(text.value)) continue;
        const viaJson = json.parse(JSON.parse(JSON.stringify(text.value)));
        // Half a surrogate pair has no UTF-8, so it is not one after the journey.
        if (!JSON.stringify(text.value).includes("\\ud")) assert.deepEqual(binary.parse(wire.value), viaJson);
      }
    }),
    { numRuns },
  );
});

function hasMinusZero(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(hasMinusZero);
  return Object.is(value, -0);
}

function issuesIn(result: { readonly ok: boolean }): unknown {
  return result.ok ? [] : issuesOf(result);
}

interface Photo {
  readonly photo: Uint8Array;
}

for (const mode of ["compiled", "interpreted"] as const) {
  test(`bytes are bytes, an int64 is an integer, times are texts (${mode})`, () => {
    const node = t.object({
      id: t.int64(),
      big: t.int64(),
      photo: t.bytes({ maxLength: 4 }),
      at: t.timestamp(),
      wait: t.duration(),
      price: t.decimal(),
      n: t.int(),
      note: t.default(t.bytes(), new Uint8Array([9])),
      any: t.json(),
    });
    const codec = compileBinary(node, { mode });
    const value = {
      id: 7n,
      big: 2n ** 62n,
      photo: new Uint8Array([1, 2, 3]),
      at: new Date(0),
      wait: 1500,
      price: "1.5",
      n: 2 ** 40,
      any: { deep: ["\ud800", 1] },
    };
    const wire = valueOf(codec.encode(value));
    assert.deepEqual(wire, {
      id: 7,
      big: 2n ** 62n,
      photo: new Uint8Array([1, 2, 3]),
      at: "1970-01-01T00:00:00.000Z",
      wait: "1.500s",
      price: "1.5",
      n: 2n ** 40n,
      note: new Uint8Array([9]),
      any: { deep: ["\ufffd", 1] },
    });
    const { note: _note, ...short } = wire as { note: unknown };
    const read = valueOf(codec.parse({ ...short, any: { deep: ["\ufffd", 1n] } }));
    assert.deepEqual(read, { ...value, note: new Uint8Array([9]), any: { deep: ["\ufffd", 1] } });
    assert.notEqual((read as Photo).photo.buffer, (wire as Photo).photo.buffer, "bytes are a copy");
    const wrong = { ...(wire as object), id: "7", photo: "AQID", any: 2n ** 60n, n: 2n ** 60n, extra: 1 };
    assert.deepEqual(issuesOf(codec.parse(wrong)), [
      "/id type",
      "/photo type",
      "/n type",
      "/any type",
      "/extra unknown_field",
    ]);
    assert.deepEqual(issuesOf(codec.parse({ ...(wire as object), photo: new Uint8Array(5) })), ["/photo max_length"]);
    assert.deepEqual(issuesOf(encode(node, { ...value, photo: new Uint8Array(5) })), ["/photo max_length"]);
  });

  test(`another library's schema sees JSON only (${mode})`, async () => {
    const codec = compileBinary(t.object({ n: z.number(), list: z.array(z.any()) }), { mode });
    assert.deepEqual(valueOf(await codec.parse({ n: 5n, list: [1n, "a"] })), { n: 5, list: [1, "a"] });
    assert.deepEqual(issuesOf(await codec.parse({ n: 5, list: [new Uint8Array(1)] })), ["/list type"]);
    assert.deepEqual(valueOf(codec.encode({ n: 1, list: ["\udc00"] })), { n: 1, list: ["\ufffd"] });
  });
}

test("generated binary code stays on its side of the depth limit, as the interpreter does", () => {
  const list: Node = t.array(t.ref(() => list));
  const nest = (levels: number): unknown => (levels === 1 ? [] : [nest(levels - 1)]);
  for (const mode of ["compiled", "interpreted"] as const) {
    const codec: BinaryCodec<never, unknown> = compileBinary(list, { mode });
    assert.equal((codec.parse(nest(64)) as { ok: boolean }).ok, true);
    assert.equal(issuesOf(codec.parse(nest(65))).length, 1);
  }
});
