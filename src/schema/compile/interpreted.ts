/** A codec that reads the schema at each call: for runtimes that forbid code generation, and the measure of the compiled one. */
import { Err, Ok, type Result } from "../../core/index.ts";
import { decodeNode, encodeNode } from "../check.ts";
import type { Codec } from "../codec.ts";
import type { Invalid } from "../issues.ts";
import { countKeys, countMembers, parseText, readText, repeatedKey } from "../json-text.ts";
import type { SchemaLimits } from "../limits.ts";
import type { Node } from "../nodes.ts";

export function interpretedCodec(node: Node, limits: SchemaLimits): Codec<unknown, unknown> {
  const parseJson: Codec<unknown, unknown>["parseJson"] = (source) => {
    const wire = wireOf(source, limits);
    return wire.ok ? decodeNode(node, wire.value, limits) : wire;
  };
  return {
    node,
    mode: "interpreted",
    parse: (wire) => decodeNode(node, wire, limits),
    parseJson,
    parseJsonPart: (bytes, start, end) => parseJson(bytes.subarray(start, end)),
    encode: (value) => encodeNode(node, value, limits),
    serialize: (value) => serializeBy(node, value, limits),
  };
}

/** The wire value of a text, checked for repeated keys. */
function wireOf(source: string | Uint8Array, limits: SchemaLimits): Result<unknown, Invalid> {
  const text = readText(source, limits.maxTextLength);
  if (!text.ok) return text;
  const wire = parseText(text.value);
  if (wire.ok && countMembers(text.value) !== countKeys(wire.value)) return repeatedKey();
  return wire;
}

export function serializeBy(node: Node, value: unknown, limits: SchemaLimits): Result<string, Invalid> {
  const wire = encodeNode(node, value, limits);
  return wire.ok ? new Ok(JSON.stringify(wire.value) ?? "null") : new Err(wire.fault);
}
