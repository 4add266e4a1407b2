import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { HeaderBlock, type HttpHandler } from "../../exchange/index.ts";
import { createEngine, type Engine } from "./index.ts";

const echo: HttpHandler = ({ target }) => ({ status: 200, headers: HeaderBlock.empty, body: target });

test("the trial at the start finds that this runtime can read into a static buffer", async () => {
  const engine = createEngine({ handler: echo });
  assert.ok((await engine.listen({ port: 0 })).ok);
  assert.equal(engine.readMode, "static");
  await engine.close();
});

test("a port that is taken is a fault, not an exception", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const engine = createEngine({ handler: echo });
  const listening = await engine.listen({ port });
  assert.ok(!listening.ok);
  assert.equal(listening.fault.data.reason, "EADDRINUSE");
  assert.equal(engine.address(), null);
  await engine.close();
  await new Promise((resolve) => server.close(resolve));
});

test("close and drain are safe before listen, twice, and while listen is under way", async () => {
  const unstarted = createEngine({ handler: echo });
  assert.deepEqual(await unstarted.drain(10), { outcome: "drained" });
  await unstarted.close();
  await unstarted.close();
  const starting = createEngine({ handler: echo });
  const listening = starting.listen({ port: 0 });
  await starting.close();
  assert.equal((await listening).ok, false);
  await assert.rejects(starting.listen({ port: 0 }), TypeError);
});

test("mistakes in the options are found at the start", () => {
  const make =
    (limits: object): (() => Engine) =>
    () =>
      createEngine({ handler: echo, limits });
  assert.throws(make({ headByte: 1 }), /"headByte" is not a limit of the HTTP engine\. Known: connections,/);
  assert.throws(make({ headBytes: -1 }), /"headBytes" must be a whole number from 64 to 1048576; it is -1\./);
  assert.throws(make({ keepAliveMs: Number.NaN }), /"keepAliveMs" must be a whole number/);
  assert.throws(
    make({ headBytes: 1024, targetBytes: 1024 }),
    /"targetBytes" \(1024\) must be below "headBytes" \(1024\)/,
  );
  assert.throws(() => createEngine({ handler: undefined as never }), /needs a `handler` function/);
});
