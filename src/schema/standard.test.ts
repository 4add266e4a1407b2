/** Schemas of Zod, ArkType and Valibot where ours stand, and ours where theirs do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { compile, decode, encode, jsonSchema, t, type Infer, type InferInput } from "./index.ts";
import { bothModes, issuesOf, valueOf } from "./testing/both-modes.ts";

const foreign = {
  zod: z.object({ id: z.int(), tag: z.string().default("none") }),
  arktype: type({ id: "number.integer", tag: "string = 'none'" }),
  valibot: v.object({ id: v.pipe(v.number(), v.integer()), tag: v.optional(v.string(), "none") }),
};

for (const [library, schema] of Object.entries(foreign)) {
  bothModes(`a schema of ${library} decodes and encodes, alone and as a field`, ({ codec }) => {
    const alone = codec(schema);
    assert.deepStrictEqual(valueOf(alone.parse({ id: 1 })), { id: 1, tag: "none" });
    assert.deepStrictEqual(valueOf(alone.parseJson('{"id":1,"tag":"x"}')), { id: 1, tag: "x" });
    assert.deepStrictEqual(issuesOf(alone.parseJson('{"id":1,"id":2}')), [" duplicate_key"]);
    assert.deepStrictEqual(issuesOf(alone.parse({ id: "1" })), ["/id foreign"]);
    assert.equal(valueOf(alone.serialize({ id: 1 })), '{"id":1,"tag":"none"}');
    assert.deepStrictEqual(issuesOf(alone.serialize({ id: "1" } as never)), ["/id foreign"]);
    const inside = codec(t.object({ list: t.array(schema), one: t.optional(schema) }));
    assert.deepStrictEqual(valueOf(inside.parse({ list: [{ id: 1 }] })), { list: [{ id: 1, tag: "none" }] });
    assert.deepStrictEqual(issuesOf(inside.parse({ list: [{ id: 1 }, { id: "1" }] })), ["/list/1/id foreign"]);
    assert.equal(
      valueOf(inside.serialize({ list: [{ id: 1 }], one: { id: 2 } })),
      '{"list":[{"id":1,"tag":"none"}],"one":{"id":2,"tag":"none"}}',
    );
  });
}

bothModes("a foreign field may turn nothing into a value, and a value into nothing", ({ codec }) => {
  const one = codec(
    t.object({
      page: z.int().default(1),
      note: z.string().optional(),
      gone: z
        .string()
        .optional()
        .transform(() => undefined),
    }),
  );
  assert.deepStrictEqual(valueOf(one.parse({})), { page: 1 });
  assert.deepStrictEqual(valueOf(one.parse({ page: 2, note: "n", gone: "g" })), { page: 2, note: "n" });
  assert.equal(valueOf(one.serialize({ page: undefined, note: undefined, gone: "g" })), '{"page":1}');
  assert.equal(valueOf(codec(t.array(z.string().optional())).serialize([undefined, "a"])), '[null,"a"]');
});

bothModes("an asynchronous schema makes parse a promise, and cannot stand in an output", async ({ codec }) => {
  let asked = 0;
  const Taken = z.string().refine(async (name) => {
    asked++;
    await Promise.resolve();
    return name !== "taken";
  }, "is taken");
  const one = codec(
    t.object({ name: Taken, friends: t.array(Taken), big: t.refine(t.int64(), (n) => n > 0n, "must be above 0") }),
  );
  for (let i = 0; i < 2; i++) {
    const good = one.parse({ name: "a", friends: ["b"], big: "1" });
    assert.ok(good instanceof Promise);
    assert.deepStrictEqual(valueOf(await good), { name: "a", friends: ["b"], big: 1n });
    const bad = await one.parseJson('{"name":"taken","friends":["a","taken"],"big":"0"}');
    assert.deepStrictEqual(issuesOf(bad).toSorted(), ["/big refine", "/friends/1 foreign", "/name foreign"]);
  }
  assert.ok(asked > 0);
  assert.deepStrictEqual(issuesOf(one.serialize({ name: "a", friends: [], big: 1n })), [" async"]);
  assert.throws(() => decode(Taken, "a"), /validates asynchronously/);
});

test("a foreign output that JSON cannot write is an issue", () => {
  assert.deepStrictEqual(issuesOf(encode(z.bigint(), 1n)), [" json"]);
  assert.equal(valueOf(compile(z.date()).serialize(new Date(0))), '"1970-01-01T00:00:00.000Z"');
});

test("foreign types are inferred like ours", () => {
  const Mixed = t.object({ z: foreign.zod, a: foreign.arktype, v: t.optional(foreign.valibot) });
  const output: Infer<typeof Mixed> = { z: { id: 1, tag: "x" }, a: { id: 1, tag: "x" } };
  const input: InferInput<typeof Mixed> = { z: { id: 1 }, a: { id: 1 }, v: { id: 1 } };
  // @ts-expect-error -- the decoded value has its defaults
  const missing: Infer<typeof Mixed>["z"] = { id: 1 };
  assert.deepStrictEqual([output.z.id, input.z.id, missing.id], [1, 1, 1]);
});

test("JSON Schema of foreign schemas comes from Standard JSON Schema, input and output apart", () => {
  for (const schema of [foreign.zod, foreign.arktype, toStandardJsonSchema(foreign.valibot)]) {
    const input = jsonSchema(schema, { io: "input" });
    const output = jsonSchema(t.object({ it: schema }), { io: "output" })["properties"] as {
      it: { required: string[] };
    };
    assert.deepStrictEqual(input["required"], ["id"]);
    assert.equal("$schema" in input, false);
    assert.ok(output.it.required.includes("id"));
  }
});

test("a foreign schema that holds itself becomes a definition with its references kept", () => {
  const Tree = z.object({
    name: z.string(),
    get kids() {
      return z.array(Tree);
    },
  });
  const written = jsonSchema(t.object({ tree: Tree }), { io: "input" });
  const name = Object.keys(written["$defs"] as object)[0] as string;
  assert.deepStrictEqual(written["properties"], { tree: { $ref: `#/$defs/${name}` } });
  assert.match(JSON.stringify(written["$defs"]), new RegExp(`"\\$ref":"#/\\$defs/${name}(/[^"]*)?"`));
});

test("a foreign schema without JSON Schema is refused with a sentence that names its place, or described as anything", () => {
  assert.throws(
    () => jsonSchema(t.object({ at: t.array(foreign.valibot) }), { io: "input" }),
    /The schema at at\.\[\] comes from "valibot" and offers no Standard JSON Schema/,
  );
  assert.throws(() => jsonSchema(z.date(), { io: "input" }), /comes from "zod", which cannot write it as JSON Schema/);
  assert.deepStrictEqual(jsonSchema(t.array(foreign.valibot), { io: "input", foreign: "any" }), {
    type: "array",
    items: {},
  });
});

test("our nodes are Standard Schemas: wire values and program values are both taken", async () => {
  const City = t.object({
    id: t.int64(),
    at: t.timestamp(),
    for: t.duration(),
    raw: t.bytes(),
    page: t.default(t.int32(), 1),
    old: t.rename(t.optional(t.string()), "old_name"),
    no: t.nothing(),
  });
  const standard: StandardSchemaV1<InferInput<typeof City>, Infer<typeof City>> = City;
  const decoded = { id: 5n, at: new Date(0), for: 1500, raw: new Uint8Array([1]), page: 1, old: "o", no: undefined };
  const fromWire = await standard["~standard"].validate({
    id: "5",
    at: "1970-01-01T00:00:00Z",
    for: "1.5s",
    raw: "AQ==",
    old_name: "o",
    no: null,
  });
  const fromProgram = await standard["~standard"].validate({
    id: 5n,
    at: new Date(0),
    for: 1500,
    raw: new Uint8Array([1]),
    old: "o",
    no: undefined,
  });
  assert.deepStrictEqual(fromWire, { value: decoded });
  assert.deepStrictEqual(fromProgram, { value: decoded });
  const bad = await standard["~standard"].validate({
    id: 2n ** 70n,
    at: new Date(Number.NaN),
    for: -1,
    raw: [],
    no: null,
    more: 1,
  });
  assert.deepStrictEqual(
    bad.issues?.map((issue) => issue.path?.map(String).join(".")),
    ["id", "at", "for", "raw", "more"],
  );
  assert.equal(City["~standard"].vendor, "tensile");
  assert.deepStrictEqual(
    t.int32()["~standard"].jsonSchema.input({ target: "draft-2020-12" }),
    jsonSchema(t.int32(), { io: "input" }),
  );
  assert.throws(() => t.int32()["~standard"].jsonSchema.input({ target: "draft-07" }), /draft-2020-12 only/);
});
