/** Both binary formats on their real libraries: the same value and the same verdict as JSON, and nothing that bytes can do to them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode as encodeCbor } from "cborg";
import { encode as encodeMessagePack } from "@msgpack/msgpack";
import fc from "fast-check";
import { compile, compileBinary, t, type BinaryLibrary } from "../schema/index.ts";
import { arbitrarySchema, arbitraryValue } from "../../tools/random-schemas.ts";
import { cbor, messagePack } from "./index.ts";

const numRuns = Number(process.env["SCHEMA_RUNS"] ?? 300);
const packed = await messagePack().load();
const concise = await cbor().load();
const libraries: readonly (readonly [string, BinaryLibrary, (value: unknown) => Uint8Array])[] = [
  ["MessagePack", packed, (value) => encodeMessagePack(value, { useBigInt64: true })],
  ["CBOR", concise, (value) => encodeCbor(value)],
];

for (const [name, library] of libraries) {
  test(`${name}: a value has the verdict that it has as JSON, and comes out the same`, () => {
    const samples = arbitrarySchema().chain((node) => fc.tuple(fc.constant(node), arbitraryValue(node)));
    fc.assert(
      fc.property(samples, ([node, value]) => {
        const json = compile(node);
        const binary = compileBinary(node);
        const text = json.serialize(value);
        const wire = binary.encode(value);
        assert.equal(wire.ok, text.ok);
        // MessagePack's library refuses a key __proto__; half a surrogate pair has no UTF-8.
        if (!wire.ok || !text.ok || /__proto__|\\ud/.test(text.value)) return;
        const bytes = library.encode(wire.value);
        const read = library.decode(bytes);
        assert.ok(read.ok, read.ok ? "" : read.fault.message);
        assert.deepEqual(binary.parse(read.value), json.parseJson(text.value));
      }),
      { numRuns },
    );
  });

  test(`${name}: whatever the bytes, an answer, and never more memory than they have`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const read = library.decode(bytes);
        if (!read.ok) assert.match(read.fault.issues[0]?.code ?? "", /^(encoding|duplicate_key)$/);
      }),
      { numRuns: numRuns * 20 },
    );
  });

  test(`${name}: every cut of a message is refused, and so is what follows it`, () => {
    const bytes = library.encode({
      id: 2n ** 60n,
      name: "Zürich",
      list: [1, -500, 1.5, null, true],
      photo: new Uint8Array(300),
    });
    assert.equal(library.decode(bytes).ok, true);
    for (let end = 0; end < bytes.length; end++) assert.equal(library.decode(bytes.subarray(0, end)).ok, false);
    assert.equal(reason(library, new Uint8Array([...bytes, 0])), "more follows after the value");
  });
}

function reason(library: BinaryLibrary, bytes: Uint8Array | readonly number[]): string {
  const read = library.decode(Uint8Array.from(bytes));
  assert.ok(!read.ok);
  return read.fault.message.replace(/^value: (is not valid \w+: )?/, "");
}

test("a length that lies costs nothing", () => {
  const before = process.memoryUsage().rss;
  // 500 nested arrays that each announce 2^24 items: 128 MB a level for a reader that believes them.
  const bomb = Array.from({ length: 500 }, () => [0xdd, 1, 0, 0, 0]).flat();
  assert.equal(reason(packed, bomb), "a length goes beyond its end");
  assert.equal(
    reason(concise, Array.from({ length: 500 }, () => [0x9a, 1, 0, 0, 0]).flat()),
    "a length goes beyond its end",
  );
  assert.equal(reason(packed, [0xdb, 0xff, 0xff, 0xff, 0xff]), "a length goes beyond its end");
  assert.equal(reason(concise, [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "a length goes beyond its end");
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
});

test("nesting is bounded before a library could run out of stack", () => {
  assert.match(reason(packed, new Uint8Array(100_000).fill(0x91)), /nested more than 512/);
  assert.match(reason(concise, new Uint8Array(100_000).fill(0x81)), /nested more than 512/);
});

test("what JSON does not have is refused by name", () => {
  const map = (entries: readonly number[]): readonly number[] => [0x82, ...entries];
  // {"a":1,"a":2}
  assert.equal(reason(packed, map([0xa1, 97, 1, 0xa1, 97, 2])), "holds the same key twice in one object");
  assert.equal(reason(concise, [0xa2, 0x61, 97, 1, 0x61, 97, 2]), "holds the same key twice in one object");
  assert.equal(reason(packed, [0x81, 1, 1]), "a key is no text");
  assert.equal(reason(concise, [0xa1, 1, 1]), "a key is no text");
  assert.equal(reason(packed, [0xa1, 0xff]), "a text is not UTF-8");
  assert.equal(reason(concise, [0x61, 0xff]), "a text is not UTF-8");
  assert.equal(reason(packed, [0xd6, 0xff, 0, 0, 0, 0]), "extension types are not used here");
  assert.equal(reason(packed, [0xc1]), "it holds a byte that begins no value");
  assert.equal(reason(concise, [0xc1, 0]), "tags are not used here");
  assert.equal(reason(concise, [0xf7]), "it holds a simple value that JSON does not have");
  assert.equal(reason(concise, [0x9f, 0xff]), "indefinite lengths are not used here");
  assert.equal(reason(concise, [0x18, 5]), "its library refuses it", "5 in two bytes");
});

test("other libraries' messages are read: 64-bit integers, floats of every size, a key __proto__ in CBOR", () => {
  const node = t.object({ n: t.int(), big: t.int64(), f: t.float(), more: t.map(t.int32()) });
  const codec = compileBinary(node);
  const more = Object.create(null) as { [key: string]: number };
  more["constructor"] = 1;
  for (const [, library, encodeOther] of libraries) {
    const read = library.decode(encodeOther({ n: 5n, big: 2n ** 62n, f: 3, more }));
    assert.ok(read.ok);
    assert.deepEqual(valueOf(codec.parse(read.value)), { n: 5, big: 2n ** 62n, f: 3, more });
  }
  const read = concise.decode(Uint8Array.from([0xa1, 0x69, ...Buffer.from("__proto__"), 7]));
  assert.ok(read.ok);
  const map = compileBinary(t.map(t.int32())).parse(read.value);
  assert.deepEqual(Object.entries(valueOf(map) as object), [["__proto__", 7]]);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

/** Of a result that must be a synchronous success. */
function valueOf(result: unknown): unknown {
  const settled = result as { readonly ok: boolean; readonly value?: unknown };
  assert.equal(settled.ok, true);
  return settled.value;
}
