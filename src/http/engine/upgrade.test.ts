/** The end of HTTP on a connection: its socket goes to another protocol, and stays counted, bounded and drained. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { HeaderBlock, type HttpHandler, type HttpResponse, type Upgraded } from "../../exchange/index.ts";
import { eventually, type RawClient } from "./conformance/raw-client.ts";
import { readModes, testsOf } from "./conformance/start-engine.ts";
import type { EngineDefect } from "./index.ts";

const fields = "Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\n";
const offer = (target: string, more = fields): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const text = (body: string): HttpResponse => ({ status: 200, headers: HeaderBlock.empty, body });

/** Says 101 and gives back every byte, until it is told of a drain. */
function echoUpgrade(socket: Duplex, head: Uint8Array, { headers, draining }: Upgraded): void {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n${headers.wire}\r\n`);
  socket.write(head);
  socket.pipe(socket);
  draining.addEventListener("abort", () => socket.end("goodbye"));
}

const echoing: HttpHandler = (request) => {
  if (request.canUpgrade !== true) return text(`plain ${request.target}`);
  const answer = {
    status: 101,
    headers: new HeaderBlock(["x-by", "middleware"]),
    body: null,
    upgrade: echoUpgrade,
  };
  return request.target === "/later" ? Promise.resolve().then(() => answer) : answer;
};

for (const readMode of readModes) {
  const { start, it } = testsOf(readMode);

  for (const target of ["/now", "/later"]) {
    it(`gives the socket away with what came after the request: ${target}`, async (t) => {
      const { engine, client } = await start(t, echoing);
      const c = client();
      // What looks like a request after the upgrade is the other protocol's business, and is never handled.
      c.send(`${offer(target)}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
      await c.untilText("/smuggled");
      assert.equal(
        c.text,
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-by: middleware\r\n\r\n" +
          "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
      );
      for (let n = 0; n < 3; n++) {
        c.send(`ping ${n}`);
        await c.untilText(`ping ${n}`);
      }
      const { requests, inFlight, refused, timedOut, connections, connectionsRefused } = engine.stats();
      assert.deepEqual(
        { requests, inFlight, refused, timedOut, connections, connectionsRefused },
        { requests: 1, inFlight: 0, refused: 0, timedOut: 0, connections: 1, connectionsRefused: 0 },
      );
      c.socket.end();
      await c.untilEnd();
      await eventually(() => engine.stats().connections === 0);
    });
  }

  it("moves megabytes both ways with back pressure, once the socket is given away", async (t) => {
    const { client } = await start(t, echoing);
    const c = client();
    c.send(offer("/"));
    await c.untilText("\r\n\r\n");
    c.text = "";
    const digest = createHash("sha256");
    let length = 0;
    c.socket.on("data", (chunk: Buffer) => {
      length += chunk.length;
      digest.update(chunk);
      c.text = "";
    });
    const sent = createHash("sha256");
    const total = 8 * 1024 * 1024;
    for (let at = 0; at < total; at += 64 * 1024) {
      const piece = Buffer.alloc(64 * 1024, at / (64 * 1024));
      sent.update(piece);
      if (!c.socket.write(piece)) await new Promise((resolve) => c.socket.once("drain", resolve));
    }
    await c.until(() => length === total, "all to come back");
    assert.equal(digest.digest("hex"), sent.digest("hex"));
  });

  it("answers what came before the upgrade first", async (t) => {
    const gate = Promise.withResolvers<void>();
    const { client } = await start(t, async (request) => {
      if (request.target === "/slow") await gate.promise;
      return echoing(request);
    });
    const c = client();
    c.send(offer("/slow", "") + offer("/now") + "tail");
    gate.resolve();
    await c.untilText("tail");
    assert.match(c.text, /^HTTP\/1\.1 200 OK\r\n[^]*plain \/slowHTTP\/1\.1 101 [^]*\r\n\r\ntail$/);
  });

  it("answers an upgrade that the handler declines as HTTP, and goes on", async (t) => {
    const { client } = await start(t, ({ target }) => text(`declined ${target}`));
    const c = client();
    c.send(
      offer(
        "/a",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
      ),
    );
    c.send(offer("/b") + offer("/c", "Connection: upgrade\r\n") + offer("/d", ""));
    await c.untilText("declined /d");
    assert.deepEqual(c.text.match(/declined \/./g), ["declined /a", "declined /b", "declined /c", "declined /d"]);
    assert.ok(!c.text.includes("101"));
  });

  it("offers no upgrade where RFC 9110 has none: other methods, a body, HTTP/1.0, one of the two fields missing", async (t) => {
    const { client } = await start(t, ({ canUpgrade }) => text(`can ${canUpgrade} `));
    const c = client();
    const requests = [
      `POST / HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: 0\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: 2\r\n\r\n{}`,
      `HEAD / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`,
      offer("/", "Connection: keep-alive\r\nUpgrade: echo\r\n"),
      offer("/", "Upgrade: echo\r\n"),
      offer("/", "Connection: upgrade\r\n"),
      `GET / HTTP/1.0\r\n${fields}\r\n`,
      offer("/", "Connection: close\r\n"),
    ];
    c.send(requests.join(""));
    const answers = await c.untilEnd();
    assert.equal(answers.match(/HTTP\/1.1 200/g)?.length, requests.length);
    assert.equal(answers.match(/can false/g)?.length, requests.length - 1);
    const other = client();
    other.send(offer("/", "connection: UPGRADE\r\nupgrade: x\r\n"));
    await other.untilText("can true");
  });

  it("makes an upgrade that nobody offered, or that has no taker, a defect and a 500", async (t) => {
    const defects: EngineDefect[] = [];
    const answers: HttpResponse[] = [
      { status: 101, headers: HeaderBlock.empty, body: null, upgrade: () => assert.fail("nobody offered") },
      { status: 101, headers: HeaderBlock.empty, body: null },
    ];
    const { client } = await start(t, () => answers.shift() as HttpResponse, {
      onDefect: (defect) => defects.push(defect),
    });
    for (const request of [offer("/", ""), offer("/")]) {
      const c = client();
      c.send(request);
      assert.match(await c.untilEnd(), /^HTTP\/1\.1 500 /);
    }
    assert.deepEqual(
      defects.map(({ kind }) => kind),
      ["bad_response", "bad_response"],
    );
  });

  it("destroys the socket of a taker that throws, and goes on serving", async (t) => {
    const defects: EngineDefect[] = [];
    const { engine, client } = await start(
      t,
      (request) =>
        request.canUpgrade === true
          ? {
              status: 101,
              headers: HeaderBlock.empty,
              body: null,
              upgrade: () => {
                throw new Error("no");
              },
            }
          : text("fine"),
      { onDefect: (defect) => defects.push(defect) },
    );
    const c = client();
    c.send(offer("/"));
    assert.equal(await c.untilEnd(), "");
    assert.deepEqual([defects[0]?.kind, String(defects[0]?.error)], ["upgrade_failed", "Error: no"]);
    await eventually(() => engine.stats().connections === 0);
    const next = client();
    next.send(offer("/", ""));
    await next.untilText("fine");
  });

  it("counts a socket that was given away among its connections until it closes", async (t) => {
    const { engine, client } = await start(t, echoing, { limits: { connections: 2 } });
    const [a, b] = [client(), client()] as [RawClient, RawClient];
    for (const c of [a, b]) {
      c.send(offer("/"));
      await c.untilText("101");
    }
    const third = client();
    assert.match(await third.untilEnd(), /^HTTP\/1\.1 503 /);
    assert.equal(engine.stats().connectionsRefused, 1);
    a.destroy();
    await eventually(() => engine.stats().connections === 1);
    const fourth = client();
    fourth.send(offer("/", ""));
    await fourth.untilText("plain");
  });

  it("tells a taker of a drain, and has drained when the socket is closed", async (t) => {
    const { engine, client } = await start(t, echoing);
    const c = client();
    c.send(offer("/"));
    await c.untilText("101");
    const draining = engine.drain(10_000);
    await c.untilText("goodbye");
    c.socket.end();
    assert.deepEqual(await draining, { outcome: "drained" });
  });

  it("tells a taker that comes during a drain at once", async (t) => {
    const gate = Promise.withResolvers<void>();
    const { engine, client } = await start(t, async (request) => {
      await gate.promise;
      return echoing(request);
    });
    const c = client();
    c.send(offer("/"));
    await eventually(() => engine.stats().inFlight === 1);
    const draining = engine.drain(10_000);
    gate.resolve();
    await c.untilText("goodbye");
    c.socket.end();
    assert.deepEqual(await draining, { outcome: "drained" });
  });

  it("destroys a socket that is still held at the drain's deadline, and aborts its request's signal", async (t) => {
    let signal: AbortSignal | undefined;
    const { engine, client } = await start(t, (request) => {
      signal = request.signal;
      return { status: 101, headers: HeaderBlock.empty, body: null, upgrade: (socket) => void socket.write("held") };
    });
    const c = client();
    c.send(offer("/"));
    await c.untilText("held");
    assert.equal(signal?.aborted, false);
    assert.deepEqual(await engine.drain(20), { outcome: "timed_out", cut: 1 });
    await c.untilEnd();
    assert.equal(signal?.aborted, true);
  });

  it("carries the library ws on its socket", async (t) => {
    const sockets = new WebSocketServer({ noServer: true });
    const { engine } = await start(t, (request) => ({
      status: 101,
      headers: HeaderBlock.empty,
      body: null,
      upgrade: (socket, head) => {
        const headers = Object.fromEntries(
          ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"].map((name) => [
            name,
            request.header(name),
          ]),
        );
        const message = { method: request.method, url: request.target, headers, socket };
        sockets.handleUpgrade(message as never, socket, Buffer.from(head), (peer) =>
          peer.on("message", (data, binary) => peer.send(data, { binary })),
        );
      },
    }));
    const peer = new WebSocket(`ws://127.0.0.1:${engine.address()?.port}/chat`);
    t.after(() => peer.terminate());
    await new Promise((resolve, reject) => peer.on("open", resolve).on("error", reject));
    const message = new Promise((resolve) => peer.once("message", (data: Buffer) => resolve(data.toString())));
    const big = "x".repeat(200_000);
    peer.send(big);
    assert.equal(await message, big);
    const closed = new Promise((resolve) => peer.once("close", resolve));
    peer.close(1000);
    assert.equal(await closed, 1000);
    await eventually(() => engine.stats().connections === 0);
  });
}
