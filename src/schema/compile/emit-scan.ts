/**
 * Generates the functions that decode straight from JSON bytes: the fastest way in, for schemas that say exactly what may come. As
 * everywhere in generated code, `F` means "ask somebody slower".
 */
import { hasRepeats } from "../check/unique-key.ts";
import { failed } from "../check/walk.ts";
import type { Field, Node, ObjectNode } from "../nodes.ts";
import { some } from "../walk-schema.ts";
import { emitScalar } from "./emit-scalar.ts";
import { defaultOf } from "./emit-value.ts";
import type { Emitter } from "./emitter.ts";

interface Place {
  readonly emitter: Emitter;
  readonly lines: string[];
  readonly depth: string;
}

const fail = "return F;";

/** Whether every part of the schema can be read this way: not what may hold any JSON, nor what other libraries check. */
export function isScannable(node: Node): boolean {
  return !some(node, (one) => {
    switch (one.kind) {
      case "json":
      case "foreign":
        return true;
      case "object":
        return one.unknown === "strip";
      // Items are compared by their wire values, which are not at hand here unless they are the decoded ones.
      case "array":
        return one.uniqueItems === true && !["string", "enum", "int32"].includes(one.items.kind);
      default:
        return false;
    }
  });
}

/** The name of the function (scanner, depth) => decoded value or F. */
export function emitScanFunction(node: Node, emitter: Emitter): string {
  return emitter.functionFor("scan", node, () => {
    const place: Place = { emitter, lines: [], depth: "d" };
    const other = node.kind === "object" ? emitObject(node, place) : emitInline(node, place);
    return [`const F = ${emitter.constant(failed)};`, ...place.lines, `return ${other};`];
  });
}

/** Statements that read one value from `v`, the scanner; returns an expression for the decoded value, to be used once. */
function emit(node: Node, place: Place): string {
  if (node.kind !== "object" && node.kind !== "tagged" && node.kind !== "ref") return emitInline(node, place);
  const target = node.kind === "ref" ? node.target() : node;
  const x = place.emitter.fresh("x");
  place.lines.push(
    `const ${x} = ${emitScanFunction(target, place.emitter)}(v, ${place.depth});`,
    `if (${x} === F) ${fail}`,
  );
  return x;
}

function emitInline(node: Node, place: Place): string {
  const { emitter, lines } = place;
  switch (node.kind) {
    case "nothing":
      lines.push(`if (!v.null()) ${fail}`);
      return "undefined";
    case "nullable": {
      const x = emitter.fresh("x");
      const body: string[] = [];
      const other = emit(node.inner, { ...place, lines: body });
      // Whatever else begins with an n is refused by the inner value.
      lines.push(`let ${x} = null;`, "if (!v.null()) {", ...body, `${x} = ${other};`, "}");
      return x;
    }
    case "brand":
      return emit(node.inner, place);
    case "refine": {
      const x = emitter.fresh("x");
      lines.push(`const ${x} = ${emit(node.inner, place)};`, `if (!${emitter.constant(node.predicate)}(${x})) ${fail}`);
      return x;
    }
    case "array":
      return emitArray(node, place);
    case "tuple":
      return emitTuple(node.items, place);
    case "map":
      return emitMap(node, place);
    case "tagged":
      return emitTagged(node, place);
    case "object":
    case "ref":
    case "json":
    case "foreign":
      return emit(node, place);
    default:
      return emitScalarScan(node, place);
  }
}

function emitScalarScan(node: Node, { emitter, lines }: Place): string {
  if (node.kind === "literal" && node.value === null) {
    lines.push(`if (!v.null()) ${fail}`);
    return "null";
  }
  const w = emitter.fresh("w");
  lines.push(`const ${w} = v.${readerOf(node)}();`);
  const scalar = emitScalar(node, w, "decoded", emitter);
  if (scalar === undefined) throw new Error(`A node of kind ${node.kind} is not a scalar.`);
  lines.push(...scalar.before, `if (${scalar.wrong}) ${fail}`);
  return scalar.other;
}

function readerOf(node: Node): "string" | "number" | "boolean" {
  switch (node.kind) {
    case "int32":
    case "int":
    case "float":
      return "number";
    case "boolean":
      return "boolean";
    case "literal":
      return typeof node.value as "string" | "number" | "boolean";
    default:
      return "string";
  }
}

function enterDepth(place: Place): Place {
  if (place.emitter.checksDepth) place.lines.push(`if (${place.depth} >= ${place.emitter.limits.maxDepth}) ${fail}`);
  return { ...place, depth: `${place.depth} + 1` };
}

/** A loop over comma-separated parts up to the closing byte. */
function separated(close: number, c: string, body: readonly string[]): string[] {
  return [
    `if (v.peek() === ${close}) v.p++; else for (;;) {`,
    ...body,
    `const ${c} = v.next();`,
    `if (${c} === 44) continue;`,
    `if (${c} === ${close}) break;`,
    fail,
    "}",
  ];
}

function emitArray(node: Extract<Node, { kind: "array" }>, place: Place): string {
  const { emitter, lines } = place;
  const [a, c] = [emitter.fresh("a"), emitter.fresh("c")];
  lines.push(`if (v.next() !== 91) ${fail}`);
  const inner = enterDepth(place);
  const body: string[] = [];
  if (node.maxItems !== undefined) body.push(`if (${a}.length >= ${node.maxItems}) ${fail}`);
  const other = emit(node.items, { ...inner, lines: body });
  lines.push(`const ${a} = [];`, ...separated(93, c, [...body, `${a}.push(${other});`]));
  if (node.minItems !== undefined) lines.push(`if (${a}.length < ${node.minItems}) ${fail}`);
  if (node.uniqueItems === true) lines.push(`if (${emitter.constant(hasRepeats)}(${a})) ${fail}`);
  return a;
}

function emitTuple(items: readonly Node[], place: Place): string {
  const { emitter, lines } = place;
  lines.push(`if (v.next() !== 91) ${fail}`);
  const inner = enterDepth(place);
  const others = items.map((node, i) => {
    if (i > 0) lines.push(`if (v.next() !== 44) ${fail}`);
    const x = emitter.fresh("x");
    lines.push(`const ${x} = ${emit(node, inner)};`);
    return x;
  });
  lines.push(`if (v.next() !== 93) ${fail}`);
  return `[${others.join(", ")}]`;
}

function emitMap(node: Extract<Node, { kind: "map" }>, place: Place): string {
  const { emitter, lines } = place;
  const [o, key, n, c] = [emitter.fresh("o"), emitter.fresh("w"), emitter.fresh("n"), emitter.fresh("c")];
  lines.push(`if (v.next() !== 123) ${fail}`);
  const inner = enterDepth(place);
  const body = [`const ${key} = v.string();`, `if (${key} === undefined || ${key} in ${o} || v.next() !== 58) ${fail}`];
  if (node.maxEntries !== undefined) body.push(`if (${n} >= ${node.maxEntries}) ${fail}`);
  if (node.key !== undefined)
    body.push(`if (${emitScalar(node.key, key, "decoded", emitter)?.wrong ?? "false"}) ${fail}`);
  const other = emit(node.values, { ...inner, lines: body });
  lines.push(
    `const ${o} = Object.create(null);`,
    `let ${n} = 0;`,
    ...separated(125, c, [...body, `${o}[${key}] = ${other};`, `${n}++;`]),
  );
  return o;
}

/** Only with the tag in front, as our own encoder writes it: else the variant would be known too late. */
function emitTagged(node: Extract<Node, { kind: "tagged" }>, place: Place): string {
  const { emitter, lines } = place;
  const n = emitter.fresh("n");
  lines.push(
    `if (v.next() !== 123) ${fail}`,
    `const ${n} = v.key();`,
    `if (${keyDiffers(node.tag, n)}) ${fail}`,
    "switch (v.string()) {",
  );
  for (const variant of node.variants) {
    const name = emitter.functionFor("scanVariant", variant.node, () => {
      const inner: Place = { emitter, lines: [], depth: "d" };
      const other = emitObject(variant.node, inner, { name: node.tag, value: variant.tag });
      return [`const F = ${emitter.constant(failed)};`, ...inner.lines, `return ${other};`];
    });
    lines.push(`case ${JSON.stringify(variant.tag)}: return ${name}(v, ${place.depth});`);
  }
  lines.push(`default: ${fail}`, "}");
  return "F";
}

const encoder = new TextEncoder();

/** A name as JSON.stringify writes it between quotes, in UTF-8. A key that is written otherwise goes the slower way. */
function keyBytes(name: string): Uint8Array {
  return encoder.encode(JSON.stringify(name).slice(1, -1));
}

/** A condition: the key just read, of length `n`, is not this name. */
function keyDiffers(name: string, n: string): string {
  const bytes = keyBytes(name);
  return [`${n} !== ${bytes.length}`, ...Array.from(bytes, (byte, i) => `v.bytes[v.from + ${i}] !== ${byte}`)].join(
    " || ",
  );
}

function emitObject(node: ObjectNode, place: Place, tag?: { readonly name: string; readonly value: string }): string {
  const { emitter, lines } = place;
  const fields = node.fields.map((field, i) => ({
    field,
    x: emitter.fresh("x"),
    mask: `m${Math.floor(i / 30)}`,
    bit: 2 ** (i % 30),
  }));
  const masks = [...new Set(fields.map(({ mask }) => mask))];
  if (tag === undefined) lines.push(`if (v.next() !== 123) ${fail}`);
  const inner = enterDepth(place);
  if (fields.length > 0)
    lines.push(`let ${[...fields.map(({ x }) => x), ...masks.map((mask) => `${mask} = 0`)].join(", ")};`);
  if (fields.length > 0) lines.push("let e = 0;");
  const body = fields.length > 0 ? emitMembers(fields, inner) : [fail];
  const c = emitter.fresh("c");
  if (tag === undefined) lines.push(...separated(125, c, body));
  else
    lines.push(
      `let ${c} = v.next();`,
      `if (${c} !== 125) {`,
      `if (${c} !== 44) ${fail}`,
      "for (;;) {",
      ...body,
      `${c} = v.next();`,
      `if (${c} === 44) continue;`,
      `if (${c} === 125) break;`,
      fail,
      "}",
      "}",
    );
  return emitResult(fields, place, tag);
}

interface Scanned {
  readonly field: Field;
  readonly x: string;
  readonly mask: string;
  readonly bit: number;
}

/**
 * Reads one member. Most senders keep the schema's order, so the field after the last one (`e`) is tried first, quotes and colon in one
 * go; any other place is found by the key's length and bytes.
 */
function emitMembers(fields: readonly Scanned[], inner: Place): string[] {
  const expected = fields.map(({ field }, i) => {
    const bytes = encoder.encode(`${JSON.stringify(field.wireName)}:`);
    const matches = Array.from(bytes, (byte, at) => `b[p + ${at}] === ${byte}`).join(" && ");
    return `case ${i}: if (p + ${bytes.length} < v.end && ${matches}) { w = ${i}; v.p = p + ${bytes.length}; } break;`;
  });
  const byLength = Map.groupBy(fields, ({ field }) => keyBytes(field.wireName).length);
  const found = Array.from(byLength, ([length, group]) => {
    const tests = group.map(({ field }) => {
      const matches = Array.from(keyBytes(field.wireName), (byte, i) => `b[f + ${i}] === ${byte}`).join(" && ");
      return `if (${matches === "" ? "true" : matches}) { w = ${fields.findIndex((one) => one.field === field)}; break; }`;
    });
    return `case ${length}: ${tests.join(" ")} ${fail}`;
  });
  const reads = fields.flatMap(({ field, x, mask, bit }, i) => {
    const read: string[] = [];
    const other = emit(field.node, { ...inner, lines: read });
    return [
      `case ${i}: {`,
      `if ((${mask} & ${bit}) !== 0) ${fail}`,
      `${mask} |= ${bit};`,
      ...read,
      `${x} = ${other};`,
      "break;",
      "}",
    ];
  });
  return [
    "const b = v.bytes, p = v.p;",
    "let w = -1;",
    "switch (e) {",
    ...expected,
    "}",
    "if (w < 0) {",
    "const n = v.key(), f = v.from;",
    "switch (n) {",
    ...found,
    `default: ${fail}`,
    "}",
    "}",
    "switch (w) {",
    ...reads,
    "}",
    "e = w + 1;",
  ];
}

/** Refuses missing fields, fills in defaults, and makes the object in the schema's order, whatever order the fields came in. */
function emitResult(
  fields: readonly Scanned[],
  place: Place,
  tag: { readonly name: string; readonly value: string } | undefined,
): string {
  const { emitter, lines } = place;
  const required = Map.groupBy(
    fields.filter(({ field }) => field.presence === "required"),
    ({ mask }) => mask,
  );
  for (const [mask, group] of required) {
    const bits = group.reduce((sum, { bit }) => sum + bit, 0);
    lines.push(`if ((${mask} & ${bits}) !== ${bits}) ${fail}`);
  }
  for (const { field, x, mask, bit } of fields) {
    if (field.presence === "default")
      lines.push(`if ((${mask} & ${bit}) === 0) { ${defaultOf(field, x, { emitter, to: "decoded" })} }`);
  }
  const firstOptional = fields.findIndex(({ field }) => field.presence === "optional");
  const sure = firstOptional < 0 ? fields : fields.slice(0, firstOptional);
  const literal = tag === undefined ? [] : [`${JSON.stringify(tag.name)}: ${JSON.stringify(tag.value)}`];
  for (const { field, x } of sure) literal.push(`${JSON.stringify(field.name)}: ${x}`);
  if (firstOptional < 0) return `{ ${literal.join(", ")} }`;
  const o = emitter.fresh("o");
  lines.push(`const ${o} = { ${literal.join(", ")} };`);
  for (const { field, x, mask, bit } of fields.slice(firstOptional)) {
    const assign = `${o}[${JSON.stringify(field.name)}] = ${x};`;
    lines.push(field.presence === "optional" ? `if ((${mask} & ${bit}) !== 0) ${assign}` : assign);
  }
  return o;
}
