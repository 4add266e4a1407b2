/**
 * Random schemas, and random values that fit them, for property tests here and on other floors. Needs fast-check, so it is not
 * part of the schema's index.ts.
 */
import fc from "fast-check";
import { encode, t, type AnySchema, type FieldNode, type Node } from "../index.ts";
import { fieldNames, mapKeys } from "./arbitrary-json.ts";

export interface SchemaOptions {
  /**
   * Leaves out what JSON Schema cannot say (refinements, the bounds of int64 and duration), and what Ajv does not understand: a
   * required field whose name is empty, and equality of objects that hold `constructor`, `valueOf` or `toString`.
   */
  readonly sayable?: boolean;
}

/** A random schema of moderate size: every kind of node but foreign ones. */
export function arbitrarySchema(options: SchemaOptions = {}): fc.Arbitrary<Node> {
  const said = options.sayable === true;
  const { node } = fc.letrec<{ node: Node; leaf: Node; field: AnySchema; shape: { [name: string]: AnySchema } }>(
    (tie) => ({
      node: fc.oneof(
        { maxDepth: 4, depthSize: "small", withCrossShrink: true },
        { weight: 3, arbitrary: tie("leaf") },
        {
          weight: 3,
          arbitrary: fc
            .record({ shape: tie("shape"), unknown: fc.constantFrom("refuse", "strip") })
            .map(({ shape, unknown }) => t.object(shape, { unknown })),
        },
        { weight: 1, arbitrary: tie("shape").map((shape) => recursive(shape)) },
        {
          weight: 1,
          arbitrary: fc
            .record({ item: tie("node"), bounds: bounds(0, 3) })
            .map(({ item, bounds: [minItems, maxItems] }) => t.array(item, { minItems, maxItems: maxItems + 1 })),
        },
        {
          weight: 1,
          arbitrary: tie(said ? "leaf" : "node").map((item) =>
            t.array(said && item.kind === "json" ? t.int() : item, { uniqueItems: true }),
          ),
        },
        { weight: 1, arbitrary: tie("node").map((item) => t.array(item)) },
        { weight: 1, arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((items) => t.tuple(items)) },
        {
          weight: 1,
          arbitrary: fc
            .record({ value: tie("node"), maxEntries: fc.nat(4) })
            .map(({ value, maxEntries }) => t.map(value, { maxEntries })),
        },
        { weight: 1, arbitrary: tie("node").map((value) => t.map(value, { key: t.string({ maxLength: 4 }) })) },
        {
          weight: 1,
          arbitrary: fc
            .tuple(
              fc.nat(),
              fc.dictionary(fc.constantFrom("circle", "square", "constructor", "line"), tie("shape"), {
                minKeys: 1,
                maxKeys: 3,
              }),
            )
            .map(([n, variants]) => t.tagged(`Union${n}`, "kind of", variants)),
        },
        { weight: 1, arbitrary: tie("node").map((inner) => t.nullable(inner)) },
        { weight: 1, arbitrary: tie("node").map((inner) => t.brand(inner, "Branded")) },
        ...(said
          ? []
          : [
              {
                weight: 1,
                arbitrary: tie("node").map((inner) =>
                  t.refine(inner, (value) => sizeOf(value) % 5 !== 0, "must not have a size that 5 divides"),
                ),
              },
            ]),
        { weight: 1, arbitrary: tie("node").map((inner) => t.ref(() => inner)) },
      ) as fc.Arbitrary<Node>,
      leaf: arbitraryLeaf(said),
      field: fc.oneof(
        { weight: 3, arbitrary: tie("node") },
        { weight: 2, arbitrary: tie("node").map((inner) => t.optional(inner)) },
        {
          weight: 1,
          arbitrary: tie("leaf").chain((inner) => arbitraryValue(inner).map((value) => withDefault(inner, value))),
        },
        {
          weight: 1,
          arbitrary: fc
            .record({ inner: tie("leaf"), n: fc.nat(9) })
            .map(({ inner, n }) => t.rename(inner as FieldNode, `wire${n}`)),
        },
      ),
      shape: fc
        .dictionary(fc.constantFrom(...(said ? fieldNames.filter((name) => name !== "") : fieldNames)), tie("field"), {
          maxKeys: 5,
          noNullPrototype: true,
        })
        .map(withoutClashes),
    }),
  );
  return node;
}

/** Two renamed fields may get one wire name, which `t.object` refuses. */
function withoutClashes(shape: { [name: string]: AnySchema }): { [name: string]: AnySchema } {
  const seen = new Set<string>();
  return Object.fromEntries(
    Object.entries(shape).filter(([name, schema]) => {
      const wireName = (schema as FieldNode).wireName ?? name;
      return !seen.has(wireName) && seen.add(wireName);
    }),
  );
}

function withDefault(inner: Node, value: unknown): AnySchema {
  return encode(inner, value).ok ? t.default(inner, value) : inner;
}

function recursive(shape: { [name: string]: AnySchema }): Node {
  const { a: _a, ...rest } = shape;
  const node: Node = t.object({ ...rest, a: t.array(t.ref((): AnySchema => node)) });
  return node;
}

function sizeOf(value: unknown): number {
  return typeof value === "string" ? value.length : typeof value === "number" ? Math.abs(Math.trunc(value)) : 1;
}

function bounds(least: number, most: number): fc.Arbitrary<[number, number]> {
  return fc
    .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
}

function arbitraryLeaf(said: boolean): fc.Arbitrary<Node> {
  return fc.oneof(
    fc.constant(t.string()),
    bounds(0, 6).map(([minLength, maxLength]) => t.string({ minLength, maxLength })),
    fc.constantFrom("^[a-z]*$", "\\d", "^.{0,3}$", "[é-ü😀]?").map((pattern) => t.string({ pattern })),
    fc
      .constantFrom(...(["email", "uuid", "uri", "date", "date-time", "time", "ipv4", "ipv6", "hostname"] as const))
      .map((format) => t.string({ format })),
    fc.constant(t.int32()),
    bounds(-5, 50).map(([minimum, maximum]) => t.int32({ minimum, maximum })),
    fc.constant(t.int()),
    bounds(-5, 50).map(([minimum, maximum]) => t.int({ minimum, maximum })),
    said ? fc.constant(t.int64()) : fc.constantFrom(t.int64(), t.int64({ minimum: -3n, maximum: 2n ** 62n })),
    fc.constant(t.float()),
    bounds(-5, 50).map(([minimum, maximum]) => t.float({ minimum, maximum: maximum + 0.5 })),
    fc.constant(t.boolean()),
    fc
      .constantFrom<string | number | boolean | null>("a", "", '"', 0, 1.5, true, null)
      .map((value) => t.literal(value)),
    fc
      .constantFrom(["a"], ["a", 'b"', "é"], ["1", "2", "3", "4", "5", "6", "7", "8", "9", "constructor"])
      .map((values) => t.enum(values)),
    fc.constantFrom(t.bytes(), t.bytes({ maxLength: 3 })),
    fc.constant(t.timestamp()),
    said ? fc.constant(t.duration()) : bounds(0, 5000).map(([minimum, maximum]) => t.duration({ minimum, maximum })),
    fc.constantFrom(
      t.decimal(),
      t.decimal({ precision: 4, scale: 2 }),
      t.decimal({ precision: 3, scale: 0 }),
      t.decimal({ precision: 2, scale: 2 }),
    ),
    fc.constant(t.json()),
    fc.constant(t.nothing()),
  ) as fc.Arbitrary<Node>;
}

/**
 * How many values lists, maps and optional fields may add to what a schema demands. Schemas nest lists in lists and hold themselves: a
 * bound on the depth alone lets one value grow to millions of others, none of which has a chance to be valid as a whole.
 */
const roomAtTop = 60;

/**
 * A random decoded value of a node: of its shape, and mostly within its bounds. Refinements and unique items are not aimed at, so ask
 * `encode` when only valid values will do. `room`: see `roomAtTop`; the parts of a value share it.
 */
export function arbitraryValue(node: Node, room = roomAtTop): fc.Arbitrary<unknown> {
  const inside = (one: Node): fc.Arbitrary<unknown> => arbitraryValue(one, room);
  switch (node.kind) {
    case "string":
      return arbitraryString(node);
    case "int32":
      return fc.oneof(
        fc.constant(0),
        fc.integer({ min: node.minimum ?? -(2 ** 31), max: node.maximum ?? 2 ** 31 - 1 }),
      );
    case "int":
      return fc.maxSafeInteger().map((n) => clamp(n, node.minimum, node.maximum));
    case "int64":
      return fc.bigInt({ min: node.minimum ?? -(2n ** 63n), max: node.maximum ?? 2n ** 63n - 1n });
    case "float":
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => clamp(n, node.minimum, node.maximum));
    case "boolean":
      return fc.boolean();
    case "literal":
      return fc.constant(node.value);
    case "enum":
      return fc.constantFrom(...node.values);
    case "bytes":
      return fc.uint8Array({ maxLength: Math.min(node.maxLength ?? 12, 12) }).map((bytes) => new Uint8Array(bytes));
    case "timestamp":
      return fc.date({
        min: new Date("0001-01-01T00:00:00Z"),
        max: new Date("9999-12-31T23:59:59.999Z"),
        noInvalidDate: true,
      });
    case "duration":
      return fc.integer({ min: node.minimum ?? 0, max: node.maximum ?? 99_999_999_999_999 });
    case "decimal":
      return fc
        .integer({ min: -999, max: 999 })
        .map((n) =>
          node.scale === 0 ? String(n) : node.precision === node.scale ? String((n % 100) / 100) : String(n / 100),
        );
    case "json":
      return fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    case "nothing":
      return fc.constant(undefined);
    case "array": {
      const minLength = node.minItems ?? 0;
      const maxLength = Math.max(minLength, Math.min(node.maxItems ?? 3, 3, room));
      // Made when there are items: a schema that holds itself has no end.
      const item = fc.constant(null).chain(() => arbitraryValue(node.items, shared(room, maxLength)));
      return maxLength === 0 ? fc.constant([]) : fc.array(item, { minLength, maxLength });
    }
    case "tuple":
      return fc.tuple(...node.items.map((item) => arbitraryValue(item, shared(room, node.items.length))));
    case "map": {
      const keys = node.key?.kind === "enum" ? node.key.values : mapKeys;
      const maxKeys = Math.min(node.maxEntries ?? 3, 3, room);
      return fc
        .dictionary(fc.constantFrom(...keys), arbitraryValue(node.values, shared(room, maxKeys)), {
          maxKeys,
          noNullPrototype: false,
        })
        .map(asRecord);
    }
    case "object":
      return arbitraryObject(node, room);
    case "tagged":
      return fc.oneof(
        ...node.variants.map((variant) =>
          arbitraryObject(variant.node, room).map((value) => ({ [node.tag]: variant.tag, ...(value as object) })),
        ),
      );
    case "nullable":
      return fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 3, arbitrary: inside(node.inner) });
    case "ref":
      return inside(node.target());
    case "brand":
    case "refine":
      return inside(node.inner);
    case "foreign":
      throw new TypeError("arbitraryValue cannot know the values of a foreign schema.");
  }
}

/** What each of `parts` gets of the room, after the one that they take themselves. */
function shared(room: number, parts: number): number {
  return Math.max(0, Math.floor((room - 1) / Math.max(1, parts)));
}

function arbitraryObject(node: Extract<Node, { kind: "object" }>, room: number): fc.Arbitrary<unknown> {
  const each = shared(room, node.fields.length);
  const members = node.fields.map((field) =>
    fc.tuple(
      fc.constant(field.name),
      field.presence === "required" ? fc.constant(true) : room === 0 ? fc.constant(false) : fc.boolean(),
      fc.constant(null).chain(() => arbitraryValue(field.node, each)),
    ),
  );
  return fc
    .tuple(...members)
    .map((entries) =>
      Object.fromEntries(entries.filter(([, present]) => present).map(([name, , value]) => [name, value])),
    );
}

function asRecord(value: object): unknown {
  return Object.assign(Object.create(null) as object, value);
}

function clamp(n: number, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY): number {
  return Math.min(Math.max(n, minimum), maximum);
}

const formatSamples: { readonly [format: string]: readonly string[] } = {
  email: ["a@b.co", "x.y+z@example.com"],
  uuid: ["123e4567-e89b-12d3-a456-426614174000"],
  uri: ["https://example.com/a?b=c#d", "urn:isbn:1", "http://[::1]:80/"],
  date: ["2024-02-29", "1999-12-31"],
  "date-time": ["2024-02-29T12:00:00Z", "1999-12-31t23:59:60z", "2020-01-01T00:00:00.123+05:30"],
  time: ["12:00:00Z", "23:59:60Z", "00:00:00-01:00"],
  ipv4: ["127.0.0.1", "255.255.255.255"],
  ipv6: ["::", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4"],
  hostname: ["localhost", "a-b.example.com", "x."],
};

/** Not fast-check's own unit "binary": it makes a table of all million of them first, which takes seconds. */
export const anyCodePoint = fc.nat(0x10ffff - 0x800).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800));

function arbitraryString(node: Extract<Node, { kind: "string" }>): fc.Arbitrary<string> {
  if (node.format !== undefined) return fc.constantFrom(...(formatSamples[node.format] as readonly string[]));
  const minLength = node.minLength ?? 0;
  const maxLength = node.maxLength ?? 8;
  const matching =
    node.pattern === undefined
      ? []
      : [{ weight: 20, arbitrary: fc.stringMatching(new RegExp(node.pattern, "u"), { maxLength: 12 }) }];
  return fc.oneof(
    ...matching,
    fc.string({ minLength, maxLength, unit: anyCodePoint }),
    fc.string({ minLength, maxLength, unit: fc.constantFrom("a", '"', "\\", "\n", "é", "😀", "\u2028", "1") }),
    fc.string({ minLength, maxLength: maxLength, unit: fc.constantFrom("a", "b", "z") }),
  );
}
