import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { BodyError, HeaderBlock } from "../exchange/index.ts";
import type { ExtraRoute } from "../http/index.ts";
import { decompression, type DecompressionOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const json = { "content-type": "application/json" };
const body = JSON.stringify({ text: "abc ".repeat(1000) });
const coders: { readonly [coding: string]: (text: string | Buffer) => Buffer } = {
  gzip: (text) => zlib.gzipSync(text),
  br: (text) => zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd: (text) => zlib.zstdCompressSync(text),
};

test("bodies in each coding arrive as they were", async (context) => {
  const { send } = await rig(context, [decompression()]);
  for (const [coding, code] of Object.entries(coders)) {
    const answer = await send("POST", "/write", { ...json, "content-encoding": coding }, code(body));
    assert.deepEqual([answer.status, answer.bytes.toString()], [200, '{"length":4000}'], coding);
  }
  assert.equal(
    (await send("POST", "/write", { ...json, "content-encoding": "X-GZIP" }, zlib.gzipSync(body))).status,
    200,
  );
  assert.equal((await send("POST", "/write", json, body)).status, 200);
});

test("other codings are 415, and say which would do", async (context) => {
  const { send } = await rig(context, [decompression()]);
  for (const coding of ["deflate", "gzip, br", "nonsense"]) {
    const answer = await send("POST", "/write", { ...json, "content-encoding": coding }, zlib.gzipSync(body));
    assert.deepEqual([answer.status, answer.headers["accept-encoding"]], [415, "gzip, br, zstd"], coding);
  }
  const off = await rig(context, []);
  assert.equal(
    (await off.send("POST", "/write", { ...json, "content-encoding": "gzip" }, zlib.gzipSync(body))).status,
    415,
  );
});

test("what is no such coding, or ends early, is a bad body", async (context) => {
  const { send } = await rig(context, [decompression()]);
  for (const [coding, code] of Object.entries(coders)) {
    const coded = code(body);
    for (const broken of [Buffer.from(body), coded.subarray(0, coded.length - 5), Buffer.from([0])]) {
      const answer = await send("POST", "/write", { ...json, "content-encoding": coding }, broken);
      assert.equal(answer.status, 400, coding);
      assert.match(answer.bytes.toString(), /BAD_BODY|INVALID_INPUT/);
    }
  }
});

test("a bomb is refused while little of it has come out", async (context) => {
  const { send } = await rig(context, [decompression()]);
  for (const [coding, code] of Object.entries(coders)) {
    const bomb = code(Buffer.alloc(64 * 1024 * 1024));
    assert.ok(bomb.length < 300_000, `${coding}: ${bomb.length}`);
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 1);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send("POST", "/write", { ...json, "content-encoding": coding }, bomb)),
    );
    clearInterval(watch);
    for (const answer of answers) {
      assert.equal(answer.status, 413, coding);
      assert.match(answer.bytes.toString(), /PAYLOAD_TOO_LARGE/);
    }
    const grown = Math.max(most, process.memoryUsage.rss()) - before;
    assert.ok(grown < 128 * 1024 * 1024, `${coding}: 8 bombs of 64 MiB took ${grown} bytes`);
  }
  assert.equal((await send("POST", "/write", json, body)).status, 200);
});

test("the ratio is bounded on its own, and so are the bytes", async (context) => {
  const zeros = JSON.stringify({ text: "0".repeat(500_000) });
  const coded = zlib.gzipSync(zeros);
  const headers = { ...json, "content-encoding": "gzip" };
  const loose = await rig(context, [decompression({ maxRatio: 2000 })]);
  assert.equal((await loose.send("POST", "/write", headers, coded)).status, 200);
  const tight = await rig(context, [decompression({ maxRatio: 100 })]);
  const refused = await tight.send("POST", "/write", headers, coded);
  const { data } = JSON.parse(refused.bytes.toString()) as { readonly data: unknown };
  assert.deepEqual([refused.status, data], [413, { limit: 65_536 }]);
  const small = await rig(context, [decompression({ maxRatio: 2000, maxBytes: 1000 })]);
  assert.equal((await small.send("POST", "/write", headers, coded)).status, 413);
  const short = zlib.gzipSync(JSON.stringify({ text: "0".repeat(50_000) }));
  assert.equal((await tight.send("POST", "/write", headers, short)).status, 200, "64 KiB are free");
});

test("chunked bodies too, and an empty one is no body", async (context) => {
  const { port, send } = await rig(context, [decompression()]);
  const coded = zlib.gzipSync(body);
  const head = "POST /write HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n";
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(`${head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n`);
      for (const part of [coded.subarray(0, 10), coded.subarray(10)]) {
        socket.write(`${part.length.toString(16)}\r\n`);
        socket.write(part);
        socket.write("\r\n");
      }
      socket.write("0\r\n\r\n");
    });
    socket.on("data", (piece) => (text += piece.toString()));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
  assert.match(answer, /^HTTP\/1\.1 200 .*\{"length":4000\}$/s);
  assert.equal((await send("POST", "/write", { ...json, "content-encoding": "gzip" })).status, 400);
});

test("mistakes are found at start", () => {
  assert.throws(() => decompression({ maxRatio: 0 }), /maxRatio is a whole number/);
  assert.throws(() => decompression({ ratio: 5 } as DecompressionOptions), /no option "ratio"/);
});

/** `POST /stream` counts the bytes of its body as they come. */
function counting(limit: number): ExtraRoute {
  return {
    method: "POST",
    path: "/stream",
    async handle(request) {
      const body = request.bodyStream(limit);
      if (!body.ok) return { status: 400, headers: HeaderBlock.empty, body: body.fault.code };
      let count = 0;
      try {
        for await (const piece of body.value) count += piece.length;
      } catch (error) {
        if (!(error instanceof BodyError)) throw error;
        return { status: 400, headers: HeaderBlock.empty, body: `${error.fault.code} after ${count}` };
      }
      return { status: 200, headers: HeaderBlock.empty, body: String(count) };
    },
  };
}

test("streamed bodies are decoded as they come, under the same bounds", async (context) => {
  const lines = Buffer.from(Array.from({ length: 50_000 }, (_, i) => `line ${i * 7919}\n`).join(""));
  const zeros = Buffer.alloc(64 * 1024 * 1024);
  const { send } = await rig(context, [decompression()], { extraRoutes: [counting(4 * 1024 * 1024)] });
  for (const [coding, code] of Object.entries(coders)) {
    const headers = { "content-encoding": coding };
    const whole = await send("POST", "/stream", headers, code(lines));
    assert.deepEqual([whole.status, whole.bytes.toString()], [200, String(lines.length)], coding);
    const bomb = await send("POST", "/stream", headers, code(zeros));
    const [, after = "0"] = /^PAYLOAD_TOO_LARGE after (\d+)$/.exec(bomb.bytes.toString()) ?? [];
    assert.equal(bomb.status, 400, coding);
    assert.ok(Number(after) <= 4 * 1024 * 1024 && Number(after) > 0, `${coding}: ${bomb.bytes.toString()}`);
    const broken = await send("POST", "/stream", headers, lines);
    assert.match(broken.bytes.toString(), /^BAD_BODY after 0$/, coding);
  }
});
