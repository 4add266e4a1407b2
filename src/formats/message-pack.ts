/**
 * MessagePack by the library of its authors.
 *
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
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
 * MessagePack, `application/msgpack` (also `application/vnd.msgpack` and `application/x-msgpack`), for bodies and answers. Bytes travel
 * as bytes and 64-bit integers as integers; times, durations and decimals are texts as in JSON. Keys are texts, `__proto__` is
 * none, and there are no extension types. Needs the package `@msgpack/msgpack`.
 *
 * @example
 * const app = implement(atlas, { formats: [messagePack()], handlers });
 */
export function messagePack(): BinaryFormat {
  return format;
}

const format: BinaryFormat = Object.freeze({
  kind: "binary",
  name: "MessagePack",
  types: ["application/msgpack", "application/vnd.msgpack", "application/x-msgpack"] as const,
  async load() {
    const { Decoder, Encoder } = await loadPeer(
      "messagePack()",
      "@msgpack/msgpack",
      async () => import("@msgpack/msgpack"),
    );
    const decoder = new Decoder({ useBigInt64: true });
    // As deep as a schema of another library may want: cycles have ended at the schema.
    const encoder = new Encoder({ useBigInt64: true, ignoreUndefined: true, maxDepth: 2048 });
    return guarded("MessagePack", scanMessagePack, {
      decode: (bytes) => decoder.decode(bytes),
      encode: (wire) => encoder.encode(wire),
    });
  },
});

/** Bytes after the head byte that hold the value of a scalar; -1: not a scalar. By head byte from 0xc0. */
const scalarBytes = [
  0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
];

function scanMessagePack(bytes: Uint8Array): Scan {
  const open = new OpenContainers();
  const end = bytes.length;
  let at = 0;
  /** A big-endian length; NaN past the end. */
  const length = (size: 1 | 2 | 4): number => {
    let value = at + size > end ? Number.NaN : 0;
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0);
    at += size;
    return value;
  };
  while (open.isOpen()) {
    if (at >= end) return endsEarly;
    const head = bytes[at++] as number;
    const isKey = open.begin();
    const text = textLength(head, length);
    if (text !== undefined) {
      if (!(at + text <= end)) return Number.isNaN(text) ? endsEarly : tooLong;
      if (!isUtf8(bytes, at, at + text)) return notUtf8;
      at += text;
      continue;
    }
    if (isKey) return keyNoText;
    if (head < 0x80 || head >= 0xe0) continue;
    const container = containerOf(head, length);
    if (container !== undefined) {
      if (Number.isNaN(container.count)) return endsEarly;
      const wrong = open.push(container.count, container.isMap, end - at);
      if (wrong !== undefined) return wrong;
      continue;
    }
    const size = head >= 0xc4 && head <= 0xc6 ? length(sizes[head - 0xc4] as 1 | 2 | 4) : scalarBytes[head - 0xc0];
    if (size === undefined || size < 0)
      return head === 0xc1 ? "it holds a byte that begins no value" : "extension types are not used here";
    if (!(at + size <= end)) return endsEarly;
    at += size;
  }
  return at === end ? open.keys : bytesFollow;
}

const sizes = [1, 2, 4] as const;
type Length = (size: 1 | 2 | 4) => number;

function textLength(head: number, length: Length): number | undefined {
  if (head >= 0xa0 && head <= 0xbf) return head & 31;
  return head >= 0xd9 && head <= 0xdb ? length(sizes[head - 0xd9] as 1 | 2 | 4) : undefined;
}

function containerOf(head: number, length: Length): { readonly count: number; readonly isMap: boolean } | undefined {
  if (head >= 0x80 && head <= 0x9f) return { count: head & 15, isMap: head < 0x90 };
  if (head < 0xdc || head > 0xdf) return undefined;
  return { count: length(head % 2 === 0 ? 2 : 4), isMap: head >= 0xde };
}
