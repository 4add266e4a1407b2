/** What a hostile client sends, and what a mistaken program writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compile, decode, t, type AnySchema } from "./index.ts";
import { bothModes, issuesOf, valueOf } from "./testing/both-modes.ts";

bothModes("__proto__ is an unknown field, and no object's prototype changes", ({ codec }) => {
  const one = codec(t.object({ a: t.optional(t.json()) }));
  assert.deepStrictEqual(issuesOf(one.parseJson('{"__proto__":{"admin":true}}')), ["/__proto__ unknown_field"]);
  assert.deepStrictEqual(issuesOf(one.parseJson('{"constructor":{"prototype":{"admin":true}}}')), [
    "/constructor unknown_field",
  ]);
  const stripped = valueOf(
    codec(t.object({ a: t.optional(t.json()) }, { unknown: "strip" })).parseJson('{"__proto__":{"admin":true}}'),
  ) as object;
  assert.equal(Object.getPrototypeOf(stripped), Object.prototype);
  assert.equal("admin" in stripped, false);
  assert.equal("admin" in {}, false);
});

bothModes("__proto__ is a key like others in maps and JSON", ({ codec }) => {
  const text = '{"__proto__":{"admin":true},"constructor":1}';
  const map = valueOf(codec(t.map(t.json())).parseJson(text)) as object;
  assert.equal(Object.getPrototypeOf(map), null);
  assert.deepStrictEqual(Object.keys(map), ["__proto__", "constructor"]);
  assert.equal(valueOf(codec(t.map(t.json())).serialize(map as { [key: string]: null })), text);
  assert.equal(valueOf(codec(t.json()).serialize(JSON.parse(text) as null)), text);
});

bothModes("a long key does not make every issue below it long", ({ codec }) => {
  const long = "k".repeat(10_000);
  const wrong = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`n${i}`, "no number"]));
  const parsed = codec(t.map(t.map(t.int32()))).parse({ [long]: wrong, fine: { n: 1 } });
  assert.ok(!(parsed instanceof Promise) && !parsed.ok);
  assert.equal(parsed.fault.issues.length, 100);
  assert.equal(parsed.fault.issues[0]?.pointer, `/${long.slice(0, 100)}…/n0`);
  assert.deepStrictEqual(parsed.fault.issues[0]?.path, [long, "n0"]);
  assert.ok(parsed.fault.message.length < 100 * 200);
});

bothModes("a key that an object holds twice is refused, at any depth", ({ codec }) => {
  const schemas: AnySchema[] = [
    t.object({ a: t.object({ b: t.int32(), c: t.optional(t.int32()) }) }),
    t.map(t.map(t.int32())),
    t.json(),
    t.object({ a: t.json() }),
    t.object({}, { unknown: "strip" }),
  ];
  for (const schema of schemas) {
    assert.deepStrictEqual(issuesOf(codec(schema).parseJson('{"a":{"b":1,"b":2}}')), [" duplicate_key"]);
    assert.deepStrictEqual(issuesOf(codec(schema).parseJson('{"a":{"b":1,"\\u0062":2}}')), [" duplicate_key"]);
    valueOf(codec(schema).parseJson('{"a":{"b":1}}'));
  }
  assert.deepStrictEqual(issuesOf(codec(t.json()).parseJson('{"__proto__":1,"__proto__":2}')), [" duplicate_key"]);
  assert.equal(valueOf(codec(t.object({ a: t.string() })).parseJson('{ "a" : ":\\":\\\\" }')) !== undefined, true);
});

bothModes("invalid UTF-8, a byte order mark and broken JSON are refused", ({ codec }) => {
  const one = codec(t.json());
  assert.deepStrictEqual(issuesOf(one.parseJson(new Uint8Array([0x22, 0xff, 0x22]))), [" utf8"]);
  assert.deepStrictEqual(issuesOf(one.parseJson(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))), [" utf8"]);
  assert.deepStrictEqual(issuesOf(one.parseJson(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]))), [" json"]);
  for (const text of ["", " ", "{", "[1,]", "{'a':1}", "NaN", "1 2", '"\n"', "\ufeff1"])
    assert.deepStrictEqual(issuesOf(one.parseJson(text)), [" json"]);
  assert.equal(valueOf(one.parseJson(new TextEncoder().encode('"é😀\ufffd"'))), "é😀\ufffd");
});

bothModes("a text longer than the limit is refused before it is parsed", ({ codec }) => {
  const one = codec(t.json(), { maxTextLength: 10 });
  assert.deepStrictEqual(issuesOf(one.parseJson("[1,2,3,4,5,6]")), [" max_text"]);
  assert.deepStrictEqual(issuesOf(one.parseJson(new Uint8Array(11))), [" max_text"]);
  valueOf(one.parseJson("[1,2,3,4]"));
});

bothModes("depth is bounded for JSON, recursion, and plain nesting", ({ codec }) => {
  const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
  const List: AnySchema = t.array(t.ref((): AnySchema => List));
  for (const schema of [t.json(), List]) {
    valueOf(codec(schema).parse(nested(64)));
    valueOf(codec(schema).serialize(nested(64)));
    assert.equal(issuesOf(codec(schema).parse(nested(65)))[0]?.split(" ")[1], "max_depth");
    assert.equal(issuesOf(codec(schema).serialize(nested(65) as null))[0]?.split(" ")[1], "max_depth");
    assert.equal(issuesOf(codec(schema).parseJson("[".repeat(200_000) + "]".repeat(200_000))).length, 1);
  }
  assert.deepStrictEqual(issuesOf(codec(t.array(t.array(t.int32())), { maxDepth: 1 }).parse([[1]])), ["/0 max_depth"]);
  const strip = codec(t.array(t.object({}, { unknown: "strip" }), { uniqueItems: true }));
  assert.equal(
    issuesOf(strip.parseJson(`[{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}},{"b":1},{"b":1}]`))[0],
    "/2 unique_items",
  );
});

bothModes("a value that holds itself ends as too deep", ({ codec }) => {
  const self: unknown[] = [];
  self.push(self);
  assert.equal(issuesOf(codec(t.json()).encode(self as never))[0]?.split(" ")[1], "max_depth");
});

test("what a client sent is never part of the generated code", () => {
  const evil = '"];process.exit(1);//';
  const one = compile(
    t.object({
      [evil]: t.enum([evil, "`${process.exit(1)}`"]),
      "\u2028": t.literal("\u2029</script>"),
      "'": t.default(t.string(), evil),
    }),
    { mode: "compiled" },
  );
  const wire = { [evil]: evil, "\u2028": "\u2029</script>" };
  assert.deepStrictEqual(valueOf(one.parse(wire)), { ...wire, "'": evil });
  assert.deepStrictEqual(JSON.parse(valueOf(one.serialize(wire as never)) as string), { ...wire, "'": evil });
});

test("mistakes in a schema are found when it is written", () => {
  const wrong: (readonly [() => unknown, RegExp])[] = [
    [() => t.object({ ["__proto__"]: t.int32() }), /cannot be named "__proto__"/],
    [() => t.object({ a: t.rename(t.int32(), "__proto__") }), /cannot be named "__proto__"/],
    [
      () => t.object({ a: t.int32(), b: t.rename(t.int32(), "a") }),
      /Two fields of an object are named "a" on the wire/,
    ],
    [() => t.object("bad name", {}), /is not a type name/],
    [() => t.array(t.optional(t.int32())), /stands only as a field of t\.object/],
    [() => compile(t.default(t.int32(), 1)), /stands only as a field of t\.object/],
    [() => t.string({ minLength: 2, maxLength: 1 }), /no value would fit/],
    [() => t.string({ maxLength: -1 }), /whole number of at least 0/],
    [() => t.string({ pattern: "(" }), /is not a regular expression/],
    [() => t.string({ pattern: /a/i }), /flags that JSON Schema cannot say/],
    [() => t.int32({ maximum: 2 ** 40 }), /A bound of t\.int32/],
    [() => t.float({ maximum: Number.NaN }), /finite number/],
    [() => t.enum([]), /at least one string/],
    [() => t.enum(["a", "a"]), /same value twice/],
    [() => t.literal(Number.NaN), /finite/],
    [() => t.decimal({ precision: 2, scale: 3 }), /precision/],
    [() => t.default(t.int32(), 1.5), /does not fit its schema/],
    [() => t.tagged("U", "type", {}), /at least one variant/],
    [() => t.tagged("U", "type", { a: { type: t.int32() } }), /which is the tag's name/],
    [() => t.map(t.int32(), { key: t.int32() as never }), /key of t\.map/],
    [() => compile({} as never), /This is not a schema/],
    [() => t.object({ id: 5 as never }), /Field "id" of an object has no schema/],
    [() => compile(t.int32(), { limits: { maxDepth: 0 } }), /maxDepth/],
  ];
  for (const [write, message] of wrong)
    assert.throws(
      write,
      (error: unknown) => error instanceof TypeError && message.test(error.message),
      String(message),
    );
  const Endless: AnySchema = t.nullable(t.ref((): AnySchema => Endless));
  assert.throws(() => decode(Endless, 1), /comes back to itself/);
  assert.throws(() => compile(Endless), /comes back to itself/);
});

test("nodes are frozen", () => {
  const node = t.object({ a: t.default(t.array(t.int32()), [1]) });
  assert.ok(
    Object.isFrozen(node) &&
      Object.isFrozen(node.fields) &&
      Object.isFrozen(node.fields[0]) &&
      Object.isFrozen(node.fields[0]?.defaultWire),
  );
});
