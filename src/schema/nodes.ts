/**
 * The closed union of schema nodes. A node is frozen plain data that says what a value is; validation, JSON, JSON Schema,
 * OpenAPI, GraphQL, protobuf and command-line flags are all read from it by a `switch` over `kind`.
 *
 * Every node carries two types: `I`, what a program may write (fields with a default may be missing), and `O`, what it gets
 * (defaults filled in). Both are in the decoded form, so an int64 is a bigint and a timestamp a Date; the comment beside each
 * node gives the wire form in JSON.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** Anything that may stand where a schema stands: a `t` node, or a schema of Zod, ArkType, Valibot, … */
export type AnySchema = StandardSchemaV1;
/** The type that decoding gives. */
export type Infer<S extends AnySchema> = NonNullable<S["~standard"]["types"]>["output"];
/** The type that a program may write: fields with a default may be left out. */
export type InferInput<S extends AnySchema> = NonNullable<S["~standard"]["types"]>["input"];
/** The fields of an object by name, as written in `t.object({ … })`. */
export type Shape = { readonly [field: string]: AnySchema };

export interface Docs {
  readonly title?: string;
  readonly description?: string;
  /** In the decoded form; JSON Schema shows them in the wire form. */
  readonly examples?: readonly unknown[];
  readonly deprecated?: boolean;
}

export interface NodeBase<I, O> {
  readonly "~standard": StandardSchemaV1.Props<I, O> & StandardJSONSchemaV1.Props<I, O>;
  readonly docs?: Docs;
  /** The field's name on the wire where it differs; set by `t.rename`, read by the object around it. */
  readonly wireName?: string;
}

/** Formats of `t.string`, as JSON Schema 2020-12 names them. */
export type StringFormat = "email" | "uuid" | "uri" | "date" | "date-time" | "time" | "ipv4" | "ipv6" | "hostname";
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type LiteralValue = string | number | boolean | null;

/** JSON string. Lengths count Unicode code points, as JSON Schema does. */
export interface StringNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "string";
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Source of a regular expression with the `u` flag; not anchored. */
  readonly pattern?: string;
  readonly format?: StringFormat;
}
/** JSON number: -2^31 to 2^31-1. */
export interface Int32Node<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "int32";
  readonly minimum?: number;
  readonly maximum?: number;
}
/** JSON number: a safe integer, -(2^53-1) to 2^53-1. */
export interface IntNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "int";
  readonly minimum?: number;
  readonly maximum?: number;
}
/** bigint, -2^63 to 2^63-1; JSON: decimal string. */
export interface Int64Node<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "int64";
  readonly minimum?: bigint;
  readonly maximum?: bigint;
}
/** JSON number, finite. */
export interface FloatNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "float";
  readonly minimum?: number;
  readonly maximum?: number;
}
export interface BooleanNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "boolean";
}
export interface LiteralNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "literal";
  readonly value: LiteralValue;
}
export interface EnumNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "enum";
  readonly values: readonly string[];
  /** The type's name in GraphQL and protobuf. */
  readonly name?: string;
}
/** Uint8Array; JSON: base64 with padding, standard alphabet. `maxLength` counts bytes. */
export interface BytesNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "bytes";
  readonly maxLength?: number;
}
/** Date; JSON: RFC 3339 text, written in UTC with milliseconds. */
export interface TimestampNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "timestamp";
}
/** Whole milliseconds as a number; JSON: seconds with the suffix `s`, as protobuf writes a Duration: `"5s"`, `"0.250s"`. */
export interface DurationNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "duration";
  /** Milliseconds. */
  readonly minimum?: number;
  /** Milliseconds. */
  readonly maximum?: number;
}
/** Exact decimal as a canonical string (`"-12.5"`, never `"12.50"` or `"1e3"`); JSON: the same string. */
export interface DecimalNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "decimal";
  /** Digits in all, before and after the point. */
  readonly precision: number;
  /** Digits after the point. */
  readonly scale: number;
}
/** Any JSON value, as deep as the depth limit. */
export interface JsonNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "json";
}
/** No content: undefined; JSON: null. */
export interface NothingNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "nothing";
}
export interface ArrayNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "array";
  readonly items: Node;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** No two items with the same wire form. */
  readonly uniqueItems?: boolean;
}
export interface TupleNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "tuple";
  readonly items: readonly Node[];
}
/** Record without a prototype, so that `__proto__` and `constructor` are keys like others; JSON: object. */
export interface MapNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "map";
  readonly values: Node;
  /** What each key must be. */
  readonly key?: StringNode | EnumNode;
  readonly maxEntries?: number;
}
export interface ObjectNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "object";
  /** The type's name in OpenAPI, GraphQL and protobuf. */
  readonly name?: string;
  readonly fields: readonly Field[];
  /** What decoding does with a field that is not in the schema. Encoding always leaves it out. */
  readonly unknown: "refuse" | "strip";
}
/** One of several objects, told apart by the string in the field `tag`, which stands first in JSON. */
export interface TaggedNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "tagged";
  readonly name: string;
  readonly tag: string;
  /** In the order written. The objects do not list the tag among their fields. */
  readonly variants: readonly Variant[];
}
/** A value or null. A field that may be missing is `optional`, which is something else. */
export interface NullableNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "nullable";
  readonly inner: Node;
}
/** Another node, named through a function so that a schema can hold itself. */
export interface RefNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "ref";
  readonly target: () => Node;
}
/** The inner node, with a nominal type in TypeScript. The wire does not see it. */
export interface BrandNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "brand";
  readonly inner: Node;
  readonly brand: string;
}
/** The inner node, and a condition on the decoded value that only code can check. */
export interface RefineNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "refine";
  readonly inner: Node;
  readonly predicate: (value: never) => boolean;
  readonly message: string;
}
/** A schema of another library, reached through Standard Schema. */
export interface ForeignNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "foreign";
  readonly schema: AnySchema;
}
/** Only inside a shape: the field may be missing. */
export interface OptionalNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "optional";
  readonly inner: Node;
}
/** Only inside a shape: a missing field takes this value. */
export interface DefaultNode<I = unknown, O = unknown> extends NodeBase<I, O> {
  readonly kind: "default";
  readonly inner: Node;
  /** In the wire form, so that every decoded value is a fresh one. */
  readonly wire: unknown;
}

export interface Field {
  readonly name: string;
  readonly wireName: string;
  /** Never `optional` or `default`: those became `presence`. */
  readonly node: Node;
  readonly presence: "required" | "optional" | "default";
  /** The default in the wire form; only where presence is "default". */
  readonly defaultWire?: unknown;
  readonly docs?: Docs;
}
export interface Variant {
  readonly tag: string;
  readonly node: ObjectNode;
}

export type Node =
  | StringNode
  | Int32Node
  | IntNode
  | Int64Node
  | FloatNode
  | BooleanNode
  | LiteralNode
  | EnumNode
  | BytesNode
  | TimestampNode
  | DurationNode
  | DecimalNode
  | JsonNode
  | NothingNode
  | ArrayNode
  | TupleNode
  | MapNode
  | ObjectNode
  | TaggedNode
  | NullableNode
  | RefNode
  | BrandNode
  | RefineNode
  | ForeignNode;
/** What a shape may hold. */
export type FieldNode = Node | OptionalNode | DefaultNode;
/** A `t` node by its types alone: for annotations, as a recursive schema needs one. */
export type Schema<O, I = Written<O>> = NodeBase<I, O> & { readonly kind: FieldNode["kind"] };

/** What a program may write for a decoded type, when no field has a default: the same, read-only. */
export type Written<O> = O extends string | number | bigint | boolean | null | undefined | Date | Uint8Array
  ? O
  : { readonly [K in keyof O]: Written<O[K]> | (object extends Pick<O, K> ? undefined : never) };

type MayMiss<S> = S extends { readonly kind: "optional" } ? true : false;
type MayLeaveOut<S> = S extends { readonly kind: "optional" | "default" } ? true : false;
type Flat<T> = { [K in keyof T]: T[K] };

/** The decoded type of a shape. */
export type ShapeOutput<S extends Shape> = Flat<
  { -readonly [K in keyof S as MayMiss<S[K]> extends true ? never : K]: Infer<S[K]> } & {
    -readonly [K in keyof S as MayMiss<S[K]> extends true ? K : never]?: Infer<S[K]>;
  }
>;
/** What a program may write for a shape. */
export type ShapeInput<S extends Shape> = Flat<
  { readonly [K in keyof S as MayLeaveOut<S[K]> extends true ? never : K]: InferInput<S[K]> } & {
    readonly [K in keyof S as MayLeaveOut<S[K]> extends true ? K : never]?: InferInput<S[K]> | undefined;
  }
>;
export type TaggedOutput<Tag extends string, V extends { readonly [tag: string]: Shape }> = {
  [K in keyof V]: Flat<{ [T in Tag]: K } & ShapeOutput<V[K]>>;
}[keyof V];
export type TaggedInput<Tag extends string, V extends { readonly [tag: string]: Shape }> = {
  [K in keyof V]: Flat<{ readonly [T in Tag]: K } & ShapeInput<V[K]>>;
}[keyof V];

declare const brandKey: unique symbol;
/** A nominal type: `string & Brand<"UserId">`. */
export interface Brand<B extends string> {
  readonly [brandKey]: { readonly [K in B]: true };
}
