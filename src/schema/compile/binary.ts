/** The codec of binary formats, by generated code or by the interpreter. */
import { Ok } from "../../core/index.ts";
import { decodeNode, encodeNode } from "../check.ts";
import { failed } from "../check/walk.ts";
import type { BinaryCodec } from "../codec.ts";
import type { SchemaLimits } from "../limits.ts";
import type { Node } from "../nodes.ts";
import { emitValueFunction } from "./emit-value.ts";
import { Emitter } from "./emitter.ts";

type Convert = (value: unknown, depth: number) => unknown;

export function binaryCodec(
  node: Node,
  limits: SchemaLimits,
  mode: "compiled" | "interpreted",
): BinaryCodec<unknown, unknown> {
  const slow: BinaryCodec<unknown, unknown> = {
    mode,
    parse: (wire) => decodeNode(node, wire, limits, false, "binary"),
    encode: (value) => encodeNode(node, value, limits, "binary"),
  };
  if (mode === "interpreted") return slow;
  const { decode, encode } = generateBinary(node, limits);
  return {
    mode,
    parse(wire) {
      const value = decode(wire, 0);
      return value === failed ? slow.parse(wire) : new Ok(value);
    },
    encode(value) {
      const wire = encode(value, 0);
      return wire === failed ? slow.encode(value) : new Ok(wire);
    },
  };
}

export function generateBinary(
  node: Node,
  limits: SchemaLimits,
): { readonly decode: Convert; readonly encode: Convert } {
  const emitter = new Emitter(node, limits, "binary");
  const decode = emitValueFunction(node, "decoded", emitter);
  const encode = emitValueFunction(node, "wire", emitter);
  return emitter.build(`{ decode: ${decode}, encode: ${encode} }`) as ReturnType<typeof generateBinary>;
}
