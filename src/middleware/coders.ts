/**
 * The content codings that this runtime can do: with `node:zlib` gzip, br and zstd; elsewhere gzip by the platform's
 * CompressionStream; none where there is neither. Looked for once, at start.
 */
import { CodedBody } from "./coded-body.ts";

type Zlib = typeof import("node:zlib");
type Bytes = Uint8Array;

export type CodingName = "br" | "gzip" | "zstd";

export interface Coder {
  readonly name: CodingName;
  /** At once: for what takes less time than handing it to another thread. Undefined where the runtime has no such way. */
  readonly atOnce: ((bytes: Bytes) => Bytes) | undefined;
  /** On another thread where there is one. Rejects when the coder fails. */
  readonly later: (bytes: Bytes) => Promise<Bytes>;
  /** Undefined where a live stream would be held back until it is full. `end` is called once, however it ends. */
  readonly stream: ((body: AsyncIterable<Bytes>, live: boolean, end: () => void) => AsyncIterable<Bytes>) | undefined;
}

export interface CoderLevels {
  /** 0 to 11. */
  readonly br: number;
  /** 1 to 9. */
  readonly gzip: number;
  /** 1 to 19. */
  readonly zstd: number;
}

/** `node:zlib`, without a line that would keep other runtimes from loading this module. */
export function nodeZlib(): Zlib | undefined {
  const { process } = globalThis as { readonly process?: { getBuiltinModule?(id: string): unknown } };
  return process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;
}

/** `zlib`: null as where there is none. */
export function codersHere(
  levels: CoderLevels,
  zlib: Zlib | null = nodeZlib() ?? null,
): ReadonlyMap<CodingName, Coder> {
  if (zlib !== null) return zlibCoders(zlib, levels);
  const none = typeof globalThis.CompressionStream === "undefined";
  return new Map(none ? [] : [["gzip", webGzip]]);
}

/** 512 KiB of history: nearly all that larger windows find in an answer, at a fraction of their memory. */
const windowBits = 19;

function zlibCoders(zlib: Zlib, levels: CoderLevels): ReadonlyMap<CodingName, Coder> {
  const { constants: c } = zlib;
  const br = {
    params: { [c.BROTLI_PARAM_QUALITY]: levels.br, [c.BROTLI_PARAM_LGWIN]: windowBits },
    flush: c.BROTLI_OPERATION_FLUSH,
  };
  const gzip = { level: levels.gzip, flush: c.Z_SYNC_FLUSH };
  const coders: Coder[] = [
    {
      name: "br",
      atOnce: (bytes) => zlib.brotliCompressSync(bytes, { params: br.params }),
      later: (bytes) => promised((done) => zlib.brotliCompress(bytes, { params: br.params }, done)),
      stream: (body, live, end) =>
        new CodedBody(body, zlib.createBrotliCompress({ params: br.params }), live ? br.flush : undefined, end),
    },
    {
      name: "gzip",
      atOnce: (bytes) => zlib.gzipSync(bytes, { level: gzip.level }),
      later: (bytes) => promised((done) => zlib.gzip(bytes, { level: gzip.level }, done)),
      stream: (body, live, end) =>
        new CodedBody(body, zlib.createGzip({ level: gzip.level }), live ? gzip.flush : undefined, end),
    },
  ];
  // Node has it since 22.15; other runtimes that have node:zlib may not.
  if (typeof zlib.createZstdCompress === "function") {
    const params = { [c.ZSTD_c_compressionLevel]: levels.zstd, [c.ZSTD_c_windowLog]: windowBits };
    coders.push({
      name: "zstd",
      atOnce: (bytes) => zlib.zstdCompressSync(bytes, { params }),
      later: (bytes) => promised((done) => zlib.zstdCompress(bytes, { params }, done)),
      stream: (body, live, end) =>
        new CodedBody(body, zlib.createZstdCompress({ params }), live ? c.ZSTD_e_flush : undefined, end),
    });
  }
  return new Map(coders.map((coder) => [coder.name, coder]));
}

function promised(start: (done: (error: Error | null, bytes: Bytes) => void) => void): Promise<Bytes> {
  return new Promise((resolve, reject) =>
    start((error, bytes) => (error === null || error === undefined ? resolve(bytes) : reject(error))),
  );
}

const webGzip: Coder = {
  name: "gzip",
  atOnce: undefined,
  async later(bytes) {
    const coded = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(coded).arrayBuffer());
  },
  // It has no flush.
  stream: undefined,
};
