/** Multipart forms, from real clients over real sockets onto a real disk. */
import assert from "node:assert/strict";
import { spawnSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FormData as UndiciFormData, fetch as undiciFetch } from "undici";
import { createClient } from "../../client/index.ts";
import { contract, file, files, multipart, mutation, type UploadedFile } from "../../contract/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve, type App, type Server } from "../../serve/index.ts";

const addPhoto = mutation("addPhoto", {
  access: "public",
  http: "POST /albums/{album}",
  input: { album: t.int32() },
  body: multipart(
    {
      title: t.string({ maxLength: 20 }),
      tags: t.array(t.string()),
      rating: t.optional(t.int32()),
      photo: file({ maxBytes: 200_000, types: ["image/*", "application/octet-stream"] }),
      extra: files({ maxBytes: 1000, maxFiles: 2, optional: true }),
    },
    { maxFields: 5, maxFieldBytes: 100, maxBytes: 400_000 },
  ),
  output: {
    album: t.int32(),
    title: t.string(),
    tags: t.array(t.string()),
    rating: t.optional(t.int32()),
    size: t.int(),
    sum: t.int(),
    fileName: t.optional(t.string()),
    contentType: t.string(),
    extra: t.array(t.int()),
  },
});
const keep = mutation("keep", {
  access: "public",
  input: { to: t.string() },
  body: multipart({ it: file({ maxBytes: 1000 }) }),
  output: { bytes: t.string() },
});
const api = contract("photos.v1", { addPhoto, keep });

interface Place {
  readonly url: string;
  readonly server: Server;
  readonly folder: string;
  readonly seen: UploadedFile[];
  readonly app: App<(typeof api)["members"]>;
}

async function start(context: TestContext, diskBytes = 1 << 30, drain = 10_000): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "tensile-test-"));
  const seen: UploadedFile[] = [];
  const app = implement(api, {
    uploads: { folder, diskBytes },
    handlers: {
      addPhoto: async ({ input, body }) => {
        seen.push(body.photo);
        let sum = 0;
        for await (const piece of body.photo.stream()) for (const byte of piece) sum += byte;
        const { size, fileName, contentType } = body.photo;
        const { title, tags, rating } = body;
        const named = fileName === undefined ? {} : { fileName };
        const rated = rating === undefined ? {} : { rating };
        return {
          ...input,
          title,
          tags,
          ...rated,
          size,
          sum,
          ...named,
          contentType,
          extra: body.extra.map((one) => one.size),
        };
      },
      keep: async ({ input, body }) => {
        await body.it.moveTo(join(folder, input.to));
        return { bytes: readFileSync(join(folder, input.to), "utf8") };
      },
    },
  });
  const server = await serve(app, { port: 0, signals: [], log: false, drain });
  context.after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  return { url: server.url, server, folder, seen, app };
}

/** What is left on the disk. The answer may reach the client a moment before the folder is gone. */
async function assertClean({ folder }: Place): Promise<void> {
  for (let i = 0; i < 2000 && readdirSync(folder).length > 0; i++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(readdirSync(folder), []);
}

const boundary = "xX";
type RawPart = readonly [head: string, body: string | Uint8Array];
const disposition = (name: string, fileName?: string): string =>
  `Content-Disposition: form-data; name="${name}"${fileName === undefined ? "" : `; filename="${fileName}"`}`;
const field = (name: string, text: string): RawPart => [disposition(name), text];
const upload = (name: string, fileName: string, bytes: string | Uint8Array, type = "image/png"): RawPart => [
  `${disposition(name, fileName)}\r\nContent-Type: ${type}`,
  bytes,
];

function form(...parts: readonly RawPart[]): Buffer<ArrayBuffer> {
  const pieces = parts.flatMap(([head, body]) => [
    Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
    Buffer.from(body as string),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

async function post(
  place: Place,
  body: BodyInit,
  type = `multipart/form-data; boundary=${boundary}`,
): Promise<unknown> {
  const response = await fetch(`${place.url}/albums/7`, { method: "POST", body, headers: { "content-type": type } });
  const answer = (await response.json()) as {
    code: string;
    data?: { issues?: { pointer: string; code: string }[]; reason?: string };
  };
  await assertClean(place);
  if (response.ok) return answer;
  const { issues, reason } = answer.data ?? {};
  const detail = issues?.map(({ pointer, code }) => `${pointer} ${code}`).join(", ") ?? reason;
  return [response.status, answer.code, ...(detail === undefined ? [] : [detail])];
}

const good = [field("title", "Zürich"), field("tags", "a"), field("tags", "b"), upload("photo", "x.png", "abc")];
const answerTo = {
  album: 7,
  title: "Zürich",
  tags: ["a", "b"],
  size: 3,
  sum: 294,
  fileName: "x.png",
  contentType: "image/png",
  extra: [],
};

test("fields are decoded by their schema, a file lies on the disk under a random name until the call ends", async (context) => {
  const place = await start(context);
  assert.deepEqual(await post(place, form(...good)), answerTo);
  const { path } = place.seen[0] as UploadedFile;
  assert.match(path, /tensile-upload-[^/]+\/[0-9a-f]{32}$/);
  assert.equal(existsSync(path), false);
  const [, ...rest] = good;
  const more = [
    field("title", "t"),
    field("rating", "5"),
    ...rest,
    upload("extra", "1", "12"),
    upload("extra", "2", "345"),
  ];
  assert.deepEqual(await post(place, form(...more)), { ...answerTo, title: "t", rating: 5, extra: [2, 3] });
});

test("a form split at every byte is the same form", async (context) => {
  const place = await start(context);
  const bytes = form(...good, upload("extra", "e", "\r\n--x\r\n--xY"));
  for (let at = 1; at < bytes.length; at++) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(bytes.subarray(0, at)));
        controller.enqueue(new Uint8Array(bytes.subarray(at)));
        controller.close();
      },
    });
    const init = {
      method: "POST",
      body,
      duplex: "half",
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    };
    const response = await place.app.fetch(new Request("http://app/albums/7", init));
    assert.deepEqual(await response.json(), { ...answerTo, extra: [11] }, `at ${at}`);
  }
  await assertClean(place);
});

test("what the client calls its file is data, and never a path", async (context) => {
  const place = await start(context);
  const named = async (fileName: string): Promise<unknown> => {
    const answer = await post(place, form(field("title", "t"), upload("photo", fileName, "abc")));
    return (answer as { fileName?: string }).fileName;
  };
  assert.equal(await named("../../etc/passwd"), "passwd");
  assert.equal(await named("C:\\\\Windows\\\\system.ini"), "system.ini");
  assert.equal(await named(".."), undefined);
  assert.equal(await named("a\u202egnp.exe"), "a_gnp.exe");
  assert.equal(await named("schöne Grüße.png"), "schöne Grüße.png");
  assert.equal(((await named("x".repeat(1000))) as string).length, 255);
});

test("every breach of the contract is an answer that says what is wrong, and leaves nothing on the disk", async (context) => {
  const place = await start(context);
  const photo = upload("photo", "x.png", "abc");
  const title = field("title", "t");
  const cases: readonly (readonly [RawPart[], unknown])[] = [
    [[title], [400, "INVALID_INPUT", "/photo required"]],
    [[photo], [400, "INVALID_INPUT", "/title required"]],
    [
      [title, photo, photo],
      [400, "INVALID_INPUT", "/photo max_items"],
    ],
    [
      [title, ...[1, 2, 3].map((n) => upload("extra", `${n}`, "1"))],
      [400, "INVALID_INPUT", "/extra max_items"],
    ],
    [
      [title, title, photo],
      [400, "INVALID_INPUT", "/title type"],
    ],
    [
      [title, field("rating", "05"), photo],
      [400, "INVALID_INPUT", "/rating type"],
    ],
    [
      [field("title", "x".repeat(21)), photo],
      [400, "INVALID_INPUT", "/title max_length"],
    ],
    [
      [field("title", "x".repeat(101)), photo],
      [400, "BAD_BODY", "a field is longer than 100 bytes"],
    ],
    [
      [title, photo, ...[1, 2, 3].map((n) => upload("extra", `${n}`, "1"))],
      [400, "BAD_BODY", "it has more than 3 files"],
    ],
    [
      [title, photo, field("other", "1")],
      [400, "INVALID_INPUT", "/other unknown_field"],
    ],
    [
      [title, photo, field("__proto__", "1")],
      [400, "INVALID_INPUT", "/__proto__ unknown_field"],
    ],
    [
      [title, photo, field("constructor", "1")],
      [400, "INVALID_INPUT", "/constructor unknown_field"],
    ],
    [
      [title, photo, upload("__proto__", "x", "1")],
      [400, "INVALID_INPUT", "/__proto__ unknown_field"],
    ],
    [
      [title, field("photo", "text")],
      [400, "INVALID_INPUT", "/photo type"],
    ],
    [
      [upload("title", "x", "1"), photo],
      [400, "INVALID_INPUT", "/title type"],
    ],
    [
      [title, upload("photo", "x", "1", "text/html")],
      [400, "INVALID_INPUT", "/photo format"],
    ],
    [
      [title, upload("photo", "x", new Uint8Array(200_001))],
      [413, "PAYLOAD_TOO_LARGE"],
    ],
    [
      [title, photo, upload("extra", "x", new Uint8Array(399_999))],
      [413, "PAYLOAD_TOO_LARGE"],
    ],
    [
      [title, ...Array.from({ length: 5 }, () => field("tags", "x")), photo],
      [400, "BAD_BODY", "it has more than 5 fields"],
    ],
    [[title, [`${disposition("tags")}\r\nContent-Transfer-Encoding: base64`, "YQ=="], photo], answerTo2()],
    [
      [title, [`${disposition("photo", "x")}\r\nContent-Transfer-Encoding: base64`, "YQ=="]],
      [400, "BAD_BODY", "a part has a content-transfer-encoding"],
    ],
    [
      [title, ['Content-Disposition: form-data; filename="x"', "1"], photo],
      [400, "BAD_BODY", "a part has no name"],
    ],
    [
      [title, ["Content-Disposition: form-data", "1"], photo],
      [400, "BAD_BODY", "a part has no name"],
    ],
    [
      [title, upload("photo", "", "", "application/octet-stream")],
      [400, "INVALID_INPUT", "/photo required"],
    ],
    [
      [title, upload("photo", "", "")],
      [400, "INVALID_INPUT", "/photo required"],
    ],
    [
      [title, [`${disposition("photo", "x")}\r\nBad Header`, "1"]],
      [400, "BAD_BODY", "a part has a malformed header"],
    ],
    [
      [title, [`${disposition("photo", "x")}\r\nX-Long: ${"y".repeat(17_000)}`, "1"]],
      [400, "BAD_BODY", "a part has a malformed header"],
    ],
  ];
  for (const [parts, expected] of cases)
    assert.deepEqual(await post(place, form(...parts)), expected, JSON.stringify(parts).slice(0, 200));
});

/** busboy does not decode fields either; theirs is text as it stands. */
function answerTo2(): unknown {
  return { ...answerTo, title: "t", tags: ["YQ=="] };
}

test("framing that is wrong is BAD_BODY, and never a crash or a wait", async (context) => {
  const place = await start(context);
  const whole = form(...good);
  assert.deepEqual(await post(place, whole, "multipart/form-data"), [
    400,
    "BAD_BODY",
    "its Content-Type names no boundary",
  ]);
  assert.deepEqual(await post(place, whole, "multipart/mixed; boundary=xX"), [415, "UNSUPPORTED_MEDIA_TYPE"]);
  for (let end = 0; end < whole.length - 4; end += 3) {
    const answer = await post(place, whole.subarray(0, end));
    assert.deepEqual((answer as unknown[])[1], "BAD_BODY", `cut at ${end}: ${JSON.stringify(answer)}`);
  }
  assert.deepEqual(await post(place, whole, "multipart/form-data; boundary=other"), [
    400,
    "BAD_BODY",
    "the form ends before its last boundary",
  ]);
  const nested = form([
    `${disposition("photo", "x")}\r\nContent-Type: multipart/mixed; boundary=yy`,
    "--yy\r\n\r\n1\r\n--yy--",
  ]);
  assert.deepEqual(await post(place, nested), [400, "INVALID_INPUT", "/photo format"]);
});

test("a million tiny parts are cut off at the limit", async (context) => {
  const place = await start(context);
  const part = `--${boundary}\r\n\r\n\r\n`;
  const bomb = Buffer.from(part.repeat(Math.floor(390_000 / part.length)));
  assert.equal(((await post(place, bomb)) as unknown[])[1], "BAD_BODY");
});

test("the real clients: curl -F, undici's FormData, the platform's, and the typed client", async (context) => {
  const place = await start(context);
  const bytes = new Uint8Array(150_000).map((_, i) => i % 251);
  const sum = bytes.reduce((a, b) => a + b, 0);
  const expected = { ...answerTo, title: "Grüße", tags: ["a", "b"], size: 150_000, sum, contentType: "image/png" };
  const source = join(place.folder, "..", `${Date.now()}-curl.png`);
  writeFileSync(source, bytes);
  context.after(() => rmSync(source));
  if (spawnSync("curl", ["--version"]).status === 0) {
    const fields = [
      "-F",
      "title=Grüße",
      "-F",
      "tags=a",
      "-F",
      "tags=b",
      "-F",
      `photo=@${source};type=image/png;filename=x.png`,
    ];
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const child = spawn("curl", ["-sS", version, ...fields, `${place.url}/albums/7`]);
      let out = "";
      child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
      await new Promise((resolve) => child.on("close", resolve));
      assert.deepEqual(JSON.parse(out), expected);
    }
  } else context.diagnostic("curl is not installed: nothing was tested with it");
  const blob = new Blob([bytes], { type: "image/png" });
  const theirs = new UndiciFormData();
  const ours = new FormData();
  for (const data of [theirs, ours]) {
    data.append("title", "Grüße");
    data.append("tags", "a");
    data.append("tags", "b");
    data.append("photo", blob, "x.png");
  }
  const byUndici = await undiciFetch(`${place.url}/albums/7`, { method: "POST", body: theirs });
  assert.deepEqual(await byUndici.json(), expected);
  const byFetch = await fetch(`${place.url}/albums/7`, { method: "POST", body: ours });
  assert.deepEqual(await byFetch.json(), expected);
  const client = createClient(api, { url: place.url });
  const photo = new File([bytes], "x.png", { type: "image/png" });
  const sent = await client.addPhoto({ album: 7 }, { body: { title: "Grüße", tags: ["a", "b"], photo, extra: [] } });
  assert.deepEqual(sent.ok ? sent.value : sent.fault, expected);
  const wrong = await client.addPhoto({ album: 7 }, { body: { title: "x".repeat(30), tags: [], photo, extra: [] } });
  assert.equal(wrong.ok ? "" : wrong.fault.code, "INVALID_INPUT");
  await assertClean(place);
});

test("a client that goes away in the middle of a file leaves nothing behind", async (context) => {
  const place = await start(context);
  const { port } = new URL(place.url);
  const request = httpRequest({
    port,
    method: "POST",
    path: "/albums/7",
    headers: { "content-type": `multipart/form-data; boundary=${boundary}`, "content-length": "300000" },
  });
  request.on("error", () => undefined);
  request.write(form(field("title", "t")).subarray(0, -8));
  request.write(`\r\n--${boundary}\r\n${disposition("photo", "x")}\r\nContent-Type: image/png\r\n\r\n`);
  request.write(Buffer.alloc(100_000));
  for (let i = 0; i < 5000 && readdirSync(place.folder).length === 0; i++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(readdirSync(place.folder).length, 1, "the file has begun");
  request.destroy();
  await assertClean(place);
  assert.equal(place.seen.length, 0);
});

test("uploads have a bound on the disk together, which is given back", async (context) => {
  const place = await start(context, 100_000);
  const body = form(field("title", "t"), upload("photo", "x", new Uint8Array(60_000)));
  const over = form(field("title", "t"), upload("photo", "x", new Uint8Array(120_000)));
  for (let i = 0; i < 3; i++) {
    assert.equal(((await post(place, body)) as { size: number }).size, 60_000);
    assert.deepEqual(await post(place, over), [503, "UPLOAD_STORAGE_FULL"]);
  }
});

test("a full disk is UPLOAD_STORAGE_FULL", async (context) => {
  if (!existsSync("/dev/shm") || process.getuid?.() !== 0)
    return context.diagnostic("no tmpfs to fill here: nothing was tested");
  const small = mkdtempSync("/tmp/tensile-small-");
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]).status === 0;
  context.after(() => {
    if (mounted) spawnSync("umount", [small]);
    rmSync(small, { recursive: true, force: true });
  });
  if (!mounted) return context.diagnostic("mount is not allowed here: nothing was tested");
  const app = implement(api, {
    uploads: { folder: small },
    handlers: { addPhoto: () => assert.fail("never called"), keep: () => assert.fail("never called") },
  });
  const response = await app.fetch(
    new Request("http://app/albums/7", {
      method: "POST",
      body: form(field("title", "t"), upload("photo", "x", new Uint8Array(150_000))),
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    }),
  );
  assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [503, "UPLOAD_STORAGE_FULL"]);
  assert.deepEqual(readdirSync(small), []);
});

test("a file is kept by moving it, and never over another", async (context) => {
  const place = await start(context);
  mkdirSync(join(place.folder, "kept"));
  const client = createClient(api, { url: place.url });
  const it = new Blob(["hello"]);
  const kept = await client.keep({ to: "kept/a" }, { body: { it } });
  assert.deepEqual(kept.ok && kept.value, { bytes: "hello" });
  assert.equal(readFileSync(join(place.folder, "kept/a"), "utf8"), "hello");
  const again = await client.keep({ to: "kept/a" }, { body: { it: new Blob(["other"]) } });
  assert.equal(again.ok ? "" : again.fault.code, "INTERNAL");
  assert.equal(readFileSync(join(place.folder, "kept/a"), "utf8"), "hello");
  assert.deepEqual(readdirSync(place.folder), ["kept"]);
});

test("a server that stops at its deadline leaves no file behind", async (context) => {
  const { folder, url, server } = await start(context, undefined, 50);
  const body = form(...good);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  context.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(
    `POST /albums/7 HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body.subarray(0, -10));
  while (readdirSync(folder).length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await server.stop()).outcome, "timed_out");
  assert.deepEqual(readdirSync(folder), []);
});
