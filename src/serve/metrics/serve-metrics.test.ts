import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { contract, implement, job, query, serve, t, work, type ServeOptions, type Server } from "../../index.ts";
import { sqlite } from "../../sqlite/index.ts";

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32() },
  output: { id: t.int32() },
});
const importCities = job("importCities", { input: {} });
const app = implement(contract("atlas.v1", { getCity, importCities }), {
  handlers: { getCity: ({ input }) => input, importCities: () => {} },
});

async function start(context: TestContext, options: ServeOptions): Promise<Server> {
  const server = await serve(app, { port: 0, store: sqlite(":memory:"), log: false, signals: [], ...options });
  context.after(() => server.stop());
  return server;
}

async function get(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(url, { headers });
  return { status: response.status, type: response.headers.get("content-type") ?? "", text: await response.text() };
}

/** Runs `run` as if the process were in production. */
async function inProduction(run: () => Promise<void>): Promise<void> {
  const before = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    await run();
  } finally {
    if (before === undefined) delete process.env["NODE_ENV"];
    else process.env["NODE_ENV"] = before;
  }
}

test("the page has requests, queues, the process and the build, and Prometheus's own judge finds no fault", async (context) => {
  const server = await start(context, { metrics: { version: "1.2.3" } });
  await fetch(`${server.url}/cities/7`);
  await fetch(`${server.url}/nowhere/secret-token`);
  const ref = await server.jobs.enqueue(importCities, {});
  assert.ok(ref.ok);
  assert.ok((await ref.value.result()).ok);
  const { status, type, text } = await get(`${server.url}/metrics`);
  assert.equal(status, 200);
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  for (const line of [
    /^http_server_requests_total\{method="GET",route="\/cities\/\{id\}",status="200"\} 1$/m,
    /^http_server_requests_total\{method="GET",route="\(none\)",status="404"\} 1$/m,
    /^tensile_jobs_enqueued_total\{job="importCities"\} 1$/m,
    /^tensile_job_attempts_total\{job="importCities",outcome="succeeded"\} 1$/m,
    /^tensile_jobs\{job="importCities",state="ready"\} 0$/m,
    /^tensile_build_info\{contract="atlas.v1",version="1.2.3",node="v[\d.]+"\} 1$/m,
    /^http_server_connections [1-9]/m,
    /^process_resident_memory_bytes \d{7,}$/m,
    /^nodejs_eventloop_lag_p99_seconds \d/m,
  ]) {
    assert.match(text, line);
  }
  assert.doesNotMatch(text, /secret-token/);
  const judged = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  if (judged.error !== undefined) context.diagnostic("promtool is not installed: its verdict was not asked.");
  else assert.equal(judged.status, 0, judged.stderr);
});

test("OpenMetrics comes to a scraper that asks as Prometheus does", async (context) => {
  const server = await start(context, { metrics: true });
  const accept =
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2";
  const { type, text } = await get(`${server.url}/metrics`, { accept });
  assert.match(type, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.ok(text.endsWith("# EOF\n"));
});

test("they are off unless asked for", async (context) => {
  const server = await start(context, {});
  assert.equal((await get(`${server.url}/metrics`)).status, 404);
  assert.equal(server.events.observesRequests, false);
  assert.equal(server.metrics, undefined);
});

test("in production the server's port shows them to nobody by accident", async (context) => {
  await inProduction(async () => {
    await assert.rejects(
      start(context, { metrics: true }),
      /in production, metrics need a word about who may read them/,
    );
    const server = await start(context, { metrics: { access: "public" } });
    assert.equal((await get(`${server.url}/metrics`)).status, 200);
    const apart = await start(context, { metrics: { port: 0 } });
    assert.equal((await get(`${apart.url}/metrics`)).status, 404);
    assert.equal((await get(`http://127.0.0.1:${apart.metricsPort}/metrics`)).status, 200);
  });
});

test("a token, or a function, decides who reads", async (context) => {
  const bearer = "a-token-of-enough-length";
  const { url } = await start(context, { metrics: { access: { bearer } } });
  assert.equal((await get(`${url}/metrics`)).status, 401);
  assert.equal((await get(`${url}/metrics`, { authorization: `Bearer ${bearer}x` })).status, 401);
  assert.equal((await get(`${url}/metrics`, { authorization: `Bearer ${bearer}` })).status, 200);
  const asked = await start(context, {
    metrics: {
      access: async ({ header }) => {
        if (header === undefined) return true;
        throw new Error("the directory is down");
      },
    },
  });
  assert.equal((await get(`${asked.url}/metrics`)).status, 403);
});

test("what is wrong is said at the start", async (context) => {
  await assert.rejects(start(context, { metrics: { access: { bearer: "" } } }), /at least 16 characters/);
  await assert.rejects(start(context, { metrics: { path: "metrics" } }), /metrics.path is a plain path/);
});

test("a worker, which has no port, is measured on the one that it is given", async (context) => {
  await assert.rejects(work(app, { store: sqlite(":memory:"), metrics: true }), /a worker has no port of its own/);
  const worker = await work(app, { store: sqlite(":memory:"), log: false, signals: [], metrics: { port: 0 } });
  context.after(() => worker.stop());
  const ref = await worker.jobs.enqueue(importCities, {});
  assert.ok(ref.ok && (await ref.value.result()).ok);
  const { text } = await get(`http://127.0.0.1:${worker.metricsPort}/metrics`);
  assert.match(text, /^tensile_job_attempts_total\{job="importCities",outcome="succeeded"\} 1$/m);
  assert.equal((await get(`http://127.0.0.1:${worker.metricsPort}/readyz`)).status, 200);
});

test("their own port answers health too, and to the end of a drain", async () => {
  const entered = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  const slow = query("slow", { access: "public", input: {}, output: {} });
  const slowApp = implement(contract("slow.v1", { slow }), {
    handlers: { slow: async () => (entered.resolve(), await leave.promise, {}) },
  });
  const server = await serve(slowApp, { port: 0, log: false, signals: [], metrics: { port: 0 } });
  const admin = `http://127.0.0.1:${server.metricsPort}`;
  assert.equal((await get(`${admin}/readyz`)).status, 200);
  assert.equal((await get(`${admin}/cities/1`)).status, 404);
  const running = fetch(`${server.url}/slow`);
  await entered.promise;
  const stopped = server.stop();
  assert.equal((await get(`${admin}/readyz`)).status, 503);
  assert.match((await get(`${admin}/metrics`)).text, /^http_server_active_requests 1$/m);
  leave.resolve();
  assert.equal((await running).status, 200);
  assert.equal((await stopped).outcome, "drained");
  await assert.rejects(fetch(`${admin}/livez`));
});
