/**
 * What the wire form of binary formats (MessagePack, CBOR) has otherwise than JSON: bytes as bytes, and integers of 64 bits. Times,
 * durations and decimals are the same texts in every format. Each function is the one definition of its form, used by the
 * interpreter and by the compiled codecs alike.
 */
import { maxInt64, minInt64 } from "../scalars.ts";

const isSafe = (value: bigint): boolean => value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;

/** A library may read a small integer that was written in 64 bits as a bigint. */
export function numberOfWire(value: unknown): unknown {
  return typeof value === "bigint" && isSafe(value) ? Number(value) : value;
}

export function readBinaryInt64(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value >= minInt64 && value <= maxInt64 ? value : undefined;
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
}

/** A number up to 32 bits, else a bigint: a large number would be written as a floating-point value, which other languages refuse. */
export function binaryInteger(value: number | bigint): number | bigint {
  if (value >= -2_147_483_648 && value <= 4_294_967_295) return Number(value);
  return BigInt(value);
}

/** What a library read may be a view on the whole request, which would then stay in memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Half a surrogate pair has no UTF-8, and becomes U+FFFD as it does in every encoder of text. */
export function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

/** Any JSON as a binary format gave it, with integers as numbers. */
export function jsonOfWire(value: unknown): unknown {
  return rewrite(value, numberOfWire);
}

/** Any JSON for a binary format. */
export function wireOfJson(value: unknown): unknown {
  return rewrite(value, (scalar) => (typeof scalar === "string" ? wellFormed(scalar) : scalar));
}

/** The value itself where `leaf` changes nothing in it, else a copy. */
function rewrite(value: unknown, leaf: (scalar: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null) return leaf(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => rewrite(item, leaf));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  const before = Object.entries(value);
  const after = before.map(([key, member]) => [leaf(key) as string, rewrite(member, leaf)] as const);
  const same = after.every(([key, member], i) => key === before[i]?.[0] && member === before[i][1]);
  return same ? value : Object.fromEntries(after);
}
