/**
 * JSON Schema 2020-12 of a node's wire form. What it cannot say, and the codec checks beyond it: refinements, the bounds of an
 * int64 and of a duration, the byte count of base64 to the byte, leap seconds, depth.
 */
import type { StandardJSONSchemaV1 } from "@standard-schema/spec";
import { encodeNode } from "./check.ts";
import { defaultLimits } from "./limits.ts";
import { toNode } from "./make-node.ts";
import type { AnySchema, Docs, Field, ForeignNode, Node, ObjectNode, TaggedNode } from "./nodes.ts";
import { decimalPattern, durationPattern } from "./scalars.ts";
import { some } from "./walk-schema.ts";

export type JsonSchema = { [keyword: string]: unknown };

export interface JsonSchemaOptions {
  /**
   * "input": what may be sent in; fields with a default may be missing. "output": what is sent out; they are always there.
   */
  readonly io: "input" | "output";
  readonly target?: "draft-2020-12";
  /** Where named types go. Without it they go into `$defs` of the schema itself. */
  readonly refs?: JsonSchemaRefs;
  /** For a foreign schema that offers no JSON Schema: "refuse" (default) throws, "any" writes the schema that accepts all. */
  readonly foreign?: "refuse" | "any";
}

/** Named types shared by several schemas, as an OpenAPI document has them. */
export interface JsonSchemaRefs {
  /** Put before a name to make a `$ref`: `#/components/schemas/`. */
  readonly prefix: string;
  /** Filled as schemas are written. */
  readonly defs: { [name: string]: JsonSchema };
  /** Which node each name means. */
  readonly owners: Map<string, Owner>;
}
interface Owner {
  readonly node: Node;
  /** The definition without its own title and description, once it is written. */
  plain: JsonSchema | undefined;
  /** The same as text: made when another node of the name comes, to be compared. */
  text: string | undefined;
}

/** An empty set of named types, for `refs`. */
export function jsonSchemaRefs(prefix: string): JsonSchemaRefs {
  return { prefix, defs: {}, owners: new Map() };
}

interface Writer {
  readonly io: "input" | "output";
  readonly refs: JsonSchemaRefs;
  readonly foreign: "refuse" | "any";
  readonly at: string[];
}

/**
 * The JSON Schema of what the schema reads ("input") or writes ("output"). Objects, unions and enums with a name, and what is recursive, become
 * definitions. A type whose input differs from its output, because of defaults or stripped fields, is named `…Input` as input.
 *
 * Throws a TypeError when two different types have one name, or when a foreign schema cannot say its JSON Schema.
 *
 * @example
 * jsonSchema(City, { io: "output" }) // { $ref: "#/$defs/City", $defs: { City: { type: "object", … } } }
 */
export function jsonSchema(schema: AnySchema, options: JsonSchemaOptions): JsonSchema {
  const refs = options.refs ?? jsonSchemaRefs("#/$defs/");
  const writer: Writer = { io: options.io, refs, foreign: options.foreign ?? "refuse", at: [] };
  const written = write(toNode(schema), writer);
  if (options.refs !== undefined || Object.keys(refs.defs).length === 0) return written;
  return { ...written, $defs: refs.defs };
}

function write(node: Node, writer: Writer): JsonSchema {
  const written = writeShared(node, writer);
  return node.docs === undefined ? written : { ...written, ...writeDocs(node.docs, node) };
}

/** By reference where the node has a name of its own. */
function writeShared(node: Node, writer: Writer): JsonSchema {
  if ((node.kind === "object" || node.kind === "tagged" || node.kind === "enum") && node.name !== undefined) {
    const name = writer.io === "input" && differsAsInput(node) ? `${node.name}Input` : node.name;
    return define(name, node, writer);
  }
  if (node.kind === "ref") return writeRef(node.target(), writer);
  return writePlain(node, writer);
}

function writeRef(target: Node, writer: Writer): JsonSchema {
  if ((target.kind === "object" || target.kind === "tagged" || target.kind === "enum") && target.name !== undefined)
    return writeShared(target, writer);
  for (const [name, owner] of writer.refs.owners)
    if (owner.node === target && name.endsWith(writer.io === "input" ? "Input" : "Output"))
      return { $ref: writer.refs.prefix + name };
  return define(`Unnamed${writer.refs.owners.size + 1}${writer.io === "input" ? "Input" : "Output"}`, target, writer);
}

function define(name: string, node: Node, writer: Writer): JsonSchema {
  const { owners, defs, prefix } = writer.refs;
  const reference = { $ref: prefix + name };
  const owner = owners.get(name);
  if (owner !== undefined && sameBody(owner.node, node)) return reference;
  if (owner !== undefined) {
    // Not written to its end: the name is used inside of itself for another node.
    if (owner.plain === undefined) throw twoTypes(name);
    owner.text ??= JSON.stringify(owner.plain);
    if (owner.text !== JSON.stringify(writePlain(node, writer))) throw twoTypes(name);
    return reference;
  }
  const made: Owner = { node, plain: undefined, text: undefined };
  owners.set(name, made);
  made.plain = writePlain(node, writer);
  defs[name] = { ...made.plain, ...writeDocs(node.docs, node) };
  return reference;
}

function twoTypes(name: string): TypeError {
  return new TypeError(
    `Two different types are named "${name}". Names stand for one type in OpenAPI, GraphQL and protobuf: rename one of them.`,
  );
}

/** `t.describe` and `t.rename` copy a node, and the copy shares what it consists of. */
function sameBody(a: Node, b: Node): boolean {
  return (
    a === b ||
    (a.kind === "object" && b.kind === "object" && a.fields === b.fields) ||
    (a.kind === "tagged" && b.kind === "tagged" && a.variants === b.variants) ||
    (a.kind === "enum" && b.kind === "enum" && a.values === b.values)
  );
}

function writePlain(node: Node, writer: Writer): JsonSchema {
  switch (node.kind) {
    case "string":
      return given({
        type: "string",
        minLength: node.minLength,
        maxLength: node.maxLength,
        pattern: node.pattern,
        format: node.format,
      });
    case "int32":
      return {
        type: "integer",
        format: "int32",
        minimum: node.minimum ?? -2_147_483_648,
        maximum: node.maximum ?? 2_147_483_647,
      };
    case "int":
      return {
        type: "integer",
        minimum: node.minimum ?? Number.MIN_SAFE_INTEGER,
        maximum: node.maximum ?? Number.MAX_SAFE_INTEGER,
      };
    case "int64":
      return { type: "string", format: "int64", pattern: "^(?:0|-?[1-9][0-9]{0,18})$" };
    case "float":
      return given({ type: "number", format: "double", minimum: node.minimum, maximum: node.maximum });
    case "boolean":
      return { type: "boolean" };
    case "literal":
      return { const: node.value };
    case "enum":
      return { type: "string", enum: node.values };
    case "bytes":
      return given({
        type: "string",
        contentEncoding: "base64",
        pattern: base64Pattern,
        maxLength: base64Characters(node.maxLength),
      });
    case "timestamp":
      return { type: "string", format: "date-time" };
    case "duration":
      return { type: "string", pattern: durationPattern };
    case "decimal":
      return { type: "string", pattern: decimalPattern(node.precision, node.scale) };
    case "json":
      return {};
    case "nothing":
      return { type: "null" };
    case "array":
      return given({
        type: "array",
        items: inside("[]", node.items, writer),
        minItems: node.minItems,
        maxItems: node.maxItems,
        uniqueItems: node.uniqueItems,
      });
    case "tuple":
      return writeTuple(node.items, writer);
    case "map":
      return given({
        type: "object",
        additionalProperties: inside("*", node.values, writer),
        propertyNames: node.key === undefined ? undefined : write(node.key, writer),
        maxProperties: node.maxEntries,
      });
    case "object":
      return writeObject(node, writer);
    case "tagged":
      return writeTagged(node, writer);
    case "nullable":
      return orNull(write(node.inner, writer));
    case "brand":
      return write(node.inner, writer);
    case "refine":
      return write(node.inner, writer);
    case "ref":
      return writeRef(node.target(), writer);
    case "foreign":
      return writeForeign(node, writer);
  }
}

const base64Pattern = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

function base64Characters(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.ceil(bytes / 3) * 4;
}

function inside(part: string, node: Node, writer: Writer): JsonSchema {
  writer.at.push(part);
  const written = write(node, writer);
  writer.at.pop();
  return written;
}

function writeTuple(items: readonly Node[], writer: Writer): JsonSchema {
  if (items.length === 0) return { type: "array", maxItems: 0 };
  return {
    type: "array",
    prefixItems: items.map((item, i) => inside(String(i), item, writer)),
    items: false,
    minItems: items.length,
    maxItems: items.length,
  };
}

function writeObject(
  node: ObjectNode,
  writer: Writer,
  tag?: { readonly name: string; readonly value: string },
): JsonSchema {
  const properties: JsonSchema = tag === undefined ? {} : { [tag.name]: { const: tag.value } };
  const required = tag === undefined ? [] : [tag.name];
  for (const field of node.fields) {
    properties[field.wireName] = writeField(field, writer);
    if (field.presence === "required" || (field.presence === "default" && writer.io === "output"))
      required.push(field.wireName);
  }
  return {
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    ...(writer.io === "output" || node.unknown === "refuse" ? { additionalProperties: false } : {}),
  };
}

function writeField(field: Field, writer: Writer): JsonSchema {
  return {
    ...inside(field.wireName, field.node, writer),
    ...writeDocs(field.docs, field.node),
    ...(field.presence === "default" ? { default: field.defaultWire } : {}),
  };
}

function writeTagged(node: TaggedNode, writer: Writer): JsonSchema {
  return {
    type: "object",
    oneOf: node.variants.map((variant) => writeObject(variant.node, writer, { name: node.tag, value: variant.tag })),
  };
}

function orNull(written: JsonSchema): JsonSchema {
  if (
    typeof written["type"] === "string" &&
    !("enum" in written) &&
    written["type"] !== "null" &&
    !("oneOf" in written)
  ) {
    return { ...written, type: [written["type"], "null"] };
  }
  return { anyOf: [written, { type: "null" }] };
}

function writeForeign(node: ForeignNode, writer: Writer): JsonSchema {
  const standard = node.schema["~standard"];
  const where = writer.at.length === 0 ? "This schema" : `The schema at ${writer.at.join(".")}`;
  if (!hasJsonSchema(standard)) {
    if (writer.foreign === "any") return {};
    throw new TypeError(
      `${where} comes from "${standard.vendor}" and offers no Standard JSON Schema, so it cannot be described. Wrap it (Valibot: toStandardJsonSchema of @valibot/to-json-schema), or write it with t.`,
    );
  }
  let written: Record<string, unknown>;
  try {
    written = standard.jsonSchema[writer.io]({ target: "draft-2020-12" });
  } catch (cause) {
    if (writer.foreign === "any") return {};
    throw new TypeError(
      `${where} comes from "${standard.vendor}", which cannot write it as JSON Schema: ${cause instanceof Error ? cause.message : String(cause)}. Write that part so that it can, or with t.`,
      { cause },
    );
  }
  const { $schema: _dialect, ...plain } = written;
  return JSON.stringify(plain).includes('"$ref":"#') ? hoist(plain, node, writer) : plain;
}

function hasJsonSchema(standard: object): standard is StandardJSONSchemaV1.Props {
  return "jsonSchema" in standard && typeof standard.jsonSchema === "object";
}

/** References inside a foreign schema are relative to itself, so it becomes a definition and they are pointed into it. */
function hoist(plain: JsonSchema, node: ForeignNode, writer: Writer): JsonSchema {
  const { owners, defs, prefix } = writer.refs;
  const ending = writer.io === "input" ? "Input" : "Output";
  for (const [name, owner] of owners)
    if (owner.node.kind === "foreign" && owner.node.schema === node.schema && name.endsWith(ending))
      return { $ref: prefix + name };
  const name = `Foreign${owners.size + 1}${ending}`;
  owners.set(name, { node, plain: undefined, text: undefined });
  defs[name] = pointInto(plain, prefix + name) as JsonSchema;
  return { $ref: prefix + name };
}

function pointInto(value: unknown, root: string): unknown {
  if (Array.isArray(value)) return value.map((item) => pointInto(item, root));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === "$ref" && typeof member === "string" && member.startsWith("#")
        ? root + member.slice(1)
        : pointInto(member, root),
    ]),
  );
}

function writeDocs(docs: Docs | undefined, node: Node): JsonSchema {
  if (docs === undefined) return {};
  return given({
    title: docs.title,
    description: docs.description,
    deprecated: docs.deprecated,
    examples: docs.examples?.map((example) => {
      const wire = encodeNode(node, example, defaultLimits);
      if (!wire.ok) throw new TypeError(`An example in t.describe does not fit its schema: ${wire.fault.message}.`);
      return wire.value;
    }),
  });
}

/** Without the keywords that are undefined. */
function given(schema: JsonSchema): JsonSchema {
  const written: JsonSchema = {};
  for (const key of Object.keys(schema)) if (schema[key] !== undefined) written[key] = schema[key];
  return written;
}

/** Whether some field inside has a default or is stripped, so that what comes in may look otherwise than what goes out. */
function differsAsInput(node: Node): boolean {
  return some(
    node,
    (one) =>
      one.kind === "foreign" ||
      (one.kind === "object" && (one.unknown === "strip" || one.fields.some((field) => field.presence === "default"))),
  );
}
