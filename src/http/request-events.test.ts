import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import {
  DeadlineExceeded,
  bind,
  contract,
  fault,
  implementContract,
  mutation,
  query,
  type Jobs,
} from "../contract/index.ts";
import { systemClock } from "../core/index.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { t } from "../schema/index.ts";
import { Events, type RequestEnd } from "../telemetry/index.ts";
import { createEngine } from "./engine/index.ts";
import { createHttpHandler } from "./index.ts";
import { bothFaces, type Face } from "./testing/faces.ts";

const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32() } });
const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32() },
  output: { name: t.string() },
  faults: [CityNotFound],
});
const addCity = mutation("addCity", {
  access: "public",
  http: "POST /cities",
  input: { name: t.string() },
  output: { id: t.string() },
});
const slow = query("slow", { access: "public", input: {}, output: {}, timeout: "20ms" });
const forever = Promise.withResolvers<Record<never, never>>();
const implemented = implementContract(contract("demo.v1", { getCity, addCity, slow }), {
  handlers: {
    getCity: ({ input }) => (input.id === 1 ? { name: "Zürich" } : CityNotFound({ id: input.id })),
    addCity: async ({ requestId }) => ({ id: requestId }),
    slow: () => forever.promise,
  },
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(3);
  yield new Uint8Array(4);
}
const stream = {
  method: "GET",
  path: "/stream",
  handle: (): HttpResponse => ({ status: 200, headers: HeaderBlock.empty, body: pieces() }),
};

/** What a listener would write down, at the moment of the event. */
interface Line {
  readonly event: string;
  readonly end: { readonly [K in keyof RequestEnd]?: unknown };
}

function listen(events: Events): Line[] {
  const lines: Line[] = [];
  const note = (event: string) => (end: object) => {
    const { method, route, operation, status, fault: code, outcome, responseBytes } = end as RequestEnd;
    const ended = event === "start" ? undefined : { status, fault: code, outcome, responseBytes };
    lines.push({ event, end: { method, route, operation, ...ended } });
  };
  events.on("request.start", note("start"));
  events.on("request.aborted", note("aborted"));
  events.on("request.timed_out", note("timed_out"));
  events.on("request.end", note("end"));
  return lines;
}

async function oneRequest(face: Face, method: string, target: string, body?: string): Promise<Line[]> {
  const lines = listen(face.events);
  const sent = body === undefined ? {} : { body, headers: { "content-type": "application/json" } };
  await face.send(method, target, sent);
  return lines.splice(0);
}

const city = { method: "GET", route: "/cities/{id}", operation: "getCity" };

bothFaces(
  "a request starts and ends under its route's template and its operation's name",
  implemented,
  async (face) => {
    assert.deepEqual(await oneRequest(face, "GET", "/cities/1?"), [
      { event: "start", end: city },
      // 17 characters, one of them two bytes long.
      { event: "end", end: { ...city, status: 200, fault: undefined, outcome: "answered", responseBytes: 18 } },
    ]);
  },
);

bothFaces("an answered fault is named by its code", implemented, async (face) => {
  const [, end] = await oneRequest(face, "GET", "/cities/2");
  assert.equal(end?.end.status, 404);
  assert.equal(end?.end.fault, "CITY_NOT_FOUND");
  assert.equal(end?.end.outcome, "answered");
});

bothFaces("a path that leads nowhere has no route, and never shows itself", implemented, async (face) => {
  for (const [method, target, status] of [
    ["GET", "/secret", 404],
    ["DELETE", "/cities", 405],
    ["OPTIONS", "/cities", 204],
  ] as const) {
    const lines = await oneRequest(face, method, target);
    assert.deepEqual(
      lines.map(({ event, end }) => [event, end.route, end.operation, end.status]),
      [
        ["start", "(none)", undefined, undefined],
        ["end", "(none)", undefined, status],
      ],
    );
  }
});

bothFaces("a call that its deadline answered has timed out", implemented, async (face) => {
  const lines = await oneRequest(face, "GET", "/slow");
  assert.deepEqual(
    lines.map(({ event }) => event),
    ["start", "timed_out", "end"],
  );
  assert.equal(lines[2]?.end.outcome, "timed_out");
  assert.equal(lines[2]?.end.fault, DeadlineExceeded.code);
});

bothFaces(
  "a streamed answer ends with its last piece, and its bytes are counted",
  implemented,
  async (face) => {
    const [start, end] = await oneRequest(face, "GET", "/stream");
    assert.equal(start?.end.route, "/stream");
    assert.equal(end?.end.responseBytes, 7);
    assert.equal(end?.end.outcome, "answered");
    const [, head] = await oneRequest(face, "HEAD", "/stream");
    assert.equal(head?.end.outcome, "answered");
  },
  { extraRoutes: [stream] },
);

bothFaces(
  "an id that is read at the start is the one that the answer and the handler have",
  implemented,
  async (face) => {
    let id = "";
    face.events.on("request.start", ({ requestId }) => (id = requestId));
    const quiet = await face.send("GET", "/cities/1");
    assert.equal(quiet.headers["x-request-id"], id);
    const added = await face.send("POST", "/cities", {
      body: '{"name":"Bern"}',
      headers: { "content-type": "application/json" },
    });
    assert.equal(added.headers["x-request-id"], id);
    assert.deepEqual(JSON.parse(added.text), { id });
    await face.send("GET", "/cities/1", { headers: { "x-request-id": "mine" } });
    assert.equal(id, "mine");
  },
);

bothFaces("nobody who listens changes nothing: no id is made, nothing is kept", implemented, async (face) => {
  const stop = face.events.on("request.end", () => undefined);
  stop();
  stop();
  assert.equal(face.events.observesRequests, false);
  const answer = await face.send("GET", "/cities/1");
  assert.equal(answer.headers["x-request-id"], undefined);
});

test("a client that leaves before its answer is aborted, whether it was waiting or reading", async (context) => {
  const entered = Promise.withResolvers<HttpRequest>();
  const answer = Promise.withResolvers<HttpResponse>();
  const streaming = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      streaming.resolve();
      yield new Uint8Array(65_536);
    }
  }
  const events = new Events();
  const jobs = {} as Jobs;
  const shutdown = new AbortController().signal;
  const app = bind(implemented, { clock: systemClock, events, jobs, shutdown, newId: () => "1" });
  const handler = createHttpHandler(app, {
    extraRoutes: [
      { method: "GET", path: "/wait", handle: (request) => (entered.resolve(request), answer.promise) },
      {
        method: "GET",
        path: "/endless",
        handle: () => ({ status: 200, headers: HeaderBlock.empty, body: endless() }),
      },
    ],
  });
  const engine = createEngine({ handler });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  context.after(() => engine.close());
  const ended = (): Promise<RequestEnd> =>
    new Promise((resolve) => {
      const stop = events.on("request.aborted", (event) => {
        stop();
        resolve(event);
      });
    });

  const waiting = connect(listening.value.port, "127.0.0.1");
  waiting.write("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
  const first = ended();
  const request = await entered.promise;
  const gone = new Promise((resolve) => request.signal.addEventListener("abort", resolve));
  waiting.destroy();
  await gone;
  answer.resolve({ status: 200, headers: HeaderBlock.empty, body: "late" });
  assert.equal((await first).route, "/wait");
  assert.equal((await first).outcome, "aborted");

  const reading = connect(listening.value.port, "127.0.0.1");
  reading.write("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n");
  const second = ended();
  await streaming.promise;
  reading.destroy();
  assert.equal((await second).route, "/endless");
});
