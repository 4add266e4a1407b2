/** Streamed request bodies, on both ways of reading. */
import assert from "node:assert/strict";
import { manualClock } from "../../core/index.ts";
import { BodyError, HeaderBlock, type HttpHandler, type HttpRequest, type HttpResponse } from "../../exchange/index.ts";
import { eventually } from "./conformance/raw-client.ts";
import { readModes, testsOf } from "./conformance/start-engine.ts";

const text = (body: string, status = 200): HttpResponse => ({ status, headers: HeaderBlock.empty, body });
const post = (fields: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`;

/** Answers with how many bytes came and how it ended. */
async function drained(request: HttpRequest, limit = 1 << 30, gate?: Promise<void>): Promise<HttpResponse> {
  const opened = request.bodyStream(limit);
  if (!opened.ok) return text(`at once ${opened.fault.code}`, 400);
  await gate;
  let bytes = 0;
  let sum = 0;
  try {
    for await (const piece of opened.value) {
      bytes += piece.length;
      for (const byte of piece) sum = (sum + byte) % 65_536;
    }
    return text(`read ${bytes} sum ${sum}`);
  } catch (error) {
    assert.ok(error instanceof BodyError);
    return text(`after ${bytes} ${error.fault.code}`, 400);
  }
}

for (const readMode of readModes) {
  const { start, it } = testsOf(readMode);

  it("a body comes in pieces, by length or in chunks, and the next request follows it", async (t) => {
    const { client } = await start(t, async (request) => drained(request));
    const c = client();
    c.send(`${post("Content-Length: 6")}abc`);
    c.send("abc");
    await c.untilText("read 6 sum 588");
    c.send(`${post("Transfer-Encoding: chunked")}3\r\nabc\r\n`);
    c.send("2\r\nde\r\n0\r\n\r\n");
    await c.untilText("read 5 sum 495");
    c.send(`${post("Content-Length: 0")}${post("Content-Length: 1")}z${post("Content-Length: 2")}zz`);
    await c.untilText("read 0 sum 0");
    await c.untilText("read 2 sum 244");
    assert.equal(c.ended, false);
  });

  it("a body of any split arrives whole", async (t) => {
    const { client } = await start(t, async (request) => drained(request));
    const wire = `${post("Transfer-Encoding: chunked")}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
    for (let at = 1; at < wire.length; at++) {
      const c = client();
      c.send(wire.slice(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      c.send(wire.slice(at));
      await c.untilText("read 5 sum 495");
      c.destroy();
    }
  });

  it("what nobody takes stays with the client", async (t) => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let asked = false;
    const { client } = await start(t, async (request) => {
      asked = true;
      return drained(request, 1 << 30, gate);
    });
    const c = client();
    const size = 96 << 20;
    const before = process.memoryUsage().arrayBuffers;
    c.send(post(`Content-Length: ${size}`));
    c.socket.write(Buffer.alloc(size, 1));
    await eventually(() => asked);
    // The system's own buffers take some megabytes. Let everything that would be read be read.
    for (let turns = 0; turns < 300; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(c.socket.writableLength > 0, "the client still holds the body");
    assert.ok(process.memoryUsage().arrayBuffers - before - size < 8 << 20, "and the server next to nothing of it");
    open();
    await c.untilText(`read ${size}`);
  });

  it("a limit is known at once by length, in chunks when it is passed; the connection ends", async (t) => {
    const { client } = await start(t, async (request) => drained(request, 4));
    const known = client();
    known.send(`${post("Content-Length: 500000")}`);
    assert.match(await known.untilEnd(), /connection: close[\s\S]*at once PAYLOAD_TOO_LARGE/);
    const chunked = client();
    chunked.send(`${post("Transfer-Encoding: chunked")}3\r\nabc\r\n`);
    chunked.send("3\r\ndef\r\n");
    assert.match(await chunked.untilEnd(), /after 3 PAYLOAD_TOO_LARGE/);
    const short = await start(t, async (request) => drained(request), { limits: { bodyBytes: 10, streamBytes: 20 } });
    const refused = short.client();
    refused.send(post("Content-Length: 21"));
    assert.match(await refused.untilEnd(), /^HTTP\/1\.1 413/);
    const streamed = short.client();
    streamed.send(`${post("Content-Length: 20")}${"x".repeat(20)}`);
    await streamed.untilText("read 20");
  });

  it("a body that is held in memory keeps its own limit", async (t) => {
    const handler: HttpHandler = async (request) => {
      const body = await request.body(1000);
      return text(body.ok ? "held" : body.fault.code);
    };
    const { client } = await start(t, handler, { limits: { bodyBytes: 10 } });
    const c = client();
    c.send(`${post("Content-Length: 11")}${"x".repeat(11)}`);
    await c.untilText("PAYLOAD_TOO_LARGE");
  });

  it("broken chunks and a client that leaves are faults of the stream", async (t) => {
    const ends: string[] = [];
    let begun = 0;
    const { client } = await start(t, async (request) => {
      begun++;
      const answer = await drained(request);
      ends.push(typeof answer.body === "string" ? answer.body : "");
      return answer;
    });
    const bad = client();
    bad.send(`${post("Transfer-Encoding: chunked")}3\r\nabcX`);
    assert.match(await bad.untilEnd(), /BAD_BODY/);
    const gone = client();
    gone.send(`${post("Content-Length: 10")}abc`);
    await eventually(() => begun === 2);
    gone.destroy();
    await eventually(() => ends.length === 2);
    assert.match(ends[1] as string, /^after [03] CLIENT_GONE$/);
    const half = client();
    half.send(`${post("Content-Length: 10")}abcd`);
    half.socket.end();
    assert.match(await half.untilEnd(), /after 4 CLIENT_GONE/);
  });

  it("silence is timed while the reader waits, and not while it does not", async (t) => {
    const clock = manualClock();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let asked = 0;
    const { client } = await start(
      t,
      async (request) => {
        asked++;
        return drained(request, 1 << 30, gate);
      },
      { clock, limits: { bodyIdleTimeoutMs: 1_000 } },
    );
    const c = client();
    c.send(`${post("Content-Length: 10")}abc`);
    await eventually(() => asked === 1);
    await clock.advance(3_600_000);
    assert.equal(c.text, "", "the handler takes its time");
    open();
    await eventually(() => clock.waiting > 0);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(900);
    assert.equal(c.text, "");
    await clock.advance(300);
    assert.match(await c.untilEnd(), /after 3 BODY_TIMEOUT/);
  });

  it("a trickle is cut when it brings less than the slowest rate, a slow upload that is faster is not", async (t) => {
    for (const [piece, end] of [
      ["x", /after \d+ BODY_TIMEOUT/],
      ["x".repeat(60), /read 6000/],
    ] as const) {
      const clock = manualClock();
      let seen = 0;
      const handler: HttpHandler = async (request) => {
        const opened = request.bodyStream(10_000);
        assert.ok(opened.ok);
        try {
          for await (const part of opened.value) seen += part.length;
          return text(`read ${seen}`);
        } catch (error) {
          return text(`after ${seen} ${(error as BodyError).fault.code}`);
        }
      };
      const limits = { bodyIdleTimeoutMs: 2_000, bodyTimeoutMs: 5_000, streamBytesPerSecond: 50 };
      const { client } = await start(t, handler, { clock, limits });
      const c = client();
      c.send(post(`Content-Length: ${6000}`));
      for (let sent = 0; sent < 6000 && c.text === ""; sent += piece.length) {
        c.send(piece);
        await eventually(() => seen >= sent + piece.length || c.text !== "" || c.ended);
        await clock.advance(1_000);
        if (sent > 200 && piece.length === 1) break;
        for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
      }
      await c.untilText("HTTP/1.1");
      await eventually(() => end.test(c.text));
      c.destroy();
    }
  });

  it("100 Continue is sent when the first piece is asked for, and not to somebody who is refused", async (t) => {
    const { client } = await start(t, async (request) =>
      request.header("x-no") === undefined ? drained(request) : text("no", 403),
    );
    const c = client();
    c.send(post("Content-Length: 3\r\nExpect: 100-continue"));
    await c.untilText("HTTP/1.1 100 Continue\r\n\r\n");
    c.send("abc");
    await c.untilText("read 3");
    const refused = client();
    refused.send(post("Content-Length: 3\r\nX-No: 1\r\nExpect: 100-continue"));
    const answer = await refused.untilEnd();
    assert.match(answer, /^HTTP\/1\.1 403[\s\S]*connection: close/);
  });

  it("a reader that stops early leaves a short rest to the engine and ends the connection after a long one", async (t) => {
    const { client } = await start(t, async (request) => {
      const opened = request.bodyStream(1 << 30);
      assert.ok(opened.ok);
      for await (const piece of opened.value) return text(`first ${piece.length > 0}`);
      return text("nothing");
    });
    const c = client();
    c.send(`${post("Content-Length: 10")}abc`);
    await c.untilText("first true");
    c.send(`defghij${post("Content-Length: 1")}z`);
    await c.untilText("first true", 2);
    const long = client();
    long.send(`${post("Content-Length: 10000000")}abc`);
    assert.match(await long.untilEnd(), /connection: close[\s\S]*first true/);
  });

  it("a body is read once, one way", async (t) => {
    const { client } = await start(t, async (request) => {
      const whole = await request.body(10);
      const opened = request.bodyStream(10);
      return text(`${whole.ok} ${opened.ok}`);
    });
    const c = client();
    c.send(`${post("Content-Length: 1")}a`);
    await c.untilText("true false");
  });
}
