/** Streams over real sockets: real clients, slow ones, and many that vanish. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { request } from "undici";
import { contract, event, subscription } from "../../contract/index.ts";
import { manualClock, type Clock } from "../../core/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve, type Server } from "../../serve/index.ts";

const count = subscription("count", {
  access: "public",
  http: "GET /count/{to}",
  input: { to: t.int32() },
  output: { n: t.int32() },
  resume: true,
});
const flood = subscription("flood", { access: "public", input: {}, output: { text: t.string() } });

interface Seen {
  begun: number;
  ended: number;
  made: number;
}

async function start(context: TestContext, clock?: Clock): Promise<{ readonly server: Server; readonly seen: Seen }> {
  const seen = { begun: 0, ended: 0, made: 0 };
  const app = implement(contract("live.v1", { count, flood }), {
    handlers: {
      flood: async function* () {
        seen.begun++;
        try {
          for (;;) {
            seen.made++;
            yield { text: "x".repeat(1_000) };
          }
        } finally {
          seen.ended++;
        }
      },
      // Counts to 3 and stays, or to the end.
      count: async function* ({ input, lastEventId, signal }) {
        seen.begun++;
        try {
          const to = input.to === 0 ? 3 : input.to;
          for (let n = Number(lastEventId ?? 0) + 1; n <= to; n++) yield event({ n }, { id: String(n) });
          if (input.to === 0) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        } finally {
          seen.ended++;
        }
      },
    },
  });
  const server = await serve(app, {
    port: 0,
    signals: [],
    log: false,
    overload: false,
    ...(clock !== undefined && { clock }),
  });
  context.after(() => server.stop());
  return { server, seen };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function turns(count_: number): Promise<void> {
  for (let turn = 0; turn < count_; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function ask(server: Server, path: string): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  return socket;
}

test("curl reads a stream to its end", async (context) => {
  if (spawnSync("curl", ["--version"]).status !== 0) {
    context.diagnostic("Nothing was tested: there is no curl.");
    return;
  }
  const { server } = await start(context);
  const run = promisify(execFile);
  const { stdout } = await run("curl", ["-sN", "-H", "accept: application/x-ndjson", `${server.url}/count/5000`]);
  assert.equal(stdout, Array.from({ length: 5_000 }, (_, i) => `{"n":${i + 1}}\n`).join(""));
  // It stays open: curl gives up by its own clock, and has all that was sent.
  const cut = await run("curl", ["-sN", "--max-time", "1", `${server.url}/count/0`]).catch(
    (error: unknown) => error as { readonly stdout: string; readonly code: number },
  );
  assert.match(cut.stdout, /^retry: \d+\n\nid: 1\ndata: \{"n":1\}\n\nid: 2\n[^]*data: \{"n":3\}\n\n$/);
});

test("undici reads a stream, and leaving it ends the handler", async (context) => {
  const { server, seen } = await start(context);
  const { body } = await request(`${server.url}/count/0`, { headers: { "last-event-id": "1" } });
  let text = "";
  for await (const piece of body) {
    text += String(piece);
    if (text.includes('{"n":3}')) break;
  }
  assert.match(text, /^retry: \d+\n\nid: 2\n/);
  await until(() => seen.ended === 1);
});

test("a reader that stops reading stops its handler, within the buffers of two sockets", async (context) => {
  const { server, seen } = await start(context);
  const socket = await ask(server, "/flood");
  context.after(() => socket.destroy());
  await once(socket, "readable");
  let before = -1;
  while (before !== seen.made) {
    before = seen.made;
    await turns(300);
  }
  // The system's buffers on both sides are megabytes; what the process itself would gather has no such end.
  assert.ok(before * 1_000 < 16 * 1024 * 1024, `${before} items were made`);
  socket.resume();
  await until(() => seen.made > before + 1_000);
});

test("a handler that never waits leaves other requests their turn", async (context) => {
  const { server } = await start(context);
  const socket = await ask(server, "/flood");
  context.after(() => socket.destroy());
  socket.resume();
  for (let i = 0; i < 20; i++) assert.equal((await fetch(`${server.url}/livez`)).status, 200);
});

test("hundreds of clients that vanish leave nothing behind", async (context) => {
  const { server, seen } = await start(context);
  const sockets: Socket[] = [];
  for (let i = 0; i < 200; i++) sockets.push(await ask(server, "/count/0"));
  await until(() => seen.begun === 200);
  for (const [i, socket] of sockets.entries()) {
    if (i % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await until(() => seen.ended === 200);
  assert.equal((await fetch(`${server.url}/livez`)).status, 200);
});

test("a silent stream says that it lives, and holds one timer for all", async (context) => {
  const clock = manualClock();
  const { server } = await start(context, clock);
  const sockets = [await ask(server, "/count/0"), await ask(server, "/count/0")];
  const texts = sockets.map((socket) => {
    const heard = { text: "" };
    socket.setEncoding("utf8").on("data", (piece: string) => (heard.text += piece));
    return heard;
  });
  await until(() => texts.every(({ text }) => text.includes('{"n":3}')));
  const waiting = clock.waiting;
  for (let beat = 1; beat <= 3; beat++) {
    await clock.advance(server.limits.streams.heartbeatMs + 5);
    await until(() => texts.every(({ text }) => text.split("\n:\n\n").length - 1 >= beat));
  }
  assert.ok(clock.waiting <= waiting, "no timer is left by a heartbeat");
  for (const socket of sockets) socket.destroy();
});
