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
import { some } from "../walk-schema.ts";
import { emitValueFunction } from "./emit-value.ts";
import { emitScanFunction, isScannable } from "./emit-scan.ts";
import { Emitter } from "./emitter.ts";
import { serializeBy } from "./interpreted.ts";
import { scannerOf, type Scanner } from "./scanner.ts";

interface Generated {
  /** Straight from JSON bytes; absent where the schema has parts that cannot be read so. */
  readonly scan: ((scanner: Scanner, depth: number) => unknown) | undefined;
  readonly decode: (wire: unknown, depth: number) => unknown;
  readonly encode: (value: unknown, depth: number) => unknown;
  /** The keys that decoding has met since the last call. */
  readonly takeKeys: () => number;
}

export function generate(node: Node, limits: SchemaLimits): Generated {
  const emitter = new Emitter(node, limits);
  const decode = emitValueFunction(node, "decoded", emitter);
  const encode = emitValueFunction(node, "wire", emitter);
  const scan = isScannable(node) ? emitScanFunction(node, emitter) : "undefined";
  return emitter.build(
    `{ scan: ${scan}, decode: ${decode}, encode: ${encode}, takeKeys() { const m = M; M = 0; return m; } }`,
  ) as Generated;
}

export function compiledCodec(node: Node, limits: SchemaLimits): Codec<unknown, unknown> {
  const { scan, decode, encode, takeKeys } = generate(node, limits);
  // Once a foreign schema has answered with a promise, generated code would only ask it twice.
  let asynchronous = false;
  const decodeSlowly = (wire: unknown): MaybePromise<Result<unknown, Invalid>> => {
    const result = decodeNode(node, wire, limits);
    if (result instanceof Promise) asynchronous = true;
    return result;
  };
  // A predicate is foreign code, which may parse something else in the middle of this.
  const share = !some(node, (one) => one.kind === "refine");
  const exact = countsKeys(node);
  return {
    node,
    mode: "compiled",
    parse(wire) {
      const value = asynchronous ? failed : decode(wire, 0);
      return value === failed ? decodeSlowly(wire) : new Ok(value);
    },
    parseJson(source) {
      const scanner = scan === undefined || source.length > limits.maxTextLength ? undefined : scannerOf(source, share);
      if (scan !== undefined && scanner !== undefined) {
        const value = scan(scanner, 0);
        if (value !== failed && scanner.ended()) return new Ok(value);
      }
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
      // The wire value is made by generated code, so that all values of a schema have one shape, and V8 then writes the text
      // faster than a program can join it. docs/schema.md has the figures.
      const wire = encode(value, 0);
      return wire === failed ? serializeBy(node, value, limits) : new Ok(JSON.stringify(wire));
    },
  };
}

/** Whether decoding meets every key of a wire value: not the keys of a stripped field, of any JSON, or of a foreign schema. */
function countsKeys(node: Node): boolean {
  return !some(
    node,
    (one) => one.kind === "json" || one.kind === "foreign" || (one.kind === "object" && one.unknown === "strip"),
  );
}
