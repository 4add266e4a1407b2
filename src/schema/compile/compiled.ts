/**
 * A codec of generated functions. They answer when all is well; for anything else the interpreter is asked, so that a failure
 * carries every issue, and what is refused is decided in one place.
 */
import { Ok, type MaybePromise, type Result } from "../../core/index.ts";
import { decodeNode, encodeNode } from "../check.ts";
import { failed, isRecord } from "../check/walk.ts";
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
import { scannerOf, scannerOfPart, type Scanner } from "./scanner.ts";

interface Reading {
  /** Straight from JSON bytes; absent where the schema has parts that cannot be read so. */
  readonly scan: ((scanner: Scanner, depth: number) => unknown) | undefined;
  readonly decode: (wire: unknown, depth: number) => unknown;
  /** The keys that decoding has met since the last call. */
  readonly takeKeys: () => number;
}

interface Writing {
  readonly encode: (value: unknown, depth: number) => unknown;
}

type Reader = Pick<Codec<unknown, unknown>, "parse" | "parseJson" | "parseJsonPart">;
type Writer = Pick<Codec<unknown, unknown>, "encode" | "serialize">;

export function generate(node: Node, limits: SchemaLimits): Reading & Writing {
  const emitter = new Emitter(node, limits);
  return emitter.build(`{ ${emitReading(node, emitter)}, ${emitWriting(node, emitter)} }`) as Reading & Writing;
}

function emitReading(node: Node, emitter: Emitter): string {
  const decode = emitValueFunction(node, "decoded", emitter);
  const scan = isScannable(node) ? emitScanFunction(node, emitter) : "undefined";
  return `scan: ${scan}, decode: ${decode}, takeKeys() { const m = M; M = 0; return m; }`;
}

function emitWriting(node: Node, emitter: Emitter): string {
  return `encode: ${emitValueFunction(node, "wire", emitter)}`;
}

export function compiledCodec(node: Node, limits: SchemaLimits): Codec<unknown, unknown> {
  const generated = generate(node, limits);
  return { node, mode: "compiled", ...reader(node, limits, generated), ...writer(node, limits, generated) };
}

/** The half that reads. What is never called is not generated: that is most of what a start costs. */
export function compiledReader(node: Node, limits: SchemaLimits): Reader {
  const emitter = new Emitter(node, limits);
  return reader(node, limits, emitter.build(`{ ${emitReading(node, emitter)} }`) as Reading);
}

/** The half that reads wire values, and no text. */
export function compiledParser(node: Node, limits: SchemaLimits): Reader["parse"] {
  const emitter = new Emitter(node, limits);
  const decode = emitter.build(emitValueFunction(node, "decoded", emitter)) as Reading["decode"];
  return parser(node, limits, decode).parse;
}

/** The half that writes. */
export function compiledWriter(node: Node, limits: SchemaLimits): Writer {
  const emitter = new Emitter(node, limits);
  return writer(node, limits, emitter.build(`{ ${emitWriting(node, emitter)} }`) as Writing);
}

interface Parser {
  readonly parse: Reader["parse"];
  readonly decode: (wire: unknown) => unknown;
  readonly decodeSlowly: Reader["parse"];
}

function parser(node: Node, limits: SchemaLimits, generated: Reading["decode"]): Parser {
  // Once a foreign schema has answered with a promise, generated code would only ask it twice.
  let asynchronous = false;
  const decode = (wire: unknown): unknown => (asynchronous ? failed : generated(wire, 0));
  const decodeSlowly = (wire: unknown): MaybePromise<Result<unknown, Invalid>> => {
    const result = decodeNode(node, wire, limits);
    if (result instanceof Promise) asynchronous = true;
    return result;
  };
  return {
    decode,
    decodeSlowly,
    parse(wire) {
      const value = decode(wire);
      return value === failed ? decodeSlowly(wire) : new Ok(value);
    },
  };
}

function reader(node: Node, limits: SchemaLimits, { scan, decode: generated, takeKeys }: Reading): Reader {
  const { parse, decode, decodeSlowly } = parser(node, limits, generated);
  // A predicate is foreign code, which may parse something else in the middle of this.
  const share = !some(node, (one) => one.kind === "refine");
  const exact = countsKeys(node);
  /** Undefined: it has to be read slowly, were it only to say what is wrong. */
  const parseQuickly = (scanner: Scanner | undefined): Ok<unknown> | undefined => {
    if (scan === undefined || scanner === undefined) return undefined;
    const value = scan(scanner, 0);
    return value !== failed && scanner.ended() ? new Ok(value) : undefined;
  };
  const parseSlowly = (source: string | Uint8Array): MaybePromise<Result<unknown, Invalid>> => {
    const text = readText(source, limits.maxTextLength);
    if (!text.ok) return text;
    const parsed = parseText(text.value);
    if (!parsed.ok) return parsed;
    const wire = parsed.value;
    takeKeys();
    const value = decode(wire);
    const keys = exact && value !== failed ? takeKeys() : countKeys(wire);
    if (countMembers(text.value) !== keys) return repeatedKey();
    return value === failed ? decodeSlowly(wire) : new Ok(value);
  };
  return {
    parse,
    parseJson(source) {
      const scanner = scan === undefined || source.length > limits.maxTextLength ? undefined : scannerOf(source, share);
      return parseQuickly(scanner) ?? parseSlowly(source);
    },
    parseJsonPart(bytes, start, end) {
      const scanner =
        scan === undefined || end - start > limits.maxTextLength ? undefined : scannerOfPart(bytes, start, end, share);
      return parseQuickly(scanner) ?? parseSlowly(bytes.subarray(start, end));
    },
  };
}

/** Of an object that has no fields. */
const emptyObject = Object.freeze(new Ok("{}"));

function writer(node: Node, limits: SchemaLimits, { encode }: Writing): Writer {
  // Its text is known without its wire value.
  const isEmpty = node.kind === "object" && node.fields.length === 0;
  return {
    encode(value) {
      const wire = encode(value, 0);
      return wire === failed ? encodeNode(node, value, limits) : new Ok(wire);
    },
    serialize(value) {
      // The wire value is made by generated code, so that all values of a schema have one shape, and V8 then writes the text
      // faster than a program can join it. docs/schema.md has the figures.
      if (isEmpty) return isRecord(value) ? emptyObject : serializeBy(node, value, limits);
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
