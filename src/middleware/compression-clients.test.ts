/** Compressed answers in the hands of clients that others wrote. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { inBrowser } from "../../tools/browser.ts";
import { HeaderBlock } from "../exchange/index.ts";
import type { ExtraRoute } from "../http/index.ts";
import { compression } from "./index.ts";
import { rig } from "./testing/rig.ts";

const text = Array.from({ length: 20_000 }, (_, i) => `line ${i}: é\n`).join("");
const bytes = Buffer.byteLength(text);

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 10_000) yield Buffer.from(text.slice(at, at + 10_000));
}

const headers = new HeaderBlock(["content-type", "text/plain; charset=utf-8"]);
const extraRoutes: readonly ExtraRoute[] = [
  { method: "GET", path: "/whole", handle: () => ({ status: 200, headers, body: text }) },
  { method: "GET", path: "/stream", handle: () => ({ status: 200, headers, body: pieces() }) },
  { method: "GET", path: "/page", handle: () => ({ status: 200, headers, body: "page" }) },
];

test("curl reads every coding, whole and streamed", async (context) => {
  const version = spawnSync("curl", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return context.diagnostic("Nothing was tested: there is no curl.");
  const spoken = { gzip: "libz", br: "brotli", zstd: "zstd" } as const;
  const codings = (["gzip", "br", "zstd"] as const).filter((coding) => version.stdout.includes(spoken[coding]));
  context.diagnostic(`this curl speaks ${codings.join(", ")}`);
  for (const coding of codings) {
    const { url } = await rig(context, [compression({ encodings: [coding] })], { extraRoutes });
    for (const path of ["/whole", "/stream"]) {
      const answer = await curl(context, ["--compressed", "--silent", "--show-error", "--verbose", url + path]);
      assert.match(answer.err.toLowerCase(), new RegExp(`< content-encoding: ${coding}\r?\n`), path);
      assert.ok(answer.out === text, `${coding} ${path}: ${answer.out.length} characters`);
    }
  }
});

/** Not `spawnSync`: the server answers from this process. */
async function curl(context: TestContext, options: readonly string[]): Promise<{ out: string; err: string }> {
  const child = spawn("curl", options, { stdio: ["ignore", "pipe", "pipe"] });
  context.after(() => child.kill());
  const [out, err] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { out, err };
}

async function read(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("Chromium reads them, and says that fewer bytes came", async (context) => {
  const { url } = await rig(context, [compression()], { extraRoutes });
  await inBrowser(context, async (page) => {
    await page.goto(`${url}/page`);
    for (const path of ["/whole", "/stream"]) {
      const seen = await page.evaluate(async (target) => {
        const response = await fetch(target);
        const body = await response.text();
        const [entry] = performance.getEntriesByName(response.url) as PerformanceResourceTiming[];
        return { length: body.length, end: body.slice(-20), transferred: entry?.encodedBodySize };
      }, url + path);
      assert.deepEqual([seen.length, seen.end], [text.length, text.slice(-20)], path);
      assert.ok(seen.transferred !== undefined && seen.transferred > 0 && seen.transferred < bytes / 2, path);
    }
  });
});
