/** The part of `t` that makes arrays, maps, objects and unions. */
import { makeNode, toFieldNode, toNode } from "./make-node.ts";
import type {
  AnySchema,
  ArrayNode,
  Docs,
  EnumNode,
  Field,
  FieldNode,
  Infer,
  InferInput,
  MapNode,
  Node,
  ObjectNode,
  Shape,
  ShapeInput,
  ShapeOutput,
  StringNode,
  TaggedInput,
  TaggedNode,
  TaggedOutput,
  TupleNode,
} from "./nodes.ts";
import { countOption, orderOptions } from "./t-scalars.ts";

export interface ArrayOptions {
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Refuses an item that equals an earlier one. */
  readonly uniqueItems?: boolean;
}

function array<S extends AnySchema>(
  items: S,
  options: ArrayOptions = {},
): ArrayNode<readonly InferInput<S>[], Infer<S>[]> {
  const { minItems, maxItems, uniqueItems } = options;
  countOption("array", "minItems", minItems);
  countOption("array", "maxItems", maxItems);
  orderOptions("array", "minItems", minItems, "maxItems", maxItems);
  return makeNode({ kind: "array", items: toNode(items), minItems, maxItems, uniqueItems } as ArrayNode<
    readonly InferInput<S>[],
    Infer<S>[]
  >);
}

type TupleOutput<S extends readonly AnySchema[]> = { -readonly [K in keyof S]: Infer<S[K]> };
type TupleInput<S extends readonly AnySchema[]> = { readonly [K in keyof S]: InferInput<S[K]> };

/** An array of exactly these items. */
function tuple<const S extends readonly AnySchema[]>(items: S): TupleNode<TupleInput<S>, TupleOutput<S>> {
  return makeNode<TupleNode<TupleInput<S>, TupleOutput<S>>>({ kind: "tuple", items: Object.freeze(items.map(toNode)) });
}

export interface MapOptions {
  readonly maxEntries?: number;
  /** What each key must be. */
  readonly key?: StringNode<string, string> | EnumNode<string, string>;
}

/** Values under any string keys. Decodes to a record without a prototype. */
function map<S extends AnySchema>(
  values: S,
  options: MapOptions = {},
): MapNode<{ readonly [key: string]: InferInput<S> }, { [key: string]: Infer<S> }> {
  const { maxEntries, key } = options;
  countOption("map", "maxEntries", maxEntries);
  if (key !== undefined && key.kind !== "string" && key.kind !== "enum")
    throw new TypeError("The key of t.map is a t.string(…) or a t.enum(…).");
  return makeNode({ kind: "map", values: toNode(values), key, maxEntries } as MapNode<
    { readonly [key: string]: InferInput<S> },
    { [key: string]: Infer<S> }
  >);
}

export interface ObjectOptions {
  /** What decoding does with fields that are not in the shape: "refuse" (default), or "strip" to ignore them. */
  readonly unknown?: "refuse" | "strip";
}
/**
 * An object with these fields and no others. The name is the type's name in OpenAPI, GraphQL and protobuf.
 *
 * @example
 * t.object("City", { id: t.int32(), note: t.optional(t.string()) })
 * t.object({ id: t.int32() }, { unknown: "strip" })
 */
function object<S extends Shape>(
  name: string,
  shape: S,
  options?: ObjectOptions,
): ObjectNode<ShapeInput<S>, ShapeOutput<S>>;
function object<S extends Shape>(shape: S, options?: ObjectOptions): ObjectNode<ShapeInput<S>, ShapeOutput<S>>;
function object(first: string | Shape, second?: Shape | ObjectOptions, third?: ObjectOptions): ObjectNode {
  const options = (typeof first === "string" ? third : second) as ObjectOptions | undefined;
  const named = typeof first === "string";
  return objectNode(named ? first : undefined, (named ? second : first) as Shape, options?.unknown ?? "refuse");
}

function objectNode(name: string | undefined, shape: Shape, unknown: "refuse" | "strip"): ObjectNode {
  checkName(name);
  if (typeof shape !== "object" || shape === null)
    throw new TypeError("t.object takes its fields as an object: t.object({ id: t.int32() }).");
  const fields: Field[] = [];
  let isRenamed = false;
  for (const key of Object.keys(shape)) {
    const field = fieldOf(key, shape[key] as AnySchema, name);
    if (field.wireName !== key) isRenamed = true;
    fields.push(field);
  }
  if (isRenamed) checkWireNames(fields, name);
  return makeNode({ kind: "object", name, fields: Object.freeze(fields), unknown } as ObjectNode);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Keys of a shape differ, so only a renamed field can meet another. */
function checkWireNames(fields: readonly Field[], of: string | undefined): void {
  const wireNames = new Set<string>();
  for (const { wireName } of fields) {
    if (wireNames.has(wireName))
      throw new TypeError(`Two fields of ${of ?? "an object"} are named "${wireName}" on the wire.`);
    wireNames.add(wireName);
  }
}

function fieldOf(name: string, schema: AnySchema, of: string | undefined): Field {
  let outer: FieldNode;
  try {
    outer = toFieldNode(schema);
  } catch (cause) {
    throw new TypeError(`Field "${name}" of ${of ?? "an object"} has no schema. ${(cause as Error).message}`, {
      cause,
    });
  }
  const wireName =
    outer.wireName ??
    (outer.kind === "optional" || outer.kind === "default" ? outer.inner.wireName : undefined) ??
    name;
  if (name === "__proto__" || wireName === "__proto__")
    throw new TypeError('A field cannot be named "__proto__": JavaScript gives that name another meaning.');
  const presence = outer.kind === "optional" || outer.kind === "default" ? outer.kind : "required";
  const node: Node = outer.kind === "optional" || outer.kind === "default" ? outer.inner : outer;
  const docs: Docs | undefined = outer.docs ?? node.docs;
  const field: Mutable<Field> = { name, wireName, node, presence };
  if (outer.kind === "default") field.defaultWire = outer.wire;
  if (docs !== undefined) field.docs = docs;
  return Object.freeze(field);
}

/**
 * One of several objects, told apart by the string in the field `tag`.
 *
 * @example
 * t.tagged("Shape", "type", { circle: { radius: t.float() }, square: { side: t.float() } })
 * // { type: "circle"; radius: number } | { type: "square"; side: number }
 */
function tagged<const Tag extends string, V extends { readonly [tag: string]: Shape }>(
  name: string,
  tag: Tag,
  variants: V,
  options: ObjectOptions = {},
): TaggedNode<TaggedInput<Tag, V>, TaggedOutput<Tag, V>> {
  checkName(name);
  if (tag === "__proto__") throw new TypeError('The tag of a union cannot be named "__proto__".');
  const list = Object.entries(variants).map(([variant, shape]) => {
    if (Object.hasOwn(shape, tag))
      throw new TypeError(`Variant "${variant}" of ${name} has a field "${tag}", which is the tag's name.`);
    const node = objectNode(undefined, shape, options.unknown ?? "refuse");
    if (node.fields.some((field) => field.wireName === tag))
      throw new TypeError(`Variant "${variant}" of ${name} renames a field to the tag's name "${tag}".`);
    return Object.freeze({ tag: variant, node });
  });
  if (list.length === 0) throw new TypeError(`t.tagged("${name}", …) needs at least one variant.`);
  return makeNode<TaggedNode<TaggedInput<Tag, V>, TaggedOutput<Tag, V>>>({
    kind: "tagged",
    name,
    tag,
    variants: Object.freeze(list),
  });
}

/** Names go into OpenAPI, GraphQL and protobuf, whose common ground is this. */
function checkName(name: string | undefined): void {
  if (name !== undefined && !/^[A-Za-z][A-Za-z0-9_]{0,99}$/.test(name)) {
    throw new TypeError(`"${name}" is not a type name: letters, digits and _, a letter first, at most 100.`);
  }
}

export const t = { array, tuple, map, object, tagged };
