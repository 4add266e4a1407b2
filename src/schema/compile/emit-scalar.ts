/**
 * Generated checks for values that hold no others: what is wrong with the value in variable `v`, and what its other form is. Used
 * by the generators of decoded values and of wire values alike.
 */
import { binaryInteger, copyBytes, numberOfWire, readBinaryInt64, wellFormed } from "../check/binary-values.ts";
import { patternOf } from "../check/scalars.ts";
import { formats } from "../formats.ts";
import type { Node } from "../nodes.ts";
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
import type { Emitter } from "./emitter.ts";

export interface Scalar {
  /** Statements that prepare. */
  readonly before: readonly string[];
  /** An expression that is true when the value is refused. */
  readonly wrong: string;
  /** The other form, as an expression. */
  readonly other: string;
}

/** The check of a scalar node on the value in `v`, or undefined when the node is not a scalar. */
export function emitScalar(node: Node, v: string, to: "decoded" | "wire", emitter: Emitter): Scalar | undefined {
  return emitter.form === "binary"
    ? (emitBinaryScalar(node, v, to, emitter) ?? emitJsonScalar(node, v, to, emitter))
    : emitJsonScalar(node, v, to, emitter);
}

/** What is otherwise than in JSON. */
function emitBinaryScalar(node: Node, v: string, to: "decoded" | "wire", emitter: Emitter): Scalar | undefined {
  const decoding = to === "decoded";
  const by = (helper: (value: never) => unknown, value: string): string => `${emitter.constant(helper)}(${value})`;
  switch (node.kind) {
    case "string":
      return decoding ? undefined : scalar(stringWrong(node, v, emitter), by(wellFormed, v));
    case "int32":
    case "int":
    case "literal":
    case "float": {
      if (decoding) {
        const x = emitter.fresh("x");
        const number = node.kind === "float" ? `typeof ${v} === "bigint" ? Number(${v}) : ${v}` : by(numberOfWire, v);
        const json = emitJsonScalar(node, x, to, emitter) as Scalar;
        return { ...json, before: [`const ${x} = ${number};`, ...json.before] };
      }
      if (node.kind === "float" || node.kind === "literal") return undefined;
      const json = emitJsonScalar(node, v, to, emitter) as Scalar;
      return { ...json, other: by(binaryInteger, json.other) };
    }
    case "int64": {
      if (!decoding) {
        const json = emitJsonScalar(node, v, to, emitter) as Scalar;
        return { ...json, other: by(binaryInteger, v) };
      }
      const x = emitter.fresh("x");
      const wrong = `${x} === undefined${outside(x, node.minimum, node.maximum, "n")}`;
      return { before: [`const ${x} = ${by(readBinaryInt64, v)};`], wrong, other: x };
    }
    case "bytes": {
      const over = node.maxLength === undefined ? "" : ` || ${v}.length > ${node.maxLength}`;
      return scalar(`!(${v} instanceof Uint8Array)${over}`, decoding ? by(copyBytes, v) : v);
    }
    default:
      return undefined;
  }
}

function emitJsonScalar(node: Node, v: string, to: "decoded" | "wire", emitter: Emitter): Scalar | undefined {
  const decoding = to === "decoded";
  switch (node.kind) {
    case "string":
      return scalar(stringWrong(node, v, emitter), v);
    case "int32":
      return scalar(
        `typeof ${v} !== "number" || (${v} | 0) !== ${v}${outside(v, node.minimum, node.maximum)}`,
        `${v} | 0`,
      );
    case "int":
      return scalar(`!Number.isSafeInteger(${v})${outside(v, node.minimum, node.maximum)}`, `${v} + 0`);
    // Infinity and NaN are the numbers whose difference with themselves is not 0.
    case "float":
      return scalar(
        `typeof ${v} !== "number" || ${v} - ${v} !== 0${outside(v, node.minimum, node.maximum)}`,
        `${v} + 0`,
      );
    case "boolean":
      return scalar(`typeof ${v} !== "boolean"`, v);
    case "literal": {
      const value = JSON.stringify(node.value);
      return scalar(`${v} !== ${value}`, value);
    }
    case "enum":
      return scalar(enumWrong(node.values, v, emitter), v);
    case "decimal": {
      const pattern = emitter.constant(patternOf(decimalPattern(node.precision, node.scale)));
      const other = `${emitter.constant(canonicalDecimal)}(${v})`;
      return scalar(`typeof ${v} !== "string" || !${pattern}.test(${v})`, other);
    }
    case "nothing":
      return decoding ? scalar(`${v} !== null`, "undefined") : scalar(`${v} !== null && ${v} !== undefined`, "null");
    case "int64":
      return decoding
        ? viaReader(v, readInt64, "", (x) => outside(x, node.minimum, node.maximum, "n"), emitter)
        : scalar(
            `typeof ${v} !== "bigint"${outside(v, node.minimum ?? minInt64, node.maximum ?? maxInt64, "n")}`,
            `String(${v})`,
          );
    case "timestamp": {
      if (decoding) return viaReader(v, readTimestamp, "new Date", () => "", emitter);
      const x = emitter.fresh("x");
      const read = `const ${x} = ${v} instanceof Date ? ${emitter.constant(writeTimestamp)}(${v}) : undefined;`;
      return { before: [read], wrong: `${x} === undefined`, other: x };
    }
    case "duration": {
      if (decoding) return viaReader(v, readDuration, "", (x) => outside(x, node.minimum, node.maximum), emitter);
      const other = `${emitter.constant(writeDuration)}(${v} + 0)`;
      return scalar(`!Number.isSafeInteger(${v})${outside(v, node.minimum ?? 0, node.maximum ?? maxDuration)}`, other);
    }
    case "bytes": {
      if (!decoding) {
        const over = node.maxLength === undefined ? "" : ` || ${v}.length > ${node.maxLength}`;
        const other = `${emitter.constant(writeBase64)}(${v})`;
        return scalar(`!(${v} instanceof Uint8Array)${over}`, other);
      }
      const x = emitter.fresh("x");
      const read = `const ${x} = typeof ${v} === "string" ? ${emitter.constant(base64Length)}(${v}) : -1;`;
      const over = node.maxLength === undefined ? "" : ` || ${x} > ${node.maxLength}`;
      return { before: [read], wrong: `${x} < 0${over}`, other: `${emitter.constant(readBase64)}(${v})` };
    }
    default:
      return undefined;
  }
}

function scalar(wrong: string, other: string): Scalar {
  return { before: [], wrong, other };
}

/** Decoding by a function that returns undefined for what it refuses. */
function viaReader(
  v: string,
  reader: (text: string) => unknown,
  wrap: string,
  more: (x: string) => string,
  emitter: Emitter,
): Scalar {
  const x = emitter.fresh("x");
  const read = `const ${x} = typeof ${v} === "string" ? ${emitter.constant(reader)}(${v}) : undefined;`;
  return { before: [read], wrong: `${x} === undefined${more(x)}`, other: wrap === "" ? x : `${wrap}(${x})` };
}

function outside(
  v: string,
  minimum: number | bigint | undefined,
  maximum: number | bigint | undefined,
  suffix = "",
): string {
  const below = minimum === undefined ? "" : ` || ${v} < ${minimum}${suffix}`;
  return maximum === undefined ? below : `${below} || ${v} > ${maximum}${suffix}`;
}

function stringWrong(node: Extract<Node, { kind: "string" }>, v: string, emitter: Emitter): string {
  const { minLength: least = 0, maxLength: most, pattern, format } = node;
  let wrong = `typeof ${v} !== "string"`;
  const count = `${emitter.constant(codePoints)}(${v})`;
  // A code point takes one or two units, so most lengths need no counting.
  if (most !== undefined) wrong += ` || (${v}.length > ${most} && (${v}.length > ${most * 2} || ${count} > ${most}))`;
  if (least > 0) wrong += ` || ${v}.length < ${least}`;
  if (least > 1) wrong += ` || (${v}.length < ${least * 2} && ${count} < ${least})`;
  if (pattern !== undefined) wrong += ` || !${emitter.constant(patternOf(pattern))}.test(${v})`;
  if (format !== undefined) wrong += ` || !${emitter.constant(formats[format])}(${v})`;
  return wrong;
}

function enumWrong(values: readonly string[], v: string, emitter: Emitter): string {
  if (values.length > 8) return `!${emitter.constant(new Set(values))}.has(${v})`;
  return values.map((value) => `${v} !== ${JSON.stringify(value)}`).join(" && ");
}
