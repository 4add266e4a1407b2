/** With the real pino, over a real server. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { contract, implement, query, serve, t, type ServeOptions } from "../index.ts";
import { pinoLog } from "./index.ts";

const getCity = query("getCity", {
  access: "public",
  http: "GET /cities/{id}",
  input: { id: t.int32(), key: t.optional(t.string()) },
  output: { id: t.int32() },
});
const app = implement(contract("atlas.v1", { getCity }), {
  handlers: {
    getCity: ({ input }) => {
      if (input.id === 500)
        throw new TypeError("GET https://user:pa55@db/x?api_key=hunter2 failed: Bearer abcdefghijk");
      return { id: input.id };
    },
  },
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

async function lines(context: TestContext, options: ServeOptions, paths: readonly string[]): Promise<Line[]> {
  const written: string[] = [];
  const logger = pino({}, { write: (line: string) => void written.push(line) });
  const server = await serve(app, { port: 0, signals: [], log: pinoLog(logger), ...options });
  context.after(() => server.stop());
  const headers = {
    authorization: "Bearer topsecret1",
    cookie: "a=topsecret1",
    "x-kind": "test",
    "x-request-id": "abc",
  };
  for (const path of paths) await (await fetch(server.url + path, { headers })).text();
  assert.doesNotMatch(written.join(""), /hunter2|topsecret|pa55|abcdefghijk/);
  return written.map((line) => JSON.parse(line) as Line);
}

test("a defect is an error of pino's, with its incident, and secrets in its text are cut out", async (context) => {
  const [line] = await lines(context, {}, ["/cities/500?key=hunter2"]);
  assert.ok(line !== undefined);
  assert.equal(line.level, 50);
  assert.equal(line.msg, "defect");
  assert.match(String(line["incident"]), /^[0-9a-f]{16}$/);
  const { type, message } = line["err"] as { type: string; message: string };
  assert.equal(type, "TypeError");
  assert.equal(message, "GET https://[redacted]@db/x?api_key=[redacted] failed: Bearer [redacted]");
});

test("requests are written only where asked for, by route and never by path", async (context) => {
  assert.deepEqual(await lines(context, {}, ["/cities/7"]), []);
  const [ok, missing, ...more] = await lines(
    context,
    { accessLog: { headers: ["authorization", "cookie", "x-kind"] } },
    ["/cities/7?key=hunter2", "/hunter2", "/livez"],
  );
  assert.equal(more.length, 0, "health checks that went well are left out");
  assert.ok(ok !== undefined && missing !== undefined);
  const { time, pid, hostname, durationMs, ...fields } = ok;
  assert.ok(typeof time === "number" && typeof pid === "number" && typeof hostname === "string");
  assert.ok(typeof durationMs === "number");
  assert.deepEqual(fields, {
    level: 30,
    msg: "request",
    event: "request",
    method: "GET",
    route: "/cities/{id}",
    operation: "getCity",
    status: 200,
    outcome: "answered",
    requestId: "abc",
    httpVersion: "1.1",
    responseBytes: 8,
    headers: { authorization: "[redacted]", cookie: "[redacted]", "x-kind": "test" },
  });
  assert.equal(missing["route"], "(none)");
  assert.equal(missing["fault"], "ROUTE_NOT_FOUND");
});

test("a logger that throws loses its entry and nothing else", async (context) => {
  const broken = () => {
    throw new Error("disk full");
  };
  const options = { log: pinoLog({ info: broken, warn: broken, error: broken }), accessLog: true };
  const server = await serve(app, { port: 0, signals: [], ...options });
  context.after(() => server.stop());
  assert.equal((await fetch(`${server.url}/cities/7`)).status, 200);
});

test("what cannot be is said at the start", async () => {
  await assert.rejects(serve(app, { port: 0, log: false, accessLog: true }), /accessLog needs a log/);
  await assert.rejects(serve(app, { port: 0, accessLog: { headers: ["User-Agent"] } }), /in lower case/);
});
