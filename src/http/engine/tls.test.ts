/** TLS in front of the engine: ALPN, HTTP/1.1 and HTTP/2 behind it, mutual TLS, another certificate without a restart. */
import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { test, type TestContext } from "node:test";
import { connect, type ConnectionOptions, type PeerCertificate, type TLSSocket } from "node:tls";
import { manualClock } from "../../core/index.ts";
import { HeaderBlock, type HttpHandler } from "../../exchange/index.ts";
import { testCertificate, type TestCertificate } from "../../../tools/test-certificate.ts";
import { eventually } from "./conformance/raw-client.ts";
import { startEngine } from "./conformance/start-engine.ts";
import { createEngine, engineLimits, type Engine, type EngineOptions } from "./index.ts";

const echo: HttpHandler = (request) => ({
  status: 200,
  headers: HeaderBlock.empty,
  body: `${request.method} ${request.target} ${request.httpVersion} ${request.secure}`,
});
const identity = await testCertificate();

async function start(
  t: TestContext,
  handler: HttpHandler = echo,
  options: Omit<EngineOptions, "handler"> = {},
): Promise<{ readonly engine: Engine; readonly port: number }> {
  const { engine } = await startEngine(t, { handler, tls: identity, ...options });
  return { engine, port: engine.address()?.port ?? 0 };
}

/** A TLS connection that stays open; rejects when the handshake fails. */
function open(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ca: identity.cert, servername: "localhost", ...options });
    t.after(() => socket.destroy());
    socket.once("error", reject);
    socket.once("secureConnect", () => resolve(socket));
  });
}

function getHttps(
  port: number,
  ca = identity.cert,
  more: object = {},
): Promise<{ text: string; peer: PeerCertificate }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ port, host: "127.0.0.1", path: "/x", ca, agent: false, ...more });
    request.on("error", reject);
    request.on("response", (response) => {
      const peer = (response.socket as TLSSocket).getPeerCertificate();
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ text, peer }));
    });
    request.end();
  });
}

test("HTTP/1.1 goes through the engine, with and without ALPN, kept alive and pipelined", async (t) => {
  const { port, engine } = await start(t);
  assert.equal((await getHttps(port)).text, "GET /x 1.1 true");
  const socket = await open(t, port, { ALPNProtocols: ["http/1.1"] });
  assert.equal(socket.alpnProtocol, "http/1.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => (text += part));
  socket.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => text.includes("GET /b 1.1"));
  socket.write("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  await eventually(() => text.includes("POST /c 1.1"));
  await new Promise((resolve) => socket.on("close", resolve));
  await eventually(() => engine.stats().connections === 0);
});

test("HTTP/2 is chosen by ALPN, and only by ALPN", async (t) => {
  const { port, engine } = await start(t);
  const session = connectHttp2(`https://localhost:${port}`, { ca: identity.cert, host: "127.0.0.1" });
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/h2" });
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  await new Promise((resolve, reject) => stream.on("end", resolve).on("error", reject));
  assert.equal(text, "GET /h2 2 true");
  assert.equal(session.alpnProtocol, "h2");
  assert.equal(engine.stats().connections, 1);

  const other = await open(t, port, { ALPNProtocols: ["http/1.1"] });
  let answer = "";
  other.setEncoding("latin1").on("data", (part: string) => (answer += part));
  other.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await eventually(() => answer.startsWith("HTTP/1.1 501 "));
  await assert.rejects(open(t, port, { ALPNProtocols: ["spdy/3"] }), /no application protocol|alert/i);
});

test("without HTTP/2 a client that could speak it gets HTTP/1.1", async (t) => {
  const { port } = await start(t, echo, { http2: false });
  assert.equal((await open(t, port, { ALPNProtocols: ["h2", "http/1.1"] })).alpnProtocol, "http/1.1");
});

test("another certificate is taken without a restart; open connections keep theirs, and a bad one changes nothing", async (t) => {
  const { port, engine } = await start(t);
  const kept = await open(t, port);
  const next = await testCertificate("next");
  assert.ok(engine.renewTls(next).ok);
  assert.equal((await getHttps(port, next.cert)).peer.subject.CN, "next");
  await assert.rejects(getHttps(port), /self-signed|certificate/);
  const bad = [
    { cert: identity.cert, key: next.key },
    { cert: "nonsense", key: next.key },
    { cert: next.cert, key: "" },
  ];
  for (const broken of bad) {
    const refused = engine.renewTls(broken);
    assert.ok(!refused.ok);
    assert.equal(refused.fault.code, "TLS_UNUSABLE");
  }
  assert.equal((await getHttps(port, next.cert)).peer.subject.CN, "next");
  let text = "";
  kept.setEncoding("latin1").on("data", (part: string) => (text += part));
  kept.write("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => text.includes("GET /kept 1.1"));
});

test("a bad certificate is a clear error at the start, and renewal without TLS a mistake", async () => {
  const next = await testCertificate("next");
  assert.throws(
    () => createEngine({ handler: echo, tls: { cert: identity.cert, key: next.key } }),
    /TypeError: The TLS certificate and key cannot be used: .*key values mismatch/,
  );
  assert.throws(() => createEngine({ handler: echo }).renewTls(next), /speaks no TLS/);
});

test("mutual TLS lets in only who has a certificate of the CA", async (t) => {
  const client: TestCertificate = await testCertificate("client");
  const { port, engine } = await start(t, echo, { tls: { ...identity, ca: client.cert, requestClientCert: true } });
  assert.equal((await getHttps(port, identity.cert, { cert: client.cert, key: client.key })).text, "GET /x 1.1 true");
  const stranger = await testCertificate("stranger");
  await assert.rejects(getHttps(port, identity.cert, { cert: stranger.cert, key: stranger.key }));
  await assert.rejects(getHttps(port));
  await eventually(() => engine.stats().connections === 0);
  assert.equal(engine.stats().requests, 1);
});

test("old protocols and ciphers without forward secrecy are refused", async (t) => {
  const { port } = await start(t);
  assert.equal((await open(t, port, { maxVersion: "TLSv1.2" })).getProtocol(), "TLSv1.2");
  await assert.rejects(open(t, port, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }));
  await assert.rejects(open(t, port, { maxVersion: "TLSv1.2", ciphers: "AES128-SHA" }));
  const strict = await start(t, echo, { tls: { ...identity, minVersion: "TLSv1.3" } });
  await assert.rejects(open(t, strict.port, { maxVersion: "TLSv1.2" }));
});

test("a client that does not finish its handshake is timed out, and one that speaks plain HTTP is closed", async (t) => {
  const clock = manualClock();
  const { port, engine } = await start(t, echo, { clock });
  const silent = connectTcp(port, "127.0.0.1");
  const closed = new Promise((resolve) => silent.on("close", resolve));
  silent.on("error", () => undefined);
  await eventually(() => engine.stats().connections === 1);
  await clock.advance(engineLimits.handshakeTimeoutMs + 200);
  await closed;
  assert.equal(engine.stats().timedOut, 1);
  const plain = connectTcp(port, "127.0.0.1");
  plain.on("error", () => undefined);
  plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  plain.resume();
  await new Promise((resolve) => plain.on("close", resolve));
  await eventually(() => engine.stats().connections === 0);
});

test("handshakes are bounded in number, and over the bound a connection is closed", async (t) => {
  const { port, engine } = await start(t, echo, { limits: { handshakes: 20 } });
  const silent = Array.from({ length: 60 }, () => connectTcp(port, "127.0.0.1").on("error", () => undefined));
  t.after(() => silent.forEach((socket) => socket.destroy()));
  for (const socket of silent) socket.resume();
  await eventually(() => engine.stats().connectionsRefused === 40);
  assert.equal(engine.stats().connections, 20);
  silent.forEach((socket) => socket.destroy());
  await eventually(() => engine.stats().connections === 0);
  assert.equal((await getHttps(port)).text, "GET /x 1.1 true");
});

test("a drain answers what is under way over TLS, and does not wait for handshakes that nobody goes on with", async (t) => {
  const gate = Promise.withResolvers<void>();
  const { port, engine } = await start(t, async (request) => {
    await gate.promise;
    return echo(request);
  });
  const slow = getHttps(port);
  await eventually(() => engine.stats().inFlight === 1);
  const silent = connectTcp(port, "127.0.0.1").on("error", () => undefined);
  t.after(() => silent.destroy());
  await eventually(() => engine.stats().connections === 2);
  const draining = engine.drain(10_000);
  gate.resolve();
  assert.equal((await slow).text, "GET /x 1.1 true");
  assert.deepEqual(await draining, { outcome: "drained" });
});
