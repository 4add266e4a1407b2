/** With the real SDK behind the API, over real sockets. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, beforeEach, test, type TestContext } from "node:test";
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  context,
  trace,
  type Context,
  type ContextManager,
} from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { createClient } from "../client/index.ts";
import { HeaderBlock, contract, fault, implement, job, mutation, query, serve, t, type Server } from "../index.ts";
import { sqlite } from "../sqlite/index.ts";
import { clientTracing, openTelemetry } from "./index.ts";

/** The interface that OpenTelemetry's own packages implement in the same way. */
class StorageManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    run: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => run.call(thisArg, ...args));
  }

  bind<T>(_: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(new StorageManager());
beforeEach(() => exporter.reset());
after(() => {
  trace.disable();
  context.disable();
});

const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32(), secret: t.optional(t.string()) },
  output: { id: t.int32(), trace: t.string(), active: t.string() },
  faults: [CityNotFound],
});
const orderImport = mutation("orderImport", { access: "public", input: {}, output: {} });
const importCities = job("importCities", {
  input: { fail: t.boolean() },
  faults: [CityNotFound],
  retry: { attempts: 1 },
});
const atlas = contract("atlas.v1", { getCity, orderImport, importCities });

const ran = { trace: "" };
const app = implement(atlas, {
  middleware: [openTelemetry()],
  handlers: {
    getCity: ({ input, trace: own }) => {
      if (input.id === 404) return CityNotFound({ id: 404 });
      if (input.id === 500) throw new Error("broken");
      return {
        id: input.id,
        trace: own?.traceparent ?? "",
        active: trace.getSpan(context.active())?.spanContext().spanId ?? "",
      };
    },
    orderImport: async ({ jobs }) => {
      const ref = await jobs.enqueue(importCities, { fail: false });
      assert.ok(ref.ok);
      assert.ok((await ref.value.result()).ok);
      return {};
    },
    importCities: ({ input, trace: own }) => {
      ran.trace = own?.traceparent ?? "";
      return input.fail ? CityNotFound({ id: 1 }) : undefined;
    },
  },
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(3);
}

async function start(test_: TestContext): Promise<Server> {
  const server = await serve(app, {
    port: 0,
    store: sqlite(":memory:"),
    log: false,
    signals: [],
    routes: [
      { method: "GET", path: "/stream", handle: () => ({ status: 200, headers: HeaderBlock.empty, body: pieces() }) },
    ],
  });
  test_.after(() => server.stop());
  return server;
}

function spans(kind: SpanKind): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.kind === kind);
}

const remote = { trace: "4bf92f3577b34da6a3ce929d0e0e4736", span: "00f067aa0ba902b7" };

test("a request is a server span under its caller's, named by its route, without the query", async (test_) => {
  const { url } = await start(test_);
  const headers = { traceparent: `00-${remote.trace}-${remote.span}-01`, tracestate: "a=1" };
  const answer = await fetch(`${url}/cities/7?secret=hunter2`, { headers });
  const { trace: handed, active } = (await answer.json()) as { trace: string; active: string };
  const [span] = spans(SpanKind.SERVER);
  assert.ok(span !== undefined);
  assert.equal(span.name, "GET /cities/{id}");
  assert.equal(span.parentSpanContext?.spanId, remote.span);
  assert.equal(span.parentSpanContext?.traceState?.get("a"), "1");
  const { traceId, spanId } = span.spanContext();
  assert.equal(traceId, remote.trace);
  assert.equal(handed, `00-${traceId}-${spanId}-01`);
  assert.equal(active, spanId, "libraries inside find the active span");
  const { "user_agent.original": agent, "server.port": port, ...attributes } = span.attributes;
  assert.equal(port, Number(new URL(url).port));
  assert.ok(agent === undefined || typeof agent === "string");
  assert.deepEqual(attributes, {
    "http.request.method": "GET",
    "url.scheme": "http",
    "url.path": "/cities/7",
    "network.protocol.version": "1.1",
    "server.address": "127.0.0.1",
    "client.address": "127.0.0.1",
    "http.response.status_code": 200,
    "http.route": "/cities/{id}",
    "tensile.operation": "getCity",
  });
  assert.equal(span.status.code, SpanStatusCode.UNSET);
});

test("a client's mistake is no error of the span, a defect is, and both name the fault", async (test_) => {
  const { url } = await start(test_);
  await fetch(`${url}/cities/404`);
  await fetch(`${url}/cities/500`);
  await fetch(`${url}/nowhere`);
  const seen = spans(SpanKind.SERVER).map(({ name, status, attributes }) => [
    name,
    status.code,
    attributes["tensile.fault"],
    attributes["error.type"],
  ]);
  assert.deepEqual(seen, [
    ["GET /cities/{id}", SpanStatusCode.UNSET, "CITY_NOT_FOUND", undefined],
    ["GET /cities/{id}", SpanStatusCode.ERROR, "INTERNAL", "INTERNAL"],
    ["GET", SpanStatusCode.UNSET, "ROUTE_NOT_FOUND", undefined],
  ]);
});

test("the span of a streamed answer ends with the stream", async (test_) => {
  const { url } = await start(test_);
  assert.equal((await (await fetch(`${url}/stream`)).arrayBuffer()).byteLength, 3);
  assert.equal(spans(SpanKind.SERVER)[0]?.name, "GET /stream");
});

test("an attempt of a job is a span of its own trace, linked to the span that enqueued it", async (test_) => {
  const server = await start(test_);
  await fetch(`${server.url}/orderImport`, { method: "POST" });
  const [order] = spans(SpanKind.SERVER);
  const [attempt] = spans(SpanKind.CONSUMER);
  assert.ok(order !== undefined && attempt !== undefined);
  assert.equal(attempt.name, "process importCities");
  assert.notEqual(attempt.spanContext().traceId, order.spanContext().traceId);
  assert.deepEqual(
    attempt.links.map((link) => link.context.spanId),
    [order.spanContext().spanId],
  );
  assert.equal(ran.trace.split("-")[2], attempt.spanContext().spanId);
  const failing = await server.jobs.enqueue(importCities, { fail: true });
  assert.ok(failing.ok);
  void (await failing.value.result());
  const failed = spans(SpanKind.CONSUMER)[1];
  assert.equal(failed?.attributes["error.type"], "CITY_NOT_FOUND");
  assert.equal(failed?.links.length, 0);
});

test("the client's span is the server span's parent, and has the active one above it", async (test_) => {
  const { url } = await start(test_);
  const client = createClient(atlas, { url, tracing: clientTracing() });
  const above = trace.getTracer("test").startSpan("above");
  const answered = await context.with(trace.setSpan(ROOT_CONTEXT, above), () => client.getCity({ id: 7, secret: "x" }));
  assert.ok(answered.ok);
  const missing = await client.getCity({ id: 404 });
  assert.ok(!missing.ok);
  const [first, second] = spans(SpanKind.CLIENT);
  const [server] = spans(SpanKind.SERVER);
  assert.ok(first !== undefined && second !== undefined && server !== undefined);
  assert.equal(first.name, "GET /cities/{id}");
  assert.equal(first.parentSpanContext?.spanId, above.spanContext().spanId);
  assert.equal(server.parentSpanContext?.spanId, first.spanContext().spanId);
  assert.equal(first.attributes["url.full"], `${url}/cities/7`);
  assert.equal(first.attributes["http.response.status_code"], 200);
  assert.equal(second.attributes["error.type"], "CITY_NOT_FOUND");
  assert.equal(second.status.code, SpanStatusCode.ERROR);
});

test("without a recording SDK the caller's trace is handed on as it came", async (test_) => {
  trace.disable();
  test_.after(() => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  });
  const { url } = await start(test_);
  const traceparent = `00-${remote.trace}-${remote.span}-01`;
  const answer = await fetch(`${url}/cities/7`, { headers: { traceparent } });
  assert.equal(((await answer.json()) as { trace: string }).trace, traceparent);
});
