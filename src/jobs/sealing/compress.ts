/**
 * Zstandard (RFC 8878) by `node:zlib`, on its threads and not on the event loop. Loaded when the first text is long enough, or compressed.
 */
import { promisify } from "node:util";

interface Zstd {
  compress(bytes: Buffer): Promise<Buffer>;
  decompress(bytes: Uint8Array, most: number): Promise<Buffer>;
}

let loaded: Promise<Zstd> | undefined;

async function load(): Promise<Zstd> {
  const { zstdCompress, zstdDecompress } = await import("node:zlib");
  const compressing = promisify(zstdCompress);
  const decompressing = promisify(zstdDecompress);
  return {
    compress: (bytes) => compressing(bytes),
    decompress: (bytes, most) => decompressing(bytes, { maxOutputLength: most }),
  };
}

export async function compress(text: Buffer): Promise<Buffer> {
  return (await (loaded ??= load())).compress(text);
}

/** Rejects when the frame is broken, or when what is in it is longer than `most` bytes: no more than that is ever made of it. */
export async function decompress(frame: Uint8Array, most: number): Promise<Buffer> {
  return (await (loaded ??= load())).decompress(frame, most);
}
