/**
 * CBOR by cborg, in its strict form.
 *
 * Source: RFC 8949; what is written is its core deterministic encoding (section 4.2.1).
 */
import type { BinaryFormat } from "../schema/index.ts";
import {
  OpenContainers,
  bytesFollow,
  endsEarly,
  guarded,
  isUtf8,
  keyNoText,
  loadPeer,
  notUtf8,
  tooLong,
  type Scan,
} from "./binary-library.ts";

/**
 * CBOR, `application/cbor`, for bodies and answers. Bytes travel as bytes and 64-bit integers as integers; times, durations and
 * decimals are texts as in JSON. Strict: lengths are definite and integers in their shortest form, keys are texts, and there are
 * neither tags nor undefined. Needs the package `cborg`.
 *
 * @example
 * const app = implement(atlas, { formats: [cbor()], handlers });
 */
export function cbor(): BinaryFormat {
  return format;
}

const format: BinaryFormat = Object.freeze({
  kind: "binary",
  name: "CBOR",
  types: ["application/cbor"] as const,
  async load() {
    const { decode, encode, rfc8949EncodeOptions } = await loadPeer("cbor()", "cborg", async () => import("cborg"));
    const reading = { strict: true, allowIndefinite: false, allowUndefined: false, rejectDuplicateMapKeys: false };
    const writing = { ...rfc8949EncodeOptions, ignoreUndefinedProperties: true };
    return guarded("CBOR", scanCbor, {
      decode: (bytes) => decode(bytes, reading) as unknown,
      encode: (wire) => encode(wire, writing),
    });
  },
});

function scanCbor(bytes: Uint8Array): Scan {
  const open = new OpenContainers();
  const end = bytes.length;
  let at = 0;
  while (open.isOpen()) {
    if (at >= end) return endsEarly;
    const head = bytes[at++] as number;
    const isKey = open.begin();
    const major = head >> 5;
    const info = head & 31;
    if (isKey && major !== 3) return keyNoText;
    const size = info < 24 ? 0 : info < 28 ? 2 ** (info - 24) : -1;
    if (size < 0) return info === 31 ? "indefinite lengths are not used here" : "it holds a byte that begins no value";
    if (at + size > end) return endsEarly;
    let argument = size === 0 ? info : 0;
    for (let i = 0; i < size; i++) argument = argument * 256 + (bytes[at + i] as number);
    at += size;
    if (major === 2 || major === 3) {
      if (argument > end - at) return tooLong;
      if (major === 3 && !isUtf8(bytes, at, at + argument)) return notUtf8;
      at += argument;
    } else if (major === 4 || major === 5) {
      const wrong = open.push(argument, major === 5, end - at);
      if (wrong !== undefined) return wrong;
    } else if (major === 6) return "tags are not used here";
    else if (major === 7 && !(info >= 25 || (info >= 20 && info <= 22)))
      return "it holds a simple value that JSON does not have";
  }
  return at === end ? open.keys : bytesFollow;
}
