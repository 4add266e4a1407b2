import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { brotliCompressSync, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { bind, contract, implementContract, query, type BoundApp, type Jobs } from "../contract/index.ts";
import { systemClock } from "../core/index.ts";
import { createFetch, createHttpHandler, loadEngine, type ExtraRoute } from "../http/index.ts";
import { implement, serve } from "../serve/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { download, staticFolder } from "./index.ts";

const outside = realpathSync(mkdtempSync(join(tmpdir(), "tensile-static-")));
const root = join(outside, "root");
after(() => rmSync(outside, { recursive: true, force: true }));

const big = randomBytes(300_000);
const secret = "SECRET-outside-the-root";
const old = new Date("2026-01-02T03:04:05Z");

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
  utimesSync(join(root, path), old, old);
}
put("index.html", "<p>home</p>");
put("hello world.txt", "hello");
put("empty.css", "");
put("app.js", "console.log('plain');".repeat(10));
put("app.js.br", brotliCompressSync("console.log('plain');".repeat(10)));
put("app.js.gz", gzipSync("console.log('plain');".repeat(10)));
put("big.bin", big);
put("docs/index.html", "<p>docs</p>");
put("docs/inner/a.json", "{}");
put("a:b/index.html", "<p>colon</p>");
put(".env", secret);
put(".git/config", secret);
writeFileSync(join(outside, "secret.txt"), secret);
mkdirSync(join(outside, "rooted"));
writeFileSync(join(outside, "rooted", "secret.txt"), secret);
symlinkSync(join(outside, "secret.txt"), join(root, "out.txt"));
symlinkSync(join(outside, "rooted"), join(root, "out"));
symlinkSync(outside, join(root, "up"));
symlinkSync(".env", join(root, "env.txt"));
symlinkSync("hello world.txt", join(root, "in.txt"));
symlinkSync("loop", join(root, "loop"));
execFileSync("mkfifo", [join(root, "pipe")]);

const ping = query("ping", { access: "public", input: {}, output: { pong: t.boolean() } });
const pings = contract("pings.v1", { ping });
const handlers = { ping: () => ({ pong: true }) };

function bound(): BoundApp {
  return bind(implementContract(pings, { handlers }), {
    clock: systemClock,
    events: new Events(),
    // Nothing here enqueues.
    jobs: {} as Jobs,
    shutdown: new AbortController().signal,
    newId: () => "incident",
  });
}

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | undefined };
  readonly body: Buffer;
}
function problemOf({ body }: Answer): { readonly code: string; readonly data?: unknown } {
  return JSON.parse(body.toString()) as { code: string; data?: unknown };
}

type Send = (path: string, headers?: { readonly [name: string]: string }, method?: string) => Promise<Answer>;

async function startEngine(context: TestContext, routes: readonly ExtraRoute[]): Promise<{ port: number; send: Send }> {
  const { createEngine } = await loadEngine();
  const engine = createEngine({ handler: createHttpHandler(bound(), { extraRoutes: routes }) });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  context.after(() => engine.close());
  const { port } = listening.value;
  const send: Send = (path, headers = {}, method = "GET") =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false });
      request.on("error", reject);
      request.on("response", (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Answer["headers"],
            body: Buffer.concat(chunks),
          }),
        );
      });
      request.end();
    });
  return { port, send };
}

function fetchSend(routes: readonly ExtraRoute[]): Send {
  const fetch = createFetch(createHttpHandler(bound(), { extraRoutes: routes }));
  return async (path, headers = {}, method = "GET") => {
    const response = await fetch(new Request(`http://local${path}`, { method, headers }));
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: Buffer.from(await response.arrayBuffer()),
    };
  };
}

/** Registers `run` for the engine over sockets and for fetch in memory. */
function both(name: string, routes: () => readonly ExtraRoute[], run: (send: Send) => Promise<void>): void {
  test(`${name} (engine)`, { timeout: 20_000 }, async (context) => run((await startEngine(context, routes())).send));
  test(`${name} (fetch)`, { timeout: 20_000 }, async () => run(fetchSend(routes())));
}

const assets = (): readonly ExtraRoute[] => staticFolder(root, { path: "/assets" });

both(
  "a file comes with type, length, validators and the fields of safety; HEAD has the same without the file",
  assets,
  async (send) => {
    const got = await send("/assets/hello%20world.txt");
    assert.equal(got.status, 200);
    assert.equal(got.body.toString(), "hello");
    assert.equal(got.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(got.headers["x-content-type-options"], "nosniff");
    assert.equal(got.headers["cache-control"], "no-cache");
    assert.equal(got.headers["accept-ranges"], "bytes");
    assert.equal(got.headers["last-modified"], "Fri, 02 Jan 2026 03:04:05 GMT");
    assert.match(got.headers["etag"] ?? "", /^"[\w-]+"$/);
    assert.equal(got.headers["vary"], undefined);
    for (const [path, length] of [
      ["hello%20world.txt", 5],
      ["big.bin", big.length],
      ["empty.css", 0],
    ] as const) {
      const { headers, status, body } = await send(`/assets/${path}`, { range: "bytes=0-1" }, "HEAD");
      assert.deepEqual([status, headers["content-length"], body.length], [200, String(length), 0]);
    }
    assert.equal((await send("/assets/empty.css")).body.length, 0);
    assert.equal((await send("/assets/in.txt")).body.toString(), "hello");
    assert.equal((await send("/assets/docs/inner/a.json")).headers["content-type"], "application/json");
    assert.equal((await send("/assets/pipe.unknown")).status, 404);
    assert.equal((await send("/assets/hello%20world.txt", {}, "POST")).status, 405);
  },
);

both("large files are streamed whole with their length, and ranges of any size are exact", assets, async (send) => {
  const whole = await send("/assets/big.bin");
  assert.equal(whole.headers["content-length"], String(big.length));
  assert.equal(whole.headers["transfer-encoding"], undefined);
  assert.equal(whole.headers["content-type"], "application/octet-stream");
  assert.deepEqual(whole.body, big);
  for (const [start, end] of [
    [0, 0],
    [65_535, 65_536],
    [1, 200_000],
    [299_999, 400_000],
  ] as const) {
    const got = await send("/assets/big.bin", { range: `bytes=${start}-${end}` });
    const last = Math.min(end, big.length - 1);
    assert.equal(got.status, 206);
    assert.equal(got.headers["content-range"], `bytes ${start}-${last}/${big.length}`);
    assert.deepEqual(got.body, big.subarray(start, last + 1));
  }
  const several = await send("/assets/big.bin", { range: "bytes=0-1,5-6" });
  assert.deepEqual([several.status, several.body.length], [200, big.length]);
  const beyond = await send("/assets/big.bin", { range: "bytes=300000-" });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers["content-range"], "bytes */300000");
  assert.equal(beyond.headers["content-type"], "application/problem+json");
  assert.deepEqual(problemOf(beyond).data, { size: 300_000 });
});

both("a client that has the file is told so, without a body", assets, async (send) => {
  const { headers } = await send("/assets/big.bin");
  const etag = headers["etag"] as string;
  const known = await send("/assets/big.bin", { "if-none-match": etag });
  assert.deepEqual([known.status, known.body.length, known.headers["etag"]], [304, 0, etag]);
  assert.equal(known.headers["content-type"], undefined);
  assert.equal(known.headers["cache-control"], "no-cache");
  assert.equal(
    (await send("/assets/big.bin", { "if-modified-since": headers["last-modified"] as string })).status,
    304,
  );
  assert.equal((await send("/assets/big.bin", { "if-match": '"x"' })).status, 412);
  assert.equal((await send("/assets/big.bin", { range: "bytes=0-9", "if-range": etag })).status, 206);
  assert.equal((await send("/assets/big.bin", { range: "bytes=0-9", "if-range": '"x"' })).status, 200);
});

both(
  "a folder is its index.html; without a slash it redirects there, query and all; without an index it is nothing",
  assets,
  async (send) => {
    assert.equal((await send("/assets/")).body.toString(), "<p>home</p>");
    assert.equal((await send("/assets/docs/")).body.toString(), "<p>docs</p>");
    const locations = await Promise.all(
      ["/assets?a=1", "/assets/docs?b=%2F", "/assets/a%3Ab"].map((path) => send(path)),
    );
    assert.deepEqual(
      locations.map(({ status, headers }) => [status, headers["location"]]),
      [
        [308, "./assets/?a=1"],
        [308, "./docs/?b=%2F"],
        [308, "./a%3Ab/"],
      ],
    );
    for (const path of ["docs/inner", "docs/inner/", "index.html/", "hello%20world.txt/", "nothing", "docs//"])
      assert.equal((await send(`/assets/${path}`)).status, 404, path);
  },
);

both("dotfiles, special files, links that lead out or to a dotfile, and loops are not there", assets, async (send) => {
  for (const path of [".env", ".git/config", "env.txt", "out.txt", "out/secret.txt", "up/secret.txt", "loop", "pipe"]) {
    const got = await send(`/assets/${path}`);
    assert.deepEqual([got.status, problemOf(got).code], [404, "ROUTE_NOT_FOUND"], path);
  }
});

both(
  "no way of writing a path leads out",
  () => staticFolder(root),
  async (send) => {
    const ways = [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
      "/..%5csecret.txt",
      "/..\\secret.txt",
      "/docs/../../secret.txt",
      "/docs/%2e%2e/%2e%2e/secret.txt",
      "/%252e%252e/secret.txt",
      `/${outside}/secret.txt`,
      `/%2f${outside.slice(1)}/secret.txt`,
      "/index.html%00.txt",
      "/%00",
      "/....//secret.txt",
      "/.%00./secret.txt",
      "/%c0%ae%c0%ae/secret.txt",
      "/%ff",
      "/~/x",
      `/${"a".repeat(300)}`,
      `/${"a/".repeat(2000)}`,
    ];
    for (const way of ways) {
      const got = await send(way);
      assert.ok([400, 404].includes(got.status), `${way}: ${got.status}`);
      assert.ok(!got.body.includes(secret), way);
    }
  },
);

test("random paths never give what lies outside, never fail, and leave no file open", { timeout: 60_000 }, async () => {
  const send = fetchSend(staticFolder(root, { precompressed: true }));
  const before = openBelow(outside);
  const piece = fc.constantFrom(
    "..",
    ".",
    "/",
    "%2f",
    "%2F",
    "%5c",
    "%2e",
    "%252e",
    "%00",
    "secret.txt",
    "root",
    "rooted",
    "up",
    "out",
    "out.txt",
    "docs",
    "index.html",
    ".env",
    ".git",
    "config",
    "app.js",
    "pipe",
    "loop",
    "~",
    "C:",
    "con",
    " ",
    "a:b",
    "%ff",
    "?",
    "#",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const got = await send(`/${pieces.join("")}`, { "accept-encoding": "br, gzip" });
      assert.ok([200, 308, 400, 404].includes(got.status), String(got.status));
      assert.ok(!got.body.includes(secret));
    }),
    { numRuns: Number(process.env["STATIC_RUNS"] ?? 1_500) },
  );
  assert.equal(openBelow(outside), before);
});

both(
  "a precompressed sibling is sent to who takes it, with its own length, validators and ranges",
  () => staticFolder(root, { precompressed: true }),
  async (send) => {
    const plain = await send("/app.js");
    assert.equal(plain.headers["vary"], "accept-encoding");
    assert.equal(plain.headers["content-encoding"], undefined);
    const zipped = await send("/app.js", { "accept-encoding": "gzip, br;q=0.1" });
    assert.equal(zipped.headers["content-encoding"], "gzip");
    assert.equal(zipped.headers["content-type"], "text/javascript; charset=utf-8");
    assert.deepEqual(gunzipSync(zipped.body), plain.body);
    const brotli = await send("/app.js", { "accept-encoding": "gzip, deflate, br, zstd", range: "bytes=0-3" });
    assert.deepEqual([brotli.status, brotli.headers["content-encoding"], brotli.body.length], [206, "br", 4]);
    assert.equal(new Set([plain, zipped, brotli].map(({ headers }) => headers["etag"])).size, 3);
    const known = await send("/app.js", { "accept-encoding": "br", "if-none-match": brotli.headers["etag"] as string });
    assert.deepEqual([known.status, known.headers["vary"]], [304, "accept-encoding"]);
    // No sibling: as it is.
    assert.equal((await send("/big.bin", { "accept-encoding": "br" })).headers["content-encoding"], undefined);
  },
);

both(
  "cache control, types and the index can be chosen",
  () =>
    staticFolder(root, {
      cacheControl: "max-age=60",
      immutable: (path) => path === "docs/inner/a.json",
      contentType: (path) => (path.endsWith(".bin") ? "video/x" : undefined),
      index: false,
    }),
  async (send) => {
    assert.equal((await send("/app.js")).headers["cache-control"], "max-age=60");
    assert.equal((await send("/docs/inner/a.json")).headers["cache-control"], "public, max-age=31536000, immutable");
    assert.equal((await send("/big.bin")).headers["content-type"], "video/x");
    assert.deepEqual([(await send("/")).status, (await send("/docs")).status], [404, 404]);
    assert.deepEqual(JSON.parse((await send("/ping")).body.toString()), { pong: true });
  },
);

both(
  "a download has a name, and ranges and conditions as any file",
  () => [
    {
      method: "GET",
      path: "/report",
      handle: (request) => download(request, join(root, "big.bin"), { name: "J\u00e4hrlich.pdf" }),
    },
    { method: "GET", path: "/gone", handle: (request) => download(request, join(root, "gone")) },
  ],
  async (send) => {
    const got = await send("/report", { range: "bytes=-10" });
    assert.equal(got.status, 206);
    assert.equal(
      got.headers["content-disposition"],
      `attachment; filename="J_hrlich.pdf"; filename*=UTF-8''J%C3%A4hrlich.pdf`,
    );
    assert.equal(got.headers["content-type"], "application/pdf");
    assert.equal(got.headers["cache-control"], "private, no-cache");
    assert.deepEqual(got.body, big.subarray(-10));
    assert.equal((await send("/report", { "if-none-match": got.headers["etag"] as string })).status, 304);
    assert.equal((await send("/gone")).status, 404);
  },
);

/** File descriptors of this process on files below a folder. */
function openBelow(folder: string): number {
  const names = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return names.filter((name) => name.startsWith(folder)).length;
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test(
  "files over the limit are refused with 503, and a client that goes away frees its file",
  { timeout: 30_000 },
  async (context) => {
    const huge = join(root, "huge.bin");
    writeFileSync(huge, "");
    truncateSync(huge, 64 * 1024 * 1024);
    const { port, send } = await startEngine(context, staticFolder(root, { openFiles: 2 }));
    const readers = [0, 1].map(() => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write("GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      return socket;
    });
    await eventually(() => openBelow(huge) === 2);
    const refused = await send("/app.js");
    assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "1"]);
    assert.equal(problemOf(refused).code, "FILES_BUSY");
    for (const socket of readers) socket.destroy();
    await eventually(() => openBelow(huge) === 0);
    assert.equal((await send("/app.js")).status, 200);
  },
);

test(
  "pipelined downloads whose client goes away before their turn leave no file open",
  { timeout: 30_000 },
  async (context) => {
    const { port } = await startEngine(context, staticFolder(root));
    const huge = join(root, "huge.bin");
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n".repeat(8));
    await eventually(() => openBelow(huge) === 8);
    socket.destroy();
    await eventually(() => openBelow(huge) === 0);
  },
);

test("a reader of the fetch face who stops early frees the file", { timeout: 30_000 }, async () => {
  const fetch = createFetch(createHttpHandler(bound(), { extraRoutes: staticFolder(root) }));
  const response = await fetch(new Request("http://local/big.bin"));
  assert.equal(response.headers.get("content-length"), "300000");
  await response.body?.cancel();
  await eventually(() => openBelow(join(root, "big.bin")) === 0);
});

test(
  "a file that shrinks while it is sent breaks the connection, so that nobody takes it for whole",
  { timeout: 30_000 },
  async (context) => {
    const shrinking = join(root, "shrinking.bin");
    writeFileSync(shrinking, "");
    truncateSync(shrinking, 64 * 1024 * 1024);
    const { port } = await startEngine(context, staticFolder(root));
    const socket = connect(port, "127.0.0.1");
    let received = 0;
    let head = "";
    socket.write("GET /shrinking.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()).on("error", () => undefined));
    socket.on("data", (data: Buffer) => {
      if (head === "") truncateSync(shrinking, 1024 * 1024);
      head ||= data.toString("latin1");
      received += data.length;
    });
    await ended;
    assert.match(head, /content-length: 67108864\r\n/);
    assert.ok(received < 64 * 1024 * 1024);
    await eventually(() => openBelow(shrinking) === 0);
  },
);

test("a function of the options that throws is a defect with an incident, and leaves no file open", async () => {
  const contentType = (): string => {
    throw new Error(secret);
  };
  const got = await fetchSend(staticFolder(root, { contentType }))("/big.bin");
  assert.equal(got.status, 500);
  assert.ok(!got.body.includes(secret));
  assert.equal(openBelow(root), 0);
});

test("serve takes the routes, and what cannot be served is said at the start", async () => {
  const app = implement(pings, { handlers });
  const server = await serve(app, { port: 0, signals: [], docs: false, log: false, routes: staticFolder(root) });
  const response = await fetch(`${server.url}/big.bin`);
  const hash = createHash("sha256")
    .update(Buffer.from(await response.arrayBuffer()))
    .digest("hex");
  assert.equal(hash, createHash("sha256").update(big).digest("hex"));
  await server.stop();
  assert.throws(() => staticFolder(join(root, "nothing")), /there is no folder/);
  assert.throws(() => staticFolder(join(root, "app.js")), /there is no folder/);
  assert.throws(() => staticFolder(root, { path: "assets" }), /from the root/);
  assert.throws(() => staticFolder(root, { index: "../x" }), /name of a file/);
  assert.throws(() => staticFolder(root, { openFiles: 0 }), /openFiles is 0/);
  assert.throws(() => staticFolder(root, { cacheControl: "a\r\nb" }), TypeError);
});
