/**
 * The compiled codec equals the interpreter: over random schemas, on values that fit, values that nearly fit, and any JSON, both
 * ways. `SCHEMA_RUNS=20000` makes it long.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Result } from "../core/index.ts";
import { failed } from "./check/walk.ts";
import { generate } from "./compile/compiled.ts";
import { scannerOf } from "./compile/scanner.ts";
import { compile, decode, defaultLimits, encode, type Invalid, type Node } from "./index.ts";
import { some } from "./walk-schema.ts";
import { arbitraryJson, arbitraryMutation } from "./testing/arbitrary-json.ts";
import { arbitrarySchema, arbitraryValue } from "./testing/arbitrary.ts";

const numRuns = Number(process.env["SCHEMA_RUNS"] ?? 400);

interface Sample {
  readonly node: Node;
  readonly values: readonly unknown[];
  readonly wires: readonly unknown[];
}

/** A schema, values for it, and wire values: their encodings, mutations of those, and any JSON. */
const samples: fc.Arbitrary<Sample> = arbitrarySchema().chain((node) =>
  fc.array(arbitraryValue(node), { minLength: 1, maxLength: 4 }).chain((values) => {
    const encoded = values.flatMap((value) => valid(encode(node, value)));
    const mutated = encoded
      .slice(0, 2)
      .map((wire) => fc.array(arbitraryMutation(wire), { minLength: 2, maxLength: 4 }));
    return fc.record({
      node: fc.constant(node),
      values: fc.tuple(...values.slice(0, 2).map(arbitraryMutation)).map((more) => [...values, ...more]),
      wires: fc
        .tuple(fc.array(arbitraryJson, { maxLength: 3 }), ...mutated)
        .map((more) => [...encoded, ...more.flat()]),
    });
  }),
);

function valid<T>(result: Result<T, Invalid>): readonly T[] {
  return result.ok ? [result.value] : [];
}

function settled<T>(result: T | Promise<T>): T {
  assert.ok(!(result instanceof Promise));
  return result;
}

test("a compiled codec decodes as the interpreter does", () => {
  fc.assert(
    fc.property(samples, ({ node, wires }) => {
      const codec = compile(node, { mode: "compiled" });
      for (const wire of wires) {
        const expected = decode(node, wire);
        assert.deepStrictEqual(settled(codec.parse(wire)), expected);
        const text = JSON.stringify(wire);
        assert.deepStrictEqual(settled(codec.parseJson(text)), decode(node, JSON.parse(text)));
      }
    }),
    { numRuns },
  );
});

test("a compiled codec encodes and serializes as the interpreter does", () => {
  fc.assert(
    fc.property(samples, ({ node, values }) => {
      const codec = compile(node, { mode: "compiled" });
      for (const value of values) {
        const expected = encode(node, value);
        assert.deepStrictEqual(codec.encode(value), expected);
        const text = codec.serialize(value);
        assert.equal(text.ok, expected.ok);
        if (text.ok && expected.ok)
          assert.deepStrictEqual(JSON.parse(text.value), JSON.parse(JSON.stringify(expected.value)));
      }
    }),
    { numRuns },
  );
});

test("generated code decides by itself whenever the interpreter would accept what came from JSON", () => {
  // Otherwise the equality above could be the interpreter compared with itself.
  let fast = 0;
  let slow = 0;
  const count = (byItself: boolean): void => {
    if (byItself) fast++;
    else slow++;
  };
  fc.assert(
    fc.property(samples, ({ node, values, wires }) => {
      const { scan, decode: generated, encode: written } = generate(node, defaultLimits);
      for (const wire of wires.map((one) => JSON.parse(JSON.stringify(one)) as unknown)) {
        if (decode(node, wire).ok) count(generated(wire, 0) !== failed);
      }
      for (const value of values) {
        if (!encode(node, value).ok) continue;
        const wire = written(value, 0);
        count(wire !== failed);
        const scanner = scannerOf(new TextEncoder().encode(JSON.stringify(wire)), false);
        // JavaScript moves a field named "0" before the tag, and then the tag comes too late.
        const tagFirst = !some(
          node,
          (one) =>
            one.kind === "tagged" &&
            one.variants.some((variant) => variant.node.fields.some((field) => field.wireName === "0")),
        );
        if (tagFirst && scan !== undefined && scanner !== undefined)
          count(scan(scanner, 0) !== failed && scanner.ended());
      }
    }),
    { numRuns },
  );
  assert.equal(slow, 0);
  assert.ok(fast > numRuns);
});

test("a compiled codec reads bytes as the interpreter does, however they are spaced, ordered, cut or changed", () => {
  const edits = fc.array(
    fc.tuple(
      fc.nat(400),
      fc.nat(3),
      fc.constantFrom(
        "",
        " ",
        "\n",
        "\t",
        '"',
        "\\",
        "\\u0061",
        "\\n",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "0",
        "-",
        ".",
        "1e2",
        "null",
        "true",
        "é",
        "😀",
        "\u0000",
        '"a":1,',
      ),
    ),
    { maxLength: 2 },
  );
  fc.assert(
    fc.property(
      samples,
      edits,
      fc.constantFrom(0, 1),
      fc.boolean(),
      fc.nat(255),
      ({ node, values, wires }, changes, indent, reversed, byte) => {
        const fast = compile(node, { mode: "compiled" });
        const slow = compile(node, { mode: "interpreted" });
        for (const wire of [...values.flatMap((value) => valid(encode(node, value))), ...wires]) {
          let text = JSON.stringify(reversed ? reverseKeys(wire) : wire, null, indent);
          for (const [at, cut, piece] of changes) text = text.slice(0, at) + piece + text.slice(at + cut);
          assert.deepStrictEqual(fast.parseJson(text), slow.parseJson(text));
          const bytes = new TextEncoder().encode(text);
          assert.deepStrictEqual(fast.parseJson(bytes), slow.parseJson(bytes));
          if (bytes.length > 0) bytes[byte % bytes.length] = byte;
          assert.deepStrictEqual(fast.parseJson(bytes), slow.parseJson(bytes));
          // Whatever stands before and after: here digits, which would be part of a number.
          const around = new Uint8Array(bytes.length + 9).fill(0x31);
          around.set(bytes, 5);
          assert.deepStrictEqual(fast.parseJsonPart(around, 5, 5 + bytes.length), fast.parseJson(bytes));
          assert.deepStrictEqual(slow.parseJsonPart(around, 5, 5 + bytes.length), slow.parseJson(bytes));
        }
      },
    ),
    { numRuns },
  );
});

function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== "object" || value === null) return value;
  const reversed = Object.create(null) as { [key: string]: unknown };
  for (const [key, member] of Object.entries(value).toReversed()) reversed[key] = reverseKeys(member);
  return reversed;
}

test("decoding what was encoded gives the value back", () => {
  fc.assert(
    fc.property(samples, ({ node, values }) => {
      const codec = compile(node);
      for (const value of values) {
        const text = codec.serialize(value);
        if (!text.ok) continue;
        const back = settled(codec.parseJson(text.value));
        assert.ok(back.ok, back.ok ? "" : back.fault.message);
        // Once decoded, the defaults are in and the numbers canonical: from there on nothing changes.
        assert.deepStrictEqual(codec.serialize(back.value), text);
        const again = settled(codec.parseJson(text.value));
        assert.deepStrictEqual(again, back);
      }
    }),
    { numRuns },
  );
});
