/** Subscriptions over WebSocket, through a served port and `ws`'s own client. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { WebSocket, type ClientOptions } from "ws";
import {
  contract,
  event,
  fault,
  middleware,
  subscription,
  type ServerMessage,
  type StreamLimits,
} from "../../contract/index.ts";
import { manualClock, type Clock } from "../../core/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve, type Server, type ServeOptions } from "../../serve/index.ts";

const TooHigh = fault("TOO_HIGH", { kind: "out_of_range", data: { most: t.int32() } });
const count = subscription("count", {
  access: "public",
  http: "GET /count/{to}",
  input: { to: t.int32({ minimum: 0 }), end: t.default(t.enum(["end", "fail", "throw", "stay"]), "end") },
  output: { n: t.int32() },
  faults: [TooHigh],
  resume: true,
});
const mine = subscription("mine", { access: "authenticated", input: {}, output: { who: t.string() } });
const flood = subscription("flood", { access: "public", input: {}, output: { text: t.string() } });
const live = contract("live.v1", { count, mine, flood });

interface Started {
  readonly server: Server;
  readonly seen: { begun: number; ended: number; made: number };
  /** `to`: path and query. */
  connect(to: string, options?: ClientOptions, protocols?: string[]): Peer;
}

async function start(
  context: TestContext,
  options: { webSocket?: ServeOptions["webSocket"]; streams?: Partial<StreamLimits>; clock?: Clock } = {},
): Promise<Started> {
  const seen = { begun: 0, ended: 0, made: 0 };
  const marked = middleware(async (call, next) => {
    call.reply.set("x-marked", "yes");
    return next({});
  });
  const gate = middleware({
    admit: (call) => {
      call.reply.set("x-gate", "passed");
      return undefined;
    },
  });
  const app = implement(live, {
    authenticate: (request) =>
      request.header("authorization") === "Bearer good.token" ? { subject: "ann" } : undefined,
    middleware: [gate, marked],
    handlers: {
      mine: async function* ({ auth }) {
        yield { who: auth.subject };
      },
      flood: async function* () {
        for (;;) {
          seen.made++;
          yield { text: "x".repeat(1_000) };
        }
      },
      count: async function* ({ input, lastEventId, signal }) {
        seen.begun++;
        try {
          for (let n = Number(lastEventId ?? 0) + 1; n <= input.to; n++) yield event({ n }, { id: String(n) });
          if (input.end === "fail") return TooHigh({ most: input.to });
          if (input.end === "throw") throw new Error("secret");
          if (input.end === "stay")
            await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          return undefined;
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
    webSocket: options.webSocket ?? true,
    limits: { streams: options.streams ?? {} },
    ...(options.clock !== undefined && { clock: options.clock }),
  });
  context.after(() => server.stop());
  return {
    server,
    seen,
    connect(to, clientOptions = {}, protocols = ["tensile.v1.json"]) {
      const peer = new Peer(new WebSocket(server.url.replace("http", "ws") + to, protocols, clientOptions));
      context.after(() => peer.socket.terminate());
      return peer;
    },
  };
}

/** A client that keeps what it hears. */
class Peer {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly refused: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => this.messages.push(JSON.parse((data as Buffer).toString()) as ServerMessage));
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) =>
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    this.refused = new Promise((resolve) =>
      socket.on("unexpected-response", (_, response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      }),
    );
  }

  say(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async until(count: number): Promise<void> {
    while (this.messages.length < count) await once(this.socket, "message");
  }

  of(stream: number): unknown[] {
    return this.messages
      .filter((one) => one.stream === stream)
      .map((one) => {
        if (one.type === "item") return one.item;
        return one.type === "fault" ? (one.fault as { readonly code: string }).code : one.type;
      });
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const items = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));

test("a subscription over WebSocket: items, the end, and 1000", async (context) => {
  const { connect } = await start(context);
  const peer = connect("/count/3");
  assert.deepEqual(await peer.closed, { code: 1000, reason: "" });
  assert.deepEqual(peer.messages, [
    { type: "item", stream: 0, id: "1", item: { n: 1 } },
    { type: "item", stream: 0, id: "2", item: { n: 2 } },
    { type: "item", stream: 0, id: "3", item: { n: 3 } },
    { type: "end", stream: 0 },
  ]);
  assert.equal(peer.socket.protocol, "tensile.v1.json");
});

test("it goes on after the last id, and thousands of items arrive in order", async (context) => {
  const { connect } = await start(context);
  const peer = connect("/count/5?lastEventId=3");
  await peer.closed;
  assert.deepEqual(peer.of(0), [...items(4, 5), "end"]);
  const many = connect("/count/20000");
  await many.closed;
  assert.deepEqual(many.of(0), [...items(1, 20_000), "end"]);
});

test("how a stream fails is a last message and a close code", async (context) => {
  const { connect } = await start(context);
  const cases: readonly (readonly [string, string, number])[] = [
    ["/count/1?end=fail", "TOO_HIGH", 1000],
    ["/count/1?end=throw", "INTERNAL", 1011],
    ["/count/x", "INVALID_INPUT", 1000],
  ];
  for (const [to, code, closeCode] of cases) {
    const peer = connect(to);
    assert.equal((await peer.closed).code, closeCode, to);
    assert.equal(peer.of(0).at(-1), code);
    assert.ok(!JSON.stringify(peer.messages).includes("secret"));
  }
});

test("one socket carries several subscriptions", async (context) => {
  const { connect, seen } = await start(context);
  const peer = connect("/count/1?end=stay");
  await peer.until(1);
  peer.say({ type: "subscribe", stream: 1, operation: "count", input: { to: 4 }, lastEventId: "2" });
  peer.say({ type: "subscribe", stream: 2, operation: "count", input: { to: 2, end: "stay" } });
  peer.say({ type: "subscribe", stream: 3, operation: "count", input: { to: "x" } });
  peer.say({ type: "subscribe", stream: 4, operation: "nothing" });
  peer.say({ type: "subscribe", stream: 5, operation: "mine" });
  await peer.until(9);
  assert.deepEqual(peer.of(1), [...items(3, 4), "end"]);
  assert.deepEqual(peer.of(2), items(1, 2));
  assert.deepEqual(peer.of(3), ["INVALID_INPUT"]);
  assert.deepEqual(peer.of(4), ["ROUTE_NOT_FOUND"]);
  assert.deepEqual(peer.of(5), ["UNAUTHENTICATED"]);
  peer.say({ type: "unsubscribe", stream: 2 });
  await until(() => seen.ended === 2);
  // Its number is free again.
  peer.say({ type: "subscribe", stream: 2, operation: "count", input: { to: 1 } });
  await peer.until(11);
  assert.deepEqual(peer.of(2), [...items(1, 2), ...items(1, 1), "end"]);
  peer.say({ type: "unsubscribe", stream: 0 });
  assert.equal((await peer.closed).code, 1000);
  await until(() => seen.ended === seen.begun);
});

test("there are at most so many subscriptions on a socket, and streams in a process", async (context) => {
  const { connect } = await start(context, { streams: { socketStreams: 2, streams: 3 } });
  const peer = connect("/count/1?end=stay");
  await peer.until(1);
  for (const stream of [1, 2])
    peer.say({ type: "subscribe", stream, operation: "count", input: { to: 0, end: "stay" } });
  await peer.until(2);
  assert.deepEqual(peer.of(2), ["TOO_MANY_STREAMS"]);
  const second = connect("/count/1?end=stay");
  await second.until(1);
  const third = connect("/count/1?end=stay");
  assert.equal((await third.closed).code, 1013);
  assert.deepEqual(third.of(0), ["TOO_MANY_STREAMS"]);
});

test("who may connect is decided before the handshake, by the same admission", async (context) => {
  const { connect } = await start(context);
  assert.equal(await connect("/mine").refused, 401);
  const known = connect("/mine", { headers: { authorization: "Bearer good.token" } });
  await known.closed;
  assert.deepEqual(known.of(0), [{ who: "ann" }, "end"]);
  const token = Buffer.from("good.token").toString("base64url");
  const page = connect("/mine", {}, ["tensile.v1.json", `tensile.bearer.${token}`]);
  await page.closed;
  assert.deepEqual(page.of(0), [{ who: "ann" }, "end"]);
  for (const bad of [
    "!",
    Buffer.from("bad").toString("base64url"),
    Buffer.from("good.token\r\nx").toString("base64url"),
  ])
    assert.equal(
      await connect("/mine", { headers: { "sec-websocket-protocol": `tensile.bearer.${bad}` } }, []).refused,
      401,
    );
});

test("pages of other origins are refused, whatever their cookies", async (context) => {
  const { connect, server } = await start(context);
  const from = (origin: string, host?: string): Peer =>
    connect("/count/0", { headers: { origin, ...(host !== undefined && { host }) } });
  for (const origin of [
    "https://evil.example",
    "null",
    "file://",
    "http://localhost:1",
    `http://127.0.0.1.evil.example:${server.port}`,
  ])
    assert.equal(await from(origin).refused, 403, origin);
  assert.equal((await from(server.url).closed).code, 1000);
  assert.equal((await from("https://api.example", "api.example").closed).code, 1000);
  assert.equal((await from("https://api.example", "api.example:443").closed).code, 1000);
  assert.equal(await from("https://api.example:444", "api.example").refused, 403);

  const listed = await start(context, { webSocket: { origins: ["https://app.example"] } });
  assert.equal((await listed.connect("/count/0", { origin: "https://app.example" }).closed).code, 1000);
  assert.equal(await listed.connect("/count/0", { origin: "https://app.example.evil" }).refused, 403);
  const open = await start(context, { webSocket: { origins: "any" } });
  assert.equal((await open.connect("/count/0", { origin: "https://evil.example" }).closed).code, 1000);
  await assert.rejects(start(context, { webSocket: { origins: ["https://app.example/"] } }), /is not an origin/);
});

test("the handshake's answer carries what middleware sets; other subprotocols are not selected", async (context) => {
  const { connect } = await start(context);
  const peer = connect("/count/0", {}, []);
  const [response] = (await once(peer.socket, "upgrade")) as [{ headers: Record<string, string> }];
  assert.equal(response.headers["x-gate"], "passed");
  assert.equal(response.headers["sec-websocket-protocol"], undefined);
  assert.equal(response.headers["sec-websocket-extensions"], undefined);
  assert.equal((await peer.closed).code, 1000);
  const other = connect("/count/0", {}, ["graphql-ws"]);
  const [error] = (await once(other.socket, "error")) as [Error];
  assert.match(error.message, /subprotocol/);
});

test("messages that are none of the protocol's, too long, binary or too many end the socket with their code", async (context) => {
  const { connect, seen } = await start(context, { streams: { messageBytes: 1_000, messagesPerSecond: 5 } });
  const bad: readonly (readonly [string | Buffer, number])[] = [
    ["no json", 1008],
    ["null", 1008],
    ['{"type":"publish","stream":1}', 1008],
    ['{"type":"subscribe","stream":0,"operation":"count"}', 1008],
    ['{"type":"subscribe","stream":1.5,"operation":"count"}', 1008],
    ['{"type":"subscribe","stream":1,"operation":"count","more":1}', 1008],
    ['{"type":"subscribe","stream":1,"operation":"count","lastEventId":"ä"}', 1008],
    ['{"type":"unsubscribe","stream":-1}', 1008],
    [Buffer.from([1, 2, 3]), 1003],
    ["x".repeat(1_001), 1009],
  ];
  for (const [message, code] of bad) {
    const peer = connect("/count/1?end=stay");
    await peer.until(1);
    peer.socket.send(message);
    assert.equal((await peer.closed).code, code, String(message).slice(0, 60));
  }
  const twice = connect("/count/1?end=stay");
  await twice.until(1);
  for (let i = 0; i < 2; i++)
    twice.say({ type: "subscribe", stream: 1, operation: "count", input: { to: 0, end: "stay" } });
  assert.equal((await twice.closed).code, 1008);
  for (const sort of ["message", "ping"] as const) {
    const flooding = connect("/count/1?end=stay");
    await flooding.until(1);
    for (let i = 0; i < 10_000; i++)
      if (sort === "ping") flooding.socket.ping();
      else flooding.say({ type: "unsubscribe", stream: 7 });
    assert.equal((await flooding.closed).code, 1008, sort);
  }
  await until(() => seen.ended === seen.begun);
});

test("a client that vanishes ends its handlers", async (context) => {
  const { connect, seen } = await start(context);
  const peer = connect("/count/1?end=stay");
  await peer.until(1);
  peer.socket.terminate();
  await until(() => seen.ended === 1);
});

test("a slow reader slows its handler, and little is gathered for it", async (context) => {
  const { connect, seen } = await start(context);
  const peer = connect("/flood");
  await peer.until(1);
  peer.socket.pause();
  let before = -1;
  // What the system's own buffers hold is made; then it stands still.
  while (before !== seen.made) {
    before = seen.made;
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(before * 1_000 < 16 * 1024 * 1024, `${before} items`);
  peer.socket.resume();
  await until(() => seen.made > before + 1_000);
});

test("a client that asks and does not read is not read: neither answers to its pings nor refusals gather", async (context) => {
  const { connect } = await start(context, { streams: { messagesPerSecond: 100_000, socketStreams: 1 } });
  const ask = { type: "subscribe", stream: 1, operation: "count" } as const;
  for (const sort of ["ping", "message"] as const) {
    const peer = connect("/count/1?end=stay");
    await peer.until(1);
    peer.socket.pause();
    // Far more than the system's buffers on both sides hold.
    for (let i = 0; i < 300_000; i++)
      if (sort === "ping") peer.socket.ping("x".repeat(125));
      else peer.say(ask);
    let before = -1;
    while (before !== peer.socket.bufferedAmount) {
      before = peer.socket.bufferedAmount;
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(before > 1024 * 1024, `${sort}: all but ${before} bytes were read`);
    peer.socket.terminate();
  }
});

test("a drain says 1001, and ends in time", async (context) => {
  const { connect, server, seen } = await start(context);
  const peers = [connect("/count/1?end=stay"), connect("/count/2?end=stay")];
  await Promise.all(peers.map((peer) => peer.until(1)));
  const report = await server.stop();
  assert.equal(report.outcome, "drained");
  assert.deepEqual(report.failures, []);
  for (const peer of peers) assert.equal((await peer.closed).code, 1001);
  assert.equal(seen.ended, 2);
});

test("a client that answers no ping is cut; one that does stays", async (context) => {
  const clock = manualClock();
  const { connect, seen, server } = await start(context, { clock });
  const lively = connect("/count/1?end=stay");
  const dead = connect("/count/1?end=stay", { autoPong: false });
  await lively.until(1);
  await dead.until(1);
  let pings = 0;
  lively.socket.on("ping", () => pings++);
  const { heartbeatMs, pongMs } = server.limits.streams;
  await clock.advance(heartbeatMs);
  await until(() => pings === 1);
  // The pong is on its way back.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(pongMs);
  assert.equal((await dead.closed).code, 1006);
  await until(() => seen.ended === 1);
  assert.equal(lively.socket.readyState, WebSocket.OPEN);
  await clock.advance(heartbeatMs);
  await until(() => pings === 2);
});

test("without the option an Upgrade is ignored: the answer is the event stream", async (context) => {
  const { connect } = await start(context, { webSocket: false });
  assert.equal(await connect("/count/0").refused, 200);
});
