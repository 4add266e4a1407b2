import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ShuttingDown, contract, fault, job, mutation, query } from "../contract/index.ts";
import { mapErr, ok } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { sqlite } from "../sqlite/index.ts";
import { implement, serve, work, type App, type LogEntry, type Server, type ServeOptions } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "tensile-serve-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${++files}.db`);

const Gone = fault("GONE", { kind: "gone" });
const find = query("find", {
  access: "public",
  http: "GET /things/{id}",
  input: { id: t.int32() },
  output: { id: t.int32() },
  faults: [Gone],
});
const begin = mutation("begin", { access: "public", input: { n: t.int32() }, output: { id: t.string() } });
const hold = query("hold", { access: "public", input: {}, output: { done: t.boolean() } });
const double = job("double", { input: { n: t.int32() }, output: { doubled: t.int32() } });

const plain = contract("plain.v1", { find });
const full = contract("full.v1", { find, begin, hold, double });

const plainApp = implement(plain, { handlers: { find: ({ input }) => (input.id === 0 ? Gone() : { id: input.id }) } });

function fullApp(held: Promise<void>): App<typeof full.members> {
  return implement(full, {
    handlers: {
      find: ({ input }) => ({ id: input.id }),
      begin: async function* ({ input, jobs }) {
        // What the contract does not declare must not leave the handler: the store of this test has room.
        const { id } = yield* mapErr(await jobs.enqueue(double, input), () => ShuttingDown());
        return { id };
      },
      hold: async () => {
        await held;
        return { done: true };
      },
      double: ({ input }) => ok({ doubled: input.n * 2 }),
    },
  });
}

async function withServer<T>(options: ServeOptions, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await serve(plainApp, { port: 0, signals: [], ...options });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

test("serves a contract on a free port and stops", async () => {
  const server = await serve(plainApp, { port: 0, signals: [] });
  const answer = await fetch(`${server.url}/things/7`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { id: 7 });
  const report = await server.stop();
  assert.equal(report.outcome, "drained");
  assert.deepEqual(report.failures, []);
  assert.equal(await server.stop(), report);
  assert.equal(await server.stopped, report);
  await assert.rejects(fetch(`${server.url}/things/7`));
});

test("the same app answers in memory and through fetch", async () => {
  assert.deepEqual(await plainApp.call.find({ id: 3 }), ok({ id: 3 }));
  const answer = await plainApp.fetch(new Request("http://local/things/0"));
  assert.equal(answer.status, 410);
});

test("a job enqueued by a request runs and can be awaited", async () => {
  const server = await serve(fullApp(Promise.resolve()), { port: 0, signals: [], store: sqlite(newFile()) });
  const answer = await fetch(`${server.url}/begin`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"n":21}',
  });
  const { id } = (await answer.json()) as { id: string };
  assert.deepEqual(await server.jobs.ref(double, id).result(), ok({ doubled: 42 }));
  await server.stop();
});

test("a worker runs jobs without a port", async () => {
  const worker = await work(fullApp(Promise.resolve()), { signals: [], store: sqlite(newFile()) });
  const ref = await worker.jobs.enqueue(double, { n: 4 });
  assert.ok(ref.ok);
  assert.deepEqual(await ref.value.result(), ok({ doubled: 8 }));
  assert.equal((await worker.stop()).outcome, "drained");
});

test("readiness turns off when a drain begins, and running requests are finished", async () => {
  const held = Promise.withResolvers<void>();
  const server = await serve(fullApp(held.promise), { port: 0, signals: [], store: sqlite(newFile()) });
  assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  const slow = fetch(`${server.url}/hold`);
  // The request has reached its handler when a later one on the same server has been answered.
  await fetch(`${server.url}/readyz`);
  const stopping = server.stop();
  assert.equal(server.phase, "draining");
  held.resolve();
  assert.deepEqual(await (await slow).json(), { done: true });
  assert.equal((await stopping).outcome, "drained");
});

test("a drain that runs out of time cuts what still runs, and says so", async () => {
  const server = await serve(fullApp(new Promise(() => {})), {
    port: 0,
    signals: [],
    drain: 50,
    store: sqlite(newFile()),
  });
  const stuck = assert.rejects(fetch(`${server.url}/hold`));
  await fetch(`${server.url}/readyz`);
  assert.equal((await server.stop()).outcome, "timed_out");
  await stuck;
});

test("a port in use is one clear sentence, and what was open is closed again", async () => {
  await withServer({}, async ({ port }) => {
    const file = newFile();
    await assert.rejects(
      serve(fullApp(Promise.resolve()), { port, signals: [], store: sqlite(file) }),
      (error: Error) => error.message.includes(String(port)) && /in use/.test(error.message),
    );
    const again = await serve(fullApp(Promise.resolve()), { port: 0, signals: [], store: sqlite(file) });
    await again.stop();
  });
});

test("a store that another process owns is one clear sentence", async () => {
  const file = newFile();
  const first = await work(fullApp(Promise.resolve()), { signals: [], store: sqlite(file) });
  await assert.rejects(work(fullApp(Promise.resolve()), { signals: [], store: sqlite(file) }), /is owned by process/);
  await first.stop();
});

test("jobs without a store are refused at start", async () => {
  await assert.rejects(
    serve(fullApp(Promise.resolve()), { port: 0, signals: [] }),
    /has jobs \(double\), which need a store/,
  );
  const refused = await fullApp(Promise.resolve()).fetch(
    new Request("http://local/begin", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"n":1}',
    }),
  );
  assert.equal(refused.status, 503);
});

test("every bound in force can be read, with what the options changed", async () => {
  await withServer({ limits: { http: { connections: 7 }, jobs: { concurrency: 3 } } }, async ({ limits }) => {
    assert.equal(limits.http.connections, 7);
    assert.equal(limits.jobs.concurrency, 3);
    assert.ok(limits.schema.maxDepth > 0);
    assert.equal(limits.overload?.queueMs, 50);
  });
});

test("the OpenAPI page is served unless it is turned off", async () => {
  await withServer({ docs: { title: "Things" } }, async ({ url }) => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { info: { title: string }; paths: object };
    assert.equal(document.info.title, "Things");
    assert.deepEqual(Object.keys(document.paths), ["/things/{id}"]);
    assert.match(await (await fetch(`${url}/docs`)).text(), /<!doctype html>/i);
  });
  await withServer({ docs: false }, async ({ url }) => {
    assert.equal((await fetch(`${url}/openapi.json`)).status, 404);
  });
});

test("a defect is logged with its incident, and the client sees only that", async () => {
  const entries: LogEntry[] = [];
  const broken = implement(plain, {
    handlers: {
      find: () => {
        throw new Error("the password is 1234");
      },
    },
  });
  const server = await serve(broken, { port: 0, signals: [], log: (entry) => entries.push(entry) });
  const answer = await fetch(`${server.url}/things/1`);
  const text = await answer.text();
  await server.stop();
  assert.equal(answer.status, 500);
  assert.doesNotMatch(text, /1234/);
  assert.equal(entries.length, 1);
  assert.match(String(entries[0]?.["error"]), /the password is 1234/);
  assert.ok(text.includes(String(entries[0]?.["incident"])));
});

test("SIGINT drains a real process, which then ends by itself with code 0", async () => {
  const program = fileURLToPath(new URL("fixtures/signalled.ts", import.meta.url));
  const child = spawn(process.execPath, [program, newFile()], { stdio: ["ignore", "pipe", "inherit"] });
  const output: string[] = [];
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output.push(text);
    if (text.includes("ready")) child.kill("SIGINT");
  });
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
  assert.deepEqual(output.join("").trim().split("\n"), ["ready", "draining", "stopped drained"]);
});
