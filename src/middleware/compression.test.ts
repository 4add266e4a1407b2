import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as zlib from "node:zlib";
import { HeaderBlock, type HttpResponse } from "../exchange/index.ts";
import type { ExtraRoute } from "../http/index.ts";
import { staticFolder } from "../static/index.ts";
import { codersHere } from "./coders.ts";
import { compression, etag, type CompressionOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const text = "A long answer says the same thing again. ".repeat(200);
const longText = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join("");
const decoders: { readonly [coding: string]: (bytes: Buffer) => Buffer } = {
  gzip: (bytes) => zlib.gunzipSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  zstd: (bytes) => zlib.zstdDecompressSync(bytes),
};

/** `GET /x` answers `response()`. */
function answering(response: () => HttpResponse): ExtraRoute[] {
  return [{ method: "GET", path: "/x", handle: response }];
}

function plain(body: HttpResponse["body"], ...fields: string[]): () => HttpResponse {
  const headers = new HeaderBlock(["content-type", "text/plain", ...fields]);
  return () => ({ status: 200, headers, body });
}

test("the client's choice comes first, then ours", async (context) => {
  const { send } = await rig(context, [compression()], { read: () => ({ text }) });
  const json = JSON.stringify({ text });
  const choices: [string, string | undefined][] = [
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip, br", "br"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["br;q=0, *", "zstd"],
    ["identity;q=0.5, gzip;q=0.1", undefined],
    ["gzip;q=0", undefined],
    ["deflate", undefined],
    ["", undefined],
    ["*", "zstd"],
    ["GZIP", "gzip"],
    ["gzip;q=nonsense", undefined],
  ];
  for (const [accept, coding] of choices) {
    const { status, headers, bytes } = await send("GET", "/read", { "accept-encoding": accept });
    assert.equal(status, 200);
    assert.equal(headers["content-encoding"], coding, accept);
    assert.equal(headers["vary"], "accept-encoding");
    assert.equal(headers["content-length"], String(bytes.length));
    assert.equal((coding === undefined ? bytes : decoders[coding]?.(bytes))?.toString(), json);
    if (coding !== undefined) assert.ok(bytes.length < json.length / 5);
  }
});

test("a client that says nothing gets the bytes as they are", async (context) => {
  const { send } = await rig(context, [compression()], { read: () => ({ text }) });
  const { headers, bytes } = await send("GET", "/read");
  assert.deepEqual([headers["content-encoding"], headers["vary"]], [undefined, "accept-encoding"]);
  assert.equal(bytes.toString(), JSON.stringify({ text }));
});

test("short answers, media and what is coded or must not be stay as they are", async (context) => {
  const bytes = Buffer.from(text);
  const untouched: (() => HttpResponse)[] = [
    plain("short"),
    () => ({ status: 200, headers: new HeaderBlock(["content-type", "image/png"]), body: bytes }),
    () => ({ status: 200, headers: HeaderBlock.empty, body: bytes }),
    () => ({ status: 200, headers: new HeaderBlock(["content-type", "text/event-stream"]), body: bytes }),
    plain(bytes, "content-encoding", "gzip"),
    plain(bytes, "cache-control", "max-age=1, no-transform"),
    plain(bytes, "set-cookie", "session=secret"),
    plain(bytes, "content-digest", "sha-256=:x:"),
    () => ({ ...plain(bytes, "content-range", "bytes 0-9/10")(), status: 206 }),
  ];
  for (const [i, response] of untouched.entries()) {
    const { send } = await rig(context, [compression()], { extraRoutes: answering(response) });
    const answer = await send("GET", "/x", { "accept-encoding": "gzip" });
    const { headers, body } = response();
    assert.equal(answer.headers["content-encoding"], headers.get("content-encoding"), String(i));
    assert.equal(answer.headers["vary"], undefined);
    assert.deepEqual(answer.bytes, Buffer.from(body as string | Uint8Array));
  }
});

test("problems are compressed, and a chosen few answers are not", async (context) => {
  const when: CompressionOptions["when"] = (request) => request.target !== "/read";
  const { send } = await rig(context, [compression({ threshold: 0, when })], { read: () => ({ text }) });
  const problem = await send("GET", "/nothing", { "accept-encoding": "gzip" });
  assert.deepEqual([problem.status, problem.headers["content-encoding"]], [404, "gzip"]);
  assert.match(zlib.gunzipSync(problem.bytes).toString(), /ROUTE_NOT_FOUND/);
  assert.equal((await send("GET", "/read", { "accept-encoding": "gzip" })).headers["content-encoding"], undefined);
});

test("HEAD says what GET would say, without a length that is another's", async (context) => {
  const { send } = await rig(context, [compression()], {
    extraRoutes: answering(plain(text, "etag", '"v1"', "accept-ranges", "bytes")),
  });
  const asks = { "accept-encoding": "br" };
  const full = await send("GET", "/x", asks);
  const head = await send("HEAD", "/x", asks);
  for (const { headers } of [full, head]) {
    assert.equal(headers["content-encoding"], "br");
    assert.equal(headers["vary"], "accept-encoding");
    assert.equal(headers["etag"], 'W/"v1"');
    assert.equal(headers["accept-ranges"], undefined);
  }
  assert.deepEqual([head.status, head.bytes.length, head.headers["content-length"]], [200, 0, undefined]);
  const asIs = await send("HEAD", "/x");
  assert.deepEqual([asIs.headers["content-length"], asIs.headers["etag"]], [String(text.length), '"v1"']);
});

test("a validator that came with a compressed answer is good for 304", async (context) => {
  const { send } = await rig(context, [compression(), etag()], { read: () => ({ text }) });
  const first = await send("GET", "/read", { "accept-encoding": "gzip" });
  const tag = String(first.headers["etag"]);
  assert.match(tag, /^W\/"/);
  const again = await send("GET", "/read", { "accept-encoding": "gzip", "if-none-match": tag });
  assert.deepEqual([again.status, again.bytes.length], [304, 0]);
});

test("long bodies take another thread, a bounded number at once; the rest go as they are", async (context) => {
  const { send } = await rig(context, [compression({ concurrency: 2 })], {
    extraRoutes: answering(plain(longText)),
  });
  const all = await Promise.all(Array.from({ length: 40 }, () => send("GET", "/x", { "accept-encoding": "gzip" })));
  for (const { headers, bytes } of all) {
    const body = headers["content-encoding"] === "gzip" ? zlib.gunzipSync(bytes) : bytes;
    assert.equal(body.toString(), longText);
    assert.equal(headers["vary"], "accept-encoding");
  }
  const coded = all.filter(({ headers }) => headers["content-encoding"] === "gzip").length;
  assert.ok(coded >= 2, String(coded));
  const later = await send("GET", "/x", { "accept-encoding": "gzip" });
  assert.equal(later.headers["content-encoding"], "gzip", "the slots were given back");
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < longText.length; at += 10_000) yield Buffer.from(longText.slice(at, at + 10_000));
}

test("streams are compressed piece by piece, each coding", async (context) => {
  for (const coding of ["gzip", "br", "zstd"]) {
    for (const length of [undefined, longText.length]) {
      const { send } = await rig(context, [compression()], {
        extraRoutes: answering(() => ({ ...plain(pieces())(), ...(length !== undefined && { length }) })),
      });
      const { headers, bytes } = await send("GET", "/x", { "accept-encoding": coding });
      assert.deepEqual([headers["content-encoding"], headers["content-length"]], [coding, undefined]);
      assert.equal(decoders[coding]?.(bytes).toString(), longText);
    }
  }
});

test("a live stream arrives piece by piece, and its source ends with its client", async (context) => {
  const ended = Promise.withResolvers<void>();
  const more = Promise.withResolvers<void>();
  async function* live(): AsyncGenerator<Uint8Array> {
    try {
      yield Buffer.from("first");
      await more.promise;
      for (;;) yield Buffer.from("on and on ".repeat(1000));
    } finally {
      ended.resolve();
    }
  }
  let streams = 0;
  const { port, send } = await rig(context, [compression({ streams: 1 })], {
    extraRoutes: answering(() => plain(streams++ === 0 ? live() : pieces())()),
  });
  const request = get({ port, path: "/x", headers: { "accept-encoding": "gzip" } }, (response) => {
    const gunzip = zlib.createGunzip();
    // The connection will be cut.
    response.on("error", () => undefined);
    response.pipe(gunzip).once("data", (piece: Buffer) => {
      assert.equal(piece.toString(), "first");
      request.destroy();
      more.resolve();
    });
  });
  request.on("error", () => undefined);
  await ended.promise;
  const next = await send("GET", "/x", { "accept-encoding": "gzip" });
  assert.equal(next.headers["content-encoding"], "gzip", "the one slot was given back");
});

test("over the bound a stream goes as it is, and a source that fails breaks the connection", async (context) => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(longText);
    throw new Error("the disk is gone");
  }
  const none = await rig(context, [compression({ streams: 0 })], { extraRoutes: answering(plain(pieces())) });
  const asIs = await none.send("GET", "/x", { "accept-encoding": "gzip" });
  assert.deepEqual([asIs.headers["content-encoding"], asIs.bytes.toString()], [undefined, longText]);
  const broken = await rig(context, [compression()], { extraRoutes: answering(() => plain(failing())()) });
  await assert.rejects(broken.send("GET", "/x", { "accept-encoding": "gzip" }), /aborted|ECONNRESET|socket hang up/);
});

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tensile-compression-"));
  context.after(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, "a.txt"), longText);
  writeFileSync(join(path, "b.txt"), longText);
  writeFileSync(join(path, "b.txt.br"), zlib.brotliCompressSync(longText));
  return path;
}

test("files are compressed on the way unless a compressed one lies beside them; ranges are not", async (context) => {
  const { send } = await rig(context, [compression()], {
    extraRoutes: staticFolder(folder(context), { precompressed: true }),
  });
  const made = await send("GET", "/a.txt", { "accept-encoding": "br" });
  assert.equal(made.headers["content-encoding"], "br");
  assert.equal(zlib.brotliDecompressSync(made.bytes).toString(), longText);
  assert.equal(made.headers["vary"], "accept-encoding");
  const ready = await send("GET", "/b.txt", { "accept-encoding": "br" });
  assert.equal(ready.headers["content-encoding"], "br");
  assert.equal(ready.headers["content-length"], String(zlib.brotliCompressSync(longText).length));
  const range = await send("GET", "/a.txt", { "accept-encoding": "br", range: "bytes=0-9" });
  assert.deepEqual([range.status, range.headers["content-encoding"], range.bytes.length], [206, undefined, 10]);
});

test("the platform's own fetch reads it, and so does app.fetch's caller", async (context) => {
  const { url, fetch: embedded } = await rig(context, [compression()], { read: () => ({ text }) });
  assert.deepEqual(await (await fetch(`${url}/read`)).json(), { text });
  const response = await embedded(new Request("http://local/read", { headers: { "accept-encoding": "gzip" } }));
  assert.equal(response.headers.get("content-encoding"), "gzip");
  assert.deepEqual(JSON.parse(zlib.gunzipSync(await response.bytes()).toString()), { text });
});

test("without node:zlib the platform's gzip is left", async () => {
  const coders = codersHere({ br: 4, gzip: 6, zstd: 3 }, null);
  assert.deepEqual([...coders.keys()], ["gzip"]);
  const coded = await coders.get("gzip")?.later(Buffer.from(longText));
  assert.ok(coded);
  assert.equal(zlib.gunzipSync(coded).toString(), longText);
});

test("mistakes are found at start", () => {
  const wrong: [unknown, RegExp][] = [
    [{ encodings: ["deflate"] }, /"deflate" is no coding/],
    [{ threshold: -1 }, /threshold is a whole number/],
    [{ brLevel: 12 }, /brLevel is a whole number from 0 to 11/],
    [{ types: ["text/event-stream"] }, /no content type that can be compressed/],
    [{ types: ["*"] }, /no content type/],
    [{ level: 1 }, /no option "level"/],
  ];
  for (const [options, message] of wrong) assert.throws(() => compression(options as CompressionOptions), message);
});
