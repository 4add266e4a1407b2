/**
 * How the interpreter checks values that hold no others. Each entry decodes a wire value and encodes a program's value.
 */
import { formats } from "../formats.ts";
import type {
  BytesNode,
  DecimalNode,
  DurationNode,
  EnumNode,
  FloatNode,
  Int32Node,
  Int64Node,
  IntNode,
  LiteralNode,
  Node,
  StringNode,
  TimestampNode,
} from "../nodes.ts";
import {
  base64Length,
  canonicalDecimal,
  codePoints,
  decimalPattern,
  maxDuration,
  maxInt64,
  minInt64,
  readBase64,
  readDuration,
  readInt64,
  readTimestamp,
  writeBase64,
  writeDuration,
  writeTimestamp,
} from "../scalars.ts";
import {
  binaryInteger,
  copyBytes,
  jsonOfWire,
  numberOfWire,
  readBinaryInt64,
  wellFormed,
  wireOfJson,
} from "./binary-values.ts";
import { checkJson } from "./json.ts";
import { failed, report, wrongType, type Walk } from "./walk.ts";

type ScalarKind =
  | "string"
  | "int32"
  | "int"
  | "int64"
  | "float"
  | "boolean"
  | "literal"
  | "enum"
  | "bytes"
  | "timestamp"
  | "duration"
  | "decimal"
  | "json"
  | "nothing";
type Act<N> = (node: N, value: unknown, walk: Walk) => unknown;
export interface Acts<N> {
  readonly decode: Act<N>;
  readonly encode: Act<N>;
}

export const scalarActs: { readonly [K in ScalarKind]: Acts<Extract<Node, { kind: K }>> } = {
  string: {
    decode: checkString,
    encode: (node, value, walk) => {
      const text = checkString(node, value, walk);
      return walk.form === "binary" && typeof text === "string" ? wellFormed(text) : text;
    },
  },
  int32: integer(-2_147_483_648, 2_147_483_647, "a 32-bit integer"),
  int: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "a safe integer"),
  int64: { decode: decodeInt64, encode: encodeInt64 },
  float: {
    decode: (node, value, walk) =>
      checkFloat(node, walk.form === "binary" && typeof value === "bigint" ? Number(value) : value, walk),
    encode: checkFloat,
  },
  boolean: both((_node, value, walk) => (typeof value === "boolean" ? value : wrongType(walk, "boolean", value))),
  literal: {
    decode: (node, value, walk) => checkLiteral(node, walk.form === "binary" ? numberOfWire(value) : value, walk),
    encode: checkLiteral,
  },
  enum: both(checkEnum),
  bytes: { decode: decodeBytes, encode: encodeBytes },
  timestamp: { decode: decodeTimestamp, encode: encodeTimestamp },
  duration: { decode: decodeDuration, encode: encodeDuration },
  decimal: both(checkDecimal),
  json: {
    decode: (_node, value, walk) => decodeJson(value, walk),
    encode: (_node, value, walk) => encodeJson(value, walk),
  },
  nothing: {
    decode: (_node, value, walk) =>
      value === null || (walk.eitherForm && value === undefined) ? undefined : wrongType(walk, "null", value),
    encode: (_node, value, walk) => (value === null || value === undefined ? null : wrongType(walk, "nothing", value)),
  },
};

/** Where the wire and the program hold the same form. */
function both<N>(act: Act<N>): Acts<N> {
  return { decode: act, encode: act };
}

type Integer = Extract<Node, { kind: "int32" | "int" }>;

function integer(least: number, most: number, what: string): Acts<Integer> {
  return {
    decode: (node, value, walk) =>
      checkInteger(node, walk.form === "binary" ? numberOfWire(value) : value, walk, least, most, what),
    encode: (node, value, walk) => {
      const checked = checkInteger(node, value, walk, least, most, what);
      return walk.form === "binary" && typeof checked === "number" ? binaryInteger(checked) : checked;
    },
  };
}

function decodeJson(value: unknown, walk: Walk): unknown {
  const checked = checkJson(value, walk);
  return walk.form === "binary" && checked !== failed ? jsonOfWire(checked) : checked;
}

function encodeJson(value: unknown, walk: Walk): unknown {
  const checked = checkJson(value, walk);
  return walk.form === "binary" && checked !== failed ? wireOfJson(checked) : checked;
}

const patterns = new Map<string, RegExp>();

/** One RegExp per pattern source. Sources come from schemas alone, so the map is as large as the program. */
export function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    pattern = new RegExp(source, "u");
    patterns.set(source, pattern);
  }
  return pattern;
}

function checkString(node: StringNode, value: unknown, walk: Walk): unknown {
  if (typeof value !== "string") return wrongType(walk, "string", value);
  const { minLength, maxLength, pattern, format } = node;
  const before = walk.issues.length;
  if (maxLength !== undefined && value.length > maxLength && codePoints(value) > maxLength) {
    return report(walk, "max_length", `must have at most ${maxLength} characters`, `at most ${maxLength} characters`);
  }
  if (minLength !== undefined && codePoints(value) < minLength) {
    report(walk, "min_length", `must have at least ${minLength} characters`, `at least ${minLength} characters`);
  }
  if (pattern !== undefined && !patternOf(pattern).test(value)) {
    report(walk, "pattern", `must match the pattern ${pattern}`, pattern);
  }
  if (format !== undefined && !formats[format](value)) {
    report(walk, "format", `must be a valid ${format}`, format);
  }
  return walk.issues.length === before ? value : failed;
}

function checkInteger(
  node: Int32Node | IntNode,
  value: unknown,
  walk: Walk,
  least: number,
  most: number,
  what: string,
): unknown {
  if (typeof value !== "number") return wrongType(walk, what, value);
  if (!Number.isInteger(value)) return report(walk, "type", `must be ${what}`, what, value);
  // Adding 0 turns -0 into 0: JSON text has both, and nothing that stands on a schema should tell them apart.
  return inRange(value, node.minimum ?? least, node.maximum ?? most, walk) ? value + 0 : failed;
}

function checkFloat(node: FloatNode, value: unknown, walk: Walk): unknown {
  if (typeof value !== "number") return wrongType(walk, "number", value);
  if (!Number.isFinite(value)) return report(walk, "type", "must be a finite number", "a finite number", value);
  return inRange(value, node.minimum, node.maximum, walk) ? value + 0 : failed;
}

function inRange<T extends number | bigint>(
  value: T,
  minimum: T | undefined,
  maximum: T | undefined,
  walk: Walk,
): boolean {
  if (minimum !== undefined && value < minimum) {
    report(walk, "minimum", `must be at least ${minimum}`, `at least ${minimum}`);
    return false;
  }
  if (maximum !== undefined && value > maximum) {
    report(walk, "maximum", `must be at most ${maximum}`, `at most ${maximum}`);
    return false;
  }
  return true;
}

const int64Text = "a 64-bit integer as a decimal string";

function decodeInt64(node: Int64Node, value: unknown, walk: Walk): unknown {
  if (walk.eitherForm && typeof value === "bigint") return encodeInt64(node, value, walk) === failed ? failed : value;
  if (walk.form === "binary") return decodeBinaryInt64(node, value, walk);
  if (typeof value !== "string") return wrongType(walk, int64Text, value);
  const number = readInt64(value);
  if (number === undefined) return report(walk, "type", `must be ${int64Text}`, int64Text, value);
  return inRange(number, node.minimum, node.maximum, walk) ? number : failed;
}

function encodeInt64(node: Int64Node, value: unknown, walk: Walk): unknown {
  if (typeof value !== "bigint") return wrongType(walk, "bigint", value);
  if (!inRange(value, node.minimum ?? minInt64, node.maximum ?? maxInt64, walk)) return failed;
  return walk.form === "binary" ? binaryInteger(value) : String(value);
}

function decodeBinaryInt64(node: Int64Node, value: unknown, walk: Walk): unknown {
  const number = readBinaryInt64(value);
  if (number === undefined) return wrongType(walk, "a 64-bit integer", value);
  return inRange(number, node.minimum, node.maximum, walk) ? number : failed;
}

function checkLiteral(node: LiteralNode, value: unknown, walk: Walk): unknown {
  if (value === node.value) return node.value;
  const expected = JSON.stringify(node.value);
  return report(walk, "literal", `must be ${expected}`, expected, value);
}

function checkEnum(node: EnumNode, value: unknown, walk: Walk): unknown {
  if (typeof value !== "string") return wrongType(walk, "string", value);
  if (node.values.includes(value)) return value;
  const expected = node.values.map((one) => JSON.stringify(one)).join(", ");
  return report(walk, "enum", `must be one of ${expected}`, expected);
}

const base64Text = "base64 text";

function decodeBytes(node: BytesNode, value: unknown, walk: Walk): unknown {
  if (walk.eitherForm && value instanceof Uint8Array) return encodeBytes(node, value, walk) === failed ? failed : value;
  if (walk.form === "binary") {
    if (!(value instanceof Uint8Array)) return wrongType(walk, "bytes", value);
    return fitsBytes(node, value.length, walk) ? copyBytes(value) : failed;
  }
  if (typeof value !== "string") return wrongType(walk, base64Text, value);
  const length = base64Length(value);
  if (length < 0) return report(walk, "format", "must be base64 with padding, in the standard alphabet", base64Text);
  return fitsBytes(node, length, walk) ? readBase64(value) : failed;
}

function encodeBytes(node: BytesNode, value: unknown, walk: Walk): unknown {
  if (!(value instanceof Uint8Array)) return wrongType(walk, "Uint8Array", value);
  if (!fitsBytes(node, value.length, walk)) return failed;
  return walk.form === "binary" ? value : writeBase64(value);
}

function fitsBytes(node: BytesNode, length: number, walk: Walk): boolean {
  if (node.maxLength === undefined || length <= node.maxLength) return true;
  report(walk, "max_length", `must have at most ${node.maxLength} bytes`, `at most ${node.maxLength} bytes`);
  return false;
}

const timestampText = "an RFC 3339 date and time";

function decodeTimestamp(node: TimestampNode, value: unknown, walk: Walk): unknown {
  if (walk.eitherForm && value instanceof Date) return encodeTimestamp(node, value, walk) === failed ? failed : value;
  if (typeof value !== "string") return wrongType(walk, timestampText, value);
  const ms = readTimestamp(value);
  return ms === undefined ? report(walk, "format", `must be ${timestampText}`, timestampText) : new Date(ms);
}

function encodeTimestamp(_node: TimestampNode, value: unknown, walk: Walk): unknown {
  if (!(value instanceof Date)) return wrongType(walk, "Date", value);
  return writeTimestamp(value) ?? report(walk, "format", "must be a valid Date in the years 1 to 9999", "Date");
}

const durationText = 'seconds with the suffix "s"';

function decodeDuration(node: DurationNode, value: unknown, walk: Walk): unknown {
  if (walk.eitherForm && typeof value === "number")
    return encodeDuration(node, value, walk) === failed ? failed : value + 0;
  if (typeof value !== "string") return wrongType(walk, durationText, value);
  const ms = readDuration(value);
  if (ms === undefined)
    return report(walk, "format", `must be ${durationText}, such as "5s" or "0.250s"`, durationText);
  return inRange(ms, node.minimum, node.maximum, walk) ? ms : failed;
}

function encodeDuration(node: DurationNode, value: unknown, walk: Walk): unknown {
  if (typeof value !== "number") return wrongType(walk, "number", value);
  if (!Number.isInteger(value))
    return report(walk, "type", "must be a whole number of milliseconds", "whole milliseconds", value);
  return inRange(value, node.minimum ?? 0, node.maximum ?? maxDuration, walk) ? writeDuration(value + 0) : failed;
}

function checkDecimal(node: DecimalNode, value: unknown, walk: Walk): unknown {
  if (typeof value !== "string") return wrongType(walk, "a decimal string", value);
  if (patternOf(decimalPattern(node.precision, node.scale)).test(value)) return canonicalDecimal(value);
  const digits = `a decimal of at most ${node.precision - node.scale} digits before and ${node.scale} after the point`;
  return report(walk, "format", `must be ${digits}`, digits);
}
