/**
 * Generates the functions that write a program's value as JSON text, checking it on the way. Like the value functions they know
 * the good case alone, and return undefined for anything else.
 */
import { isJson } from "../check/json.ts";
import { hasRepeats } from "../check/unique-key.ts";
import { failed } from "../check/walk.ts";
import type { Field, MapNode, Node, ObjectNode } from "../nodes.ts";
import { emitScalar, quote } from "./emit-scalar.ts";
import { emitValueFunction, readMember } from "./emit-value.ts";
import type { Emitter } from "./emitter.ts";
import { foreignWriter, refineHolds } from "./outside.ts";

interface Place {
  readonly emitter: Emitter;
  readonly lines: string[];
  readonly depth: string;
}

const fail = "return undefined;";
const notObject = (v: string): string => `typeof ${v} !== "object" || ${v} === null || Array.isArray(${v})`;

/** The name of the function (value, depth) => JSON text or undefined. */
export function emitTextFunction(node: Node, emitter: Emitter): string {
  return emitter.functionFor("text", node, () => {
    const place: Place = { emitter, lines: [], depth: "d" };
    const text = node.kind === "object" ? emitObject(node, "v", place) : emitInline(node, "v", place);
    // A number's text is the number itself until it is joined to something.
    return [...place.lines, node.kind === "object" ? `return ${text};` : `return "" + ${text};`];
  });
}

/** Statements that check variable `v`; returns an expression for its JSON text, to be used once. */
function emit(node: Node, v: string, place: Place): string {
  if (node.kind !== "object" && node.kind !== "tagged" && node.kind !== "ref") return emitInline(node, v, place);
  const target = node.kind === "ref" ? node.target() : node;
  const x = place.emitter.fresh("x");
  place.lines.push(`const ${x} = ${emitTextFunction(target, place.emitter)}(${v}, ${place.depth});`, `if (${x} === undefined) ${fail}`);
  return x;
}

function emitInline(node: Node, v: string, place: Place): string {
  const { emitter, lines } = place;
  const scalar = emitScalar(node, v, "wire", emitter);
  if (scalar !== undefined) {
    lines.push(...scalar.before, `if (${scalar.wrong}) ${fail}`);
    return scalar.text;
  }
  switch (node.kind) {
    case "json":
      lines.push(`if (!${emitter.constant(isJson)}(${v}, ${place.depth}, ${emitter.limits.maxDepth})) ${fail}`);
      return `JSON.stringify(${v})`;
    case "nullable": {
      const x = emitter.fresh("x");
      const body: string[] = [];
      const text = emit(node.inner, v, { ...place, lines: body });
      lines.push(`let ${x} = "null";`, `if (${v} !== null) {`, ...body, `${x} = ${text};`, "}");
      return x;
    }
    case "brand": return emit(node.inner, v, place);
    case "refine": {
      const x = emitter.fresh("x");
      lines.push(`const ${x} = ${emit(node.inner, v, place)};`);
      lines.push(`if (!${emitter.constant(refineHolds(node, emitter.limits))}(${v})) ${fail}`);
      return x;
    }
    case "array": return emitArray(node, v, place);
    case "tuple": return emitTuple(node.items, v, place);
    case "map": return emitMap(node, v, place);
    case "tagged": return emitTagged(node, v, place);
    case "foreign": {
      const x = emitForeign(node, v, place);
      return `(${x} === undefined ? "null" : ${x})`;
    }
    default: return emit(node, v, place);
  }
}

function emitForeign(node: Extract<Node, { kind: "foreign" }>, v: string, { emitter, lines }: Place): string {
  const x = emitter.fresh("x");
  lines.push(`const ${x} = ${emitter.constant(foreignWriter(node))}(${v});`, `if (${x} === ${emitter.constant(failed)}) ${fail}`);
  return x;
}

function enterDepth(place: Place): Place {
  if (place.emitter.checksDepth) place.lines.push(`if (${place.depth} >= ${place.emitter.limits.maxDepth}) ${fail}`);
  return { ...place, depth: `${place.depth} + 1` };
}

function emitArray(node: Extract<Node, { kind: "array" }>, v: string, place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (!Array.isArray(${v})) ${fail}`);
  const inner = enterDepth(place);
  if (node.minItems !== undefined) lines.push(`if (${v}.length < ${node.minItems}) ${fail}`);
  if (node.maxItems !== undefined) lines.push(`if (${v}.length > ${node.maxItems}) ${fail}`);
  if (node.uniqueItems === true) {
    // Equality is that of wire forms.
    const wire = emitter.fresh("w");
    const plain = emitter.functionFor("encodeItems", node, () => {
      const encode = emitValueFunction(node.items, "wire", emitter);
      return ["const w = [];", `for (let i = 0; i < v.length; i++) w.push(${encode}(v[i], d));`, "return w;"];
    });
    lines.push(`const ${wire} = ${plain}(${v}, ${inner.depth});`, `if (${emitter.constant(hasRepeats)}(${wire})) ${fail}`);
  }
  const [s, i, item] = [emitter.fresh("s"), emitter.fresh("i"), emitter.fresh("v")];
  const body: string[] = [];
  const text = emit(node.items, item, { ...inner, lines: body });
  lines.push(
    `let ${s} = "[";`, `for (let ${i} = 0; ${i} < ${v}.length; ${i}++) {`, `const ${item} = ${v}[${i}];`, ...body,
    `${s} += ${i} === 0 ? ${text} : "," + ${text};`, "}",
  );
  return `${s} + "]"`;
}

function emitTuple(items: readonly Node[], v: string, place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (!Array.isArray(${v}) || ${v}.length !== ${items.length}) ${fail}`);
  const inner = enterDepth(place);
  const texts = items.map((node, i) => {
    const [item, x] = [emitter.fresh("v"), emitter.fresh("x")];
    lines.push(`const ${item} = ${v}[${i}];`);
    lines.push(`const ${x} = ${emit(node, item, inner)};`);
    return x;
  });
  return texts.length === 0 ? '"[]"' : `"[" + ${texts.join(' + "," + ')} + "]"`;
}

function emitMap(node: MapNode, v: string, place: Place): string {
  const { emitter, lines } = place;
  const [s, keys, i, key, item] = [emitter.fresh("s"), emitter.fresh("a"), emitter.fresh("i"), emitter.fresh("v"), emitter.fresh("v")];
  lines.push(`if (${notObject(v)}) ${fail}`);
  const inner = enterDepth(place);
  lines.push(`const ${keys} = Object.keys(${v});`);
  if (node.maxEntries !== undefined) lines.push(`if (${keys}.length > ${node.maxEntries}) ${fail}`);
  const body: string[] = [];
  if (node.key !== undefined) body.push(`if (${emitScalar(node.key, key, "wire", emitter)?.wrong ?? "false"}) ${fail}`);
  const text = emit(node.values, item, { ...inner, lines: body });
  lines.push(
    `let ${s} = "{";`, `for (let ${i} = 0; ${i} < ${keys}.length; ${i}++) {`, `const ${key} = ${keys}[${i}];`, `const ${item} = ${v}[${key}];`,
    ...body, `if (${i} !== 0) ${s} += ",";`, `${s} += ${emitter.constant(quote)}(${key}) + ":" + ${text};`, "}",
  );
  return `${s} + "}"`;
}

function emitTagged(node: Extract<Node, { kind: "tagged" }>, v: string, place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (${notObject(v)}) ${fail}`, `switch (${readMember(v, node.tag)}) {`);
  for (const variant of node.variants) {
    const name = emitter.functionFor("textVariant", variant.node, () => {
      const inner: Place = { emitter, lines: [], depth: "d" };
      const text = emitObject(variant.node, "v", inner, { name: node.tag, value: variant.tag });
      return [...inner.lines, `return ${text};`];
    });
    lines.push(`case ${JSON.stringify(variant.tag)}: return ${name}(${v}, ${place.depth});`);
  }
  lines.push(`default: ${fail}`, "}");
  return "undefined";
}

/**
 * All checks come first, then one expression that joins constant texts and values. Commas are constant from the first member that
 * is always there; before it they depend on what was written.
 */
function emitObject(node: ObjectNode, v: string, place: Place, tag?: { readonly name: string; readonly value: string }): string {
  const { emitter, lines } = place;
  if (tag === undefined) lines.push(`if (${notObject(v)}) ${fail}`);
  const inner = enterDepth(place);
  const members = node.fields.map((field) => emitField(field, v, inner));
  const texts: string[] = [];
  let constant = tag === undefined ? "{" : `{${JSON.stringify(tag.name)}:${JSON.stringify(tag.value)}`;
  let comma: "none" | "sure" | "unsure" = tag === undefined ? "none" : "sure";
  const c = emitter.fresh("c");
  for (const { wireName, text, only } of members) {
    const key = `${JSON.stringify(wireName)}:`;
    if (only === undefined && comma !== "unsure") {
      texts.push(JSON.stringify(`${constant}${comma === "sure" ? "," : ""}${key}`), text);
      constant = "";
      comma = "sure";
      continue;
    }
    if (constant !== "") texts.push(JSON.stringify(constant));
    constant = "";
    if (only === undefined) {
      texts.push(c, JSON.stringify(key), text);
      comma = "sure";
    } else if (comma === "sure") {
      texts.push(`(${only} ? ${JSON.stringify(`,${key}`)} + ${text} : "")`);
    } else {
      const x = emitter.fresh("x");
      if (comma === "none") lines.push(`let ${c} = "";`);
      lines.push(`let ${x} = "";`, `if (${only}) { ${x} = ${c} + ${JSON.stringify(key)} + ${text}; ${c} = ","; }`);
      texts.push(x);
      comma = "unsure";
    }
  }
  texts.push(JSON.stringify(`${constant}}`));
  return texts.join(" + ");
}

interface Member {
  readonly wireName: string;
  readonly text: string;
  /** A condition under which the member is written; undefined: always. */
  readonly only: string | undefined;
}

function emitField(field: Field, v: string, place: Place): Member {
  const { emitter, lines } = place;
  const { wireName, node, presence } = field;
  const [found, x] = [emitter.fresh("v"), emitter.fresh("x")];
  lines.push(`const ${found} = ${readMember(v, field.name)};`);
  const body: string[] = [];
  const inner: Place = { ...place, lines: body };
  const text = node.kind === "foreign" ? emitForeign(node, found, inner) : emit(node, found, inner);
  const only = node.kind === "foreign" ? `${x} !== undefined` : presence === "optional" ? `${found} !== undefined` : undefined;
  if (presence === "required") {
    lines.push(...body, `const ${x} = ${text};`);
    return { wireName, text: x, only };
  }
  const otherwise = presence === "default" ? JSON.stringify(JSON.stringify(field.defaultWire)) : "undefined";
  lines.push(`let ${x} = ${otherwise};`, `if (${found} !== undefined) {`, ...body, `${x} = ${text};`, "}");
  return { wireName, text: x, only };
}
