/**
 * Generates the functions that turn a wire value into a decoded one, and back. They answer the good case alone: for anything
 * else they return the constant `F`, and the interpreter then says what is wrong.
 */
import { decodeNode } from "../check.ts";
import { jsonOfWire, wellFormed, wireOfJson } from "../check/binary-values.ts";
import { isJson } from "../check/json.ts";
import { hasRepeats } from "../check/unique-key.ts";
import { defaultOnWire } from "../check/walk-node.ts";
import { failed } from "../check/walk.ts";
import type { Field, ForeignNode, MapNode, Node, ObjectNode } from "../nodes.ts";
import { inheritedNames } from "../scalars.ts";
import { emitScalar } from "./emit-scalar.ts";
import type { Emitter } from "./emitter.ts";
import { foreignReader, refineHolds } from "./outside.ts";

export interface Place {
  readonly emitter: Emitter;
  readonly to: "decoded" | "wire";
  readonly lines: string[];
  /** Containers around this place, as an expression. */
  readonly depth: string;
}

const fail = "return F;";
const notObject = (v: string): string => `typeof ${v} !== "object" || ${v} === null || Array.isArray(${v})`;

/** The name of the function (value, depth) => other form or F. */
export function emitValueFunction(node: Node, to: Place["to"], emitter: Emitter): string {
  return emitter.functionFor(to === "decoded" ? "decode" : "encode", node, () => {
    const place: Place = { emitter, to, lines: [], depth: "d" };
    const other = node.kind === "object" ? emitObject(node, "v", place) : emitInline(node, "v", place);
    return [`const F = ${emitter.constant(failed)};`, ...place.lines, `return ${other};`];
  });
}

/** Statements that check variable `v`; returns an expression for the other form, to be used once. */
function emit(node: Node, v: string, place: Place): string {
  switch (node.kind) {
    case "object":
    case "tagged":
    case "ref": {
      const target = node.kind === "ref" ? node.target() : node;
      const x = place.emitter.fresh("x");
      place.lines.push(
        `const ${x} = ${emitValueFunction(target, place.to, place.emitter)}(${v}, ${place.depth});`,
        `if (${x} === F) ${fail}`,
      );
      return x;
    }
    default:
      return emitInline(node, v, place);
  }
}

function emitInline(node: Node, v: string, place: Place): string {
  const { emitter, lines, to } = place;
  const scalar = emitScalar(node, v, to, emitter);
  if (scalar !== undefined) {
    lines.push(...scalar.before, `if (${scalar.wrong}) ${fail}`);
    return scalar.other;
  }
  switch (node.kind) {
    case "json":
      return emitJson(v, place);
    case "nullable":
      return emitNullable(node.inner, v, place);
    case "brand":
      return emit(node.inner, v, place);
    case "refine":
      return emitRefine(node, v, place);
    case "array":
      return emitArray(node, v, place);
    case "tuple":
      return emitTuple(node.items, v, place);
    case "map":
      return emitMap(node, v, place);
    case "tagged":
      return emitTagged(node, v, place);
    case "foreign": {
      const x = emitForeign(node, v, place);
      return to === "wire" ? `(${x} === undefined ? null : ${x})` : x;
    }
    default:
      return emit(node, v, place);
  }
}

function emitJson(v: string, { emitter, lines, to, depth }: Place): string {
  const binary = emitter.form === "binary";
  const bigints = binary && to === "decoded";
  lines.push(`if (!${emitter.constant(isJson)}(${v}, ${depth}, ${emitter.limits.maxDepth}, ${bigints})) ${fail}`);
  if (!binary) return v;
  return `${emitter.constant(to === "decoded" ? jsonOfWire : wireOfJson)}(${v})`;
}

function emitNullable(inner: Node, v: string, place: Place): string {
  const x = place.emitter.fresh("x");
  const lines: string[] = [];
  const other = emit(inner, v, { ...place, lines });
  place.lines.push(`let ${x} = null;`, `if (${v} !== null) {`, ...lines, `${x} = ${other};`, "}");
  return x;
}

function emitRefine(node: Extract<Node, { kind: "refine" }>, v: string, place: Place): string {
  const { emitter, lines } = place;
  const x = emitter.fresh("x");
  lines.push(`const ${x} = ${emit(node.inner, v, place)};`);
  const holds =
    place.to === "decoded"
      ? `${emitter.constant(node.predicate)}(${x})`
      : `${emitter.constant(refineHolds(node, emitter.limits))}(${v})`;
  lines.push(`if (!${holds}) ${fail}`);
  return x;
}

function enterDepth(place: Place): Place {
  if (place.emitter.checksDepth) place.lines.push(`if (${place.depth} >= ${place.emitter.limits.maxDepth}) ${fail}`);
  return { ...place, depth: `${place.depth} + 1` };
}

function emitArray(node: Extract<Node, { kind: "array" }>, v: string, place: Place): string {
  const { emitter, lines } = place;
  const [a, i, item] = [emitter.fresh("a"), emitter.fresh("i"), emitter.fresh("v")];
  lines.push(`if (!Array.isArray(${v})) ${fail}`);
  const inner = enterDepth(place);
  if (node.minItems !== undefined) lines.push(`if (${v}.length < ${node.minItems}) ${fail}`);
  if (node.maxItems !== undefined) lines.push(`if (${v}.length > ${node.maxItems}) ${fail}`);
  const body: string[] = [];
  const other = emit(node.items, item, { ...inner, lines: body });
  lines.push(
    `const ${a} = [];`,
    `for (let ${i} = 0; ${i} < ${v}.length; ${i}++) {`,
    `const ${item} = ${v}[${i}];`,
    ...body,
    `${a}.push(${other});`,
    "}",
  );
  if (node.uniqueItems === true)
    lines.push(`if (${emitter.constant(hasRepeats)}(${place.to === "decoded" ? v : a})) ${fail}`);
  return a;
}

function emitTuple(items: readonly Node[], v: string, place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (!Array.isArray(${v}) || ${v}.length !== ${items.length}) ${fail}`);
  const inner = enterDepth(place);
  const others = items.map((node, i) => {
    const item = emitter.fresh("v");
    lines.push(`const ${item} = ${v}[${i}];`);
    const x = emitter.fresh("x");
    lines.push(`const ${x} = ${emit(node, item, inner)};`);
    return x;
  });
  return `[${others.join(", ")}]`;
}

function emitMap(node: MapNode, v: string, place: Place): string {
  const { emitter, lines } = place;
  const [o, keys, i, key, item] = [
    emitter.fresh("o"),
    emitter.fresh("a"),
    emitter.fresh("i"),
    emitter.fresh("v"),
    emitter.fresh("v"),
  ];
  lines.push(`if (${notObject(v)} || ${v} instanceof Map) ${fail}`);
  const inner = enterDepth(place);
  lines.push(`const ${keys} = Object.keys(${v});`);
  if (node.maxEntries !== undefined) lines.push(`if (${keys}.length > ${node.maxEntries}) ${fail}`);
  const body: string[] = [];
  if (node.key !== undefined)
    body.push(`if (${emitScalar(node.key, key, place.to, emitter)?.wrong ?? "false"}) ${fail}`);
  const other = emit(node.values, item, { ...inner, lines: body });
  if (place.to === "decoded") lines.push(`M += ${keys}.length;`);
  lines.push(
    `const ${o} = Object.create(null);`,
    `for (let ${i} = 0; ${i} < ${keys}.length; ${i}++) {`,
    `const ${key} = ${keys}[${i}];`,
    `const ${item} = ${v}[${key}];`,
    ...body,
    `${o}[${emitter.form === "binary" && place.to === "wire" ? `${emitter.constant(wellFormed)}(${key})` : key}] = ${other};`,
    "}",
  );
  return o;
}

function emitTagged(node: Extract<Node, { kind: "tagged" }>, v: string, place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (${notObject(v)}) ${fail}`, `switch (${readMember(v, node.tag)}) {`);
  for (const variant of node.variants) {
    const family = place.to === "decoded" ? "decodeVariant" : "encodeVariant";
    const name = emitter.functionFor(family, variant.node, () => {
      const inner: Place = { emitter, to: place.to, lines: [], depth: "d" };
      const other = emitObject(variant.node, "v", inner, { name: node.tag, value: variant.tag });
      return [`const F = ${emitter.constant(failed)};`, ...inner.lines, `return ${other};`];
    });
    lines.push(`case ${JSON.stringify(variant.tag)}: return ${name}(${v}, ${place.depth});`);
  }
  lines.push(`default: ${fail}`, "}");
  return "F";
}

/** An expression for a member, which for a name that all objects inherit must be the object's own. */
function readMember(v: string, name: string): string {
  const member = `${v}[${JSON.stringify(name)}]`;
  return inheritedNames.has(name) ? `(Object.hasOwn(${v}, ${JSON.stringify(name)}) ? ${member} : undefined)` : member;
}

interface Member {
  readonly name: string;
  /** The variable that holds what was found under the member's name. */
  readonly found: string;
  /** Whether `found` cannot be undefined once the checks are past. */
  readonly certain: boolean;
  readonly other: string;
  /** A condition under which the result has the member; undefined: always. */
  readonly only: string | undefined;
}

/** The object literal grows field by field in the schema's order, so that all values of a schema share one shape. */
function emitObject(
  node: ObjectNode,
  v: string,
  place: Place,
  tag?: { readonly name: string; readonly value: string },
): string {
  const { lines } = place;
  if (tag === undefined) lines.push(`if (${notObject(v)}) ${fail}`);
  const inner = enterDepth(place);
  const members = node.fields.map((field) => emitField(field, v, inner));
  if (place.to === "decoded") emitKeyCount(node, members, v, place, tag === undefined ? 0 : 1);
  const firstUnsure = members.findIndex((member) => member.only !== undefined);
  const sure = firstUnsure < 0 ? members : members.slice(0, firstUnsure);
  const literal = tag === undefined ? [] : [`${JSON.stringify(tag.name)}: ${JSON.stringify(tag.value)}`];
  for (const member of sure) literal.push(`${JSON.stringify(member.name)}: ${member.other}`);
  if (firstUnsure < 0) return `{ ${literal.join(", ")} }`;
  const o = place.emitter.fresh("o");
  lines.push(`const ${o} = { ${literal.join(", ")} };`);
  for (const member of members.slice(firstUnsure)) {
    const assign = `${o}[${JSON.stringify(member.name)}] = ${member.other};`;
    lines.push(member.only === undefined ? assign : `if (${member.only}) ${assign}`);
  }
  return o;
}

/** Every known key was seen, so that one more key in the object means an unknown field. `M` sums up keys for the text's count. */
function emitKeyCount(node: ObjectNode, members: readonly Member[], v: string, place: Place, tags: number): void {
  if (node.unknown === "strip") return;
  const { emitter, lines } = place;
  const [n, key] = [emitter.fresh("n"), emitter.fresh("k_")];
  const unsure = members.filter((member) => !member.certain);
  lines.push(`let ${n} = ${members.length - unsure.length + tags};`);
  for (const member of unsure) lines.push(`if (${member.found} !== undefined) ${n}++;`);
  lines.push(`M += ${n};`, `for (const ${key} in ${v}) ${n}--;`, `if (${n} !== 0) ${fail}`);
}

function emitField(field: Field, v: string, place: Place): Member {
  const { emitter, lines, to } = place;
  const [from, name] = to === "decoded" ? [field.wireName, field.name] : [field.name, field.wireName];
  const found = emitter.fresh("v");
  lines.push(`const ${found} = ${readMember(v, from)};`);
  const x = emitter.fresh("x");
  const isForeign = field.node.kind === "foreign";
  const body: string[] = [];
  const inner: Place = { ...place, lines: body };
  const other = field.node.kind === "foreign" ? emitForeign(field.node, found, inner) : emit(field.node, found, inner);
  if (field.presence === "required") {
    lines.push(...body, `const ${x} = ${other};`);
    return { name, found, certain: !isForeign, other: x, only: isForeign ? `${x} !== undefined` : undefined };
  }
  const otherwise = field.presence === "default" ? `else { ${defaultOf(field, x, place)} }` : "";
  lines.push(`let ${x};`, `if (${found} !== undefined) {`, ...body, `${x} = ${other};`, `} ${otherwise}`);
  const only = isForeign ? `${x} !== undefined` : field.presence === "optional" ? `${found} !== undefined` : undefined;
  return { name, found, certain: false, other: x, only };
}

/** A statement that gives `x` the field's default: a constant, or made anew where a program could change it. */
export function defaultOf(field: Field, x: string, { emitter, to }: Pick<Place, "emitter" | "to">): string {
  if (to === "wire") return `${x} = ${emitter.constant(defaultOnWire(field, emitter.form, emitter.limits))};`;
  const make = (): unknown => {
    const made = decodeNode(field.node, field.defaultWire, emitter.limits);
    return made instanceof Promise || !made.ok ? failed : made.value;
  };
  const made = make();
  if (typeof made !== "object" && made !== failed) return `${x} = ${emitter.constant(made)};`;
  return `${x} = ${emitter.constant(make)}(); if (${x} === F) ${fail}`;
}

/** An expression that may be undefined: a foreign schema can turn a value into nothing. */
function emitForeign(node: ForeignNode, v: string, place: Place): string {
  const x = place.emitter.fresh("x");
  place.lines.push(
    `const ${x} = ${place.emitter.constant(foreignReader(node, place.to, place.emitter.form))}(${v});`,
    `if (${x} === F) ${fail}`,
  );
  return x;
}
