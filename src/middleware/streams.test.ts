/** Subscriptions through the whole list of middleware: events stay live, sockets open, foreign pages are kept out. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { test, type TestContext } from "node:test";
import { createGunzip } from "node:zlib";
import { WebSocket } from "ws";
import { contract, middleware, subscription } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { implement, serve } from "../serve/index.ts";
import { compression, cors, csrf, etag, requestId, securityHeaders, timeout } from "./index.ts";

const ticks = subscription("ticks", {
  access: "public",
  http: "GET /ticks",
  input: {},
  output: { n: t.int32(), text: t.string() },
});

async function start(context: TestContext): Promise<string> {
  const app = implement(contract("live.v1", { ticks }), {
    middleware: [
      requestId(),
      securityHeaders(),
      cors({ origins: ["https://app.example"] }),
      csrf(),
      timeout({ after: "10s" }),
      compression({ threshold: 0 }),
      etag(),
      // Streams of operations say no-transform: here that is taken back.
      middleware({
        admit: (call) => {
          call.reply.set("cache-control", "no-store");
          return undefined;
        },
      }),
    ],
    handlers: {
      // One item, and then nothing until the client leaves.
      ticks: async function* ({ signal }) {
        yield { n: 1, text: "tick ".repeat(1000) };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    },
  });
  const server = await serve(app, { port: 0, log: false, signals: [], webSocket: true });
  context.after(() => server.stop());
  return server.url;
}

for (const [accept, coding] of [
  ["text/event-stream", undefined],
  ["application/x-ndjson", "gzip"],
] as const) {
  test(`${accept} arrives item by item, ${coding ?? "never"} compressed`, async (context) => {
    const url = await start(context);
    const request = get(`${url}/ticks`, { headers: { accept, "accept-encoding": "gzip" } });
    context.after(() => request.destroy());
    const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["content-encoding"], coding);
    assert.equal(response.headers["etag"], undefined);
    assert.equal(response.headers["x-frame-options"], "DENY");
    assert.match(String(response.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    let text = "";
    for await (const piece of coding === undefined ? response : response.pipe(createGunzip())) {
      text += String(piece);
      if (text.includes('"n":1') && text.endsWith("\n")) break;
    }
    assert.match(text, /"text":"tick tick/);
  });
}

test("a WebSocket opens through it, and not for a page of another origin", async (context) => {
  const url = (await start(context)).replace("http", "ws");
  const own = new WebSocket(`${url}/ticks`, ["tensile.v1.json"]);
  context.after(() => own.terminate());
  const [message] = (await once(own, "message")) as [Buffer];
  assert.match(message.toString(), /tick tick/);
  const foreign = new WebSocket(`${url}/ticks`, ["tensile.v1.json"], {
    headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
  });
  context.after(() => foreign.terminate());
  foreign.on("error", () => undefined);
  const [, refused] = (await once(foreign, "unexpected-response")) as [unknown, import("node:http").IncomingMessage];
  assert.equal(refused.statusCode, 403);
});
