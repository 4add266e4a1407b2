/**
 * JSON Schema of every node, held against Ajv: the same verdict on random wire values, for what JSON Schema can say.
 * `SCHEMA_RUNS=20000` makes it long.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { fullFormats } from "ajv-formats/dist/formats.js";
import fc from "fast-check";
import { decode, encode, jsonSchema, jsonSchemaRefs, t, type AnySchema, type Node } from "./index.ts";
import { formats } from "./formats.ts";
import { arbitraryJson, arbitraryMutation } from "./testing/arbitrary-json.ts";
import { arbitrarySchema, arbitraryValue } from "./testing/arbitrary.ts";

const numRuns = Number(process.env["SCHEMA_RUNS"] ?? 60);

function ajvOf(schema: object): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: true, ownProperties: true, logger: false });
  // Our own formats, so that the verdicts differ by the schema alone; formats.test.ts holds the formats against ajv-formats.
  for (const [name, check] of Object.entries(formats)) ajv.addFormat(name, check);
  for (const name of ["int32", "int64", "double"]) ajv.addFormat(name, true);
  const validate = ajv.compile(schema);
  return (value) => validate(value);
}

/** JSON Schema cannot say these, and docs/schema.md lists them. */
function beyondJsonSchema(node: Node, wire: unknown): boolean {
  const result = decode(node, wire);
  if (result.ok) return false;
  return result.fault.issues.every(
    ({ code, expected, message }) =>
      code === "max_depth" ||
      // An int64 past 64 bits, a Date past its years or on a leap second, bytes within the last group of base64.
      (code === "type" && expected?.startsWith("a 64-bit integer")) ||
      (code === "format" && expected === "an RFC 3339 date and time") ||
      (code === "max_length" && message.endsWith("bytes")),
  );
}

test("Ajv gives the same verdict on what comes in", () => {
  let accepted = 0;
  let refused = 0;
  const samples = arbitrarySchema({ sayable: true }).chain((node) =>
    fc.array(arbitraryValue(node), { minLength: 1, maxLength: 3 }).chain((values) => {
      const encoded = values.flatMap((value) => {
        const wire = encode(node, value);
        return wire.ok ? [wire.value] : [];
      });
      return fc.record({
        node: fc.constant(node),
        wires: fc
          .tuple(
            fc.array(arbitraryJson, { maxLength: 2 }),
            ...encoded.slice(0, 2).map((wire) => fc.array(arbitraryMutation(wire), { minLength: 3, maxLength: 5 })),
          )
          .map((more) => [...encoded, ...more.flat()]),
      });
    }),
  );
  fc.assert(
    fc.property(samples, ({ node, wires }) => {
      const accepts = ajvOf(jsonSchema(node, { io: "input" }));
      for (const wire of wires.map((one) => JSON.parse(JSON.stringify(one)) as unknown)) {
        const ours = decode(node, wire).ok;
        if (ours) accepted++;
        else refused++;
        if (accepts(wire) !== ours)
          assert.ok(!ours && beyondJsonSchema(node, wire), `${JSON.stringify(wire)}: Ajv ${!ours}, Tensile ${ours}`);
      }
    }),
    { numRuns },
  );
  assert.ok(accepted > numRuns / 2 && refused > numRuns / 2);
});

test("Ajv accepts whatever goes out", () => {
  fc.assert(
    fc.property(
      arbitrarySchema({ sayable: true }).chain((node) =>
        fc.tuple(fc.constant(node), fc.array(arbitraryValue(node), { minLength: 1, maxLength: 4 })),
      ),
      ([node, values]) => {
        const accepts = ajvOf(jsonSchema(node, { io: "output" }));
        for (const value of values) {
          const wire = encode(node, value);
          if (wire.ok) assert.ok(accepts(JSON.parse(JSON.stringify(wire.value))), JSON.stringify(wire.value));
        }
      },
    ),
    { numRuns },
  );
});

test("named types and recursion become definitions, and input is named apart where it differs", () => {
  const City = t.object("City", { id: t.int32(), kind: t.enum(["town", "city"], { name: "CityKind" }) });
  const Trip: AnySchema = t.object("Trip", {
    stops: t.array(City),
    nights: t.default(t.int32(), 1),
    next: t.optional(t.ref((): AnySchema => Trip)),
  });
  assert.deepStrictEqual(jsonSchema(City, { io: "input" }), {
    $ref: "#/$defs/City",
    $defs: {
      City: {
        type: "object",
        properties: {
          id: { type: "integer", format: "int32", minimum: -2147483648, maximum: 2147483647 },
          kind: { $ref: "#/$defs/CityKind" },
        },
        required: ["id", "kind"],
        additionalProperties: false,
      },
      CityKind: { type: "string", enum: ["town", "city"] },
    },
  });
  const refs = jsonSchemaRefs("#/components/schemas/");
  assert.deepStrictEqual(jsonSchema(Trip, { io: "input", refs }), { $ref: "#/components/schemas/TripInput" });
  assert.deepStrictEqual(jsonSchema(t.array(Trip), { io: "output", refs }), {
    type: "array",
    items: { $ref: "#/components/schemas/Trip" },
  });
  assert.deepStrictEqual(Object.keys(refs.defs).toSorted(), ["City", "CityKind", "Trip", "TripInput"]);
  assert.deepStrictEqual(refs.defs["Trip"]?.["required"], ["stops", "nights"]);
  assert.deepStrictEqual(refs.defs["TripInput"]?.["required"], ["stops"]);
  assert.throws(
    () => jsonSchema(t.object("City", { other: t.string() }), { io: "input", refs }),
    /Two different types are named "City"/,
  );
  assert.throws(
    () => jsonSchema(t.object("A", { a: t.object("A", {}) }), { io: "input" }),
    /Two different types are named "A"/,
  );
});

test("documentation is written beside the type, examples in their wire form", () => {
  const When = t.describe(t.timestamp(), {
    title: "When",
    description: "UTC",
    examples: [new Date(0)],
    deprecated: true,
  });
  assert.deepStrictEqual(jsonSchema(When, { io: "input" }), {
    type: "string",
    format: "date-time",
    title: "When",
    description: "UTC",
    examples: ["1970-01-01T00:00:00.000Z"],
    deprecated: true,
  });
  const City = t.object("City", { id: t.int32() });
  const Trip = t.object({
    from: t.describe(City, { description: "start" }),
    to: t.describe(t.optional(City), { description: "end" }),
  });
  assert.deepStrictEqual(jsonSchema(Trip, { io: "input" })["properties"], {
    from: { $ref: "#/$defs/City", description: "start" },
    to: { $ref: "#/$defs/City", description: "end" },
  });
  assert.throws(
    () => jsonSchema(t.describe(t.int32(), { examples: ["x"] }), { io: "input" }),
    /example in t\.describe does not fit/,
  );
});

test("the formats that ajv-formats knows are named as it names them", () => {
  for (const name of Object.keys(formats)) assert.ok(name in fullFormats, name);
});
