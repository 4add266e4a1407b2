import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { contract, implement, query, serve, type ServeOptions, type Server } from "../index.ts";
import { manualClock } from "../core/index.ts";

const ping = query("ping", { access: "public", input: {}, output: {} });
const app = implement(contract("health.v1", { ping }), { handlers: { ping: () => ({}) } });

async function start(context: TestContext, options: ServeOptions): Promise<Server> {
  const server = await serve(app, { port: 0, log: false, signals: [], ...options });
  context.after(() => server.stop());
  return server;
}

async function readiness(server: Server, query_ = ""): Promise<readonly [number, unknown]> {
  const answer = await fetch(`${server.url}/readyz${query_}`);
  return [answer.status, await answer.json()];
}

test("a check that says no, throws or rejects turns readiness off, and liveness is not asked", async (context) => {
  let mood: () => boolean | Promise<boolean> = () => true;
  const clock = manualClock();
  const server = await start(context, { clock, ready: { database: () => mood(), cache: () => undefined } });
  const changes: unknown[] = [];
  server.events.on("readiness", (change) => changes.push(change));
  assert.equal((await readiness(server))[0], 200);
  for (const no of [
    () => false,
    async () => false,
    () => {
      throw new Error("down");
    },
    async () => Promise.reject(new Error("down")),
  ]) {
    mood = no;
    await clock.advance(1_000);
    const [status, body] = await readiness(server, "?verbose");
    assert.equal(status, 503);
    assert.deepEqual(body, { status: "not ready", phase: "ready", checks: { database: "failed", cache: "ok" } });
    assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  }
  mood = () => true;
  await clock.advance(1_000);
  assert.equal((await readiness(server))[0], 200);
  assert.deepEqual(changes, [
    { ready: false, failed: ["database"] },
    { ready: true, failed: [] },
  ]);
});

test("a check that does not answer is given 2 s, however many ask meanwhile, and is told", async (context) => {
  const clock = manualClock();
  let asked = 0;
  let told: unknown;
  const entered = Promise.withResolvers<void>();
  const server = await start(context, {
    clock,
    ready: {
      database: (signal) => {
        asked++;
        entered.resolve();
        signal.addEventListener("abort", () => void (told = signal.reason));
        return new Promise(() => {});
      },
    },
  });
  const answers = Promise.all([readiness(server), readiness(server, "?verbose")]);
  await entered.promise;
  // Both requests are in: the second has come when another, later one has been answered.
  assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  await clock.advance(2_000);
  const [[plain, body], [verbose, details]] = await answers;
  assert.deepEqual([plain, verbose], [503, 503]);
  assert.deepEqual(body, { status: "not ready" });
  assert.deepEqual(details, { status: "not ready", phase: "ready", checks: { database: "timed_out" } });
  assert.equal(asked, 1);
  assert.ok(told instanceof Error);
});

test("an answer holds for a second, and details are given only where they are allowed", async (context) => {
  const clock = manualClock();
  let asked = 0;
  const server = await start(context, { clock, readyDetails: false, ready: { database: () => void asked++ } });
  await readiness(server);
  assert.deepEqual(await readiness(server, "?verbose"), [200, { status: "ready" }]);
  assert.equal(asked, 1);
  await clock.advance(1_000);
  await readiness(server);
  assert.equal(asked, 2);
});

test("a check that is no function stops the start", async (context) => {
  const ready = { database: true } as unknown as NonNullable<ServeOptions["ready"]>;
  await assert.rejects(start(context, { ready }), /ready\.database is a function/);
});

test("with a drain delay readiness goes off first, requests are still taken, and then the port closes", async (context) => {
  const clock = manualClock();
  const server = await start(context, { clock, drainDelay: "5s" });
  const stopped = server.stop();
  assert.equal((await readiness(server))[0], 503);
  assert.equal((await fetch(`${server.url}/ping`)).status, 200);
  await clock.advance(4_999);
  assert.equal((await fetch(`${server.url}/ping`)).status, 200);
  await clock.advance(1);
  await clock.advance(1_000);
  assert.equal((await stopped).outcome, "drained");
  await assert.rejects(fetch(`${server.url}/ping`));
});
