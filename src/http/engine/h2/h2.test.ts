/** HTTP/2 on the engine's port: one connection, many streams, the same handler, and every one of them bounded in time. */
import assert from "node:assert/strict";
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { test, type TestContext } from "node:test";
import { manualClock } from "../../../core/index.ts";
import { HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../../../exchange/index.ts";
import { eventually } from "../conformance/raw-client.ts";
import { startEngine } from "../conformance/start-engine.ts";
import { engineLimits, type Engine, type EngineDefect, type EngineOptions, type ReadMode } from "../index.ts";

const text = (body: HttpResponse["body"], status = 200): HttpResponse => ({ status, headers: HeaderBlock.empty, body });
const echo: HttpHandler = (request) => text(`${request.method} ${request.target}`);
const never = new Promise<never>(() => undefined);
const readBody: HttpHandler = async (request) => {
  const body = await request.body(1 << 20);
  return body.ok ? text(body.value) : text(body.fault.code, body.fault.kind === "request_timeout" ? 408 : 400);
};

async function* failing(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from("x"));
  throw new Error("mid answer");
}

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}

interface Answer {
  readonly head: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly code: number | undefined;
}

/** What becomes of a stream, however it ends. */
async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let body = "";
  stream.setEncoding("utf8");
  stream.on("response", (fields) => (head = fields));
  stream.on("trailers", (fields) => (trailers = fields));
  stream.on("data", (chunk: string) => (body += chunk));
  stream.on("error", () => undefined);
  await new Promise((resolve) => stream.on("close", resolve));
  return { head, body, trailers, code: stream.rstCode };
}

for (const readMode of ["static", "events"] satisfies ReadMode[]) {
  interface Started {
    readonly engine: Engine;
    readonly session: ClientHttp2Session;
    readonly connectAgain: () => ClientHttp2Session;
    readonly get: (path: string, more?: Record<string, string>) => Promise<Answer>;
  }
  const start = async (
    t: TestContext,
    handler: HttpHandler,
    options: Omit<EngineOptions, "handler" | "readMode"> = {},
  ): Promise<Started> => {
    const { engine } = await startEngine(t, { ...options, handler, readMode });
    const connectAgain = (): ClientHttp2Session => {
      const session = connect(`http://127.0.0.1:${engine.address()?.port}`);
      session.on("error", () => undefined);
      t.after(() => session.destroy());
      return session;
    };
    const session = connectAgain();
    const get: Started["get"] = (path, more = {}) => answerOf(session.request({ ":path": path, ...more }));
    return { engine, session, connectAgain, get };
  };
  const it = (name: string, body: (t: TestContext) => Promise<void>): void =>
    void test(`${name} (${readMode})`, { timeout: 20_000 }, body);

  it("answers with status, the handler's fields, date and length", async (t) => {
    const clock = manualClock(Date.UTC(2026, 10, 23, 12, 0, 0));
    const headers = new HeaderBlock(["X-A", "1", "set-cookie", "a=1", "set-cookie", "b=2", "x-name", "\xe9"]);
    const { get, engine } = await start(t, () => ({ status: 201, headers, body: "h\u00e9llo" }), { clock });
    const { head, body } = await get("/");
    assert.equal(body, "h\u00e9llo");
    assert.deepEqual(Object.fromEntries(Object.entries(head)), {
      ":status": 201,
      "x-a": "1",
      "set-cookie": ["a=1", "b=2"],
      "x-name": "\xe9",
      "content-length": "6",
      date: "Mon, 23 Nov 2026 12:00:00 GMT",
    });
    await eventually(() => engine.stats().inFlight === 0);
    assert.equal(engine.stats().requests, 1);
  });

  it("gives the handler what HTTP/1.1 would: Host for :authority, joined fields, no pseudo-headers", async (t) => {
    let seen: HttpRequest | undefined;
    const { session, engine } = await start(t, (request) => ((seen = request), text("ok")));
    await answerOf(
      session.request({ ":path": "/a/b?c=d", "x-one": ["1", "2"], cookie: ["a=1", "b=2"], "x-empty": "" }),
    );
    assert.ok(seen);
    const host = `127.0.0.1:${engine.address()?.port}`;
    assert.deepEqual([seen.method, seen.target, seen.httpVersion, seen.secure], ["GET", "/a/b?c=d", "2", false]);
    assert.deepEqual(
      ["host", "x-one", "cookie", "x-empty", "x-none", ":path"].map((name) => seen?.header(name)),
      [host, "1, 2", "a=1; b=2", "", undefined, undefined],
    );
    const pairs = ["host", host, "x-one", "1", "x-one", "2", "cookie", "a=1", "cookie", "b=2", "x-empty", ""];
    assert.deepEqual(seen.headerPairs(), pairs);
    assert.equal(seen.remoteAddress, "127.0.0.1");
    assert.equal(seen.canUpgrade, undefined);
  });

  it("answers streams side by side, each when it is ready", async (t) => {
    const gate = Promise.withResolvers<HttpResponse>();
    const { get } = await start(t, (request) => (request.target === "/slow" ? gate.promise : echo(request)));
    const slow = get("/slow");
    for (let n = 0; n < 20; n++) assert.equal((await get(`/${n}`)).body, `GET /${n}`);
    gate.resolve(text("at last"));
    assert.equal((await slow).body, "at last");
  });

  it("sends no body to HEAD, with 204 or with 304, and the length that GET would have to HEAD", async (t) => {
    const { session, get } = await start(t, ({ target }) =>
      target === "/stream" ? { ...text(pieces("ab")), length: 2 } : text("hello", Number(target.slice(1)) || 200),
    );
    const head = async (path: string): Promise<Answer> =>
      answerOf(session.request({ ":method": "HEAD", ":path": path }));
    for (const [path, length] of [
      ["/", "5"],
      ["/stream", "2"],
    ] as const) {
      const answer = await head(path);
      assert.deepEqual([answer.head["content-length"], answer.body, answer.code], [length, "", 0]);
    }
    for (const status of [204, 304]) {
      const answer = await get(`/${status}`);
      assert.deepEqual([answer.head[":status"], answer.head["content-length"], answer.body], [status, undefined, ""]);
    }
  });

  it("streams with back pressure, megabytes whole, and trailers after them", async (t) => {
    const big = "0123456789abcdef".repeat(128 * 1024);
    const trailers = (): HeaderBlock => new HeaderBlock(["grpc-status", "0", "x-a", "1"]);
    const { get } = await start(t, ({ target }) => {
      if (target === "/bytes") return text(Buffer.from(big));
      if (target === "/text") return text(big);
      if (target === "/unary") return { ...text("one"), trailers };
      return { ...text(pieces("a", big, "z")), trailers };
    });
    assert.equal((await get("/bytes")).body, big);
    assert.equal((await get("/text")).body, big);
    const streamed = await get("/stream");
    assert.equal(streamed.body, `a${big}z`);
    assert.equal(streamed.trailers?.["grpc-status"], "0");
    const unary = await get("/unary");
    assert.deepEqual([unary.body, unary.trailers?.["x-a"], unary.code], ["one", "1", 0]);
  });

  it("reads bodies, at most the limit, by length or without", async (t) => {
    const { session } = await start(t, readBody);
    const post = async (body: string, fields: Record<string, string> = {}): Promise<Answer> => {
      const stream = session.request({ ":method": "POST", ...fields });
      stream.end(body);
      return answerOf(stream);
    };
    assert.equal((await post("abc", { "content-length": "3" })).body, "abc");
    assert.equal((await post("x".repeat(700_000))).body.length, 700_000);
    assert.equal((await post("")).body, "");
    assert.equal((await post("x".repeat((1 << 20) + 1))).body, "PAYLOAD_TOO_LARGE");
    const announced = session.request({ ":method": "POST", "content-length": String((1 << 20) + 1) });
    assert.equal((await answerOf(announced)).body, "PAYLOAD_TOO_LARGE");
    const refused = await answerOf(session.request({ ":method": "POST", "content-length": String(2 ** 41) }));
    assert.equal(refused.head[":status"], 413);
    assert.equal((await post("still fine")).body, "still fine");
  });

  it("invites a body with 100 Continue when the handler asks for it, and not before", async (t) => {
    const { session } = await start(t, (request) => (request.target === "/no" ? text("no", 403) : readBody(request)));
    const post = (path: string): ClientHttp2Stream =>
      session.request({ ":method": "POST", ":path": path, expect: "100-continue", "content-length": "2" });
    const invited = post("/yes");
    invited.on("continue", () => invited.end("ok"));
    assert.equal((await answerOf(invited)).body, "ok");
    const refused = post("/no");
    refused.on("continue", () => assert.fail("not invited"));
    assert.equal((await answerOf(refused)).head[":status"], 403);
    assert.equal((await answerOf(session.request({ expect: "x" }))).head[":status"], 417);
  });

  it("forgets a stream whose body was begun and not read to its end", async (t) => {
    const { session, engine } = await start(
      t,
      async (request) => {
        if (request.target === "/whole") return text((await request.body(10)).ok ? "all" : "too large", 413);
        const body = request.bodyStream(1 << 20);
        if (body.ok) for await (const piece of body.value) if (piece.length > 0) break;
        if (request.target === "/throw") throw new Error("mid upload");
        return request.target === "/fail" ? text(failing()) : text("part");
      },
      { onDefect: () => undefined },
    );
    const outcomes = [];
    for (const path of ["/whole", "/part", "/throw", "/fail"]) {
      const begun = session.request({ ":method": "POST", ":path": path });
      begun.write(Buffer.alloc(200_000));
      const { head, code } = await answerOf(begun);
      outcomes.push([head[":status"], code]);
      await eventually(() => engine.stats().inFlight === 0);
    }
    assert.deepEqual(outcomes, [
      [413, 0],
      [200, 0],
      [500, 0],
      [200, constants.NGHTTP2_INTERNAL_ERROR],
    ]);
    assert.deepEqual(await engine.drain(10_000), { outcome: "drained" });
  });

  it("reads a body that was not invited while its answer is under way", async (t) => {
    const { session } = await start(t, (request) => {
      const body = request.bodyStream(100);
      return body.ok ? text(body.value) : text(body.fault.code, 400);
    });
    const echoed = session.request({ ":method": "POST", expect: "100-continue" });
    echoed.on("response", () => echoed.end("ok"));
    assert.equal((await answerOf(echoed)).body, "ok");
  });

  it("refuses what the HTTP/1.1 engine refuses, on that stream alone", async (t) => {
    const { session, engine } = await start(t, echo, { limits: { targetBytes: 100 } });
    const status = async (fields: Record<string, string>): Promise<unknown> =>
      (await answerOf(session.request(fields))).head[":status"];
    assert.equal(await status({ ":method": "BREW" }), 501);
    assert.equal(await status({ ":path": `/${"x".repeat(100)}` }), 414);
    assert.equal(await status({ ":path": "/a#b" }), 400);
    assert.equal(await status({ ":authority": "a,b" }), 400);
    assert.equal(await status({ ":authority": "a", host: "b" }), 400);
    assert.equal(await status({ ":authority": "a", host: "a" }), 200);
    assert.equal(await status({}), 200);
    assert.equal(engine.stats().refused, 5);
  });

  it("aborts the signal of a stream that the client takes back, and its answer's source ends", async (t) => {
    const gate = Promise.withResolvers<void>();
    let ended = false;
    let aborted = 0;
    const { session, engine } = await start(t, (request) => {
      request.signal.addEventListener("abort", () => aborted++);
      if (request.target === "/wait") return never;
      return text(
        (async function* () {
          try {
            for (;;) {
              yield Buffer.alloc(1024);
              await gate.promise;
            }
          } finally {
            ended = true;
          }
        })(),
      );
    });
    const waiting = session.request({ ":path": "/wait" });
    const streaming = session.request({ ":path": "/stream" });
    await new Promise((resolve) => streaming.once("data", resolve));
    waiting.close(constants.NGHTTP2_CANCEL);
    streaming.close(constants.NGHTTP2_CANCEL);
    await eventually(() => aborted === 2);
    gate.resolve();
    await eventually(() => ended);
    await eventually(() => engine.stats().inFlight === 0);
  });

  it("gives a body that breaks off to nobody: CLIENT_GONE", async (t) => {
    const faults: string[] = [];
    const { session, engine } = await start(t, async (request) => {
      const body = await request.body(100);
      faults.push(body.ok ? "ok" : body.fault.code);
      return text("");
    });
    const stream = session.request({ ":method": "POST" });
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.write("half", resolve));
    await eventually(() => engine.stats().inFlight === 1);
    session.socket.destroy();
    await eventually(() => faults.length === 1);
    assert.deepEqual(faults, ["CLIENT_GONE"]);
  });

  it("answers 500 for a handler that throws, rejects or answers nonsense, and cuts a stream that fails", async (t) => {
    const defects: EngineDefect["kind"][] = [];
    const { get } = await start(
      t,
      ({ target }) => {
        if (target === "/throw") throw new Error("secret");
        if (target === "/reject") return Promise.reject(new Error("secret"));
        if (target === "/nonsense") return { status: 99 } as HttpResponse;
        if (target === "/short") return { ...text(pieces("abc")), length: 5 };
        return text("fine");
      },
      { onDefect: ({ kind }) => defects.push(kind) },
    );
    for (const path of ["/throw", "/reject", "/nonsense"]) {
      const { head, body } = await get(path);
      assert.equal(head[":status"], 500);
      assert.doesNotMatch(body, /secret/);
    }
    assert.notEqual((await get("/short")).code, 0);
    assert.equal((await get("/")).body, "fine");
    assert.deepEqual(defects, ["handler_threw", "handler_rejected", "bad_response", "stream_failed"]);
  });

  it("gives a silent body its time, and the handler BODY_TIMEOUT", async (t) => {
    const clock = manualClock();
    const { session, engine } = await start(t, readBody, { clock });
    const stream = session.request({ ":method": "POST" });
    stream.write("half");
    await eventually(() => engine.stats().inFlight === 1);
    const answer = answerOf(stream);
    await clock.advance(engineLimits.bodyIdleTimeoutMs + 200);
    assert.deepEqual([(await answer).head[":status"], (await answer).body], [408, "BODY_TIMEOUT"]);
    assert.equal(engine.stats().timedOut, 1);
  });

  it("resets a stream whose client reads nothing, and leaves the others alone", async (t) => {
    const clock = manualClock();
    const { session, engine, get } = await start(
      t,
      ({ target }) => text(target === "/big" ? Buffer.alloc(4 << 20) : "fine"),
      { clock },
    );
    const stalled = session.request({ ":path": "/big" });
    stalled.pause();
    stalled.on("error", () => undefined);
    await new Promise((resolve) => stalled.on("response", resolve));
    assert.equal((await get("/")).body, "fine");
    const closed = new Promise((resolve) => stalled.on("close", resolve));
    await clock.advance(engineLimits.writeStallMs + 200);
    await eventually(() => engine.stats().timedOut === 1);
    stalled.resume();
    await closed;
    assert.equal(stalled.rstCode, constants.NGHTTP2_CANCEL);
    assert.equal((await get("/")).body, "fine");
  });

  it("closes a connection that brings no request, and one that stays idle, with GOAWAY", async (t) => {
    const clock = manualClock();
    const { session, engine, connectAgain, get } = await start(t, echo, { clock });
    await get("/");
    const silent = connectAgain();
    await eventually(() => engine.stats().connections === 2);
    await new Promise((resolve) => silent.on("remoteSettings", resolve));
    const gone = new Promise((resolve) => silent.on("close", resolve));
    await clock.advance(engineLimits.headTimeoutMs + 200);
    await gone;
    assert.equal(session.closed, false);
    const idle = new Promise((resolve) => session.on("goaway", resolve));
    await clock.advance(engineLimits.keepAliveMs + 200);
    assert.equal(await idle, constants.NGHTTP2_NO_ERROR);
    await eventually(() => engine.stats().connections === 0);
  });

  it("counts its connections with the others, and is not spoken where it is turned off", async (t) => {
    const { engine, session } = await start(t, echo, { limits: { connections: 1 } });
    await answerOf(session.request({}));
    assert.equal(engine.stats().connections, 1);
    const off = await startEngine(t, { handler: echo, readMode, http2: false });
    const raw = off.client();
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert.match(await raw.untilEnd(), /^HTTP\/1\.1 501 /);
    await assert.rejects(startEngine(t, { handler: echo, http2: { streams: 0 } }), /"streams" must be a whole number/);
    await assert.rejects(startEngine(t, { handler: echo, http2: { steams: 1 } as object }), /"steams" is not a limit/);
  });

  it("knows the preface byte by byte, and takes nothing else for it", async (t) => {
    const { engine, client } = await startEngine(t, { handler: echo, readMode });
    const frames = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const slow = client();
    for (const byte of frames) {
      slow.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Its SETTINGS, and the acknowledgement of ours.
    await slow.untilText("\x04\x01\0\0\0\0");
    for (const bytes of [
      "PRI / HTTP/2.0\r\n\r\n",
      "PRIX * HTTP/2.0\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
    ]) {
      const other = client();
      other.send(bytes);
      assert.match(await other.untilEnd(), /HTTP\/1\.1 (400|501) /);
    }
    assert.equal(engine.stats().requests, 1);
  });

  it("drains: announces, answers what comes until the client knows, and closes when all streams have ended", async (t) => {
    const gate = Promise.withResolvers<void>();
    const { engine, session, get } = await start(t, async (request) => {
      if (request.target === "/slow") await gate.promise;
      return echo(request);
    });
    const slow = get("/slow");
    await eventually(() => engine.stats().inFlight === 1);
    const draining = engine.drain(10_000);
    await new Promise((resolve) => session.on("goaway", resolve));
    gate.resolve();
    assert.equal((await slow).body, "GET /slow");
    assert.deepEqual(await draining, { outcome: "drained" });
  });

  it("loses no request of busy clients at a drain: each is answered, or was never accepted", async (t) => {
    const { engine, connectAgain } = await start(t, echo);
    let answered = 0;
    const clients = Array.from({ length: 10 }, async () => {
      const session = connectAgain();
      while (!session.closed && !session.destroyed) {
        const answer = await answerOf(session.request({ ":path": "/x" }));
        // What node:http2 refuses locally after GOAWAY never left.
        if (answer.head[":status"] === undefined) assert.ok(session.closed, "a request got no answer");
        else answered++;
      }
    });
    await eventually(() => answered > 300);
    assert.deepEqual(await engine.drain(10_000), { outcome: "drained" });
    await Promise.all(clients);
  });

  it("cuts what is left at the drain's deadline", async (t) => {
    let aborted = false;
    const { engine, session } = await start(t, (request) => {
      request.signal.addEventListener("abort", () => (aborted = true));
      return never;
    });
    const stuck = answerOf(session.request({}));
    await eventually(() => engine.stats().inFlight === 1);
    assert.deepEqual(await engine.drain(150), { outcome: "timed_out", cut: 1 });
    assert.equal((await stuck).head[":status"], undefined);
    assert.equal(aborted, true);
    assert.equal(engine.stats().inFlight, 0);
  });
}
