/** The part of `t` that makes scalars. */
import { formats } from "./formats.ts";
import { makeNode } from "./make-node.ts";
import type {
  BooleanNode,
  BytesNode,
  DecimalNode,
  DurationNode,
  EnumNode,
  FloatNode,
  Int32Node,
  Int64Node,
  IntNode,
  Json,
  JsonNode,
  LiteralNode,
  LiteralValue,
  NothingNode,
  StringFormat,
  StringNode,
  TimestampNode,
} from "./nodes.ts";
import { maxDuration, maxInt64, minInt64 } from "./scalars.ts";

export interface StringOptions {
  /** Unicode code points. */
  readonly minLength?: number;
  /** Unicode code points. */
  readonly maxLength?: number;
  /**
   * A regular expression, used with the `u` flag; write `^` and `$` to anchor it. It runs on what clients send: avoid nested
   * repetition such as `(a+)+`, which can take exponential time, and set `maxLength`.
   */
  readonly pattern?: string | RegExp;
  readonly format?: StringFormat;
}

/** Bounds are inclusive. */
export interface Bounds<T> {
  readonly minimum?: T;
  readonly maximum?: T;
}

/** Text. */
function string(options: StringOptions = {}): StringNode<string, string> {
  const { minLength, maxLength, format } = options;
  countOption("string", "minLength", minLength);
  countOption("string", "maxLength", maxLength);
  orderOptions("string", "minLength", minLength, "maxLength", maxLength);
  if (format !== undefined && !Object.hasOwn(formats, format)) {
    throw new TypeError(`t.string knows no format "${String(format)}". Formats: ${Object.keys(formats).join(", ")}.`);
  }
  return makeNode({
    kind: "string",
    minLength,
    maxLength,
    pattern: patternSource(options.pattern),
    format,
  } as StringNode<string, string>);
}

function patternSource(pattern: string | RegExp | undefined): string | undefined {
  if (pattern === undefined) return undefined;
  if (typeof pattern !== "string" && pattern.flags.replace(/[gu]/g, "") !== "") {
    throw new TypeError(`The pattern ${String(pattern)} has flags that JSON Schema cannot say. Write it without them.`);
  }
  const source = typeof pattern === "string" ? pattern : pattern.source;
  try {
    new RegExp(source, "u");
  } catch (cause) {
    throw new TypeError(`The pattern ${source} is not a regular expression under the u flag.`, { cause });
  }
  return source;
}

/** -2^31 to 2^31-1. */
function int32(options: Bounds<number> = {}): Int32Node<number, number> {
  integerBounds("int32", options, -2_147_483_648, 2_147_483_647);
  return makeNode({ kind: "int32", minimum: options.minimum, maximum: options.maximum } as Int32Node<number, number>);
}

/** A safe integer: -(2^53-1) to 2^53-1. */
function int(options: Bounds<number> = {}): IntNode<number, number> {
  integerBounds("int", options, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  return makeNode({ kind: "int", minimum: options.minimum, maximum: options.maximum } as IntNode<number, number>);
}

/** A bigint, -2^63 to 2^63-1. In JSON a decimal string, so that no client rounds it. */
function int64(options: Bounds<bigint> = {}): Int64Node<bigint, bigint> {
  for (const bound of [options.minimum, options.maximum]) {
    if (bound !== undefined && (typeof bound !== "bigint" || bound < minInt64 || bound > maxInt64)) {
      throw new TypeError(`A bound of t.int64 is a bigint of 64 bits, such as 0n, not ${String(bound)}.`);
    }
  }
  orderOptions("int64", "minimum", options.minimum, "maximum", options.maximum);
  return makeNode({ kind: "int64", minimum: options.minimum, maximum: options.maximum } as Int64Node<bigint, bigint>);
}

/** A finite number. */
function float(options: Bounds<number> = {}): FloatNode<number, number> {
  for (const bound of [options.minimum, options.maximum]) {
    if (bound !== undefined && !Number.isFinite(bound))
      throw new TypeError(`A bound of t.float is a finite number, not ${bound}.`);
  }
  orderOptions("float", "minimum", options.minimum, "maximum", options.maximum);
  return makeNode({ kind: "float", minimum: options.minimum, maximum: options.maximum } as FloatNode<number, number>);
}

function boolean(): BooleanNode<boolean, boolean> {
  return makeNode<BooleanNode<boolean, boolean>>({ kind: "boolean" });
}

/** Exactly this value. */
function literal<const V extends LiteralValue>(value: V): LiteralNode<V, V> {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new TypeError("t.literal takes a finite number: JSON has no other.");
  if (value !== null && !["string", "number", "boolean"].includes(typeof value)) {
    throw new TypeError(`t.literal takes a string, number, boolean or null, not ${typeof value}.`);
  }
  // -0 is written as 0.
  return makeNode<LiteralNode<V, V>>({ kind: "literal", value: value === 0 ? 0 : value });
}

/** One of these strings. `name` is the type's name in GraphQL and protobuf. */
function enumeration<const V extends readonly string[]>(
  values: V,
  options: { readonly name?: string } = {},
): EnumNode<V[number], V[number]> {
  if (values.length === 0 || values.some((value) => typeof value !== "string"))
    throw new TypeError("t.enum takes at least one string.");
  if (new Set(values).size !== values.length) throw new TypeError("t.enum was given the same value twice.");
  return makeNode({ kind: "enum", values: Object.freeze([...values]), name: options.name } as EnumNode<
    V[number],
    V[number]
  >);
}

/** Bytes. In JSON base64; `maxLength` counts bytes. */
function bytes(options: { readonly maxLength?: number } = {}): BytesNode<Uint8Array, Uint8Array> {
  countOption("bytes", "maxLength", options.maxLength);
  return makeNode({ kind: "bytes", maxLength: options.maxLength } as BytesNode<Uint8Array, Uint8Array>);
}

/** A point in time: a Date. In JSON RFC 3339 text. Milliseconds; finer digits that come in are dropped. */
function timestamp(): TimestampNode<Date, Date> {
  return makeNode<TimestampNode<Date, Date>>({ kind: "timestamp" });
}

/** A length of time in whole milliseconds, at least 0. In JSON seconds with the suffix `s`, as protobuf writes it: `"1.500s"`. */
function duration(options: Bounds<number> = {}): DurationNode<number, number> {
  integerBounds("duration", options, 0, maxDuration);
  return makeNode({ kind: "duration", minimum: options.minimum, maximum: options.maximum } as DurationNode<
    number,
    number
  >);
}

/**
 * An exact decimal as a string such as `"-12.5"`. What comes in loses trailing zeros.
 * `precision` counts all digits (default 76), `scale` those after the point (default 38, or half of `precision`).
 */
function decimal(options: { readonly precision?: number; readonly scale?: number } = {}): DecimalNode<string, string> {
  const precision = options.precision ?? 76;
  const scale = options.scale ?? Math.floor(precision / 2);
  countOption("decimal", "precision", precision);
  countOption("decimal", "scale", scale);
  if (precision < 1 || precision > 1000 || scale > precision) {
    throw new TypeError(
      `t.decimal takes a precision of 1 to 1000 and a scale of at most that, not ${precision} and ${scale}.`,
    );
  }
  return makeNode<DecimalNode<string, string>>({ kind: "decimal", precision, scale });
}

/** Any JSON value, as deep as the codec's depth limit. */
function json(): JsonNode<Json, Json> {
  return makeNode<JsonNode<Json, Json>>({ kind: "json" });
}

/** No content. */
function nothing(): NothingNode<undefined, undefined> {
  return makeNode<NothingNode<undefined, undefined>>({ kind: "nothing" });
}

function integerBounds(of: string, options: Bounds<number>, least: number, most: number): void {
  for (const bound of [options.minimum, options.maximum]) {
    if (bound !== undefined && !(Number.isInteger(bound) && bound >= least && bound <= most)) {
      throw new TypeError(`A bound of t.${of} is a whole number from ${least} to ${most}, not ${bound}.`);
    }
  }
  orderOptions(of, "minimum", options.minimum, "maximum", options.maximum);
}

export function countOption(of: string, name: string, value: number | undefined): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) {
    throw new TypeError(`${name} of t.${of} is a whole number of at least 0, not ${value}.`);
  }
}

export function orderOptions<T extends number | bigint>(
  of: string,
  low: string,
  least: T | undefined,
  high: string,
  most: T | undefined,
): void {
  if (least !== undefined && most !== undefined && least > most) {
    throw new TypeError(`${low} of t.${of} is above its ${high}: no value would fit.`);
  }
}

export const t = {
  string,
  int32,
  int,
  int64,
  float,
  boolean,
  literal,
  enum: enumeration,
  bytes,
  timestamp,
  duration,
  decimal,
  json,
  nothing,
};
