/** Admission through the front door: real sockets, and a clock that only handlers move. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { contract, query } from "../contract/index.ts";
import type { Clock } from "../core/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { implement, serve, type LogEntry, type Server, type ServeOptions } from "./index.ts";

const work = query("work", { access: "public", input: {}, output: { done: t.boolean() } });
const hold = query("hold", { access: "public", input: {}, output: { done: t.boolean() } });
const busy = contract("busy.v1", { work, hold });

/** Stands still but for `pass`, and fires no timer later than the system would: `pass` makes those due late. */
function steppedClock(): Clock & { pass(ms: number): void } {
  let now = 0;
  return {
    pass: (ms) => void (now += ms),
    now: () => now,
    monotonic: () => now,
    setTimer(ms, callback) {
      const handle = setTimeout(callback, ms);
      handle.unref();
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

interface Setup {
  readonly server: Server;
  readonly log: LogEntry[];
  readonly clock: ReturnType<typeof steppedClock>;
  release(): void;
}

/** Each `work` takes 10 ms of the loop, by the server's clock. */
async function start(t: TestContext, options: ServeOptions): Promise<Setup> {
  const clock = steppedClock();
  const log: LogEntry[] = [];
  const held = Promise.withResolvers<void>();
  const app = implement(busy, {
    handlers: {
      work: () => {
        clock.pass(10);
        return { done: true };
      },
      hold: () => held.promise.then(() => ({ done: true })),
    },
  });
  const server = await serve(app, { port: 0, signals: [], clock, log: (entry) => void log.push(entry), ...options });
  t.after(async () => {
    held.resolve();
    await server.stop();
  });
  return { server, log, clock, release: () => held.resolve() };
}

/** The status of each answer to `count` pipelined requests on one connection: they are all readable at once. */
function pipelined(port: number, path: string, count: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += String(chunk);
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status as string);
      if (statuses.length < count) return;
      socket.destroy();
      resolve(statuses);
    });
    socket.on("error", reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
  });
}

test("a server that is behind refuses what waited too long, answers its health checks, and says so once", async (t) => {
  const events = new Events();
  const sheds: object[] = [];
  events.on("request.shed", (shed) => sheds.push(shed));
  const { server, log } = await start(t, { events });
  const statuses: string[] = [];
  // Until it has noticed: how many turns that takes is the system's affair.
  for (let i = 0; i < 500 && !statuses.includes("503"); i++)
    statuses.push(...(await pipelined(server.port, "/work", 60)));
  assert.ok(statuses.includes("503"));
  assert.ok(statuses.includes("200"));
  assert.equal(server.admission()?.loopOverloaded, true);
  assert.deepEqual(new Set(await pipelined(server.port, "/livez", 16)), new Set(["200"]));
  assert.equal(sheds.length, statuses.filter((status) => status === "503").length);
  assert.equal(server.admission()?.shed.queue, sheds.length);
  assert.deepEqual(sheds[0], { method: "GET", route: "/work", operation: "work", reason: "queue" });
  const said = log.filter(({ event }) => event === "overload");
  assert.equal(said.length, 1);
  assert.equal(said[0]?.level, "warn");
});

test("calls beyond the limit are refused while the others wait, and let in again when these are done", async (t) => {
  const { server, release } = await start(t, {
    limits: { overload: { inFlight: 3, queueMs: 60_000, queuePatienceMs: 60_000, criticalQueueMs: 60_000 } },
  });
  const held = [1, 2, 3].map(() => fetch(`${server.url}/hold`));
  while (server.admission()?.inFlight !== 3) await new Promise((resolve) => setImmediate(resolve));
  const refused = await fetch(`${server.url}/hold`);
  assert.equal(refused.status, 503);
  assert.match(refused.headers.get("retry-after") ?? "", /^[123]$/);
  assert.equal(((await refused.json()) as { code: string }).code, "OVERLOADED");
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  release();
  for (const answer of held) assert.equal((await answer).status, 200);
  assert.equal((await fetch(`${server.url}/hold`)).status, 200);
});

test("with overload: false nobody is refused", async (t) => {
  const { server } = await start(t, { overload: false });
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(new Set(await pipelined(server.port, "/work", 60)), new Set(["200"]));
  }
  assert.equal(server.admission(), undefined);
  assert.equal(server.limits.overload, undefined);
});

test("a limit that cannot be stops the start with a sentence", async () => {
  const app = implement(busy, { handlers: { work: () => ({ done: true }), hold: () => ({ done: true }) } });
  await assert.rejects(
    serve(app, { port: 0, limits: { overload: { inFlight: 0 } } }),
    /"inFlight" must be a number from 1/,
  );
});
