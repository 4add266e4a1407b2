/** What slow clients hold together is bounded: their answers that they do not read, their bodies that they do not finish. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { HeaderBlock, type HttpResponse } from "../../exchange/index.ts";
import { eventually } from "./conformance/raw-client.ts";
import { readModes, startEngine } from "./conformance/start-engine.ts";
import { HeldBytes } from "./held-bytes.ts";
import type { Engine } from "./index.ts";

const mebibyte = 1024 * 1024;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A client that sends and does not read until it is told to. */
function silent(t: TestContext, engine: Engine, text: string): Socket {
  const socket = connect(engine.address()?.port ?? 0, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(text);
  t.after(() => socket.destroy());
  return socket;
}

async function bytesFrom(socket: Socket, enough: number): Promise<number> {
  let bytes = 0;
  for await (const piece of socket) {
    bytes += (piece as Buffer).length;
    if (bytes >= enough) break;
  }
  return bytes;
}

test("the connection without progress for the longest goes first, and never the last one", () => {
  const destroyed: string[] = [];
  const named = (name: string): { destroy(): void } => ({ destroy: () => void destroyed.push(name) });
  const [one, two, three] = [named("one"), named("two"), named("three")];
  const held = new HeldBytes(100);
  held.set(one, 40);
  held.set(two, 40);
  held.set(one, 30);
  assert.equal(held.sum, 70);
  held.set(three, 50);
  assert.deepEqual([destroyed, held.sum, held.dropped], [["two"], 80, 1]);
  held.set(three, 1000);
  assert.deepEqual([destroyed, held.sum], [["two", "one"], 1000]);
  held.set(three, 0);
  held.set(three, 0);
  assert.equal(held.sum, 0);
});

for (const readMode of readModes) {
  test(`answers that nobody reads are bounded in sum, and who reads is served (${readMode})`, async (t) => {
    const body = Buffer.alloc(8 * mebibyte, "x");
    const answer = (): HttpResponse => ({ status: 200, headers: HeaderBlock.empty, body });
    const { engine } = await startEngine(t, {
      handler: answer,
      limits: { bufferedBytes: 20 * mebibyte },
      readMode,
    });
    for (let i = 0; i < 8; i++) silent(t, engine, get);
    await eventually(() => engine.stats().connectionsDropped >= 5);
    assert.ok(engine.stats().bufferedBytes <= 20 * mebibyte, String(engine.stats().bufferedBytes));
    assert.ok((await bytesFrom(silent(t, engine, get), body.length)) >= body.length);
    await eventually(() => engine.stats().connections <= 4);
  });

  test(`bodies that nobody finishes are bounded in sum, and one that comes is taken (${readMode})`, async (t) => {
    const { engine, client } = await startEngine(t, {
      handler: async (request) => {
        const got = await request.body(mebibyte);
        return { status: 200, headers: HeaderBlock.empty, body: got.ok ? `took ${got.value.length}` : got.fault.code };
      },
      limits: { bufferedBytes: 2 * mebibyte },
      readMode,
    });
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${mebibyte}\r\n\r\n`;
    for (let i = 0; i < 12; i++) silent(t, engine, head + "x".repeat(500_000));
    await eventually(() => engine.stats().connectionsDropped >= 6);
    assert.ok(engine.stats().bufferedBytes <= 2 * mebibyte);
    const good = client();
    good.send(head + "x".repeat(mebibyte));
    await good.untilText(`took ${mebibyte}`);
    good.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx`);
    await good.untilText("took 2");
  });

  test(`while a long answer waits for its reader, no other of its connection is made (${readMode})`, async (t) => {
    const body = Buffer.alloc(16 * mebibyte, "x");
    let calls = 0;
    const { engine } = await startEngine(t, {
      handler: () => (calls++, { status: 200, headers: HeaderBlock.empty, body }),
      readMode,
    });
    const socket = silent(t, engine, get.repeat(3) + get.slice(0, 20));
    await eventually(() => engine.stats().bufferedBytes > 0);
    assert.equal(calls, 1);
    socket.write(get.slice(20));
    const wanted = 4 * body.length;
    assert.ok((await bytesFrom(socket, wanted)) >= wanted);
    assert.equal(calls, 4);
    assert.equal(engine.stats().bufferedBytes, 0);
  });
}
