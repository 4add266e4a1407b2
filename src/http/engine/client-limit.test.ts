import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { HeaderBlock } from "../../exchange/index.ts";
import { ClientLimit } from "./client-limit.ts";
import { eventually } from "./conformance/raw-client.ts";
import { startEngine } from "./conformance/start-engine.ts";
import { createEngine, type ReadMode } from "./index.ts";

test("an IPv4 address, in either form, and the /64 of an IPv6 address are one client each", () => {
  const limit = new ClientLimit(2, []);
  assert.equal(limit.enter("192.0.2.1"), "192.0.2.1");
  assert.equal(limit.enter("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(limit.enter("192.0.2.1"), undefined);
  assert.equal(limit.enter("192.0.2.2"), "192.0.2.2");
  const network = limit.enter("2001:db8:1:2::1");
  assert.equal(network, limit.enter("2001:db8:1:2:ffff::9"));
  assert.equal(limit.enter("2001:db8:1:2::7"), undefined);
  assert.notEqual(limit.enter("2001:db8:1:3::7"), undefined);
  limit.leave("192.0.2.1");
  assert.equal(limit.enter("192.0.2.1"), "192.0.2.1");
});

test("trusted proxies are not counted, and neither is what has no address", () => {
  const limit = new ClientLimit(1, ["loopback", "10.0.0.0/8"]);
  for (let i = 0; i < 3; i++) {
    assert.equal(limit.enter("127.0.0.1"), null);
    assert.equal(limit.enter("10.9.8.7"), null);
    assert.equal(limit.enter(""), null);
  }
  assert.throws(() => new ClientLimit(1, ["10.0.0.1/8"]), /bits set after its prefix/);
});

const readModes: readonly ReadMode[] = ["static", "events"];
for (const readMode of readModes) {
  test(`one client gets its share of connections, the next is answered 503, and a closed one makes room (${readMode})`, async (t) => {
    const { engine, client } = await startEngine(t, {
      handler: () => ({ status: 200, headers: HeaderBlock.empty, body: "ok" }),
      limits: { connectionsPerClient: 3 },
      trustedProxies: [],
      readMode,
    });
    const three = [client(), client(), client()];
    for (const one of three) {
      one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await one.untilText("ok");
    }
    const fourth = client();
    assert.match(await fourth.untilEnd(), /^HTTP\/1\.1 503 .*retry-after: /s);
    assert.equal(engine.stats().connectionsRefused, 1);
    three[0]?.destroy();
    await eventually(() => engine.stats().connections === 2);
    const again = client();
    again.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await again.untilText("ok");
  });

  test(`connections that come together are all served, those of a client that has left too (${readMode})`, async (t) => {
    const { engine } = await startEngine(t, {
      handler: () => ({ status: 200, headers: HeaderBlock.empty, body: "ok" }),
      limits: { connectionsPerClient: 1000 },
      trustedProxies: [],
      readMode,
    });
    const port = engine.address()?.port ?? 0;
    let answered = 0;
    let closed = 0;
    const sockets = Array.from({ length: 400 }, (_, i) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      socket.on("close", () => closed++);
      socket.once("data", () => (answered++, socket.destroy()));
      socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      // Every fourth gives up as soon as it is connected.
      if (i % 4 === 0) socket.once("connect", () => socket.resetAndDestroy());
      return socket;
    });
    await eventually(() => closed === sockets.length);
    assert.ok(answered >= 300, String(answered));
    await eventually(() => engine.stats().connections === 0);
  });
}

test("close lets nobody in who was held back while others were accepted", async () => {
  const engine = createEngine({ handler: () => ({ status: 200, headers: HeaderBlock.empty, body: null }) });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  const sockets = Array.from({ length: 50 }, () => {
    const socket = connect({ port: listening.value.port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    return socket;
  });
  await eventually(() => engine.stats().connections > 0);
  await engine.close();
  assert.equal(engine.stats().connections, 0);
  await eventually(() => sockets.every((socket) => socket.closed || socket.destroyed));
});
