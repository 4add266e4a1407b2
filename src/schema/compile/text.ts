/**
 * Codecs for values that come as texts: path parameters, query and headers. A text is turned into the wire form that its field's
 * node expects, strictly, and then goes the same way as JSON does.
 */
import type { TextSource } from "../codec.ts";
import type { SchemaLimits } from "../limits.ts";
import type { Field, Node, ObjectNode } from "../nodes.ts";
import { Emitter } from "./emitter.ts";

/** Digits that a number holds exactly, whatever they are. */
const sureDigits = 15;
const integerText = /^(?:0|-?[1-9][0-9]{0,15})$/;
const numberText = /^-?(?:0|[1-9][0-9]{0,308})(?:\.[0-9]{1,324})?(?:[eE][+-]?[0-9]{1,3})?$/;

/**
 * The wire value of a text. A text that is not in the node's form stays a string, which the decoder then refuses by type.
 * Integers: no sign but `-`, no leading zeros, no exponent, no spaces. Booleans: `true`, `false`.
 */
function wireOfText(node: Node, text: string): unknown {
  switch (node.kind) {
    case "int32":
    case "int":
      return readInteger(text);
    case "float":
      return numberText.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "literal":
      return typeof node.value === "string" ? text : text === String(node.value) ? node.value : text;
    case "brand":
    case "refine":
    case "nullable":
      return wireOfText(node.inner, text);
    case "ref":
      return wireOfText(node.target(), text);
    default:
      return text;
  }
}

/** By hand, because it stands in nearly every path: a third of the time of the pattern. */
function readInteger(text: string): number | string {
  const { length } = text;
  const first = text.charCodeAt(0);
  const from = first === minus ? 1 : 0;
  if (length === from || length - from > sureDigits) return integerText.test(text) ? Number(text) : text;
  if (text.charCodeAt(from) === zero) return text === "0" ? 0 : text;
  let number = 0;
  for (let at = from; at < length; at++) {
    const digit = text.charCodeAt(at) - zero;
    if (digit < 0 || digit > 9) return text;
    number = number * 10 + digit;
  }
  return from === 1 ? -number : number;
}

const minus = 0x2d;
const zero = 0x30;

/** Throws a TypeError when a field cannot come as text. */
export function checkTextFields(node: ObjectNode): void {
  for (const field of node.fields) {
    const inner = listItem(field.node) ?? field.node;
    if (!isTextual(inner)) {
      throw new TypeError(
        `Field "${field.name}" is ${inner.kind === "object" ? "an object" : `of kind ${inner.kind}`}, which a path, query or header cannot carry. Use scalars and arrays of scalars there.`,
      );
    }
  }
}

function isTextual(node: Node): boolean {
  switch (node.kind) {
    case "object":
    case "tagged":
    case "array":
    case "tuple":
    case "map":
    case "json":
    case "nothing":
      return false;
    case "brand":
    case "refine":
    case "nullable":
      return isTextual(node.inner);
    case "ref":
      return isTextual(node.target());
    default:
      return true;
  }
}

/** The item's node where the field takes a list. */
function listItem(node: Node): Node | undefined {
  switch (node.kind) {
    case "array":
      return node.items;
    case "brand":
    case "refine":
    case "nullable":
      return listItem(node.inner);
    case "ref":
      return listItem(node.target());
    default:
      return undefined;
  }
}

/** The same for a form, where an empty list is written as nothing. */
export function gatherForm(node: ObjectNode, get: TextSource): Record<string, unknown> {
  return gatherTexts(node, (name) => {
    const found = get(name);
    if (found !== undefined) return found;
    const field = node.fields.find(({ wireName }) => wireName === name) as Field;
    return field.presence === "required" && listItem(field.node) !== undefined ? [] : undefined;
  });
}

/** The wire object that the texts of `get` stand for. */
export function gatherTexts(node: ObjectNode, get: TextSource): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const field of node.fields) {
    const value = wireOfField(field, get(field.wireName));
    if (value !== undefined) wire[field.wireName] = value;
  }
  return wire;
}

/**
 * `gatherTexts` as a generated function: what it makes has one shape, and no name is looked up. Where a required text is missing it
 * leaves the wire object to `gatherTexts`, in which it is missing too.
 */
export function emitTexts(node: ObjectNode, limits: SchemaLimits): (get: TextSource) => Record<string, unknown> {
  const emitter = new Emitter(node, limits);
  const lines: string[] = [];
  const sure: string[] = [];
  const unsure: string[] = [];
  for (const field of node.fields) {
    const name = JSON.stringify(field.wireName);
    const x = emitter.fresh("x");
    const read = emitter.constant(fieldReader(field));
    lines.push(`const ${x} = ${read}(get(${name}));`);
    if (field.presence === "required") {
      lines.push(`if (${x} === undefined) return ${emitter.constant(gatherTexts)}(${emitter.constant(node)}, get);`);
      sure.push(`${name}: ${x}`);
    } else unsure.push(`if (${x} !== undefined) o[${name}] = ${x};`);
  }
  lines.push(`const o = { ${sure.join(", ")} };`, ...unsure, "return o;");
  return emitter.build(`function (get) {\n${lines.join("\n")}\n}`) as ReturnType<typeof emitTexts>;
}

type Found = string | readonly string[] | undefined;

/** `wireOfField` of one field, with what its schema decides decided. */
function fieldReader(field: Field): (found: Found) => unknown {
  const { kind } = field.node;
  if (kind === "int32" || kind === "int")
    return (found) => (typeof found === "string" ? readInteger(found) : wireOfField(field, found));
  if (kind === "string") return (found) => (typeof found === "string" ? found : wireOfField(field, found));
  return (found) => wireOfField(field, found);
}

function wireOfField(field: Field, found: Found): unknown {
  if (found === undefined) return undefined;
  const item = listItem(field.node);
  if (item !== undefined) return (typeof found === "string" ? [found] : found).map((text) => wireOfText(item, text));
  if (typeof found === "string") return wireOfText(field.node, found);
  // A scalar given once in a list is that scalar; given twice it is ambiguous, and the list is refused by type.
  return found.length === 1 ? wireOfText(field.node, found[0] as string) : found;
}
