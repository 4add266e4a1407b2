/** Each node: what it takes in, what it gives out, and what it refuses, in both modes. */
import assert from "node:assert/strict";
import { t, type AnySchema } from "./index.ts";
import { bothModes, issuesOf, valueOf } from "./testing/both-modes.ts";

interface Row {
  readonly name: string;
  readonly schema: AnySchema;
  /** Wire value and decoded value; encoding the decoded one gives the third, or the wire value. */
  readonly good: readonly (readonly [wire: unknown, decoded: unknown, again?: unknown])[];
  /** Wire values that are refused, with the code. */
  readonly bad: readonly (readonly [wire: unknown, code: string])[];
  /** Decoded values that are refused on the way out. */
  readonly badOut?: readonly unknown[];
}

const rows: readonly Row[] = [
  {
    name: "string",
    schema: t.string({ minLength: 2, maxLength: 3 }),
    good: [
      ["ab", "ab"],
      ["😀😀😀", "😀😀😀"],
      ['"\\\n', '"\\\n'],
    ],
    bad: [
      ["a", "min_length"],
      ["😀", "min_length"],
      ["abcd", "max_length"],
      [1, "type"],
      [null, "type"],
    ],
  },
  {
    name: "string with a pattern",
    schema: t.string({ pattern: /^\p{L}+$/u }),
    good: [["é", "é"]],
    bad: [["1", "pattern"]],
  },
  {
    name: "int32",
    schema: t.int32(),
    good: [
      [0, 0],
      [-0, 0, 0],
      [2147483647, 2147483647],
      [-2147483648, -2147483648],
    ],
    bad: [
      [2147483648, "maximum"],
      [-2147483649, "minimum"],
      [1.5, "type"],
      ["1", "type"],
      [Number.NaN, "type"],
      [true, "type"],
    ],
  },
  {
    name: "int32 with bounds",
    schema: t.int32({ minimum: 1, maximum: 3 }),
    good: [
      [1, 1],
      [3, 3],
    ],
    bad: [
      [0, "minimum"],
      [4, "maximum"],
    ],
  },
  {
    name: "int",
    schema: t.int(),
    good: [[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
    bad: [
      [2 ** 53, "maximum"],
      [-(2 ** 53), "minimum"],
      [0.1, "type"],
      [Number.POSITIVE_INFINITY, "type"],
    ],
  },
  {
    name: "int64",
    schema: t.int64(),
    good: [
      ["9223372036854775807", 9223372036854775807n],
      ["-9223372036854775808", -9223372036854775808n],
      ["0", 0n],
    ],
    bad: [
      ["9223372036854775808", "type"],
      ["-0", "type"],
      ["01", "type"],
      ["+1", "type"],
      ["1.0", "type"],
      ["", "type"],
      [" 1", "type"],
      ["0x1", "type"],
      [1, "type"],
    ],
    badOut: [1, 2n ** 63n, "1"],
  },
  {
    name: "int64 with bounds",
    schema: t.int64({ minimum: 0n, maximum: 5n }),
    good: [["5", 5n]],
    bad: [
      ["-1", "minimum"],
      ["6", "maximum"],
    ],
    badOut: [-1n, 6n],
  },
  {
    name: "float",
    schema: t.float({ minimum: 0 }),
    good: [
      [1.5, 1.5],
      [1e300, 1e300],
    ],
    bad: [
      [-1, "minimum"],
      ["1", "type"],
      [Number.POSITIVE_INFINITY, "type"],
      [Number.NaN, "type"],
    ],
  },
  {
    name: "boolean",
    schema: t.boolean(),
    good: [
      [true, true],
      [false, false],
    ],
    bad: [
      ["true", "type"],
      [0, "type"],
    ],
  },
  {
    name: "literal",
    schema: t.literal("on"),
    good: [["on", "on"]],
    bad: [
      ["off", "literal"],
      [null, "literal"],
    ],
  },
  {
    name: "literal null",
    schema: t.literal(null),
    good: [[null, null]],
    bad: [
      [0, "literal"],
      ["null", "literal"],
    ],
  },
  {
    name: "enum",
    schema: t.enum(["a", "constructor"]),
    good: [["constructor", "constructor"]],
    bad: [
      ["b", "enum"],
      [1, "type"],
      ["toString", "enum"],
    ],
  },
  {
    name: "bytes",
    schema: t.bytes({ maxLength: 3 }),
    good: [
      ["", new Uint8Array()],
      ["AAEC", new Uint8Array([0, 1, 2])],
      ["/w==", new Uint8Array([255])],
      ["//8=", new Uint8Array([255, 255])],
    ],
    bad: [
      ["AAECAw==", "max_length"],
      ["/x==", "format"],
      ["/w=", "format"],
      ["/w", "format"],
      ["_w==", "format"],
      ["/w==\n", "format"],
      ["A===", "format"],
      ["====", "format"],
      [1, "type"],
    ],
    badOut: [new Uint8Array(4), [0], "AAEC", new ArrayBuffer(1)],
  },
  {
    name: "timestamp",
    schema: t.timestamp(),
    good: [
      ["2024-02-29T12:00:00.000Z", new Date("2024-02-29T12:00:00Z")],
      ["2024-02-29T12:00:00Z", new Date("2024-02-29T12:00:00Z"), "2024-02-29T12:00:00.000Z"],
      ["2024-02-29t23:30:00.1239999-01:30", new Date("2024-03-01T01:00:00.123Z"), "2024-03-01T01:00:00.123Z"],
      ["0001-01-01T00:00:00.000Z", new Date(-62135596800000)],
      ["9999-12-31T23:59:59.999Z", new Date(253402300799999)],
    ],
    bad: [
      ["2023-02-29T12:00:00Z", "format"],
      ["2024-02-29 12:00:00Z", "format"],
      ["2024-02-29T12:00:00", "format"],
      ["2024-02-29", "format"],
      ["2024-02-29T24:00:00Z", "format"],
      ["2016-12-31T23:59:60Z", "format"],
      ["0001-01-01T00:00:00+01:00", "format"],
      ["2024-02-29T12:00:00+24:00", "format"],
      [0, "type"],
    ],
    badOut: [new Date(Number.NaN), new Date(253402300800000), 0, "2024-02-29T12:00:00.000Z"],
  },
  {
    name: "duration",
    schema: t.duration({ maximum: 10_000 }),
    good: [
      ["5s", 5000],
      ["0s", 0],
      ["1.500s", 1500],
      ["0.25s", 250, "0.250s"],
      ["0.0019s", 1, "0.001s"],
    ],
    bad: [
      ["5", "format"],
      ["05s", "format"],
      ["-1s", "format"],
      ["PT5S", "format"],
      ["1e1s", "format"],
      [".5s", "format"],
      ["11s", "maximum"],
      [5, "type"],
    ],
    badOut: [1.5, -1, 10_001, "5s", Number.NaN],
  },
  {
    name: "decimal",
    schema: t.decimal({ precision: 5, scale: 2 }),
    good: [
      ["123.45", "123.45"],
      ["1.50", "1.5", "1.5"],
      ["-0.00", "0", "0"],
      ["0", "0"],
      ["-1", "-1"],
    ],
    bad: [
      ["1234", "format"],
      ["1.234", "format"],
      ["01", "format"],
      ["1.", "format"],
      [".5", "format"],
      ["1e3", "format"],
      ["+1", "format"],
      ["", "format"],
      [1.5, "type"],
    ],
  },
  {
    name: "json",
    schema: t.json(),
    good: [[{ a: [1, null, { b: "c" }] }, { a: [1, null, { b: "c" }] }]],
    bad: [[Number.NaN, "type"]],
    badOut: [new Date(), 1n, undefined, [undefined], () => 1, new Map()],
  },
  {
    name: "nothing",
    schema: t.nothing(),
    good: [[null, undefined]],
    bad: [
      [0, "type"],
      ["", "type"],
      [{}, "type"],
    ],
    badOut: [0, false],
  },
  {
    name: "array",
    schema: t.array(t.int32(), { minItems: 1, maxItems: 2 }),
    good: [
      [
        [1, 2],
        [1, 2],
      ],
    ],
    bad: [
      [[], "min_items"],
      [[1, 2, 3], "max_items"],
      [{}, "type"],
      ["ab", "type"],
      [{ length: 1, 0: 1 }, "type"],
    ],
  },
  {
    name: "array of unique items",
    schema: t.array(t.json(), { uniqueItems: true }),
    good: [
      [
        [1, "1", true, null, { a: 1 }, { a: 2 }],
        [1, "1", true, null, { a: 1 }, { a: 2 }],
      ],
    ],
    bad: [
      [[1, 1], "unique_items"],
      [
        [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
        "unique_items",
      ],
      [["x", "x"], "unique_items"],
    ],
    badOut: [[1, 1]],
  },
  {
    name: "tuple",
    schema: t.tuple([t.int32(), t.string()]),
    good: [
      [
        [1, "a"],
        [1, "a"],
      ],
    ],
    bad: [
      [[1], "min_items"],
      [[1, "a", 2], "max_items"],
      [["a", 1], "type"],
      [{}, "type"],
    ],
  },
  {
    name: "map",
    schema: t.map(t.int32(), { maxEntries: 2, key: t.string({ maxLength: 11 }) }),
    good: [
      [
        JSON.parse('{"__proto__":1,"constructor":2}'),
        Object.assign(Object.create(null) as object, JSON.parse('{"__proto__":1,"constructor":2}')),
      ],
    ],
    bad: [
      [{ a: 1, b: 2, c: 3 }, "max_entries"],
      [{ a: "1" }, "type"],
      [{ abcdefghijkl: 1 }, "max_length"],
      [[], "type"],
      [null, "type"],
    ],
    badOut: [new Map([["a", 1]])],
  },
  {
    name: "object",
    schema: t.object({
      id: t.int32(),
      note: t.optional(t.string()),
      page: t.default(t.int32(), 1),
      user: t.rename(t.nullable(t.string()), "user_id"),
    }),
    good: [
      [
        { id: 1, note: "a", page: 2, user_id: null },
        { id: 1, note: "a", page: 2, user: null },
      ],
      [
        { id: 1, user_id: "u" },
        { id: 1, page: 1, user: "u" },
        { id: 1, page: 1, user_id: "u" },
      ],
    ],
    bad: [
      [{ user_id: null }, "required"],
      [{ id: 1 }, "required"],
      [{ id: 1, user_id: null, note: null }, "type"],
      [{ id: 1, user_id: null, page: null }, "type"],
      [{ id: 1, user_id: null, x: 1 }, "unknown_field"],
      [{ id: 1, user: null }, "required"],
      [[], "type"],
      [null, "type"],
    ],
    badOut: [{ id: 1 }, { user: null }],
  },
  {
    name: "object that strips",
    schema: t.object({ id: t.int32() }, { unknown: "strip" }),
    good: [[{ id: 1, x: { y: 1 } }, { id: 1 }, { id: 1 }]],
    bad: [[{ x: 1 }, "required"]],
  },
  {
    name: "tagged union",
    schema: t.tagged("Shape", "type", {
      circle: { radius: t.float() },
      square: { side: t.float(), name: t.optional(t.string()) },
    }),
    good: [
      [
        { type: "circle", radius: 1 },
        { type: "circle", radius: 1 },
      ],
      [
        { side: 2, type: "square", name: "s" },
        { type: "square", side: 2, name: "s" },
      ],
    ],
    bad: [
      [{ type: "triangle" }, "variant"],
      [{ radius: 1 }, "required"],
      [{ type: "circle", side: 1, radius: 1 }, "unknown_field"],
      [{ type: "constructor" }, "variant"],
      [{ type: ["circle"], radius: 1 }, "variant"],
      ["circle", "type"],
    ],
  },
  {
    name: "nullable",
    schema: t.nullable(t.int32()),
    good: [
      [null, null],
      [1, 1],
    ],
    bad: [
      ["1", "type"],
      [undefined, "type"],
    ],
  },
  {
    name: "brand",
    schema: t.brand(t.string({ minLength: 1 }), "UserId"),
    good: [["u", "u"]],
    bad: [["", "min_length"]],
  },
  {
    name: "refine",
    schema: t.refine(t.array(t.int32()), (list) => list.length !== 2, "must not be a pair"),
    good: [[[1], [1]]],
    bad: [
      [[1, 2], "refine"],
      [["a"], "type"],
    ],
    badOut: [[1, 2]],
  },
];

for (const { name, schema, good, bad, badOut = [] } of rows) {
  bothModes(`${name}: decodes, encodes, refuses`, ({ codec }) => {
    const one = codec(schema);
    for (const [wire, decoded, again = wire] of good) {
      assert.deepStrictEqual(valueOf(one.parse(wire)), decoded);
      assert.deepStrictEqual(
        JSON.parse(JSON.stringify(valueOf(one.encode(decoded)))),
        JSON.parse(JSON.stringify(again)),
      );
      assert.deepStrictEqual(JSON.parse(valueOf(one.serialize(decoded)) as string), JSON.parse(JSON.stringify(again)));
      assert.deepStrictEqual(valueOf(one.parseJson(JSON.stringify(wire))), decoded);
      assert.deepStrictEqual(valueOf(one.parseJson(new TextEncoder().encode(JSON.stringify(wire)))), decoded);
    }
    for (const [wire, code] of bad) {
      const issues = issuesOf(one.parse(wire));
      assert.ok(issues[0]?.endsWith(` ${code}`), `${JSON.stringify(wire)} gave ${issues.join()}, not ${code}`);
      const text = JSON.stringify(wire);
      if (text !== undefined && !text.includes("null")) issuesOf(one.parseJson(text));
    }
    for (const value of badOut) {
      issuesOf(one.encode(value));
      issuesOf(one.serialize(value));
    }
  });
}

bothModes("all issues are reported, each with its path and without the value", ({ codec }) => {
  const City = t.object({
    id: t.int32(),
    "a/b": t.array(t.object({ name: t.string({ maxLength: 3 }) })),
    secret: t.string({ maxLength: 3, pattern: "^x" }),
  });
  const result = codec(City).parse({
    id: "1",
    "a/b": [{ name: "ok" }, { name: "long" }, {}],
    secret: "hunter2 is my password",
    more: 1,
  });
  assert.ok("ok" in result && !result.ok);
  assert.deepStrictEqual(
    result.fault.issues.map((issue) => [issue.pointer, issue.code, issue.received]),
    [
      ["/id", "type", "string"],
      ["/a~1b/1/name", "max_length", undefined],
      ["/a~1b/2/name", "required", undefined],
      ["/secret", "max_length", undefined],
      ["/more", "unknown_field", undefined],
    ],
  );
  assert.deepStrictEqual(result.fault.issues[1]?.path, ["a/b", 1, "name"]);
  assert.ok(!JSON.stringify(result.fault).includes("hunter2"));
  assert.match(String(result.fault), /^\/id: must be a 32-bit integer, not string; /);
});

bothModes("issues stop at a hundred", ({ codec }) => {
  const issues = issuesOf(codec(t.array(t.int32())).parse(Array.from({ length: 5000 }, () => "x")));
  assert.equal(issues.length, 100);
});

bothModes("an unknown tag names the nearest variant, by spelling or by fields", ({ codec }) => {
  const one = codec(t.tagged("Shape", "type", { circle: { radius: t.float() }, square: { side: t.float() } }));
  const messageOf = (wire: unknown): string => {
    const result = one.parse(wire);
    assert.ok("ok" in result && !result.ok);
    return result.fault.message;
  };
  assert.match(messageOf({ type: "circel" }), /the nearest is "circle"/);
  assert.match(messageOf({ type: "zzzzzz", side: 1 }), /the nearest is "square"/);
  assert.match(messageOf({ side: 1 }), /is required: one of "circle", "square"; the nearest is "square"/);
});

bothModes("an output is filtered to its schema, and a wrong one is an error", ({ codec }) => {
  const one = codec(
    t.object({ id: t.int32(), inner: t.object({ a: t.optional(t.string()), b: t.optional(t.string()) }) }),
  );
  const leaky = { id: 1, password: "x", inner: { b: "y", hash: "z" } };
  assert.equal(valueOf(one.serialize(leaky)), '{"id":1,"inner":{"b":"y"}}');
  assert.deepStrictEqual(valueOf(one.encode(leaky)), { id: 1, inner: { b: "y" } });
  assert.deepStrictEqual(issuesOf(one.serialize({ id: 1.5, inner: {} })), ["/id type"]);
});

bothModes("a field reads a getter of a class, but not what every object inherits", ({ codec }) => {
  class Row {
    get id() {
      return 7;
    }
  }
  assert.equal(valueOf(codec(t.object({ id: t.int32() })).serialize(new Row())), '{"id":7}');
  const one = codec(t.object({ constructor: t.optional(t.string()), toString: t.optional(t.json()) }));
  assert.deepStrictEqual(valueOf(one.parse({})), {});
  assert.equal(valueOf(one.serialize({} as never)), "{}");
});

bothModes("a default is a fresh value each time", ({ codec }) => {
  const one = codec(
    t.object({ tags: t.default(t.array(t.string()), ["a"]), at: t.default(t.timestamp(), new Date(0)) }),
  );
  const first = valueOf(one.parse({})) as { tags: string[]; at: Date };
  first.tags.push("b");
  first.at.setTime(5);
  assert.deepStrictEqual(valueOf(one.parse({})), { tags: ["a"], at: new Date(0) });
  assert.equal(valueOf(one.serialize({})), '{"tags":["a"],"at":"1970-01-01T00:00:00.000Z"}');
});

bothModes("a recursive schema decodes and encodes", ({ codec }) => {
  const Tree: AnySchema = t.object("Tree", {
    name: t.string(),
    kids: t.array(t.ref((): AnySchema => Tree)),
    next: t.optional(t.nullable(t.ref((): AnySchema => Tree))),
  });
  const wire = { name: "a", kids: [{ name: "b", kids: [], next: null }], next: { name: "c", kids: [] } };
  assert.deepStrictEqual(valueOf(codec(Tree).parse(wire)), wire);
  assert.deepStrictEqual(JSON.parse(valueOf(codec(Tree).serialize(wire)) as string), wire);
  assert.deepStrictEqual(issuesOf(codec(Tree).parse({ name: "a", kids: [{ name: 1, kids: [] }] })), [
    "/kids/0/name type",
  ]);
});
