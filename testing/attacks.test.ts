/**
 * What an attacker, or a broken client, does to a server, against a real one. While each attack lasts, a client that behaves is
 * served, each of its requests within ten seconds (refusals repeated, as clients do), and the server's memory grows by at most
 * 64 MiB and 64 KiB for each attacking connection (a mebibyte where it does not read long answers). The size is for the suite;
 * `npm run fuzz -- attacks` has three times as many attackers.
 */
import assert from "node:assert/strict";
import { fork, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const size = Number(process.env["ATTACKERS"] ?? 200);
const mebibyte = 1024 * 1024;
let server: ChildProcess;
let port = 0;

interface State {
  readonly rss: number;
  readonly incidents: readonly string[];
  readonly phase: string;
}

before(async () => {
  server = fork(fileURLToPath(new URL("./attack-server.ts", import.meta.url)), {
    env: { ...process.env, NODE_ENV: "test" },
  });
  const [ready] = (await once(server, "message")) as [{ port: number }];
  ({ port } = ready);
  for (let i = 0; i < 200; i++) await ask("/ping");
});
after(() => server.disconnect());

async function state(): Promise<State> {
  server.send("state");
  const [answer] = (await once(server, "message")) as [State];
  return answer;
}

async function ask(path: string): Promise<Response> {
  const signal = AbortSignal.timeout(10_000);
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal });
    if (response.status !== 503) return response;
    await response.arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs the attack, and beside it the client that behaves; says what the attack cost. */
async function under(t: TestContext, attack: (sockets: Socket[]) => void, each = 64 * 1024): Promise<void> {
  const requests = 40;
  const { rss: calm } = await state();
  const sockets: Socket[] = [];
  attack(sockets);
  let highest = calm;
  let slowest = 0;
  for (let i = 0; i < requests; i++) {
    const from = performance.now();
    const response = await ask("/ping");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { ok: true });
    slowest = Math.max(slowest, performance.now() - from);
    highest = Math.max(highest, (await state()).rss);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  for (const socket of sockets) socket.destroy();
  t.diagnostic(
    `${sockets.length} attackers: slowest answer ${slowest.toFixed(0)} ms, memory +${((highest - calm) / mebibyte).toFixed(1)} MiB`,
  );
  const allowed = 64 * mebibyte + sockets.length * each;
  assert.ok(highest - calm <= allowed, `memory grew by ${highest - calm} bytes`);
}

function open(sockets: Socket[]): Socket {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

/** Sends one more byte of `text` every 50 ms, for ever. */
function trickle(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? "", "latin1"), 50);
  socket.on("close", () => clearInterval(timer));
}

test("slow heads: each connection sends a header byte by byte", (t) =>
  under(t, (sockets) => {
    for (let i = 0; i < size; i++) {
      const socket = open(sockets);
      socket.write("GET /ping HTTP/1.1\r\nHost: a\r\n");
      trickle(socket, "X-Slow: 1\r\n");
    }
  }));

test("slow bodies: a long one is announced, and comes byte by byte", (t) =>
  under(t, (sockets) => {
    for (let i = 0; i < size; i++) {
      const socket = open(sockets);
      socket.write(
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{",
      );
      trickle(socket, " ");
    }
  }));

/** Answers of 200 KB, of which a few may be made before it shows that nobody reads: a mebibyte for each connection. */
test("slow reading: long answers are asked for and not read", (t) =>
  under(
    t,
    (sockets) => {
      for (let i = 0; i < size / 4; i++) {
        const socket = open(sockets);
        socket.pause();
        socket.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
      }
    },
    mebibyte,
  ));

test("a flood of connections that are reset at once", (t) =>
  under(t, (sockets) => {
    for (let i = 0; i < size * 3; i++) {
      const socket = open(sockets);
      socket.once("connect", () => socket.resetAndDestroy());
    }
  }));

test("a flood of headers, too many and too long", (t) =>
  under(t, (sockets) => {
    const many = `GET /ping HTTP/1.1\r\nHost: a\r\n${"X: 1\r\n".repeat(2_000)}`;
    const long = `GET /ping HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(60_000)}`;
    for (let i = 0; i < size; i++) open(sockets).write(i % 2 === 0 ? many : long);
  }));

test("giant pipelines, read and unread", (t) =>
  under(t, (sockets) => {
    const pipeline = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2_000);
    for (let i = 0; i < size / 20; i++) {
      const socket = open(sockets);
      if (i % 2 === 0) socket.resume();
      socket.write(pipeline);
    }
  }));

test("many idle connections, of which some never say a word", (t) =>
  under(t, (sockets) => {
    for (let i = 0; i < size * 4; i++) {
      const socket = open(sockets);
      socket.resume();
      if (i % 2 === 0) socket.write("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    }
  }));

const tool = spawnSync("slowhttptest", ["-h"]).error === undefined;
for (const [flag, what] of [
  ["-H", "slow headers"],
  ["-B", "slow bodies"],
  ["-X", "slow reading"],
] as const) {
  test(`slowhttptest ${flag} (${what}) leaves the service available`, async (t) => {
    if (!tool) return t.diagnostic("tested nothing: slowhttptest is not installed");
    const path = flag === "-B" ? "/upload" : flag === "-X" ? "/large" : "/ping";
    const attacker = spawn(
      "slowhttptest",
      [flag, "-c", String(size), "-r", "200", "-l", "4", "-i", "1", "-p", "2", "-u", `http://127.0.0.1:${port}${path}`],
      { stdio: "ignore" },
    );
    t.after(() => attacker.kill());
    await under(t, () => undefined);
  });
}

test("handlers that throw, reject late, answer nothing or the wrong thing: 500 with an incident that the log has", async () => {
  for (const path of ["/throws", "/rejects", "/wrong", "/nothing", "/throwsOdd"]) {
    const response = await ask(path);
    assert.equal(response.status, 500, path);
    const text = await response.text();
    assert.doesNotMatch(text, /secret/);
    const { code, data } = JSON.parse(text) as { code: string; data: { incident: string } };
    assert.equal(code, "INTERNAL");
    assert.ok((await state()).incidents.includes(data.incident), path);
  }
});

test("a handler that never settles is answered at its deadline, and one that blocks delays the others no longer than it blocks", async () => {
  assert.equal((await ask("/never")).status, 504);
  const [slow, ...others] = await Promise.all(["/blocks", "/ping", "/ping", "/ping"].map(ask));
  assert.equal(slow?.status, 200);
  for (const other of others) assert.equal(other.status, 200);
  assert.equal((await state()).phase, "ready");
});
