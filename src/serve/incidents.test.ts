/** Handlers that do what they must not, over a real socket: the answer is right, the process lives, and the log has the incident. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  HeaderBlock,
  contract,
  implement,
  query,
  serve,
  t,
  type HttpResponse,
  type LogEntry,
  type Server,
} from "../index.ts";

const misbehave = query("misbehave", {
  access: "public",
  http: "GET /misbehave/{how}",
  input: { how: t.string() },
  output: { n: t.int32() },
  timeout: "60ms",
});
const ping = query("ping", { access: "public", input: {}, output: {} });

interface Bench {
  readonly server: Server;
  readonly log: LogEntry[];
  /** Lets the handler that is late reject. */
  readonly late: PromiseWithResolvers<never>;
}

async function start(context: TestContext): Promise<Bench> {
  const late = Promise.withResolvers<never>();
  const ways: { readonly [how: string]: () => unknown } = {
    throws: () => {
      throw new Error("secret");
    },
    rejectsWithNothing: () => ({ then: (_: unknown, reject: (reason?: unknown) => void): void => reject() }),
    rejects: async () => Promise.reject(new Error("secret")),
    wrongType: () => ({ n: "seven" }),
    nothing: () => undefined,
    getter: () => ({
      get n(): number {
        throw new Error("secret");
      },
    }),
    undeclared: () => Object.assign(Object.create(null) as object, { code: "X" }),
    thenable: () => ({ then: 5 }),
    brokenThen: () => ({
      then() {
        throw new Error("secret");
      },
    }),
    never: () => new Promise(() => {}),
    rejectsLate: () => late.promise,
  };
  const app = implement(contract("bad.v1", { misbehave, ping }), {
    handlers: {
      misbehave: (({ input }: { input: { how: string } }) => ways[input.how]?.()) as () => never,
      ping: () => ({}),
    },
  });
  const log: LogEntry[] = [];
  const lies = (response: unknown) => () => response as HttpResponse;
  const server = await serve(app, {
    port: 0,
    signals: [],
    log: (entry) => void log.push(entry),
    routes: [
      { method: "GET", path: "/route/nothing", handle: lies(undefined) },
      { method: "GET", path: "/route/status", handle: lies({ status: 99, headers: HeaderBlock.empty, body: null }) },
      { method: "GET", path: "/route/headers", handle: lies({ status: 200, headers: {}, body: null }) },
      { method: "GET", path: "/route/throws", handle: () => Promise.reject(new Error("secret")) },
    ],
  });
  context.after(() => server.stop());
  return { server, log, late };
}

async function alive({ server }: Bench): Promise<void> {
  assert.equal((await fetch(`${server.url}/ping`)).status, 200);
}

test("what throws, rejects or does not fit is 500 with the id under which the log has it", async (context) => {
  const bench = await start(context);
  for (const how of [
    "throws",
    "rejectsWithNothing",
    "rejects",
    "wrongType",
    "nothing",
    "getter",
    "undeclared",
    "thenable",
    "brokenThen",
  ]) {
    bench.log.length = 0;
    const answer = await fetch(`${bench.server.url}/misbehave/${how}`);
    const text = await answer.text();
    assert.equal(answer.status, 500, how);
    assert.doesNotMatch(text, /secret/);
    const { code, data } = JSON.parse(text) as { code: string; data: { incident: string } };
    assert.equal(code, "INTERNAL");
    const entry = bench.log.find(({ event }) => event === "defect");
    assert.equal(entry?.["incident"], data.incident, how);
    assert.equal(entry?.level, "error");
    await alive(bench);
  }
});

test("one that never settles is answered at its limit; one that rejects after that is an incident of its own", async (context) => {
  const bench = await start(context);
  for (const how of ["never", "rejectsLate"]) {
    const answer = await fetch(`${bench.server.url}/misbehave/${how}`);
    assert.equal(answer.status, 504, how);
    assert.equal(((await answer.json()) as { code: string }).code, "DEADLINE_EXCEEDED");
  }
  assert.equal(bench.log.filter(({ event }) => event === "call.abandoned").length, 2);
  assert.equal(bench.log.filter(({ event }) => event === "defect").length, 0);
  bench.late.reject(new Error("too late"));
  await alive(bench);
  const entry = bench.log.find(({ event }) => event === "defect");
  assert.match(String(entry?.["error"]), /too late/);
  assert.match(String(entry?.["incident"]), /^[0-9a-f]{16}$/);
});

test("a route that answers nonsense is 500, and the log has it", async (context) => {
  const bench = await start(context);
  for (const path of ["nothing", "status", "headers", "throws"]) {
    bench.log.length = 0;
    const answer = await fetch(`${bench.server.url}/route/${path}`);
    assert.equal(answer.status, 500, path);
    assert.doesNotMatch(await answer.text(), /secret/);
    assert.match(String(bench.log.find(({ event }) => event === "defect")?.["incident"]), /^[0-9a-f]{16}$/, path);
    await alive(bench);
  }
});

test("the same while somebody observes requests", async (context) => {
  const bench = await start(context);
  const ends: number[] = [];
  bench.server.events.on("request.end", ({ status }) => ends.push(status));
  for (const path of ["/misbehave/throws", "/route/nothing", "/route/throws", "/misbehave/never"]) {
    await (await fetch(bench.server.url + path)).text();
  }
  assert.deepEqual(ends, [500, 500, 500, 504]);
  await alive(bench);
});
