import assert from "node:assert/strict";
import { manualClock } from "../../core/index.ts";
import { HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../../exchange/index.ts";
import { eventually } from "./conformance/raw-client.ts";
import { readModes, testsOf } from "./conformance/start-engine.ts";
import type { EngineDefect } from "./index.ts";

const get = (target: string, fields = ""): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const text = (body: HttpResponse["body"], status = 200): HttpResponse => ({ status, headers: HeaderBlock.empty, body });

/** Answers with what was asked for, so that a test can tell answers apart. */
const echo: HttpHandler = (request) => text(`${request.method} ${request.target}`);

const echoBody: HttpHandler = async (request) => {
  const body = await request.body(1 << 20);
  return body.ok ? text(body.value) : text(body.fault.code, 400);
};

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}

for (const readMode of readModes) {
  const { start, it } = testsOf(readMode);

  it("answers a GET with status, the handler's headers, date and length, and keeps the connection", async (t) => {
    const clock = manualClock(Date.UTC(2026, 10, 23, 12, 0, 0));
    const { client } = await start(t, () => ({ status: 201, headers: new HeaderBlock(["X-A", "1"]), body: "hello" }), {
      clock,
    });
    const c = client();
    c.send(get("/"));
    await c.untilText("hello");
    assert.equal(
      c.text,
      "HTTP/1.1 201 Created\r\nx-a: 1\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\ncontent-length: 5\r\n\r\nhello",
    );
    await clock.advance(1_000);
    c.send(get("/"));
    await c.untilText("hello", 2);
    assert.match(c.text, /12:00:01/);
  });

  it("gives the handler method, target, headers in any case, repeated headers joined, and the peer's address", async (t) => {
    let seen: HttpRequest | undefined;
    const { client } = await start(t, (request) => ((seen = request), text("ok")));
    const c = client();
    c.send(get("/a/b?c=d", "X-One: \t 1 \r\nCookie: a=1\r\nx-one:2\r\ncookie: b=2\r\nX-Empty:\r\n"));
    await c.untilText("ok");
    assert.ok(seen);
    assert.equal(seen.method, "GET");
    assert.equal(seen.target, "/a/b?c=d");
    assert.equal(seen.header("x-one"), "1, 2");
    assert.equal(seen.header("cookie"), "a=1; b=2");
    assert.equal(seen.header("x-empty"), "");
    assert.equal(seen.header("x-on"), undefined);
    assert.deepEqual(seen.headerPairs().slice(0, 4), ["host", "a", "x-one", "1"]);
    assert.equal(seen.remoteAddress, "127.0.0.1");
  });

  it("sends a stream of known length with Content-Length, in 1.0 too, and its length alone to HEAD", async (t) => {
    const { client } = await start(t, ({ method }) =>
      method === "HEAD" ? { ...text(null), length: 5 } : { ...text(pieces("he", "llo")), length: 5 },
    );
    const c = client();
    c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await c.untilText("hello");
    assert.match(c.text, /content-length: 5\r\nconnection: keep-alive\r\n\r\nhello$/);
    c.send(get("/").replace("GET", "HEAD") + get("/", "Connection: close\r\n"));
    const answers = (await c.untilEnd()).split("HTTP/1.1 200 OK\r\n").slice(2);
    assert.match(answers[0] ?? "", /content-length: 5\r\n\r\n$/);
    assert.match(answers[1] ?? "", /content-length: 5\r\nconnection: close\r\n\r\nhello$/);
    assert.ok(!c.text.includes("chunked"));
  });

  it("cuts the connection where a stream of known length ends early", async (t) => {
    const defects: EngineDefect[] = [];
    const { client } = await start(t, () => ({ ...text(pieces("hel")), length: 5 }), {
      onDefect: (defect) => defects.push(defect),
    });
    const c = client();
    c.send(get("/"));
    assert.match(await c.untilEnd(), /content-length: 5\r\n\r\nhel$/);
    assert.deepEqual(
      defects.map(({ kind }) => kind),
      ["stream_failed"],
    );
  });

  it("ends the streams of answers that were ready when the client left before their turn", async (t) => {
    const ended: string[] = [];
    let asked = 0;
    const { client } = await start(t, ({ target }) => {
      asked++;
      if (target === "/first") return new Promise<HttpResponse>(() => undefined);
      const body = {
        [Symbol.asyncIterator]: () => ({
          next: () => assert.fail("nobody may read it"),
          return: () => Promise.resolve({ done: true as const, value: ended.push(target) }),
        }),
      };
      return text(body);
    });
    const c = client();
    c.send(get("/first") + get("/a") + get("/b"));
    await eventually(() => asked === 3, "all three to be asked");
    // A reset, not an end of stream: after that, the first might still be answered.
    c.socket.resetAndDestroy();
    await eventually(() => ended.length === 2, "both streams to end");
    assert.deepEqual(ended, ["/a", "/b"]);
    assert.equal(c.text, "");
  });

  it("sends text outside ASCII as UTF-8 with its length in bytes, and header values as Latin-1", async (t) => {
    const { client } = await start(t, () => ({
      status: 200,
      headers: new HeaderBlock(["x-name", "\xe9"]),
      body: "h\u00e9llo \u{1f600}",
    }));
    const c = client();
    c.send(get("/", "Connection: close\r\n"));
    const [head, body] = (await c.untilEnd()).split("\r\n\r\n") as [string, string];
    assert.match(head, /x-name: \xe9\r\n/);
    assert.match(head, /content-length: 11(\r|$)/);
    assert.equal(Buffer.from(body, "latin1").toString(), "h\u00e9llo \u{1f600}");
  });

  it("answers HEAD with the length of the GET and no body, 204 and 304 with neither", async (t) => {
    const { client } = await start(t, ({ target }) =>
      text(target === "/stream" ? pieces("x") : "hello", Number(target.slice(1)) || 200),
    );
    const c = client();
    c.send(
      "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" +
        get("/204") +
        get("/304", "Connection: close\r\n"),
    );
    const answers = (await c.untilEnd()).split("HTTP/1.1 ").slice(1);
    assert.match(answers[0] as string, /^200 OK\r\ndate: [^\r]+\r\ncontent-length: 5\r\n\r\n$/);
    assert.match(answers[1] as string, /^200 OK\r\ndate: [^\r]+\r\ntransfer-encoding: chunked\r\n\r\n$/);
    assert.match(answers[2] as string, /^204 No Content\r\ndate: [^\r]+\r\n\r\n$/);
    assert.match(answers[3] as string, /^304 Not Modified\r\ndate: [^\r]+\r\nconnection: close\r\n\r\n$/);
  });

  it("answers pipelined requests in order, though the later ones are ready first", async (t) => {
    const late = Promise.withResolvers<HttpResponse>();
    const { client } = await start(t, (request) => (request.target === "/1" ? late.promise : echo(request)));
    const c = client();
    c.send(get("/1") + get("/2") + get("/3"));
    const other = client();
    other.send(get("/other"));
    await other.untilText("GET /other");
    assert.equal(c.text, "");
    late.resolve(text("GET /1"));
    await c.untilText("GET /3");
    assert.deepEqual(c.text.match(/GET \/\d/g), ["GET /1", "GET /2", "GET /3"]);
  });

  it("answers a batch of pipelined requests with one write", async (t) => {
    const { client } = await start(t, (request) =>
      request.target === "/late" ? Promise.resolve(echo(request)) : echo(request),
    );
    const c = client();
    let reads = 0;
    c.socket.on("data", () => reads++);
    c.send(get("/1") + get("/late") + get("/3") + get("/late") + get("/last"));
    await c.untilText("GET /last");
    assert.ok(reads <= 2, `the answers came in ${reads} pieces`);
  });

  it("never runs a request that is not safe beside another one of its connection", async (t) => {
    const running: string[] = [];
    const gates = new Map<string, () => void>();
    const { client } = await start(t, async ({ target }) => {
      running.push(target);
      await new Promise<void>((resolve) => gates.set(target, resolve));
      running.splice(running.indexOf(target), 1);
      return text(target);
    });
    const post = (target: string): string => `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
    const c = client();
    c.send(get("/a") + get("/b") + post("/c") + get("/d") + get("/e"));
    for (const expected of [["/a", "/b"], ["/c"], ["/d", "/e"]]) {
      await eventually(() => gates.size === expected.length);
      assert.deepEqual(running, expected);
      const open = [...gates.values()];
      gates.clear();
      for (const release of open) release();
    }
    await c.untilText("/e");
  });

  it("has at most pipelineDepth requests of a connection in flight, and loses none", async (t) => {
    const gates: (() => void)[] = [];
    const { engine, client } = await start(
      t,
      ({ target }) => new Promise((resolve) => gates.push(() => resolve(text(`<${target}>`)))),
      {
        limits: { pipelineDepth: 3, stashBytes: 0 },
      },
    );
    const c = client();
    c.send(Array.from({ length: 2_000 }, (_, i) => get(`/${i}`)).join(""));
    let most = 0;
    while (!c.text.includes("</1999>")) {
      await eventually(() => gates.length > 0 || c.text.includes("</1999>"));
      most = Math.max(most, engine.stats().inFlight);
      gates.shift()?.();
    }
    assert.equal(most, 3);
    assert.equal(c.text.match(/<\/\d+>/g)?.length, 2_000);
  });

  it("gives a body that arrived with its head synchronously, and one that comes later by a promise", async (t) => {
    const kinds: string[] = [];
    const { client } = await start(t, async (request) => {
      const body = request.body(100);
      kinds.push(body instanceof Promise ? "promise" : "value");
      const read = await body;
      return text(read.ok ? `[${Buffer.from(read.value).toString()}]` : "bad");
    });
    const c = client();
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    c.send(`${head}12345`);
    await c.untilText("[12345]");
    c.send(`${head}ab`);
    await eventually(() => kinds.length === 2);
    c.send("cde");
    await c.untilText("[abcde]");
    c.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n",
    );
    await c.untilText("[abcde]", 2);
    assert.deepEqual(kinds, ["value", "promise", "value"]);
  });

  it("carries a body of a megabyte both ways unchanged, by length and chunked", async (t) => {
    const { client } = await start(t, echoBody);
    const body = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255)).toString("latin1");
    const c = client();
    c.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    c.send(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    const answer = await c.untilEnd();
    assert.ok(answer.split(body).length === 3);
  });

  it("sends 100 Continue only when the handler asks for the body", async (t) => {
    const { client } = await start(t, (request) =>
      request.target === "/refuse" ? text("no", 403) : echoBody(request),
    );
    const head = (target: string): string =>
      `POST ${target} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
    const c = client();
    c.send(head("/"));
    await c.untilText("HTTP/1.1 100 Continue\r\n\r\n");
    c.send("hello");
    await c.untilText("hello");
    c.send(head("/refuse"));
    const answer = await c.untilEnd();
    assert.match(answer, /403 Forbidden\r\n[^]*connection: close\r\n[^]*no$/);
    assert.equal(answer.split("100 Continue").length, 2);
  });

  it("gives too_large before reading when the length says so, and while reading when it does not", async (t) => {
    const { client } = await start(t, async (request) => {
      const body = await request.body(10);
      return body.ok ? text("ok") : text(`${body.fault.code} ${JSON.stringify(body.fault.data)}`, 413);
    });
    const c = client();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    await c.untilText('PAYLOAD_TOO_LARGE {"limit":10}');
    c.send("12345678901");
    c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n2\r\n");
    await c.untilText("PAYLOAD_TOO_LARGE", 2);
    await c.untilEnd();
  });

  it("skips a short body that nobody reads, and closes the connection on a long one", async (t) => {
    const { client } = await start(t, echo, { limits: { unreadBodyBytes: 100 } });
    const c = client();
    c.send(`POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n${"x".repeat(60)}`);
    await c.untilText("POST /short");
    c.send("x".repeat(40) + get("/next"));
    await c.untilText("GET /next");
    c.send("POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
    assert.match(await c.untilEnd(), /connection: close\r\n\r\nPOST \/long$/);
  });

  it("allows a body to be read once", async (t) => {
    const { client } = await start(t, async (request) => {
      void (await request.body(10));
      const again = await request.body(10);
      return text(again.ok ? "ok" : again.fault.code);
    });
    const c = client();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    await c.untilText("BAD_BODY");
  });

  it("streams an iterable chunked in HTTP/1.1, and until the close in HTTP/1.0", async (t) => {
    const { client } = await start(t, () => text(pieces("hello ", "", "world")));
    const c = client();
    c.send(get("/") + get("/"));
    await c.untilText("6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", 2);
    const old = client();
    old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert.match(await old.untilEnd(), /connection: close\r\n\r\nhello world$/);
  });

  it("stops pulling from a stream when the client does not read, and calls return() when it goes away", async (t) => {
    let pulled = 0;
    let returned = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          pulled += 64 * 1024;
          yield await Promise.resolve(new Uint8Array(64 * 1024));
        }
      } finally {
        returned = true;
      }
    }
    const { engine, client } = await start(t, () => text(endless()));
    const c = client();
    c.socket.pause();
    c.send(get("/"));
    // The sockets' buffers take some megabytes; then the count stands still.
    let before = -1;
    await eventually(() => pulled > 0);
    while (before !== pulled) {
      before = pulled;
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(pulled < 64 * 1024 * 1024, `${pulled} bytes were pulled for a client that reads nothing`);
    assert.equal(returned, false);
    c.destroy();
    await eventually(() => returned && engine.stats().connections === 0);
    assert.equal(engine.stats().inFlight, 0);
  });

  it("stops reading from a client whose answers it does not read", async (t) => {
    const { engine, client } = await start(t, () => text("x".repeat(50_000)));
    const c = client();
    c.socket.pause();
    const request = get("/");
    const count = 20_000;
    for (let i = 0; i < count / 100; i++) c.send(request.repeat(100));
    let before = -1;
    await eventually(() => engine.stats().requests > 0);
    while (before !== engine.stats().requests) {
      before = engine.stats().requests;
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(before < count / 2, `${before} requests were answered for a client that reads nothing`);
  });

  it("aborts the signal and ends the body when the client goes away", async (t) => {
    const seen: string[] = [];
    const { engine, client } = await start(t, async (request) => {
      request.signal.addEventListener("abort", () => seen.push("aborted"));
      const body = await request.body(100);
      seen.push(body.ok ? "ok" : body.fault.code);
      return text("late");
    });
    const c = client();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    await eventually(() => engine.stats().inFlight === 1);
    c.socket.resetAndDestroy();
    await eventually(() => seen.length === 2);
    assert.deepEqual(seen.toSorted(), ["CLIENT_GONE", "aborted"]);
  });

  it("aborts the signals of a client that has half-closed, writes its answers all the same, then closes", async (t) => {
    const gate = Promise.withResolvers<void>();
    let aborted = 0;
    const { engine, client } = await start(t, async (request) => {
      request.signal.addEventListener("abort", () => aborted++);
      await gate.promise;
      return echo(request);
    });
    const c = client();
    c.send(get("/1") + get("/2"));
    c.socket.end();
    await eventually(() => aborted === 2);
    gate.resolve();
    const answer = await c.untilEnd();
    assert.ok(answer.includes("GET /1") && answer.includes("GET /2"));
    await eventually(() => engine.stats().connections === 0);
  });

  it("refuses a head that the client ended in the middle", async (t) => {
    const { client } = await start(t, echo);
    const c = client();
    c.send("GET / HTTP/1.1\r\nHo");
    c.socket.end();
    assert.match(await c.untilEnd(), /^HTTP\/1\.1 400 Bad Request/);
  });

  it("writes a refusal after the answers that are due before it, and closes", async (t) => {
    const gate = Promise.withResolvers<HttpResponse>();
    const { engine, client } = await start(t, () => gate.promise);
    const c = client();
    c.send(`${get("/")}GET / HTTP/9.9\r\n\r\n${get("/never")}`);
    await eventually(() => engine.stats().refused === 1);
    assert.equal(c.text, "");
    gate.resolve(text("first"));
    assert.match(
      await c.untilEnd(),
      /^HTTP\/1\.1 200 OK[^]*firstHTTP\/1\.1 505 [^]*application\/problem\+json[^]*"status":505/,
    );
    assert.equal(engine.stats().requests, 1);
  });

  it("answers 500 without details and closes when a handler throws, rejects or gives no valid status", async (t) => {
    const defects: EngineDefect[] = [];
    const { client } = await start(
      t,
      ({ target }) => {
        if (target === "/throw") throw new Error("secret");
        if (target === "/reject") return Promise.reject(new Error("secret"));
        if (target === "/nothing") return undefined as never;
        return target === "/status" ? text("secret", 99) : text("ok");
      },
      { onDefect: (defect) => defects.push(defect) },
    );
    for (const target of ["/throw", "/reject", "/status", "/nothing"]) {
      const c = client();
      c.send(get(target) + get("/after"));
      const answer = await c.untilEnd();
      assert.match(answer, /^HTTP\/1\.1 500 [^]*connection: close/);
      assert.ok(!answer.includes("secret"));
      assert.equal(answer.split("HTTP/1.1").length, 2);
    }
    assert.deepEqual(
      defects.map(({ kind, target }) => [kind, target]),
      [
        ["handler_threw", "/throw"],
        ["handler_rejected", "/reject"],
        ["bad_response", "/status"],
        ["bad_response", "/nothing"],
      ],
    );
  });

  it("cuts the connection when a stream fails, so that the client sees an incomplete answer", async (t) => {
    const defects: EngineDefect[] = [];
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.from("part"));
      throw new Error("secret");
    }
    const { client } = await start(t, () => text(failing()), { onDefect: (defect) => defects.push(defect) });
    const c = client();
    c.send(get("/"));
    const answer = await c.untilEnd();
    assert.ok(!answer.includes("0\r\n\r\n") && !answer.includes("secret"));
    assert.equal(defects[0]?.kind, "stream_failed");
  });

  it("times out a slow head with 408, but closes a silent or idle connection without a word", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, echo, { clock });
    const silent = client();
    const slow = client();
    const idle = client();
    slow.send("GET / HTTP/1.1\r\n");
    idle.send(get("/idle"));
    await idle.untilText("GET /idle");
    await eventually(() => engine.stats().connections === 3);
    await clock.advance(9_000);
    slow.send("X: 1\r\n");
    await clock.advance(1_200);
    assert.match(await slow.untilEnd(), /^HTTP\/1\.1 408 Request Timeout/);
    assert.equal(await silent.untilEnd(), "");
    assert.equal(idle.ended, false);
    await clock.advance(60_000);
    assert.ok((await idle.untilEnd()).endsWith("GET /idle"));
  });

  it("times out a slow body with a fault, whether it stops or trickles", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, echoBody, {
      clock,
      limits: { bodyIdleTimeoutMs: 1_000, bodyTimeoutMs: 3_000 },
    });
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    const stopped = client();
    stopped.send(`${head}x`);
    await eventually(() => engine.stats().inFlight === 1);
    await clock.advance(1_200);
    assert.match(await stopped.untilEnd(), /connection: close[^]*BODY_TIMEOUT$/);
    const trickling = client();
    trickling.send(head);
    await eventually(() => engine.stats().inFlight === 1);
    for (let i = 0; i < 5; i++) {
      trickling.send("x");
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(700);
    }
    assert.match(await trickling.untilEnd(), /BODY_TIMEOUT$/);
  });

  it("destroys a connection whose client reads nothing for writeStallMs", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, () => text(new Uint8Array(64 * 1024 * 1024)), { clock });
    const c = client();
    c.socket.pause();
    c.send(get("/"));
    await eventually(() => engine.stats().inFlight === 1);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(31_000);
    await eventually(() => engine.stats().connections === 0);
    assert.equal(engine.stats().timedOut, 1);
  });

  it("closes a connection that lingers after its last answer", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, echo, { clock });
    const c = client();
    c.send(get("/", "Connection: close\r\n"));
    await c.untilEnd();
    assert.equal(engine.stats().connections, 1);
    c.send(get("/dropped"));
    await clock.advance(2_200);
    await eventually(() => engine.stats().connections === 0);
    assert.equal(engine.stats().requests, 1);
  });

  it("has no timer when it has no connection", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, echo, { clock });
    assert.equal(clock.waiting, 0);
    const c = client();
    c.send(get("/"));
    await c.untilText("GET /");
    assert.equal(clock.waiting, 1);
    c.destroy();
    await eventually(() => engine.stats().connections === 0);
    assert.equal(clock.waiting, 0);
  });

  it("turns connections away with 503 and Retry-After when there are too many, and takes new ones when some are gone", async (t) => {
    const { engine, client } = await start(t, echo, { limits: { connections: 2 } });
    const first = client();
    const second = client();
    first.send(get("/1"));
    second.send(get("/2"));
    await Promise.all([first.untilText("GET /1"), second.untilText("GET /2")]);
    const third = client();
    assert.match(await third.untilEnd(), /^HTTP\/1\.1 503 [^]*retry-after: 1/);
    assert.equal(engine.stats().connectionsRefused, 1);
    first.destroy();
    await eventually(() => engine.stats().connections === 1);
    const fourth = client();
    fourth.send(get("/4"));
    await fourth.untilText("GET /4");
  });

  it("survives resets at every moment", async (t) => {
    const { engine, client } = await start(t, echoBody);
    const bytes = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${get("/")}`;
    for (let length = 0; length <= bytes.length; length += 3) {
      const c = client();
      await new Promise((resolve) => c.socket.on("connect", resolve));
      c.send(bytes.slice(0, length));
      c.socket.resetAndDestroy();
    }
    await eventually(() => engine.stats().connections === 0);
    const last = client();
    last.send(bytes);
    await last.untilText("hello");
  });
}
