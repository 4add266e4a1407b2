/**
 * A codec of generated functions. They answer when all is well; for anything else the interpreter is asked, so that a failure
 * carries every issue, and what is refused is decided in one place.
 */
import { Ok, type MaybePromise, type Result } from "../../core/index.ts";
import { decodeNode, encodeNode } from "../check.ts";
import { failed } from "../check/walk.ts";
import type { Codec } from "../codec.ts";
import type { Invalid } from "../issues.ts";
import { countKeys, countMembers, parseText, readText, repeatedKey } from "../json-text.ts";
import type { SchemaLimits } from "../limits.ts";
import type { Node } from "../nodes.ts";
import { emitTextFunction } from "./emit-text.ts";
import { emitValueFunction } from "./emit-value.ts";
import { Emitter } from "./emitter.ts";
import { serializeBy } from "./interpreted.ts";

interface Generated {
  readonly decode: (wire: unknown, depth: number) => unknown;
  readonly encode: (value: unknown, depth: number) => unknown;
  readonly text: (value: unknown, depth: number) => string | undefined;
  /** The keys that decoding has met since the last call. */
  readonly takeKeys: () => number;
}

export function generate(node: Node, limits: SchemaLimits): Generated {
  const emitter = new Emitter(node, limits);
  const decode = emitValueFunction(node, "decoded", emitter);
  const encode = emitValueFunction(node, "wire", emitter);
  const text = emitTextFunction(node, emitter);
  return emitter.build(`{ decode: ${decode}, encode: ${encode}, text: ${text}, takeKeys() { const m = M; M = 0; return m; } }`) as Generated;
}

export function compiledCodec(node: Node, limits: SchemaLimits): Codec<unknown, unknown> {
  const { decode, encode, text, takeKeys } = generate(node, limits);
  // Once a foreign schema has answered with a promise, generated code would only ask it twice.
  let asynchronous = false;
  const decodeSlowly = (wire: unknown): MaybePromise<Result<unknown, Invalid>> => {
    const result = decodeNode(node, wire, limits);
    if (result instanceof Promise) asynchronous = true;
    return result;
  };
  const exact = countsKeys(node, new Set());
  return {
    node,
    mode: "compiled",
    parse(wire) {
      const value = asynchronous ? failed : decode(wire, 0);
      return value === failed ? decodeSlowly(wire) : new Ok(value);
    },
    parseJson(source) {
      const text = readText(source, limits.maxTextLength);
      if (!text.ok) return text;
      const parsed = parseText(text.value);
      if (!parsed.ok) return parsed;
      const wire = parsed.value;
      takeKeys();
      const value = asynchronous ? failed : decode(wire, 0);
      const keys = exact && value !== failed ? takeKeys() : countKeys(wire);
      if (countMembers(text.value) !== keys) return repeatedKey();
      return value === failed ? decodeSlowly(wire) : new Ok(value);
    },
    encode(value) {
      const wire = encode(value, 0);
      return wire === failed ? encodeNode(node, value, limits) : new Ok(wire);
    },
    serialize(value) {
      const json = text(value, 0);
      return json === undefined ? serializeBy(node, value, limits) : new Ok(json);
    },
  };
}

/** Whether decoding meets every key of a wire value: not the keys of a stripped field, of any JSON, or of a foreign schema. */
function countsKeys(node: Node, seen: Set<Node>): boolean {
  if (seen.has(node)) return true;
  seen.add(node);
  const inner = (one: Node): boolean => countsKeys(one, seen);
  switch (node.kind) {
    case "json": case "foreign": return false;
    case "object": return node.unknown === "refuse" && node.fields.every((field) => inner(field.node));
    case "tagged": return node.variants.every((variant) => inner(variant.node));
    case "array": return inner(node.items);
    case "tuple": return node.items.every(inner);
    case "map": return inner(node.values);
    case "nullable": case "brand": case "refine": return inner(node.inner);
    case "ref": return inner(node.target());
    default: return true;
  }
}
