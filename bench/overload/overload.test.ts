/** The parts of the overload and soak benchmarks by themselves: their callers against a tiny real server, and their arithmetic. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { seriesChart } from "../series-chart.ts";
import { line } from "../soak/bench.ts";
import { makeTrouble } from "../soak/trouble.ts";
import { openOverload } from "./open-load.ts";

test("callers count what was right in time, refused, and never answered", async (t) => {
  let seen = 0;
  const server = createServer((request, response) => {
    seen++;
    if (request.url === "/refused") response.writeHead(503, { "content-length": "0" }).end();
    else if (request.url === "/never") return;
    else response.end("ok");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const ask = (path: string) => ({
    text: `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`,
    expect: { status: 200, body: "ok", contentType: "" },
  });
  const plan = { port, connections: 50, deadlineMs: 300, ms: 200 };
  const open = await openOverload({ ...plan, requests: ["/", "/refused", "/never"].map(ask), ratePerSecond: 150 });
  assert.equal(open.offered, open.good + open.refused + open.failed);
  assert.ok(open.good > 0 && open.refused > 0 && open.failed > 0, JSON.stringify(open));
  assert.equal(seen, open.offered);
  assert.deepEqual(open.errors, {});
  const closed = await openOverload({ ...plan, requests: [ask("/")], callers: 3 });
  assert.ok(closed.good > 3 && closed.failed === 0, JSON.stringify(closed));
});

test("trouble opens the quiet connections that it was asked for, and takes them with it", async (t) => {
  const server = createServer(() => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  const stop = makeTrouble({ port: (server.address() as AddressInfo).port, idle: 30, perSecond: 50 });
  for (let connections = 0; connections < 30;) {
    await new Promise((resolve) => setImmediate(resolve));
    connections = await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  }
  assert.ok(stop().made >= 30);
});

test("the line through points has their slope, and a series is drawn as one curve", () => {
  const points = Array.from({ length: 50 }, (_, i) => [i, 100 + 2 * i + (i % 2)] as const);
  const { slope, level } = line(points);
  assert.ok(Math.abs(slope - 2) < 0.01 && Math.abs(level - 149.5) < 0.01, `${slope} ${level}`);
  const result = {
    bench: "soak",
    environment: { node: "v26", processor: "a <b>", date: "2026-01-01" },
    rows: [],
    ratios: [],
    targets: [],
    wrong: [],
  };
  const svg = seriesChart({ ...result, series: [{ name: "tensile", unit: "MB", points }] }, "Memory") ?? "";
  assert.equal(svg.match(/<polyline /g)?.length, 1);
  assert.match(svg, /a &lt;b>/);
  assert.equal(seriesChart(result, "Memory"), undefined);
});
