import assert from "node:assert/strict";
import { test } from "node:test";
import { subscription, contract, event } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { implement, serve } from "./index.ts";

const ticks = subscription("ticks", {
  access: "public",
  input: {},
  output: { n: t.int32() },
  resume: true,
});
const app = implement(contract("ticks.v1", { ticks }), {
  handlers: {
    ticks: async function* ({ signal }) {
      yield event({ n: 1 }, { id: "1" });
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  },
});

test("a drain ends open streams cleanly, so that clients come back elsewhere", async () => {
  const server = await serve(app, { port: 0, signals: [], log: false, limits: { streams: { streams: 7 } } });
  assert.equal(server.limits.streams.streams, 7);
  const response = await fetch(`${server.url}/ticks`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const text = response.text();
  const report = await server.stop();
  assert.equal(report.outcome, "drained");
  assert.deepEqual(report.failures, []);
  assert.match(await text, /^retry: \d+\n\nid: 1\ndata: \{"n":1\}\n\n$/);
});
