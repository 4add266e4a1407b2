/**
 * What strangers send: arbitrary JSON and query strings at every route, arbitrary bytes at the socket. No crash, no hang, no 5xx, no
 * growth. ATLAS_HOSTILE_RUNS makes it longer.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { atlas as contract, importCities } from "./contract.ts";
import { startAtlas, testKey } from "./testing/start-atlas.ts";
import { anyCodePoint } from "../../tools/random-schemas.ts";

const runs = Number(process.env["ATLAS_HOSTILE_RUNS"] ?? 600);
const defects: unknown[] = [];
let atlas: Awaited<ReturnType<typeof startAtlas>>;

before(async () => {
  atlas = await startAtlas();
  atlas.server.events.on("defect", (defect) => defects.push(defect));
  void (await atlas.import(2_000));
});
after(() => atlas[Symbol.asyncDispose]());

const routes = contract.operations.map(({ options, input }) => {
  const [method = "", path = ""] = (
    typeof options.http === "string" ? options.http : (options.http?.route ?? "")
  ).split(" ");
  return { method, path, fields: Object.keys(input) };
});

const text = fc
  .oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.string({ unit: anyCodePoint }))
  .map((any) => any.toWellFormed());
const likely = fc.oneof(
  fc.integer({ min: -99, max: 99 }).map(String),
  fc.constantFrom("AD", "al", "7-1", "3041563", "1", "true"),
);
const unlikely = fc.oneof(
  text,
  fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger()).map(String),
  fc.constantFrom("1e999", "-0", "0x10", "٣", "", "null", "__proto__", "%00", "Zürich", "99999999999999999999"),
);
const value = fc.oneof({ weight: 2, arbitrary: likely }, unlikely);

/** Mostly the route's own fields, so that some requests reach the handler. */
function queryOf(fields: readonly string[]): fc.Arbitrary<string> {
  const name = fields.length === 0 ? text : fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...fields) }, text);
  const pairs = fc.oneof(
    { weight: 5, arbitrary: fc.uniqueArray(fc.tuple(name, value), { maxLength: 5, selector: ([first]) => first }) },
    fc.array(fc.tuple(name, value), { maxLength: 5 }),
  );
  return fc.oneof(
    { weight: 8, arbitrary: pairs.map((list) => new URLSearchParams(list).toString()) },
    fc.string().map((raw) => raw.replace(/[^\u0021-\u007e]|#/g, "%")),
  );
}

const body = fc.oneof(
  fc.json(),
  fc.record({ note: fc.oneof(text, fc.jsonValue()) }, { requiredKeys: [] }).map((object) => JSON.stringify(object)),
  fc.constantFrom(
    "",
    "{",
    '{"__proto__":{"note":1}}',
    '{"note":"a","note":"b"}',
    "[".repeat(2_000),
    "\ufeff{}",
    '"\\ud800"',
  ),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);

interface Sent {
  readonly target: string;
  readonly init: RequestInit;
}

const request: fc.Arbitrary<Sent> = fc.constantFrom(...routes).chain(({ method, path, fields }) =>
  fc
    .record({
      method: fc.oneof(
        { weight: 9, arbitrary: fc.constant(method) },
        fc.constantFrom("PUT", "DELETE", "HEAD", "OPTIONS", "GET", "POST"),
      ),
      capture: value,
      query: method === "GET" ? queryOf(fields) : fc.constant(""),
      body,
      type: fc.oneof(
        { weight: 9, arbitrary: fc.constant("application/json") },
        fc.constantFrom("application/json; charset=latin1", "text/plain", "?"),
      ),
      authorization: fc.oneof(
        { weight: 9, arbitrary: fc.constant(`Bearer ${testKey}`) },
        fc.constantFrom("Bearer wrong", "Basic Og==", ""),
      ),
    })
    .map(({ capture, query, type, ...sent }) => ({
      target: `${path.replace(/\{\w+\}/, encodeURIComponent(capture))}?${query}`,
      init: {
        method: sent.method,
        headers: { "content-type": type, authorization: sent.authorization },
        ...(sent.method !== "GET" && sent.method !== "HEAD" && { body: sent.body }),
      },
    })),
);

test(
  "arbitrary JSON and query strings at every route are answered, and never with a 5xx",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ target, init }) => {
        const response = await fetch(atlas.url + target, init);
        const answer = await response.text();
        assert.ok(response.status < 500, `${response.status} ${answer}`);
        if (response.status >= 400 && init.method !== "HEAD") {
          assert.equal(response.headers.get("content-type"), "application/problem+json");
          assert.equal((JSON.parse(answer) as { status: number }).status, response.status);
        }
      }),
      { numRuns: runs },
    );
    await stillWell();
  },
);

const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      "GET ",
      "POST ",
      "/cities/1",
      "/imports",
      " HTTP/1.1\r\n",
      " HTTP/1.0\r\n",
      "Host: a\r\n",
      "\r\n",
      "\n",
      "\r",
      ": ",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "5\r\nhello\r\n",
      "0\r\n\r\n",
      "Expect: 100-continue\r\n",
      "Connection: close\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    .map((part) => Buffer.from(part)),
);

test("arbitrary bytes at the socket are refused or answered, and never with a 5xx", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { minLength: 1, maxLength: 12 }), async (parts) => {
      for (const status of await statuses(parts))
        assert.ok(status < 500 || status === 501 || status === 505, String(status));
    }),
    { numRuns: runs },
  );
  await stillWell();
});

/** Sends the parts one by one, closes its half, and reads to the end. 501 and 505 are what RFC 9110 has for unknown codings and versions. */
async function statuses(parts: readonly Buffer[]): Promise<number[]> {
  const socket = connect(atlas.server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  let answer = "";
  socket.setEncoding("latin1").on("data", (data: string) => (answer += data));
  for (const part of parts) if (!socket.destroyed) await new Promise((resolve) => socket.write(part, resolve));
  socket.end();
  if (!socket.closed) await once(socket, "close");
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
}

test("memory stays where it was", { timeout: 60_000 }, async () => {
  const round = async (): Promise<void> => {
    for (const { target, init } of fc.sample(request, { numRuns: 200 })) {
      await (await fetch(atlas.url + target, init)).arrayBuffer();
    }
    await cancelImports();
    for (const parts of fc.sample(fc.array(pieces, { minLength: 1, maxLength: 12 }), 200)) await statuses(parts);
  };
  await round();
  const before = heapBytes();
  for (let i = 0; i < 3; i++) await round();
  const grown = (heapBytes() - before) / 2 ** 20;
  assert.ok(grown < 8, `the heap grew by ${grown.toFixed(1)} MiB in 1,200 requests`);
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Some of the bodies were fit to start an import. */
async function cancelImports(): Promise<void> {
  const jobs = await atlas.server.jobs.list({ name: importCities.name });
  assert.ok(jobs.ok);
  for (const { id, state } of jobs.value) {
    if (state !== "running" && state !== "ready") continue;
    void (await atlas.server.jobs.cancel(id));
    void (await atlas.server.jobs.ref(importCities, id).result());
  }
}

async function stillWell(): Promise<void> {
  const city = await atlas.client.getCity({ id: 3041563 });
  assert.equal(city.ok && city.value.name, "Andorra la Vella");
  assert.deepEqual(defects, []);
}
