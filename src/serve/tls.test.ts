/** A served app behind TLS, whose certificate changes under it; and on a Unix socket. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import { testCertificate, type TestCertificate } from "../../tools/test-certificate.ts";
import { contract, query } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { Events } from "../telemetry/index.ts";
import { implement, serve, type ServeOptions, type Server } from "./index.ts";

const ping = query("ping", { access: "public", http: "GET /ping", input: {}, output: { pong: t.boolean() } });
const app = implement(contract("demo.v1", { ping }), { handlers: { ping: () => ({ pong: true }) } });

async function start(context: TestContext, options: ServeOptions): Promise<Server> {
  const server = await serve(app, { signals: [], log: false, ...options });
  context.after(() => server.stop());
  return server;
}

function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "tensile-tls-"));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function write(at: string, { cert, key }: TestCertificate): { cert: string; key: string } {
  const files = { cert: join(at, "cert.pem"), key: join(at, "key.pem") };
  for (const [path, text] of [
    [files.cert, cert],
    [files.key, key],
  ] as const) {
    // As tools that renew do it: whole, or not at all.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
  return files;
}

/** The name in the certificate that the server shows, after an answer. */
function nameOf(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { port: server.port, path: "/ping", agent: false, rejectUnauthorized: false };
    const request = httpsRequest({ host: "127.0.0.1", ...options }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume().on("end", () => resolve(String(subject.CN)));
    });
    request.on("error", reject).end();
  });
}

/** The next event of that name. */
function next(server: Server, name: "tls.renewed" | "tls.trouble"): Promise<unknown> {
  return new Promise((resolve) => {
    const stop = server.events.on(name, (event) => {
      stop();
      resolve(event);
    });
  });
}

test("serves TLS from PEM, HTTP/1.1 and HTTP/2 on one port, and says so in its url", async (context) => {
  const identity = await testCertificate("first");
  const server = await start(context, { port: 0, tls: identity });
  assert.equal(server.url, `https://127.0.0.1:${server.port}`);
  assert.equal(await nameOf(server), "first");
  const session = connectHttp2(server.url, { ca: identity.cert });
  const stream = session.request({ ":path": "/ping" });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
  assert.equal(Buffer.concat(chunks).toString(), '{"pong":true}');
  session.close();
  assert.equal(server.limits.http2?.streams, 100);
});

test("takes a new certificate when its files change, and keeps the old one when the new one is bad", async (context) => {
  const at = folder(context);
  const first = await testCertificate("first");
  const server = await start(context, { port: 0, tls: write(at, first) });
  assert.equal(await nameOf(server), "first");

  const renewed = next(server, "tls.renewed");
  write(at, await testCertificate("second"));
  await renewed;
  assert.equal(await nameOf(server), "second");

  const trouble = next(server, "tls.trouble");
  writeFileSync(join(at, "cert.pem"), "not a certificate");
  assert.match(JSON.stringify(await trouble), /cannot be used.*The certificate in use stays/);
  assert.equal(await nameOf(server), "second");
});

test("takes a new certificate by reloadTls and by SIGHUP, and refuses one that has expired", async (context) => {
  const at = folder(context);
  const events = new Events();
  const tls = { ...write(at, await testCertificate("first")), watch: false };
  const server = await start(context, { port: 0, tls, events, signals: ["SIGTERM"] });
  write(at, await testCertificate("second"));
  assert.equal(await nameOf(server), "first");
  const reloaded = await server.reloadTls();
  assert.ok(reloaded.ok);
  assert.equal(await nameOf(server), "second");

  write(at, await testCertificate("third"));
  const renewed = next(server, "tls.renewed");
  process.kill(process.pid, "SIGHUP");
  await renewed;
  assert.equal(await nameOf(server), "third");

  write(at, await testCertificate("old", { notAfterDate: new Date(Date.UTC(2020, 0, 2)) }));
  const expired = await server.reloadTls();
  assert.ok(!expired.ok);
  assert.match(expired.fault.message, /expired on Jan {2}2/);
  rmSync(join(at, "key.pem"));
  const missing = await server.reloadTls();
  assert.ok(!missing.ok);
  assert.match(missing.fault.message, /key.pem" cannot be read: ENOENT/);
  assert.equal(await nameOf(server), "third");
  await server.stop();
  assert.equal(process.listenerCount("SIGHUP"), 0);
});

test("what is wrong with TLS is one clear sentence at the start", async () => {
  const { cert, key } = await testCertificate();
  const other = await testCertificate();
  const starting = (options: ServeOptions): Promise<Server> => serve(app, { port: 0, signals: [], ...options });
  await assert.rejects(
    starting({ tls: { cert: "/none/cert.pem", key } }),
    /cert "\/none\/cert.pem" cannot be read: ENOENT/,
  );
  await assert.rejects(starting({ tls: { cert, key: other.key } }), /cannot be used: .*mismatch/);
  const plain = await starting({});
  await assert.rejects(plain.reloadTls(), /speaks no TLS/);
  await plain.stop();
});

test("serves on a Unix socket, and removes it when it stops", async (context) => {
  const path = join(folder(context), "app.sock");
  const server = await start(context, { path, mode: 0o660 });
  assert.deepEqual([server.url, server.port], [`unix:${path}`, 0]);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  const text = await new Promise<string>((resolve, reject) => {
    const request = httpRequest({ socketPath: path, path: "/ping", agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () => resolve(body));
    });
    request.on("error", reject).end();
  });
  assert.equal(text, '{"pong":true}');
  await assert.rejects(serve(app, { path, signals: [] }), /another process answers on it/);
  await assert.rejects(serve(app, { path, port: 0, signals: [] }), /a `path` or on a `port`, not on both/);
  assert.equal((await server.stop()).outcome, "drained");
  assert.equal(existsSync(path), false);
});
