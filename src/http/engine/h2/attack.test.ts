/**
 * Known attacks on HTTP/2, frame by frame and with a bounded size. Each must be cut off by a limit, cost the process little memory,
 * and leave a well-behaved client beside it unharmed.
 */
import assert from "node:assert/strict";
import { connect, constants } from "node:http2";
import { test, type TestContext } from "node:test";
import { manualClock } from "../../../core/index.ts";
import { HeaderBlock, type HttpHandler } from "../../../exchange/index.ts";
import { eventually, type RawClient } from "../conformance/raw-client.ts";
import { startEngine } from "../conformance/start-engine.ts";
import { engineLimits, type Engine, type EngineOptions } from "../index.ts";
import { http2Limits } from "./index.ts";

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

/** One frame (RFC 9113 section 4.1) as Latin-1 text. */
function frame(type: number, flags: number, stream: number, payload = ""): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head.toString("latin1") + payload;
}

function uint32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString("latin1");
}

/** GET / with :authority "a", without the dynamic table. `path`: POST to it instead. */
const get = "\x82\x86\x84\x01\x01a";
const post = "\x83\x86\x84\x01\x01a";
const preface = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(SETTINGS, 0, 0)}`;

/** Frames that the server has sent, as type and payload. */
function frames(text: string): { type: number; flags: number; stream: number; payload: string }[] {
  const all = [];
  for (let at = 0; at + 9 <= text.length;) {
    const head = Buffer.from(text.slice(at, at + 9), "latin1");
    const length = head.readUIntBE(0, 3);
    const payload = text.slice(at + 9, at + 9 + length);
    all.push({ type: head[3] as number, flags: head[4] as number, stream: head.readUInt32BE(5), payload });
    at += 9 + length;
  }
  return all;
}

function goawayCode(text: string): number | undefined {
  const last = frames(text).findLast(({ type }) => type === GOAWAY);
  return last === undefined ? undefined : Buffer.from(last.payload, "latin1").readUInt32BE(4);
}

interface Stage {
  readonly engine: Engine;
  readonly attacker: () => RawClient;
  /** A well-behaved client on a connection of its own: throws unless it is answered. */
  readonly wellBehaved: () => Promise<void>;
}

async function stage(
  t: TestContext,
  handler: HttpHandler,
  options: Omit<EngineOptions, "handler"> = {},
): Promise<Stage> {
  const { engine, client } = await startEngine(t, {
    ...options,
    handler: (request) =>
      request.target === "/well" ? { status: 200, headers: HeaderBlock.empty, body: "well" } : handler(request),
  });
  const session = connect(`http://127.0.0.1:${engine.address()?.port}`);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  const wellBehaved = async (): Promise<void> => {
    const stream = session.request({ ":path": "/well" });
    let body = "";
    stream.setEncoding("utf8").on("data", (part: string) => (body += part));
    await new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
    assert.equal(body, "well");
  };
  await wellBehaved();
  const attacker = (): RawClient => {
    const made = client();
    made.send(preface);
    return made;
  };
  return { engine, attacker, wellBehaved };
}

/** Sends until everything is sent or the server has closed, as fast as it takes it. */
async function flood(attacker: RawClient, piece: (n: number) => string, pieces: number): Promise<void> {
  for (let n = 0; n < pieces && !attacker.ended; n += 100) {
    let batch = "";
    for (let i = n; i < n + 100 && i < pieces; i++) batch += piece(i);
    attacker.send(batch);
    // Lets the server, in the same process, have its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const never = new Promise<never>(() => undefined);
const megabyte = 1024 * 1024;

/** Memory that the attack may hold, outside of V8's heap and in it. */
function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const it = (name: string, body: (t: TestContext) => Promise<void>): void => void test(name, { timeout: 60_000 }, body);

it("rapid reset (CVE-2023-44487): few handlers run at once, and the connection is ended", async (t) => {
  let running = 0;
  const { engine, attacker, wellBehaved } = await stage(t, () => {
    running++;
    return never;
  });
  const a = attacker();
  const cancel = uint32(constants.NGHTTP2_CANCEL);
  await flood(
    a,
    (n) => {
      const stream = 2 * n + 1;
      return frame(HEADERS, END_STREAM | END_HEADERS, stream, get) + frame(RST_STREAM, 0, stream, cancel);
    },
    20_000,
  );
  await a.untilEnd();
  assert.notEqual(goawayCode(a.text), undefined);
  assert.ok(running <= http2Limits.streams, `${running} handlers ran`);
  await wellBehaved();
  await eventually(() => engine.stats().connections === 1);
});

it("more streams than allowed are refused, reset ones included while their handlers run", async (t) => {
  let running = 0;
  const { engine, attacker, wellBehaved } = await stage(
    t,
    () => {
      running++;
      return never;
    },
    { http2: { streams: 10, rejectedStreams: 1000 } },
  );
  const a = attacker();
  await flood(a, (n) => frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, get), 50);
  await a.until(
    () => frames(a.text).filter(({ type }) => type === RST_STREAM).length === 40,
    "40 streams to be refused",
  );
  assert.equal(running, 10);
  for (let n = 0; n < 10; n++) a.send(frame(RST_STREAM, 0, 2 * n + 1, uint32(constants.NGHTTP2_CANCEL)));
  await eventually(() => engine.stats().inFlight === 0);
  a.send(frame(HEADERS, END_STREAM | END_HEADERS, 101, get));
  await a.until(() => frames(a.text).some(({ type, stream }) => type === RST_STREAM && stream === 101));
  assert.equal(running, 10);
  await wellBehaved();
});

it("CONTINUATION flood (CVE-2024-27316): the connection ends after a few frames, and nothing is kept", async (t) => {
  for (const filler of ["", "\x00\x01x\x01y".repeat(500)]) {
    const { attacker, wellBehaved } = await stage(t, () => assert.fail("no request is complete"));
    const before = held();
    const a = attacker();
    a.send(frame(HEADERS, END_STREAM, 1, get));
    await flood(a, () => frame(CONTINUATION, 0, 1, filler), 5_000);
    await a.untilEnd();
    assert.notEqual(goawayCode(a.text), 0);
    await wellBehaved();
    assert.ok(held() - before < 64 * megabyte, "memory grew");
  }
});

it("PING and SETTINGS floods end with ENHANCE_YOUR_CALM; keep-alive between requests does not", async (t) => {
  const fine: HttpHandler = () => ({ status: 200, headers: HeaderBlock.empty, body: "fine" });
  for (const control of [frame(PING, 0, 0, "12345678"), frame(SETTINGS, 0, 0, `\0\x03${uint32(100)}`)]) {
    const { engine, attacker, wellBehaved } = await stage(t, fine);
    const a = attacker();
    await flood(a, () => control, 50_000);
    await a.untilEnd();
    assert.equal(goawayCode(a.text), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await wellBehaved();
    const busy = attacker();
    for (let n = 0; n < 5; n++) {
      await flood(busy, () => control, 500);
      busy.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, get));
      await busy.untilText("fine", n + 1);
    }
    assert.equal(busy.ended, false);
    busy.destroy();
    await eventually(() => engine.stats().connections === 1);
  }
});

it("HPACK bomb: a head that unfolds into megabytes is reset, and no handler sees it", async (t) => {
  const { attacker, wellBehaved } = await stage(t, () => assert.fail("a bomb was handled"));
  const before = held();
  const a = attacker();
  // One field of 3,900 bytes into the dynamic table (RFC 7541 section 6.2.1), then 15,000 references to it: 58 MB.
  const entry = `\x40\x01b\x7f${String.fromCharCode(((3900 - 127) & 127) | 128, (3900 - 127) >> 7)}${"x".repeat(3900)}`;
  for (let n = 0; n < 20 && !a.ended; n++) {
    const block = n === 0 ? entry : "\xbe".repeat(15_000);
    a.send(
      frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        2 * n + 1,
        (n === 0 ? get.replace("\x84", "\x44\x05/well") : get) + block,
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  await a.until(() => frames(a.text).some(({ type, stream }) => type === RST_STREAM && stream > 1) || a.ended);
  await wellBehaved();
  assert.ok(held() - before < 64 * megabyte, "memory grew");
});

it("too many header lines, or too many bytes of them, are reset on their stream alone", async (t) => {
  const { attacker, wellBehaved } = await stage(t, () => assert.fail("it was handled"));
  const a = attacker();
  a.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, get + "\x00\x01x\x01y".repeat(engineLimits.headerCount + 10)));
  await a.until(() => frames(a.text).some(({ type, stream }) => type === RST_STREAM && stream === 1));
  const long = `\x00\x01x\x7f${String.fromCharCode(((8000 - 127) & 127) | 128, (8000 - 127) >> 7)}${"y".repeat(8000)}`;
  a.send(
    frame(HEADERS, END_STREAM, 3, get + long) +
      frame(CONTINUATION, 0, 3, long) +
      frame(CONTINUATION, END_HEADERS, 3, long),
  );
  // This client has not acknowledged the bound, so the library does not hold it to that.
  await a.untilText("The request head is too large.");
  assert.equal(a.ended, false);
  await wellBehaved();
});

it("clients that open no window hold little memory, and are reset when their time is over", async (t) => {
  const clock = manualClock();
  const { engine, attacker, wellBehaved } = await stage(
    t,
    () => ({ status: 200, headers: HeaderBlock.empty, body: bodyOf64(megabyte) }),
    { clock },
  );
  const before = held();
  const a = attacker();
  a.send(frame(SETTINGS, 0, 0, `\0\x04${uint32(0)}`));
  await flood(a, (n) => frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, get), 100);
  await eventually(() => engine.stats().inFlight === 100);
  await wellBehaved();
  assert.ok(held() - before < 64 * megabyte, "memory grew");
  await clock.advance(engineLimits.writeStallMs + 200);
  await eventually(() => engine.stats().inFlight === 0);
  assert.equal(engine.stats().timedOut, 100);
  await a.until(
    () => frames(a.text).filter(({ type }) => type === RST_STREAM).length === 100,
    "100 streams to be reset",
  );
});

/** A megabyte in pieces, which nobody makes before it is asked for. */
async function* bodyOf64(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += 65_536) yield await Promise.resolve(Buffer.alloc(65_536));
}

it("hundreds of idle connections cost little each, and end when their time is over", async (t) => {
  const clock = manualClock();
  const { engine, attacker, wellBehaved } = await stage(t, () => assert.fail("nobody asks"), { clock });
  const before = held();
  const idle: RawClient[] = [];
  for (let n = 0; n < 400; n++) {
    idle.push(attacker());
    if (n % 50 === 0) await wellBehaved();
  }
  await eventually(() => engine.stats().connections === 401);
  for (const one of idle) await one.until(() => one.text.length > 0, "SETTINGS");
  // Both ends are in this process.
  assert.ok(held() - before < 400 * 128 * 1024, `${(held() - before) / 400} bytes for each`);
  await wellBehaved();
  await clock.advance(engineLimits.headTimeoutMs + 200);
  for (const one of idle) one.socket.end();
  await eventually(() => engine.stats().connections === 1);
  await wellBehaved();
});

it("a body that breaks off without an error code is not taken for a whole one", async (t) => {
  const faults: string[] = [];
  let begun = 0;
  const { attacker } = await stage(t, async (request) => {
    begun++;
    const body = await request.body(1000);
    faults.push(body.ok ? "whole" : body.fault.code);
    return { status: 200, headers: HeaderBlock.empty, body: "" };
  });
  const a = attacker();
  for (const [stream, code] of [
    [1, constants.NGHTTP2_NO_ERROR],
    [3, constants.NGHTTP2_CANCEL],
  ] as const) {
    a.send(frame(HEADERS, END_HEADERS, stream, post) + frame(DATA, 0, stream, "half"));
    await eventually(() => begun === (stream + 1) / 2);
    a.send(frame(RST_STREAM, 0, stream, uint32(code)));
    await eventually(() => faults.length === begun);
  }
  assert.deepEqual(faults, ["CLIENT_GONE", "CLIENT_GONE"]);
});

it("floods of empty DATA and of WINDOW_UPDATE hold nothing, and leave others their turn", async (t) => {
  const { attacker, wellBehaved } = await stage(t, async (request) => {
    void (await request.body(1000));
    return { status: 200, headers: HeaderBlock.empty, body: "" };
  });
  const before = held();
  const a = attacker();
  a.send(frame(HEADERS, END_HEADERS, 1, post));
  await flood(a, () => frame(DATA, 0, 1), 20_000);
  await wellBehaved();
  const b = attacker();
  await flood(b, () => frame(WINDOW_UPDATE, 0, 0, uint32(1)), 20_000);
  await wellBehaved();
  assert.ok(held() - before < 64 * megabyte, "memory grew");
});
