/** The harness by itself: its arithmetic, its shapes, its command line, and its load generator against a tiny real server. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createNetServer, type AddressInfo, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { answerReader } from "./answer-reader.ts";
import { chartOf } from "./chart.ts";
import { histogram } from "./histogram.ts";
import { cases } from "./http/cases.ts";
import { startGenerator } from "./load-process.ts";
import { openLoad } from "./load.ts";
import { start } from "./processes.ts";
import { fillMarkers } from "./readme.ts";
import { type BenchResult, median, ratiosOf, rowsOf, target } from "./result.ts";
import type { LookupReport, RoutesReady } from "./routes/protocol.ts";
import { readCommand } from "./run.ts";
import { figure, report, table } from "./table.ts";

const result: BenchResult = {
  bench: "http",
  environment: { node: "v26", processor: "a <fast> one", cores: 2, rounds: 3, date: "2026-01-02T00:00:00Z" },
  rows: [
    { case: "get", system: "tensile", version: "1.0.0", metrics: { cpuUsPerRequest: 10 } },
    { case: "get", system: "fastify", version: "5.0.0", metrics: { cpuUsPerRequest: 40.25 } },
  ],
  ratios: [{ case: "get", metric: "cpuUsPerRequest", system: "tensile", peer: "fastify", ratio: 0.248 }],
  targets: [{ text: "beside Fastify", target: "<= 0.2", measured: 0.248, met: false }],
  wrong: [],
};

test("a percentile of the histogram is within 1.6 % above the exact one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, share) => {
        const { record, percentile } = histogram();
        for (const value of values) record(value);
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(values.length * share)) - 1]!;
        const told = percentile(share);
        assert.ok(told >= exact && told <= exact * (1 + 1 / 64) + 1, `${told} for ${exact}`);
      },
    ),
  );
  assert.equal(histogram().percentile(0.99), 0);
});

test("rows are medians over the rounds, ratios medians of what was measured in one round", () => {
  const sample = (system: string, round: number, us: number) => ({ case: "get", system, round, metrics: { us } });
  const samples = [
    ...[10, 11, 30].map((us, round) => sample("tensile", round, us)),
    ...[20, 22, 300].map((us, round) => sample("peer", round, us)),
  ];
  assert.deepEqual(
    rowsOf(samples, (system) => `${system} 1`).map(({ system, version, metrics }) => [system, version, metrics["us"]]),
    [
      ["tensile", "tensile 1", 11],
      ["peer", "peer 1", 22],
    ],
  );
  assert.deepEqual(ratiosOf(samples, "tensile", ["us", "unknown"]), [
    { case: "get", metric: "us", system: "tensile", peer: "peer", ratio: 0.5 },
  ]);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("a target that was not measured is not reported, and one on its limit is met", () => {
  assert.deepEqual(target("a", "<=", 1, undefined), []);
  assert.deepEqual(
    [target("a", "<=", 1, 1), target("a", ">=", 2, 1)].flat().map(({ target: limit, met }) => [limit, met]),
    [
      ["<= 1", true],
      [">= 2", false],
    ],
  );
});

test("a table aligns figures to the right, and a report says that answers were wrong", () => {
  assert.equal(
    table(
      ["name", "us"],
      [
        ["a", "1.00"],
        ["bcdef", "12,345"],
      ],
    ),
    "name       us\n-----  ------\na        1.00\nbcdef  12,345",
  );
  assert.match(report(result), /fastify +5\.0\.0 +40\.3/);
  assert.match(report(result), /beside Fastify +<= 0\.2 +0\.25 +no\n\nEvery answer was right\./);
  assert.match(report({ ...result, wrong: ["hono, get: no"] }), /WRONG ANSWERS:\n {2}hono, get: no/);
  assert.deepEqual(
    [figure(1234567.8), figure(12.34), figure(0.456), figure(undefined)],
    ["1,234,568", "12.3", "0.46", "-"],
  );
});

test("a chart is one well-formed picture with a bar for each row", () => {
  const svg = chartOf(result, { metric: "cpuUsPerRequest", title: "CPU & time", unit: "us" }) ?? "";
  assert.equal(svg.match(/<rect /g)?.length, 2);
  assert.match(svg, /CPU &amp; time/);
  assert.match(svg, /a &lt;fast> one/);
  assert.equal(chartOf(result, { metric: "unknown", title: "", unit: "" }), undefined);
});

test("figures go between their markers, and quick results are not published", () => {
  const document = "a\n<!-- bench:http -->\nold\n<!-- /bench:http -->\nb";
  const { text, missing } = fillMarkers(document, new Map([["http", result]]));
  assert.deepEqual(missing, []);
  assert.match(text, /^a\n<!-- bench:http -->\n\| get \| version \| CPU µs per request \|[\s\S]*\(missed\)[\s\S]*\nb$/);
  const short = fillMarkers(
    document.replace("bench:http -->", "bench:http short -->"),
    new Map([["http", result]]),
  ).text;
  assert.match(short, /\| CPU µs per request \| version \| get \|\n.*\n\| tensile \| 1\.0\.0 \| 10\.0 \|\n\| fastify/);
  const quick = { ...result, environment: { ...result.environment, quick: true } };
  assert.deepEqual(fillMarkers(document, new Map([["http", quick]])), { text: document, missing: ["http"] });
});

test("a command that makes no sense is answered with what would", () => {
  const mistake = (...args: string[]): string => {
    const command = readCommand(args);
    return typeof command === "object" && "mistake" in command ? command.mistake : "";
  };
  assert.match(mistake(), /Say which benchmark: http/);
  assert.match(mistake("htp"), /no benchmark "htp"\. Known: http, jobs, jobs-postgres, routes, overload, soak\./);
  assert.match(mistake("http", "--rounds", "0"), /whole number from 1 to 100/);
  assert.match(mistake("http", "--only", "fastify,koa"), /names of tensile, net-floor, node, fastify.*not "koa"/);
  assert.match(mistake("http", "--slow"), /--slow/);
  assert.match(mistake("jobs-postgres", "--backlog", "1.5"), /whole number of jobs/);
  assert.match(mistake("jobs-postgres", "--postgres", "9"), /embedded or machine, not "9"/);
  const command = readCommand(["http", "--quick", "--only", "tensile", "--json", "x.json"]);
  assert.ok(typeof command === "object" && "bench" in command);
  assert.deepEqual([command.bench.name, command.rounds, command.quick, command.only], ["http", 1, true, ["tensile"]]);
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [fileURLToPath(new URL("./run.ts", import.meta.url)), ...args], { encoding: "utf8" });
  const unknown = run("htp");
  assert.deepEqual([unknown.status, unknown.stderr.trim()], [2, `bench: ${mistake("htp")}`]);
  assert.match(run("list").stdout, /^http /);
});

test("an answer is read wherever it is cut", () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-type:application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  ];
  for (const text of answers) {
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = answerReader();
      const parts = [text.slice(0, cut), text.slice(cut)]
        .filter((part) => part !== "")
        .map((part) => Buffer.from(part));
      const [answer, ...more] = parts.flatMap((part) => reader.read(part, part.length) ?? []);
      assert.deepEqual([more.length, answer?.status, answer?.bodyLength], [0, 200, 5]);
      assert.deepEqual([answer?.contentType, answer?.body().toString()], ["application/json", "hello"]);
    }
  }
  const read = (text: string) => answerReader().read(Buffer.from(text), text.length);
  assert.throws(() => read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"), /more bytes/);
  assert.throws(() => read("hello\r\n\r\n"), /not an HTTP\/1\.1 answer/);
});

const requests = [1, 2].map((id) => ({
  text: `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`,
  expect: { status: 200, body: `{"id":${id}}`, contentType: "application/json" },
}));

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const serverOf = (t: TestContext, handle: RequestListener): Promise<number> => listening(t, createServer(handle));

test("the load generator, in a process of its own, counts right answers in both ways of asking", async (t) => {
  const port = await serverOf(t, (request, response) => response.end(`{"id":${request.url?.slice(1)}}`));
  const generator = await startGenerator(undefined);
  t.after(() => generator.stop());
  await generator.open({ port, connections: 4, requests });
  const closed = await generator.phase(100);
  assert.ok(closed.answered > 4 && closed.p50Us > 0 && closed.p99Us >= closed.p50Us, JSON.stringify(closed));
  assert.deepEqual(closed.errors, {});
  await generator.open({ port, connections: 4, requests, ratePerSecond: 200 });
  const open = await generator.phase(250);
  assert.ok(open.answered > 0 && open.answered <= 51, `${open.answered} requests`);
  assert.deepEqual(open.errors, {});
});

test("the load generator tells wrong answers, closed connections and what is no HTTP", async (t) => {
  const errorsOf = async (port: number): Promise<string> => {
    const session = await openLoad({ port, connections: 1, requests });
    const { errors } = await session.phase(30);
    session.close();
    return Object.keys(errors).join("; ");
  };
  assert.match(
    await errorsOf(await serverOf(t, (_, response) => response.writeHead(503).end())),
    /status 503 instead of 200/,
  );
  assert.match(await errorsOf(await serverOf(t, (_, response) => response.end("{}"))), /2 bytes instead of 8/);
  assert.match(await errorsOf(await serverOf(t, (_, response) => response.end('{"ID":0}'))), /another body/);
  const net = await listening(
    t,
    createNetServer((socket) => socket.once("data", () => socket.end("bye\r\n\r\n"))),
  );
  assert.match(await errorsOf(net), /not an HTTP\/1\.1 answer/);
});

test("the requests of the http benchmark have the sizes that its text names", () => {
  const [get, , post, kilobyte, large] = cases;
  const sizes = (of: typeof get): readonly [number, number][] =>
    (of?.requests ?? []).map(({ text, expect }) => [text.length - text.indexOf("\r\n\r\n") - 4, expect.body.length]);
  assert.ok(sizes(get).every(([sent, answered]) => sent === 0 && answered >= 50 && answered <= 70));
  assert.ok(
    sizes(post).every(([sent, answered]) => sent >= 285 && sent <= 340 && answered >= 140 && answered <= 170),
    String(sizes(post)[0]),
  );
  assert.ok(sizes(kilobyte).every(([sent, answered]) => sent === 0 && Math.abs(answered - 1024) <= 32));
  assert.ok(sizes(large).every(([sent, answered]) => sent === 0 && Math.abs(answered - 65_536) <= 64));
});

test("a system that cannot be had is left out with a word, and a run without any says so", () => {
  const run = fileURLToPath(new URL("./run.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [run, "http", "--only", "axum"], {
    encoding: "utf8",
    env: { ...process.env, PATH: "" },
  });
  assert.match(stdout, /^axum is left out: .+\.$/m);
  assert.deepEqual([status, stderr.trim()], [2, "bench: None of these systems can be had here."]);
});

test("the process of the routes benchmark registers its operations and every one of them answers", async (t) => {
  const child = await start("routes", fileURLToPath(new URL("./routes/tensile.ts", import.meta.url)), {
    arguments: ["300"],
  });
  t.after(() => child.stop());
  const { declareUs, implementUs, handlerUs } = child.ready as RoutesReady;
  assert.ok(declareUs > 0 && implementUs > 0 && handlerUs > 0, JSON.stringify(child.ready));
  const { usPerRequest, wrong } = (await child.order({ routes: 300, requests: 3000 })) as LookupReport;
  assert.deepEqual(wrong, []);
  assert.ok(usPerRequest > 0);
});
