import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { connect, createServer, type AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { testCertificate } from "../../../tools/test-certificate.ts";
import { ask, askEvery, startThreaded, type ThreadedProcess } from "./testing/threaded-process.ts";

const bothThreads = (url: string): ReturnType<typeof askEvery> =>
  askEvery(
    2,
    () => ask(`${url}/where`),
    ({ thread }) => thread,
  );

test("several threads answer on one port, with one store, one view of metrics and one end", async (context) => {
  const server = await startThreaded(context, { serve: { metrics: true } });
  const { url, started } = server;
  assert.equal(started.main, true, "what stands after serve runs in the main thread alone");
  assert.deepEqual(
    started.threads?.map(({ thread, state, restarts }) => [thread, state, restarts]),
    [
      [1, "ready", 0],
      [2, "ready", 0],
    ],
  );
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  await context.test("both answer, the main thread does not", async () => {
    const answers = await bothThreads(url);
    assert.deepEqual([answers.size, answers.has(0)], [2, false]);
  });
  await context.test(
    "jobs can be enqueued, awaited and looked at in every thread; they run in the main thread",
    async () => {
      const answers = await askEvery(
        2,
        (attempt) => ask(`${url}/noted`, { text: `note ${attempt}` }),
        ({ from }) => from,
      );
      assert.equal(answers.size, 2);
      for (const { ranIn, state } of answers.values()) assert.deepEqual([ranIn, state], [0, "succeeded"]);
      const ids = [...answers.values()].map(({ id }) => id);
      assert.equal(new Set(ids).size, 2, "one store gives the ids");
    },
  );
  await context.test("transactions of the store reach it from every thread, and so do its refusals", async () => {
    const outcomes = async (text: (attempt: number) => string): Promise<unknown[]> => {
      const answers = await askEvery(
        2,
        (attempt) => ask(`${url}/rows`, { text: text(attempt) }),
        ({ from }) => from,
      );
      return [...answers.values()].map(({ outcome }) => outcome);
    };
    assert.deepEqual(await outcomes((attempt) => `row ${attempt}`), ["1", "1"]);
    assert.deepEqual(await outcomes(() => "row 0"), ["SQL_REJECTED conflict", "SQL_REJECTED conflict"]);
  });
  await context.test("short-lived records of the store are the same in every thread", async () => {
    const answers = await askEvery(
      2,
      () => ask(`${url}/counted`, { key: "a" }),
      ({ from }) => from,
    );
    const last = String([...answers.values()].at(-1)?.["seen"]);
    for (const thread of answers.keys()) assert.ok(last.includes(`${String(thread)},`), last);
  });
  await context.test("metrics are one view of all threads", async () => {
    const shown = async (): Promise<number> => {
      const page = await (await fetch(`${url}/metrics`)).text();
      assert.match(
        page,
        /^tensile_job_attempts_total\{job="note",outcome="succeeded"\} \d+$/m,
        "of the main thread too",
      );
      return Number(/^http_server_requests_total\{method="GET",route="\/where",status="200"\} (\d+)$/m.exec(page)?.[1]);
    };
    const before = await shown();
    for (let i = 0; i < 40; i++) await ask(`${url}/where`);
    assert.equal(await shown(), before + 40);
  });
  await drained(server);
});

test("a thread that dies is replaced while the other one goes on", async (context) => {
  const server = await startThreaded(context, { serve: { metrics: { port: 0 } } });
  await dies(server, "crash", /ended by itself with code 1/);
  await dies(server, "leave", /ended by itself with code 3/);
  const stats = await server.stats();
  assert.equal(
    stats.reduce((sum, { restarts }) => sum + restarts, 0),
    2,
  );
  assert.equal(server.log.filter(({ event }) => event === "thread.died").length, 2, "each is said once");
  const defects = server.log.filter(({ event }) => event === "defect");
  assert.match(String(defects[0]?.["error"]), /crashed on purpose/);
  assert.ok([1, 2].includes(defects[0]?.thread ?? 0), "the log names the thread");
  const page = await (await fetch(`http://127.0.0.1:${server.started.metricsPort}/metrics`)).text();
  assert.match(page, /^http_server_requests_total\{method="GET",route="\/where",status="200"\} \d+$/m);
  await drained(server);
});

/**
 * At the limit of a thread's heap V8 ends the whole process where it cannot ask Node: when its compiler, on a thread of its own, needs room for code,
 * or when a collection moves more than 16 MB at once out of the young generation. That is V8's to mend; here it is kept from both.
 */
const heapEndsThread = ["--single-threaded", "--max-semi-space-size=1"];

test("a thread whose heap is full is replaced while the other one goes on", async (context) => {
  const server = await startThreaded(context, { threads: { heapMB: 48 } }, heapEndsThread);
  await dies(server, "fill", /its heap was full/);
  assert.equal(server.log.filter(({ event }) => event === "thread.died").length, 1);
  await drained(server);
});

/** One thread is asked for its end, ends for that reason, and has a successor. */
async function dies(server: ThreadedProcess, path: string, reason: RegExp): Promise<void> {
  const { url } = server;
  const before = [...(await bothThreads(url)).keys()];
  const died = server.next(({ thread }) => thread?.state === "died");
  const back = server.next(({ thread }) => thread?.state === "ready");
  // The connection breaks, or the answer was sent before.
  await ask(`${url}/${path}`, {}).catch(() => undefined);
  const { thread } = await died;
  assert.match(thread?.reason ?? "", reason);
  assert.ok([100, 200, 400].includes(thread?.restartInMs ?? 0));
  assert.equal((await ask(`${url}/where`)).status, 200, "the other one answers meanwhile");
  await back;
  const after = [...(await bothThreads(url)).keys()];
  assert.deepEqual([after.length, after.filter((one) => before.includes(one)).length], [2, 1], "one is new");
}

async function drained({ child, heard, ended }: ThreadedProcess): Promise<void> {
  child.kill("SIGTERM");
  const { report } = await heard((said) => said.report !== undefined);
  assert.deepEqual(report, { outcome: "drained", failures: [] });
  assert.equal(await ended(), 0);
}

test("a drain finishes the requests of every thread: none is lost, and the process ends with code 0", async (context) => {
  const server = await startThreaded(context);
  const { url } = server;
  await bothThreads(url);
  const inFlight = Array.from({ length: 20 }, () => ask(`${url}/slow?ms=400`));
  // Both threads have some of them: they are counted as soon as they are under way.
  await untilActive(url, 1);
  const atOnce = Promise.all(inFlight);
  server.child.kill("SIGTERM");
  const answers = await atOnce;
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { report } = await server.heard((said) => said.report !== undefined);
  assert.deepEqual(report, { outcome: "drained", failures: [] });
  assert.equal(await server.ended(), 0);
});

/** Until the requests have reached the server: connections that the system holds would be let in too, but a request not yet sent is nobody's. */
async function untilActive(url: string, least: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const { json } = await ask(`${url}/slow?ms=1`);
    if (json["thread"] !== undefined && i >= least) return;
  }
}

test("a drain that runs out of time cuts every thread, and says so once", async (context) => {
  const server = await startThreaded(context, { serve: { drain: 300 } });
  const { url } = server;
  const stuck = Array.from({ length: 8 }, () => ask(`${url}/stuck`).catch(() => undefined));
  await untilActive(url, 4);
  server.child.kill("SIGTERM");
  const { report } = await server.heard((said) => said.report !== undefined);
  assert.equal(report?.outcome, "timed_out");
  await Promise.all(stuck);
  await server.ended();
});

test("limits hold for the whole server: each thread has its part", async (context) => {
  const { url, started } = await startThreaded(context, { serve: { limits: { http: { connections: 4 } } } });
  assert.equal(started.limits, 4);
  const { port, hostname } = new URL(url);
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const socket = connect(Number(port), hostname);
      context.after(() => socket.destroy());
      socket.on("error", () => undefined);
      socket.write("GET /where HTTP/1.1\r\nhost: a\r\n\r\n");
      const [chunk] = (await once(socket, "data")) as [Buffer];
      return chunk.toString("latin1").slice(9, 12);
    }),
  );
  const admitted = outcomes.filter((status) => status === "200").length;
  assert.ok(admitted >= 2 && admitted <= 4, `${admitted} of 60 connections were admitted`);
});

test("a new certificate reaches every thread, and a bad one none", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "tensile-threads-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const write = ({ cert, key }: { readonly cert: string; readonly key: string }): void => {
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
  };
  write(await testCertificate("first"));
  const server = await startThreaded(context, { serve: { tls: { ...files, watch: false } } });
  const { port } = new URL(server.url);
  const names = async (): Promise<string[]> => {
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) seen.add(await certificateOf(Number(port)));
    return [...seen];
  };
  assert.deepEqual(await names(), ["first"]);
  write(await testCertificate("second"));
  server.child.send("reload");
  assert.equal((await server.next(({ reloaded }) => reloaded !== undefined)).reloaded, "ok");
  assert.deepEqual(await names(), ["second"]);
  writeFileSync(files.cert, "nonsense");
  server.child.send("reload");
  assert.match(String((await server.next(({ reloaded }) => reloaded !== undefined)).reloaded), /cannot be used/);
  assert.deepEqual(await names(), ["second"]);
});

function certificateOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a port in use, and a program that cannot start, are said at the start", async (context) => {
  const other = createServer().listen({ port: 0, host: "127.0.0.1" });
  await once(other, "listening");
  context.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(startThreaded(context, { serve: { port } }), /the port is in use/);
  await assert.rejects(
    startThreaded(context, { threads: { entry: "src/core/index.ts" } }),
    /ended with code \d+ in a thread before it called serve\(\)/,
  );
});

test("a program that serves something else in its threads does not start, and is told where to put it", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "tensile-threads-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "twice.mjs");
  writeFileSync(
    file,
    `import { contract, implement, query, serve } from "${new URL("../../index.ts", import.meta.url).href}";
    const ping = query("ping", { access: "public", input: {}, output: {} });
    const app = implement(contract("a.v1", { ping }), { handlers: { ping: () => ({}) } });
    await serve(app, { port: 0 });
    await serve(app, { port: 0, threads: 1 });`,
  );
  const done = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 20_000 });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /serve\(\) without threads was called in a thread of a server/);
});
