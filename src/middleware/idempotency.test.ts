import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";
import {
  Fault,
  contract,
  err,
  fault,
  implement,
  job,
  mutation,
  ok,
  query,
  serve,
  t,
  type Authenticate,
  type Principal,
} from "../index.ts";
import { manualClock } from "../testing/index.ts";
import { idempotency, memoryKv, type IdempotencyOptions, type KvStore } from "./index.ts";

const Poor = fault("POOR", { kind: "failed_precondition", data: { since: t.timestamp() } });
const Busy = fault("BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const Payment = t.object({ id: t.int32(), amount: t.int64(), at: t.timestamp() });

const pay = mutation("pay", {
  access: "public",
  http: { route: "POST /payments", status: 201 },
  input: { amount: t.int64(), tags: t.default(t.map(t.string()), {}), mode: t.default(t.string(), "plain") },
  output: Payment,
  faults: [Poor, Busy],
});
const clear = mutation("clear", { access: "public", input: {}, output: t.nothing() });
const foreign = mutation("foreign", {
  access: "public",
  input: z.object({ n: z.number() }),
  output: z.object({ n: z.number().transform((n) => n + 1) }),
});
const big = mutation("big", { access: "public", input: {}, output: { text: t.string() } });
const look = query("look", { access: "public", input: {}, output: { runs: t.int32() } });
const work = job("work", { input: {} });
const shop = contract("shop.v1", { pay, clear, foreign, big, look, work });

const byHeader: Authenticate<Principal> = (request) => {
  const subject = request.header("x-user");
  return subject === undefined ? undefined : { subject };
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

function bench(options: Partial<IdempotencyOptions> = {}) {
  const clock = manualClock();
  const kv = memoryKv({ clock });
  let runs = 0;
  /** Handlers of mode "slow" wait here. */
  const gates: (() => void)[] = [];
  const app = implement(shop, {
    authenticate: byHeader,
    middleware: [idempotency({ store: kv, ...options })],
    handlers: {
      async pay({ input, reply }) {
        const id = ++runs;
        if (input.mode === "slow") await new Promise<void>((resolve) => gates.push(resolve));
        if (input.mode === "poor") return Poor({ since: new Date(5000) });
        if (input.mode === "busy" && id === 1) return Busy({ retryAfter: 2000 });
        if (input.mode === "defect" && id === 1) throw new Error("broken");
        reply.set("location", `/payments/${id}`);
        reply.append("set-cookie", "secret=1");
        return { id, amount: input.amount, at: new Date(1000 + id) };
      },
      clear: () => (runs++, ok()),
      foreign: ({ input }) => (runs++, input),
      big: () => (runs++, { text: "x".repeat(300_000) }),
      look: () => ({ runs: ++runs }),
      work: () => ok(),
    },
  });
  const send = async (
    path: string,
    key: string | undefined,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await app.fetch(
      new Request(`http://app/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(key !== undefined && { "idempotency-key": key }),
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    );
    const text = await response.text();
    return {
      status: response.status,
      body: text === "" ? null : (JSON.parse(text) as unknown),
      headers: response.headers,
    };
  };
  return { app, clock, kv, gates, send, runs: () => runs };
}

function codeOf({ body }: Answer): unknown {
  return (body as { code: unknown }).code;
}

test("a repeated call gets the first answer: status, body and fields, but no cookie", async () => {
  const { send, runs } = bench();
  const first = await send("payments", "k1", { amount: "7" });
  const again = await send("payments", "k1", { amount: "7" });
  assert.equal(runs(), 1);
  assert.equal(again.status, 201);
  assert.deepEqual(again.body, first.body);
  assert.deepEqual(again.body, { id: 1, amount: "7", at: "1970-01-01T00:00:01.001Z" });
  assert.equal(again.headers.get("location"), "/payments/1");
  assert.equal(first.headers.get("idempotency-replayed"), null);
  assert.equal(again.headers.get("idempotency-replayed"), "true");
  assert.deepEqual(first.headers.getSetCookie(), ["secret=1"]);
  assert.deepEqual(again.headers.getSetCookie(), []);
  assert.equal((await send("payments", '"k1"', { amount: "7" })).headers.get("idempotency-replayed"), "true");
  assert.equal((await send("payments", "k2", { amount: "7" })).headers.get("location"), "/payments/2");
  assert.equal((await send("payments", undefined, { amount: "7" })).headers.get("location"), "/payments/3");
});

test("what is the same payload is said by the schema, not by the text", async () => {
  const { send, runs } = bench();
  await send("payments", "k", { amount: "7", tags: { a: "1", b: "2" } });
  await send("payments", "k", { tags: { b: "2", a: "1" }, mode: "plain", amount: "7" });
  assert.equal(runs(), 1);
  const other = await send("payments", "k", { amount: "8", tags: { a: "1", b: "2" } });
  assert.equal(other.status, 422);
  assert.equal(codeOf(other), "IDEMPOTENCY_KEY_REUSED");
  assert.equal(runs(), 1);
});

test("of many at once one runs; the others are refused, and have its answer later", async () => {
  const { send, runs, gates } = bench();
  const slow = { amount: "7", mode: "slow" };
  const first = send("payments", "k", slow);
  while (gates.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const others = await Promise.all(Array.from({ length: 20 }, () => send("payments", "k", slow)));
  for (const other of others) {
    assert.equal(other.status, 409);
    assert.equal(codeOf(other), "IDEMPOTENCY_IN_PROGRESS");
    assert.equal(other.headers.get("retry-after"), "1");
  }
  assert.equal(codeOf(await send("payments", "k", { ...slow, amount: "8" })), "IDEMPOTENCY_KEY_REUSED");
  gates[0]?.();
  const answer = await first;
  assert.deepEqual((await send("payments", "k", slow)).body, answer.body);
  assert.equal(runs(), 1);
});

test("hundreds that race with the same key run the handler once", async () => {
  const { send, runs } = bench();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => send("payments", `k${i % 3}`, { amount: "7" })),
  );
  assert.equal(runs(), 3);
  for (const { status } of answers) assert.ok(status === 201 || status === 409, String(status));
});

test("a fault that is an answer is repeated; one that may pass, and a defect, are not", async () => {
  const { send, runs } = bench();
  const poor = await send("payments", "k1", { amount: "7", mode: "poor" });
  const again = await send("payments", "k1", { amount: "7", mode: "poor" });
  assert.equal(runs(), 1);
  assert.equal(again.status, 412);
  assert.deepEqual(again.body, poor.body);
  assert.deepEqual((again.body as { data: unknown }).data, { since: "1970-01-01T00:00:05.000Z" });
  for (const [mode, status] of [
    ["busy", 503],
    ["defect", 500],
  ] as const) {
    const { send: ask } = bench();
    assert.equal((await ask("payments", "k", { amount: "7", mode })).status, status);
    const second = await ask("payments", "k", { amount: "7", mode });
    assert.equal(second.status, 201);
    assert.equal(second.headers.get("idempotency-replayed"), null);
    assert.equal((await ask("payments", "k", { amount: "7", mode })).headers.get("idempotency-replayed"), "true");
  }
});

test("callers and operations do not share keys", async () => {
  const { send, runs } = bench();
  await send("payments", "k", { amount: "7" }, { "x-user": "ann" });
  await send("payments", "k", { amount: "7" }, { "x-user": "bob" });
  await send("payments", "k", { amount: "7" });
  await send("clear", "k", {});
  assert.equal(runs(), 4);
  assert.equal(
    (await send("payments", "k", { amount: "7" }, { "x-user": "bob" })).headers.get("idempotency-replayed"),
    "true",
  );
  // A subject that looks like nobody is somebody.
  await send("payments", "k", { amount: "7" }, { "x-user": "anyone" });
  assert.equal(runs(), 5);
});

test("answers without a value, and those of other libraries' schemas, are repeated as they were", async () => {
  const { send, runs } = bench();
  for (let i = 0; i < 2; i++) {
    const cleared = await send("clear", "k", {});
    assert.deepEqual([cleared.status, cleared.body], [204, null]);
    const other = await send("foreign", "k", { n: 1 });
    assert.deepEqual([other.status, other.body], [200, { n: 2 }]);
  }
  assert.equal(runs(), 2);
});

test("an answer that is too large is not carried out again, and says so", async () => {
  const { send, runs } = bench();
  assert.equal((await send("big", "k", {})).status, 200);
  const again = await send("big", "k", {});
  assert.equal(codeOf(again), "IDEMPOTENCY_ANSWER_LOST");
  assert.equal(runs(), 1);
});

test("queries and jobs have no keys", async () => {
  const { app, runs } = bench({ required: true });
  for (let i = 0; i < 2; i++) {
    const answer = await app.fetch(new Request("http://app/look", { headers: { "idempotency-key": "k" } }));
    assert.equal(answer.status, 200);
  }
  assert.equal(runs(), 2);
  assert.ok((await app.call.work({}, {})).ok);
});

test("a key that is needed, or cannot be one, is asked for before the body is read", async () => {
  const { send, app, runs } = bench({ required: ({ name }) => name === "pay" });
  for (const key of [undefined, '"', 'a"b', "a,b", "k".repeat(256), '""']) {
    const refused = await send("payments", key, { nonsense: true });
    assert.equal(refused.status, 400);
    assert.equal(codeOf(refused), "IDEMPOTENCY_KEY_INVALID", String(key));
  }
  assert.equal((await send("clear", undefined, {})).status, 204);
  assert.equal((await send("payments", randomUUID(), { amount: "1" })).status, 201);
  const inMemory = await app.call.pay({ amount: 1n });
  assert.ok(!inMemory.ok);
  assert.equal(runs(), 2);
});

test("an answer is kept for its time, and in memory calls share it", async () => {
  const { app, clock, runs } = bench({ ttl: "1h" });
  const headers = { "idempotency-key": "k" };
  const first = await app.call.pay({ amount: 1n }, { headers });
  await clock.advance(3_599_000);
  assert.deepEqual(await app.call.pay({ amount: 1n }, { headers }), first);
  assert.equal(runs(), 1);
  await clock.advance(1000);
  assert.ok((await app.call.pay({ amount: 1n }, { headers })).ok);
  assert.equal(runs(), 2);
});

test("a lease that its process did not outlive lets the next call run; who lost it changes nothing", async () => {
  const { send, gates, clock, runs } = bench();
  const slow = { amount: "7", mode: "slow" };
  const lost = send("payments", "k", slow);
  while (gates.length === 0) await new Promise((resolve) => setImmediate(resolve));
  // 30 s timeout of the operation, 30 s more.
  await clock.advance(59_000);
  assert.equal((await send("payments", "k", slow)).status, 409);
  await clock.advance(1000);
  const second = send("payments", "k", slow);
  while (gates.length === 1) await new Promise((resolve) => setImmediate(resolve));
  gates[0]?.();
  await lost;
  assert.equal((await send("payments", "k", slow)).status, 409);
  gates[1]?.();
  const answer = await second;
  assert.equal(runs(), 2);
  assert.deepEqual((await send("payments", "k", slow)).body, answer.body);
});

test("while the store does not answer, nothing is carried out; when it fails afterwards, the answer is given", async () => {
  const gone = err(new Fault("STORE_UNAVAILABLE", "unavailable", { reason: "gone" }, "gone"));
  const kv = memoryKv();
  let failing: "all" | "completion" = "all";
  const store: KvStore = {
    maxValueChars: kv.maxValueChars,
    get: (key) => (failing === "all" ? gone : kv.get(key)),
    set: async (key, value, options) =>
      failing === "all" || options.if !== "absent" ? gone : kv.set(key, value, options),
    delete: async () => gone,
    advance: (...args) => kv.advance(...args),
  };
  const { send, runs } = bench({ store });
  const refused = await send("payments", "k", { amount: "7" });
  assert.equal(refused.status, 503);
  assert.equal(codeOf(refused), "UNAVAILABLE");
  assert.equal(runs(), 0);
  failing = "completion";
  assert.equal((await send("payments", "k", { amount: "7" })).status, 201);
  assert.equal((await send("payments", "k", { amount: "7" })).status, 409);
  assert.equal(runs(), 1);
});

test("it works over a real socket", async () => {
  const { app, runs } = bench();
  const server = await serve(
    implement(contract("clear.v1", { clear }), {
      middleware: [idempotency({ store: memoryKv() })],
      handlers: { clear: async () => ((await app.call.clear({})).ok ? ok() : ok()) },
    }),
    { port: 0, signals: [], log: false },
  );
  try {
    const call = async () =>
      (await fetch(`${server.url}/clear`, { method: "POST", headers: { "idempotency-key": "k" } })).headers.get(
        "idempotency-replayed",
      );
    assert.deepEqual([await call(), await call()], [null, "true"]);
    assert.equal(runs(), 1);
  } finally {
    await server.stop();
  }
});
