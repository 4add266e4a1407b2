/** How an engine ends: nothing that a client has sent is lost, and nothing holds the end up for ever. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { manualClock } from "../../core/index.ts";
import { HeaderBlock, type HttpHandler } from "../../exchange/index.ts";
import { eventually } from "./conformance/raw-client.ts";
import { readModes, testsOf } from "./conformance/start-engine.ts";
import { engineLimits } from "./index.ts";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const never = new Promise<never>(() => undefined);
const echo: HttpHandler = (request) => ({
  status: 200,
  headers: HeaderBlock.empty,
  body: `${request.method} ${request.target}`,
});

for (const readMode of readModes) {
  const { start, it } = testsOf(readMode);

  it("drains: closes idle connections, answers what is in flight with close, accepts nothing new", async (t) => {
    const gate = Promise.withResolvers<void>();
    const { engine, client } = await start(t, async (request) => {
      if (request.target === "/slow") await gate.promise;
      return echo(request);
    });
    const { port } = engine.address() as { port: number };
    const idle = client();
    const busy = client();
    idle.send(get("/idle"));
    await idle.untilText("GET /idle");
    busy.send(get("/slow"));
    await eventually(() => engine.stats().inFlight === 1);
    const draining = engine.drain(10_000);
    await idle.untilEnd();
    idle.socket.end();
    const refused = connect(port, "127.0.0.1");
    await new Promise((resolve) => refused.on("error", resolve));
    gate.resolve();
    assert.match(await busy.untilEnd(), /connection: close\r\n\r\nGET \/slow$/);
    busy.socket.end();
    assert.deepEqual(await draining, { outcome: "drained" });
    assert.deepEqual(await engine.drain(1_000), { outcome: "drained" });
  });

  it("answers every request that busy clients send before they hear of a drain", async (t) => {
    const { engine, client } = await start(t, echo);
    let answered = 0;
    const clients = Array.from({ length: 50 }, async () => {
      const c = client();
      for (let sent = 1; !c.text.includes("connection: close"); sent++) {
        c.send(get("/"));
        await c.until(() => c.text.split("GET /").length > sent || c.ended);
        assert.equal(c.text.split("GET /").length, sent + 1, "a request got no answer");
        answered++;
      }
      c.socket.end();
    });
    await eventually(() => answered > 500);
    assert.deepEqual(await engine.drain(10_000), { outcome: "drained" });
    await Promise.all(clients);
  });

  it("closes a connection whose streamed answer had begun before the drain", async (t) => {
    const clock = manualClock();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const { engine, client } = await start(t, () => ({ status: 200, headers: HeaderBlock.empty, body: pieces() }), {
      clock,
    });
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("begun");
      await over;
    }
    const c = client();
    c.send(get("/"));
    await c.untilText("begun");
    const draining = engine.drain(60_000);
    end();
    await c.untilText("0\r\n\r\n");
    // A deadline is noticed up to 0.1 s late.
    await clock.advance(engineLimits.drainIdleMs + 100);
    await c.untilEnd();
    c.socket.end();
    assert.deepEqual(await draining, { outcome: "drained" });
  });

  it("cuts what is left when the drain's deadline passes", async (t) => {
    const { engine, client } = await start(t, (request) => {
      request.signal.addEventListener("abort", () => (aborted = true));
      return never;
    });
    let aborted = false;
    const c = client();
    c.send(get("/"));
    await eventually(() => engine.stats().inFlight === 1);
    assert.deepEqual(await engine.drain(20), { outcome: "timed_out", cut: 1 });
    assert.equal(aborted, true);
    await c.untilEnd();
    assert.equal(engine.stats().inFlight, 0);
  });

  it("counts a connection as drained when all was sent and only the client has not closed", async (t) => {
    const clock = manualClock();
    const { engine, client } = await start(t, echo, { clock });
    const c = client();
    c.send(get("/"));
    await c.untilText("GET /");
    const draining = engine.drain(500);
    // The port is closed in the same step that sets the deadline.
    await eventually(() => engine.address() === null);
    await clock.advance(engineLimits.drainIdleMs);
    await c.untilEnd();
    await clock.advance(400);
    assert.deepEqual(await draining, { outcome: "drained" });
  });
}
