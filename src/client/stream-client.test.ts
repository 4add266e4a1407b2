import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { test, type TestContext } from "node:test";
import { contract, event, fault, query, subscription } from "../contract/index.ts";
import { manualClock, ok, type Result } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { implement, serve, type Server } from "../serve/index.ts";
import { createClient } from "./index.ts";

const TooHigh = fault("TOO_HIGH", { kind: "out_of_range", data: { most: t.int32() } });
const options = {
  access: "public",
  input: { to: t.int32({ minimum: 0 }), fail: t.default(t.boolean(), false) },
  output: { n: t.int64(), at: t.timestamp() },
  faults: [TooHigh],
} as const;
const resumable = subscription("resumable", { ...options, resume: true });
const once = subscription("once", options);
const secret = subscription("secret", { ...options, access: "authenticated" });
const posted = subscription("posted", { ...options, http: "POST /posted" });
const plain = query("plain", { access: "public", input: {}, output: {} });
const live = contract("live.v1", { resumable, once, secret, posted, plain });

/** How often a handler has begun, and how often it has ended. */
interface Seen {
  begun: number;
  ended: number;
}

/** Counts to `to`, and stays open there when it is 1000. */
function app(seen: Seen = { begun: 0, ended: 0 }) {
  async function* count(call: {
    readonly input: { readonly to: number; readonly fail: boolean };
    readonly signal: AbortSignal;
    readonly lastEventId?: string | undefined;
  }) {
    const { input, signal } = call;
    seen.begun++;
    try {
      for (let n = Number(call.lastEventId ?? 0) + 1; n <= Math.min(input.to, 999); n++)
        yield { n: BigInt(n), at: new Date(n) };
      if (input.fail) return TooHigh({ most: input.to });
      if (input.to === 1000) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return undefined;
    } finally {
      seen.ended++;
    }
  }
  return implement(live, {
    authenticate: (request) => (request.header("authorization") === "Bearer good" ? { subject: "ann" } : undefined),
    handlers: {
      once: count,
      secret: count,
      posted: count,
      plain: () => ({}),
      resumable: async function* (call) {
        for await (const item of count(call)) yield event(item, { id: String(item.n) });
      },
    },
  });
}

async function start(context: TestContext, seen?: Seen, port = 0): Promise<Server> {
  const server = await serve(app(seen), { port, signals: [], log: false, webSocket: true });
  context.after(() => server.stop());
  return server;
}

async function all<T, F>(stream: AsyncIterable<Result<T, F>>): Promise<Result<T, F>[]> {
  const results: Result<T, F>[] = [];
  for await (const one of stream) results.push(one);
  return results;
}

const codes = (results: readonly Result<{ n: bigint }, { code: string }>[]): (string | number)[] =>
  results.map((one) => (one.ok ? Number(one.value.n) : one.fault.code));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A server that says whatever it likes. */
async function strange(context: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

test("a client iterates a subscription: decoded items, then the end", async (context) => {
  const { url } = await start(context);
  const client = createClient(live, { url });
  const stream = client.resumable({ to: 3 });
  assert.deepEqual(
    await all(stream),
    [1, 2, 3].map((n) => ok({ n: BigInt(n), at: new Date(n) })),
  );
  assert.equal(stream.lastEventId, "3");
  assert.deepEqual(await all(stream), []);
  assert.deepEqual(codes(await all(client.posted({ to: 2 }))), [1, 2]);
  assert.deepEqual(codes(await all(client.resumable({ to: 5 }, { lastEventId: "3" }))), [4, 5]);
});

test("the same in memory, against app.fetch", async () => {
  const seen = { begun: 0, ended: 0 };
  const client = createClient(live, { url: "http://memory", fetch: app(seen).fetch });
  assert.deepEqual(codes(await all(client.once({ to: 2 }))), [1, 2]);
  for await (const one of client.once({ to: 1000 })) if (one.ok && one.value.n === 3n) break;
  await until(() => seen.ended === 2);
});

test("a stream fails with a typed fault, before its first item or after", async (context) => {
  const { url } = await start(context);
  const client = createClient(live, { url });
  for (const to of [0, 2]) {
    const last = (await all(client.once({ to, fail: true }))).at(-1);
    assert.ok(last !== undefined && !last.ok && last.fault.code === "TOO_HIGH");
    assert.equal(last.fault.data.most, to);
  }
  assert.deepEqual(codes(await all(client.secret({ to: 1 }))), ["UNAUTHENTICATED"]);
  assert.deepEqual(codes(await all(createClient(live, { url, auth: "good" }).secret({ to: 1 }))), [1]);
  assert.deepEqual(codes(await all(client.once({ to: -1 }))), ["INVALID_INPUT"]);
  assert.deepEqual(codes(await all(client.once({ to: 1 }, { timeout: "soon" }))), ["INVALID_INPUT"]);
  assert.deepEqual(codes(await all(client.once({ to: 1 }, { reconnect: { attempts: -1 } }))), ["INVALID_INPUT"]);
});

test("leaving the loop ends the handler, and so does the caller's signal", async (context) => {
  const seen = { begun: 0, ended: 0 };
  const { url } = await start(context, seen);
  const client = createClient(live, { url });
  for await (const one of client.once({ to: 1000 })) if (one.ok && one.value.n === 999n) break;
  await until(() => seen.ended === 1);

  const stop = new AbortController();
  const results: (string | number)[] = [];
  for await (const one of client.resumable({ to: 1000 }, { signal: stop.signal })) {
    results.push(one.ok ? Number(one.value.n) : one.fault.code);
    if (results.length === 999) stop.abort();
  }
  assert.deepEqual(results.slice(-2), [999, "ABORTED"]);
  await until(() => seen.ended === 2);
  assert.deepEqual(codes(await all(client.once({ to: 1 }, { signal: AbortSignal.abort() }))), ["ABORTED"]);
  assert.equal(seen.begun, 2);
});

test("a stream goes on at the next server where the last one stopped: nothing is lost, nothing comes twice", async (context) => {
  const first = await start(context);
  const client = createClient(live, { url: first.url });
  const stream = client.resumable(
    { to: 1000 },
    { reconnect: { attempts: 1_000, backoff: { kind: "fixed", firstMs: 5, maxMs: 5, factor: 1, jitter: 0 } } },
  );
  const numbers: number[] = [];
  let restarted: Promise<Server> | undefined;
  for await (const one of stream) {
    assert.ok(one.ok, one.ok ? "" : one.fault.message);
    numbers.push(Number(one.value.n));
    if (numbers.length === 500) restarted = first.stop().then(() => start(context, undefined, first.port));
    if (numbers.length === 999) break;
  }
  assert.deepEqual(
    numbers,
    Array.from({ length: 999 }, (_, i) => i + 1),
  );
  assert.ok(restarted === undefined || (await restarted).port === first.port);
});

test("without resume a drained server is a fault of the stream, not silence", async (context) => {
  const server = await start(context);
  const client = createClient(live, { url: server.url });
  const results: (string | number)[] = [];
  for await (const one of client.once({ to: 1000 })) {
    results.push(one.ok ? Number(one.value.n) : one.fault.code);
    if (results.length === 999) void server.stop();
  }
  assert.equal(results.at(-1), "STREAM_MOVED");
});

test("connections are made again so often without an item, and no oftener", async (context) => {
  let asked = 0;
  const url = await strange(context, (_, response) => {
    asked++;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("retry: 1\n\n");
  });
  const backoff = { kind: "fixed", firstMs: 1, maxMs: 1, factor: 1, jitter: 0 } as const;
  const stream = createClient(live, { url }).resumable({ to: 1 }, { reconnect: { attempts: 3, backoff } });
  assert.deepEqual(codes(await all(stream)), ["STREAM_MOVED"]);
  assert.equal(asked, 4);
});

test("a stream without a sign of life is broken", async (context) => {
  const url = await strange(context, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(":\n\n");
  });
  const clock = manualClock();
  const client = createClient(live, { url, clock });
  const results = all(client.once({ to: 1 }, { idleTimeout: "20s" }));
  let ended = false;
  void results.then(() => (ended = true));
  while (!ended) {
    await clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [only] = await results;
  assert.ok(only !== undefined && !only.ok && only.fault.code === "NETWORK_ERROR");
  assert.match(only.fault.data.reason, /no sign of life/);
});

test("what is no stream of this contract is told apart from it", async (context) => {
  const answers: readonly (readonly [string, string, string])[] = [
    ["text/html", "<h1>Sign in</h1>", "UNEXPECTED_RESPONSE"],
    ["text/event-stream", 'data: {"n":"x"}\n\n', "UNEXPECTED_RESPONSE"],
    ["text/event-stream", "data: no json\n\n", "UNEXPECTED_RESPONSE"],
    ["text/event-stream", `data: ${"x".repeat(2_000)}`, "UNEXPECTED_RESPONSE"],
    ["text/event-stream", "event: fault\ndata: {}\n\n", "UNEXPECTED_RESPONSE"],
    ["text/event-stream", 'event: fault\ndata: {"code":"NEW","detail":"d"}\n\n', "UNEXPECTED_RESPONSE"],
    ["text/event-stream", "event: later\ndata: 1\n\n", "STREAM_MOVED"],
  ];
  for (const [type, body, code] of answers) {
    const url = await strange(context, (_, response) => response.writeHead(200, { "content-type": type }).end(body));
    const client = createClient(live, { url, maxResponseBytes: 1_000 });
    assert.deepEqual(codes(await all(client.once({ to: 1 }))), [code], body);
  }
  const gone = createClient(live, { url: "http://127.0.0.1:1" });
  assert.deepEqual(codes(await all(gone.once({ to: 1 }))), ["NETWORK_ERROR"]);
  const silent = await strange(context, () => undefined);
  assert.deepEqual(codes(await all(createClient(live, { url: silent }).once({ to: 1 }, { timeout: 50 }))), ["TIMEOUT"]);
  const done = await strange(context, (_, response) => response.writeHead(204).end());
  assert.deepEqual(codes(await all(createClient(live, { url: done }).once({ to: 1 }))), []);
});

/** The same over the platform's WebSocket. */
test("over WebSocket: items, faults, a token, and a handler that ends with its reader", async (context) => {
  const seen = { begun: 0, ended: 0 };
  const { url } = await start(context, seen);
  const client = createClient(live, { url, webSocket: true });
  const stream = client.resumable({ to: 3 });
  assert.deepEqual(
    await all(stream),
    [1, 2, 3].map((n) => ok({ n: BigInt(n), at: new Date(n) })),
  );
  assert.equal(stream.lastEventId, "3");
  assert.deepEqual(codes(await all(client.resumable({ to: 5 }, { lastEventId: "3" }))), [4, 5]);
  assert.deepEqual(codes(await all(client.once({ to: 1, fail: true }))), [1, "TOO_HIGH"]);
  // The platform does not say with which status a handshake was refused.
  assert.deepEqual(codes(await all(client.secret({ to: 1 }))), ["NETWORK_ERROR"]);
  assert.deepEqual(codes(await all(createClient(live, { url, webSocket: true, auth: "good" }).secret({ to: 1 }))), [1]);
  for await (const one of client.once({ to: 1000 })) if (one.ok && one.value.n === 999n) break;
  await until(() => seen.ended === seen.begun);
  const down = createClient(live, { url: "http://127.0.0.1:1", webSocket: true });
  assert.deepEqual(codes(await all(down.once({ to: 1 }))), ["NETWORK_ERROR"]);
  const silent = await strange(context, () => undefined);
  const slow = createClient(live, { url: silent, webSocket: true }).once({ to: 1 }, { timeout: 50 });
  assert.deepEqual(codes(await all(slow)), ["TIMEOUT"]);
});

test("over WebSocket a stream goes on at the next server, and what is not read is bounded", async (context) => {
  const seen = { begun: 0, ended: 0 };
  const first = await start(context);
  const backoff = { kind: "fixed", firstMs: 5, maxMs: 5, factor: 1, jitter: 0 } as const;
  const client = createClient(live, { url: first.url, webSocket: true });
  const numbers: number[] = [];
  let next: Promise<Server> | undefined;
  for await (const one of client.resumable({ to: 1000 }, { reconnect: { attempts: 1_000, backoff } })) {
    assert.ok(one.ok, one.ok ? "" : one.fault.message);
    numbers.push(Number(one.value.n));
    if (numbers.length === 500) next = first.stop().then(() => start(context, seen, first.port));
    if (numbers.length === 999) break;
  }
  assert.deepEqual(
    numbers,
    Array.from({ length: 999 }, (_, i) => i + 1),
  );
  await next;
  await until(() => seen.ended === seen.begun);
  const small = createClient(live, { url: first.url, webSocket: true, maxResponseBytes: 2_000 });
  const results = small.once({ to: 1000 })[Symbol.asyncIterator]();
  assert.ok((await results.next()).value?.ok);
  // Nobody reads on: the client gives up, and the handler, which would stay, ends.
  const { begun } = seen;
  await until(() => seen.ended === begun);
  const codesSeen: (string | number)[] = [];
  for (let step = await results.next(); step.done !== true; step = await results.next())
    codesSeen.push(...codes([step.value]));
  assert.equal(codesSeen.at(-1), "UNEXPECTED_RESPONSE");
});
