/** The content codings that this runtime can undo, bounded. */
import { CodedBody } from "./coded-body.ts";
import { nodeZlib, type CodingName } from "./coders.ts";

export interface Decoder {
  /** The whole decoded body, or undefined for more than `limit` bytes. Rejects for what is no such coding. */
  readonly whole: (bytes: Uint8Array, limit: number) => Promise<Uint8Array | undefined>;
  /** Piece by piece, as fast as it is taken: pieces of up to 16 KiB come out. */
  readonly stream: (source: AsyncIterable<Uint8Array>) => CodedBody;
}

type Done = (error: (Error & { readonly code?: string }) | null, bytes: Uint8Array) => void;
type Decode = (bytes: Uint8Array, options: { readonly maxOutputLength: number }, done: Done) => void;

/** Undefined where there is no `node:zlib`. */
export function decodersHere(): ReadonlyMap<CodingName, Decoder> | undefined {
  const zlib = nodeZlib();
  if (zlib === undefined) return undefined;
  const decoders = new Map<CodingName, Decoder>([
    [
      "gzip",
      {
        whole: bounded((bytes, options, done) => zlib.gunzip(bytes, options, done)),
        stream: (source) => new CodedBody(source, zlib.createGunzip(), undefined, ignore),
      },
    ],
    [
      "br",
      {
        whole: bounded((bytes, options, done) => zlib.brotliDecompress(bytes, options, done)),
        stream: (source) => new CodedBody(source, zlib.createBrotliDecompress(), undefined, ignore),
      },
    ],
  ]);
  // Node has it since 22.15; other runtimes that have node:zlib may not.
  if (typeof zlib.zstdDecompress === "function") {
    decoders.set("zstd", {
      whole: bounded((bytes, options, done) => zlib.zstdDecompress(bytes, options, done)),
      stream: (source) => new CodedBody(source, zlib.createZstdDecompress(), undefined, ignore),
    });
  }
  return decoders;
}

const ignore = (): void => undefined;

/** Ends as soon as more than the limit has come out. */
function bounded(decode: Decode): Decoder["whole"] {
  return (bytes, limit) =>
    new Promise((resolve, reject) =>
      decode(bytes, { maxOutputLength: Math.max(1, limit) }, (error, decoded) => {
        if (error === null || error === undefined) resolve(decoded.length > limit ? undefined : decoded);
        else if (error.code === "ERR_BUFFER_TOO_LARGE") resolve(undefined);
        else reject(error);
      }),
    );
}
