import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Unauthenticated,
  bind,
  contract,
  fault,
  fixed,
  implementContract,
  mutation,
  query,
  type Jobs,
} from "../contract/index.ts";
import { manualClock, match, ok, systemClock, type Result } from "../core/index.ts";
import { createFetch, createHttpHandler, loadEngine, type HttpHandler } from "../http/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { createClient, type Client, type ClientOptions } from "./index.ts";

const City = t.object("City", {
  id: t.int32(),
  population: t.int64(),
  founded: t.optional(t.timestamp()),
  flag: t.bytes(),
});
const CityNotFound = fault("CITY_NOT_FOUND", { kind: "not_found", data: { id: t.int32(), since: t.timestamp() } });
const Busy = fault("BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const Locked = fault("LOCKED", { kind: "conflict" });

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32() },
  output: City,
  faults: [CityNotFound, Busy],
});
const search = query("search", {
  access: "public",
  http: { route: "GET /search/{*where}", headers: { lang: "x-lang", kinds: "x-kinds" } },
  input: {
    where: t.string(),
    lang: t.optional(t.string()),
    kinds: t.array(t.string()),
    q: t.array(t.string()),
    after: t.optional(t.timestamp()),
    limit: t.default(t.int32(), 10),
  },
  output: { got: t.json() },
});
const rename = mutation("rename", {
  access: { scopes: ["write"] },
  http: "PUT /cities/{id}",
  input: { id: t.int32(), name: t.rename(t.string(), "n"), big: t.optional(t.int64()) },
  output: t.nothing(),
});
const slow = query("slow", { access: "public", input: {}, output: {} });
const places = contract("places.v1", { getCity, search, rename, slow }, { faults: [Locked] });

const app = implementContract(places, {
  authenticate: (request) => {
    const given = request.header("authorization");
    if (given === undefined) return undefined;
    return given === "Bearer good" ? { subject: "ann", scopes: ["write"] } : Unauthenticated();
  },
  handlers: {
    getCity: ({ input }) =>
      input.id === 7
        ? { id: 7, population: 9_007_199_254_740_993n, founded: new Date(5), flag: new Uint8Array([1, 2]) }
        : input.id === 503
          ? Busy({ retryAfter: 2000 })
          : CityNotFound({ id: input.id, since: new Date(9) }),
    search: ({ input }) => ({ got: JSON.parse(JSON.stringify(input)) as never }),
    rename: () => undefined,
    slow: ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve({}), { once: true })),
  },
});

function handler(): HttpHandler {
  return createHttpHandler(
    bind(app, {
      clock: systemClock,
      events: new Events(),
      jobs: {} as Jobs,
      shutdown: new AbortController().signal,
      newId: () => "i1",
    }),
  );
}

type Places = Client<(typeof places)["members"], ReturnType<typeof Locked>>;

function inMemory(options: Partial<ClientOptions> = {}): Places {
  return createClient(places, { url: "http://local", fetch: createFetch(handler()), ...options });
}

/** A client of a server that answers as `answer` says. */
function against(
  answer: (request: Request) => Response | Promise<Response>,
  options: Partial<ClientOptions> = {},
): Places {
  return createClient(places, { url: "http://local/base/", fetch: async (request) => answer(request), ...options });
}

function codeOf(result: Result<unknown, { readonly code: string }>): string {
  return result.ok ? "ok" : result.fault.code;
}

test("a call gives the decoded output", async () => {
  const result = await inMemory().getCity({ id: 7 });
  assert.deepEqual(
    result,
    ok({ id: 7, population: 9_007_199_254_740_993n, founded: new Date(5), flag: new Uint8Array([1, 2]) }),
  );
});

test("a declared fault comes back with its code, kind, data and sentence", async () => {
  const result = await inMemory().getCity({ id: 1 });
  assert.ok(!result.ok && result.fault.code === "CITY_NOT_FOUND");
  assert.deepEqual(result.fault.data, { id: 1, since: new Date(9) });
  assert.deepEqual(
    [result.fault.kind, result.fault.message, result.fault.retryable],
    ["not_found", "Not found", false],
  );
});

test("the fault union is exhaustive by type", async () => {
  const text = match(await inMemory().getCity({ id: 1 }), {
    ok: (city) => String(city.population),
    CITY_NOT_FOUND: ({ data }) => `none ${data.id}`,
    BUSY: ({ data }) => String(data.retryAfter),
    LOCKED: () => "",
    INVALID_INPUT: ({ data }) => String(data.issues.length),
    UNAUTHENTICATED: () => "",
    PERMISSION_DENIED: () => "",
    DEADLINE_EXCEEDED: () => "",
    CANCELLED: () => "",
    SHUTTING_DOWN: () => "",
    OVERLOADED: ({ data }) => String(data.retryAfter),
    UNAVAILABLE: () => "unavailable",
    INTERNAL: ({ data }) => data.incident,
    NETWORK_ERROR: ({ data }) => data.reason,
    TIMEOUT: ({ data }) => String(data.timeoutMs),
    ABORTED: () => "",
    UNEXPECTED_RESPONSE: ({ data }) => String(data.status),
  });
  assert.equal(text, "none 1");
});

test("path, query, header and list fields arrive as they were written", async () => {
  const input = {
    where: "a b/ü%2F?#",
    lang: "de, en",
    kinds: ["x", "y z"],
    q: ["1&2", "", "ä+b"],
    after: new Date(1500),
  };
  const result = await inMemory().search(input);
  assert.ok(result.ok);
  assert.deepEqual(result.value.got, { ...input, after: "1970-01-01T00:00:01.500Z", limit: 10 });
});

test("what cannot travel is refused before anything is sent", async () => {
  let sent = 0;
  const client = against(() => {
    sent++;
    return new Response();
  });
  const wrong = [
    { where: "", kinds: [], q: [] },
    { where: "a/../b", kinds: [], q: [] },
    { where: "a", lang: "ü", kinds: [], q: [] },
    { where: "a", lang: "a\r\nb: c", kinds: [], q: [] },
    { where: "a", kinds: ["a,b"], q: [] },
    { where: "a", kinds: [], q: ["\ud800"] },
    { where: "a", kinds: [], q: [], limit: 1.5 },
  ];
  for (const input of wrong) assert.equal(codeOf(await client.search(input)), "INVALID_INPUT", JSON.stringify(input));
  assert.equal(sent, 0);
});

test("what cannot stand in a path is refused under the name of its own field", async () => {
  const move = mutation("move", {
    access: "public",
    http: "POST /move/{from}/{to}",
    input: { from: t.string(), to: t.string() },
    output: {},
  });
  const client = createClient(contract("moves.v1", { move }), { url: "http://local" });
  const moved = await client.move({ from: "a", to: ".." });
  assert.ok(!moved.ok && moved.fault.code === "INVALID_INPUT");
  assert.equal(moved.fault.data.issues[0]?.pointer, "/to");
});

test("an operation without an output gives undefined, and tokens are sent as bearer", async () => {
  assert.equal(codeOf(await inMemory().rename({ id: 1, name: "x" })), "UNAUTHENTICATED");
  assert.equal(codeOf(await inMemory({ auth: "bad" }).rename({ id: 1, name: "x" })), "UNAUTHENTICATED");
  assert.deepEqual(await inMemory({ auth: async () => "good" }).rename({ id: 1, name: "x", big: 3n }), ok());
});

test("a request carries the headers of the client and of the call, under the base path", async () => {
  let seen: Request | undefined;
  const client = against(
    (request) => {
      seen = request;
      return new Response(null, { status: 204 });
    },
    { headers: () => ({ "x-a": "1", "x-b": "2" }), auth: "good" },
  );
  const renamed = await client.rename({ id: 5, name: "n" }, { headers: { "x-b": "3" } });
  assert.ok(renamed.ok);
  assert.equal(seen?.url, "http://local/base/cities/5");
  assert.equal(seen?.method, "PUT");
  const fields = ["x-a", "x-b", "authorization", "content-type"].map((name) => seen?.headers.get(name));
  assert.deepEqual(fields, ["1", "3", "Bearer good", "application/json"]);
  assert.deepEqual(await seen?.json(), { n: "n" });
});

test("an output with more fields than this client knows is no failure", async () => {
  const client = against(() => Response.json({ id: 1, population: "2", flag: "", mayor: "new in v2" }));
  assert.deepEqual(await client.getCity({ id: 1 }), ok({ id: 1, population: 2n, flag: new Uint8Array(0) }));
});

test("an answer that is not the contract's is UNEXPECTED_RESPONSE, whatever it is", async () => {
  const problem = { "content-type": "application/problem+json" };
  const answers: Response[] = [
    new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "content-type": "text/html" } }),
    new Response("<h1>Sign in</h1>", { headers: { "content-type": "text/html" } }),
    new Response("{", { headers: { "content-type": "application/json" } }),
    Response.json({ id: "1" }),
    new Response(null, { status: 204 }),
    new Response(null, { status: 304 }),
    new Response("{", { status: 500, headers: problem }),
    new Response("[]", { status: 500, headers: problem }),
    new Response('{"code":"OF_THE_FUTURE","detail":"?"}', { status: 409, headers: problem }),
    new Response('{"code":"CITY_NOT_FOUND","detail":"?","data":{"id":"x"}}', { status: 404, headers: problem }),
    Response.json({ big: "x".repeat(2000) }),
  ];
  for (const answer of answers) {
    const result = await against(() => answer, { maxResponseBytes: 1000 }).getCity({ id: 1 });
    assert.ok(!result.ok && result.fault.code === "UNEXPECTED_RESPONSE", String(answer.status));
    assert.equal(result.fault.data.status, answer.status);
    assert.ok(result.fault.data.reason.length < 700);
  }
});

test("a connection that fails is NETWORK_ERROR with what the platform said", async () => {
  const client = against(() =>
    Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })),
  );
  const result = await client.getCity({ id: 1 });
  assert.ok(!result.ok && result.fault.code === "NETWORK_ERROR");
  assert.equal(result.fault.data.reason, "fetch failed: connect ECONNREFUSED");
});

test("a call ends at its timeout, even when fetch does not look at the signal", async () => {
  const clock = manualClock();
  const running = against(() => new Promise<Response>(() => undefined), { clock }).slow({}, { timeout: "2s" });
  await clock.advance(2000);
  const result = await running;
  assert.ok(!result.ok && result.fault.code === "TIMEOUT");
  assert.deepEqual(result.fault.data, { timeoutMs: 2000 });
  assert.equal(clock.waiting, 0);
});

test("a call ends when its signal aborts, and the server's handler hears of it", async () => {
  const control = new AbortController();
  const running = inMemory().slow({}, { signal: control.signal });
  control.abort();
  assert.equal(codeOf(await running), "ABORTED");
  assert.equal(codeOf(await inMemory().slow({}, { signal: AbortSignal.abort() })), "ABORTED");
});

test("a query is repeated after a failure that may pass, and waits as long as the server asks", async () => {
  const clock = manualClock();
  const real = createFetch(handler());
  const times: number[] = [];
  const client = against(
    (request) => {
      times.push(clock.monotonic());
      if (times.length === 2) throw new TypeError("connection reset");
      return real(
        new Request(request.url.replace("/base", "").replace("503", times.length > 2 ? "7" : "503"), request),
      );
    },
    { clock, retry: { attempts: 4, backoff: fixed(100, { jitter: 0 }) } },
  );
  const running = client.getCity({ id: 503 });
  for (let i = 0; i < 30; i++) await clock.advance(100);
  assert.equal(codeOf(await running), "ok");
  assert.deepEqual(
    times.map((time) => Math.round(time / 100) * 100),
    [0, 2000, 2100],
  );
});

test("a mutation that may have begun is never repeated, and neither is a failure that stays", async () => {
  let sent = 0;
  const busy = (): Response => {
    sent++;
    return new Response('{"code":"SHUTTING_DOWN","detail":"?"}', {
      status: 503,
      headers: { "content-type": "application/problem+json" },
    });
  };
  const retry = { attempts: 3, backoff: fixed(1) };
  assert.equal(codeOf(await against(busy, { retry }).rename({ id: 1, name: "x" })), "SHUTTING_DOWN");
  assert.equal(sent, 1);
  sent = 0;
  assert.equal(codeOf(await against(busy, { retry }).getCity({ id: 1 })), "SHUTTING_DOWN");
  assert.equal(sent, 3);
});

test("a query is repeated after a status that passes by itself, whoever said it", async () => {
  const statuses = [429, 502, 503, 504, 500];
  const answer = (): Response => new Response("<h1>from a proxy</h1>", { status: statuses.shift() ?? 500 });
  const retry = { attempts: 10, backoff: fixed(1, { jitter: 0 }) };
  assert.equal(codeOf(await against(answer, { retry }).getCity({ id: 1 })), "UNEXPECTED_RESPONSE");
  assert.deepEqual(statuses, [], "500 was the last");
});

test("what admission refused is repeated, a mutation too: nothing of it has happened", async () => {
  const clock = manualClock();
  const times: number[] = [];
  const answer = (): Response => {
    times.push(clock.monotonic());
    if (times.length > 2) return new Response(null, { status: 204 });
    return new Response('{"code":"OVERLOADED","detail":"busy","data":{"retryAfter":"3s"}}', {
      status: 503,
      headers: { "content-type": "application/problem+json", "retry-after": "3" },
    });
  };
  const running = against(answer, { clock, retry: { attempts: 3, backoff: fixed(1) } }).rename({ id: 1, name: "x" });
  for (let i = 0; i < 30; i++) await clock.advance(500);
  assert.equal(codeOf(await running), "ok");
  assert.deepEqual(times, [0, 3000, 6000]);
  times.length = 0;
  const once = await against(answer).rename({ id: 1, name: "x" });
  assert.ok(!once.ok && once.fault.code === "OVERLOADED");
  assert.equal(once.fault.data.retryAfter, 3000);
});

test("a wrong duration in a call is a fault, not a rejection", async () => {
  assert.equal(codeOf(await inMemory().slow({}, { timeout: "soon" })), "INVALID_INPUT");
});

test("a wrong option is refused at once", () => {
  for (const options of [
    { url: "nowhere" },
    { url: "http://a", timeout: "soon" },
    { url: "http://a", retry: { attempts: 0 } },
  ]) {
    assert.throws(() => createClient(places, options), TypeError);
  }
});

test("a wrong call does not compile", async () => {
  const client = inMemory();
  // @ts-expect-error -- the id is missing
  assert.equal(codeOf(await client.getCity({})), "INVALID_INPUT");
  // @ts-expect-error -- an input with required fields cannot be left out
  assert.equal(codeOf(await client.getCity()), "INVALID_INPUT");
  // @ts-expect-error -- the id is a number
  assert.equal(codeOf(await client.getCity({ id: "1" })), "INVALID_INPUT");
  // @ts-expect-error -- no such operation
  assert.equal(client.getTown, undefined);
  const found = await client.getCity({ id: 7 });
  // @ts-expect-error -- a result is looked at before its value
  assert.notEqual(found.value, undefined);
  // @ts-expect-error -- no such fault
  assert.ok(found.ok || found.fault.code !== "TOWN_NOT_FOUND");
});

test("over real sockets it is the same", async (context) => {
  const { createEngine } = await loadEngine();
  const engine = createEngine({ handler: handler() });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  context.after(() => engine.close());
  const client = createClient(places, { url: `http://127.0.0.1:${listening.value.port}`, auth: "good" });
  assert.equal(codeOf(await client.getCity({ id: 7 })), "ok");
  assert.equal(codeOf(await client.getCity({ id: 1 })), "CITY_NOT_FOUND");
  assert.equal(codeOf(await client.rename({ id: 1, name: "x" })), "ok");
  const input = { where: "a b/ü%2F?#", lang: "de, en", kinds: ["x", "y z"], q: ["1&2", ""], after: new Date(1500) };
  const result = await client.search(input);
  assert.ok(result.ok);
  assert.deepEqual(result.value.got, { ...input, after: "1970-01-01T00:00:01.500Z", limit: 10 });
  await engine.close();
  assert.equal(codeOf(await client.getCity({ id: 7 })), "NETWORK_ERROR");
});
