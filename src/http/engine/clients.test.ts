/**
 * Clients and proxies that others wrote: curl and h2load, undici, autocannon, and nginx and haproxy in front. Those that are programs are
 * used where they are installed; where one is not, its test says so.
 */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import autocannon from "autocannon";
import { Agent, Client, request as undiciRequest } from "undici";
import { testCertificate } from "../../../tools/test-certificate.ts";
import { HeaderBlock, type HttpHandler } from "../../exchange/index.ts";
import { eventually } from "./conformance/raw-client.ts";
import { startEngine } from "./conformance/start-engine.ts";
import type { Engine, EngineOptions } from "./index.ts";

const run = promisify(execFile);

const echo: HttpHandler = async (request) => {
  const body = await request.body(1 << 20);
  const text = `${request.method} ${request.target} HTTP/${request.httpVersion} ${body.ok ? body.value.length : body.fault.code}`;
  return { status: 200, headers: new HeaderBlock(["content-type", "text/plain"]), body: text };
};

async function start(t: TestContext, options: Partial<EngineOptions> = {}): Promise<{ engine: Engine; port: number }> {
  const { engine } = await startEngine(t, { handler: echo, ...options });
  return { engine, port: engine.address()?.port ?? 0 };
}

/** Whether a program is there; else the test says that it has tested nothing. */
function has(t: TestContext, program: string, asked = "--version"): boolean {
  const found = spawnSync(program, [asked]).error === undefined;
  if (!found) t.diagnostic(`${program} is not installed: nothing was tested with it.`);
  return found;
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run("curl", ["-sS", "-w", " v%{http_version} %{http_code}", ...args]);
  return stdout;
}

test("curl: HTTP/1.1, h2c by prior knowledge, and an Upgrade to h2c that is answered as HTTP/1.1", async (t) => {
  if (!has(t, "curl")) return;
  const { port } = await start(t);
  const url = `http://127.0.0.1:${port}/x`;
  assert.equal(await curl("--http1.1", url), "GET /x HTTP/1.1 0 v1.1 200");
  assert.equal(await curl("--http1.0", url), "GET /x HTTP/1.0 0 v1.1 200");
  assert.equal(await curl("--http2-prior-knowledge", url), "GET /x HTTP/2 0 v2 200");
  assert.equal(await curl("--http2", url), "GET /x HTTP/1.1 0 v1.1 200");
  const body = join(folder(t), "body");
  writeFileSync(body, "x".repeat(300_000));
  for (const version of ["--http1.1", "--http2-prior-knowledge"])
    assert.match(await curl(version, "--data-binary", `@${body}`, url), /^POST \/x HTTP\/[\d.]+ 300000 v/);
});

test("curl: TLS, HTTP/2 by ALPN and HTTP/1.1", async (t) => {
  if (!has(t, "curl")) return;
  const identity = await testCertificate();
  const { port } = await start(t, { tls: identity });
  const ca = join(folder(t), "ca.pem");
  writeFileSync(ca, identity.cert);
  const url = `https://localhost:${port}/x`;
  assert.equal(await curl("--cacert", ca, "--http2", url), "GET /x HTTP/2 0 v2 200");
  assert.equal(await curl("--cacert", ca, "--http1.1", url), "GET /x HTTP/1.1 0 v1.1 200");
});

test("curl: a Unix socket", async (t) => {
  if (!has(t, "curl")) return;
  const path = join(folder(t), "app.sock");
  const { createEngine } = await import("./index.ts");
  const engine = createEngine({ handler: echo });
  t.after(() => engine.close());
  assert.ok((await engine.listen({ path })).ok);
  assert.equal(await curl("--unix-socket", path, "http://app/x"), "GET /x HTTP/1.1 0 v1.1 200");
  assert.equal(await curl("--unix-socket", path, "--http2-prior-knowledge", "http://app/x"), "GET /x HTTP/2 0 v2 200");
});

test("undici: kept alive and pipelined, and HTTP/2 over TLS", async (t) => {
  const plain = await start(t);
  const client = new Client(`http://127.0.0.1:${plain.port}`, { pipelining: 8 });
  t.after(() => client.destroy());
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => (await client.request({ path: `/${n}`, method: "GET" })).body.text()),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, n) => `GET /${n} HTTP/1.1 0`),
  );
  const identity = await testCertificate();
  const secure = await start(t, { tls: identity });
  const dispatcher = new Agent({ allowH2: true, connect: { ca: identity.cert } });
  t.after(() => dispatcher.destroy());
  const { body } = await undiciRequest(`https://localhost:${secure.port}/x`, {
    dispatcher,
    method: "POST",
    body: "abc",
  });
  assert.equal(await body.text(), "POST /x HTTP/2 3");
});

test("autocannon: pipelined load without an error", async (t) => {
  const { port, engine } = await start(t);
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/x`,
    connections: 20,
    pipelining: 10,
    amount: 4_000,
  });
  assert.deepEqual([result.non2xx, result.errors, result.timeouts], [0, 0, 0]);
  // It counts no answers that come after it has enough: at most those of the last round.
  assert.ok(result["2xx"] >= 3_800, `${result["2xx"]} answers`);
  await eventually(() => engine.stats().connections === 0);
});

test("h2load: many streams on few connections, all answered", async (t) => {
  if (!has(t, "h2load")) return;
  const { port, engine } = await start(t);
  const { stdout } = await run("h2load", ["-n", "4000", "-c", "4", "-m", "50", `http://127.0.0.1:${port}/x`]);
  assert.match(stdout, /4000 succeeded, 0 failed, 0 errored/);
  await eventually(() => engine.stats().connections === 0);
});

test("nginx in front, with kept-alive connections to the engine", async (t) => {
  if (!has(t, "nginx", "-v")) return;
  const { engine, port } = await start(t);
  const at = folder(t);
  const front = await freePort();
  const text = `daemon off; master_process off; pid ${at}/pid; error_log stderr; events { worker_connections 128; }
    http { access_log off; client_body_temp_path ${at}; proxy_temp_path ${at}; fastcgi_temp_path ${at}; uwsgi_temp_path ${at}; scgi_temp_path ${at};
      upstream app { server 127.0.0.1:${port}; keepalive 4; }
      server { listen 127.0.0.1:${front}; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`;
  writeFileSync(join(at, "nginx.conf"), text);
  await proxied(t, "nginx", ["-c", join(at, "nginx.conf"), "-p", at], front);
  // Kept alive: many requests, few connections.
  assert.ok(engine.stats().connections <= 5);
});

test("haproxy in front, with kept-alive connections to the engine", async (t) => {
  if (!has(t, "haproxy", "-v")) return;
  const { engine, port } = await start(t);
  const at = folder(t);
  const front = await freePort();
  writeFileSync(
    join(at, "haproxy.cfg"),
    `defaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n  http-reuse always
frontend in\n  bind 127.0.0.1:${front}\n  default_backend app\nbackend app\n  server one 127.0.0.1:${port}\n`,
  );
  await proxied(t, "haproxy", ["-f", join(at, "haproxy.cfg"), "-db"], front);
  assert.ok(engine.stats().connections <= 5);
});

/** Starts a proxy, and sends through it what the engine must answer right: bodies both ways, HEAD, many requests. */
async function proxied(t: TestContext, program: string, args: string[], port: number): Promise<void> {
  const child = spawn(program, args, { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  t.after(async () => {
    child.kill();
    await ended;
  });
  const url = `http://127.0.0.1:${port}`;
  for (let answered = false; !answered;) {
    assert.equal(child.exitCode, null, `${program} did not start`);
    answered = await fetch(url).then(
      (response) => response.ok,
      () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50)),
    );
  }
  for (let n = 0; n < 200; n++)
    assert.match(await (await fetch(`${url}/${n}`)).text(), new RegExp(`^GET /${n} HTTP/1.1 0$`));
  const posted = await fetch(`${url}/post`, { method: "POST", body: "x".repeat(200_000) });
  assert.equal(await posted.text(), "POST /post HTTP/1.1 200000");
  const head = await fetch(url, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
}

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "tensile-clients-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
