/** Octets and NDJSON as request bodies, on both carriers and by the typed client over real sockets. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { createClient } from "../../client/index.ts";
import { contract, fault, implementContract, mutation, ndjson, octets, query, httpPlan } from "../../contract/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve, type App } from "../../serve/index.ts";
import { itemsOf } from "./items.ts";
import { bothFaces, type Received } from "../testing/faces.ts";

const Rejected = fault("REJECTED", { kind: "conflict", data: { at: t.int32() } });
const Row = t.object("Row", { id: t.int32(), name: t.string({ maxLength: 10 }) });
const putBackup = mutation("putBackup", {
  access: "public",
  http: { route: "PUT /backups/{name}", headers: { note: "X-Note" } },
  input: { name: t.string(), note: t.optional(t.string()), part: t.default(t.int32(), 0) },
  body: octets({ maxBytes: 100_000, types: ["application/octet-stream", "image/*"] }),
  output: { name: t.string(), part: t.int32(), bytes: t.int(), type: t.string() },
});
const importRows = mutation("importRows", {
  access: "public",
  input: { table: t.string() },
  body: ndjson(Row, { maxBytes: 100_000, maxItemBytes: 100 }),
  output: { table: t.string(), ids: t.array(t.int32()) },
  faults: [Rejected],
});
const api = contract("uploads.v1", { putBackup, importRows });

function appOf(): App<(typeof api)["members"]> {
  return implement(api, { handlers });
}
const handlers = {
  putBackup: async ({
    input,
    body,
  }: {
    input: { name: string; part: number };
    body: AsyncIterable<Uint8Array> & { contentType: string | undefined };
  }) => {
    let bytes = 0;
    for await (const piece of body) bytes += piece.length;
    return { name: input.name, part: input.part, bytes, type: body.contentType ?? "" };
  },
  importRows: async ({
    input,
    body,
  }: {
    input: { table: string };
    body: AsyncIterable<{ id: number; name: string }>;
  }) => {
    const ids: number[] = [];
    for await (const { id } of body) {
      if (id < 0) return Rejected({ at: ids.length });
      ids.push(id);
    }
    return { table: input.table, ids };
  },
};
const app = implementContract(api, { handlers });

function problem({ status, headers, text }: Received): unknown {
  assert.equal(headers["content-type"], "application/problem+json");
  return [status, (JSON.parse(text) as { code: string }).code];
}

bothFaces("octets stream to the handler beside a decoded input", app, async ({ send, defects }) => {
  const headers = { "content-type": "image/png", "x-note": "n" };
  const ok = await send("PUT", "/backups/a?part=2", { headers, body: new Uint8Array(5000) });
  assert.deepEqual(JSON.parse(ok.text), { name: "a", part: 2, bytes: 5000, type: "image/png" });
  const empty = await send("PUT", "/backups/a", { headers });
  assert.deepEqual(JSON.parse(empty.text), { name: "a", part: 0, bytes: 0, type: "image/png" });
  assert.deepEqual(problem(await send("PUT", "/backups/a?part=x", { headers, body: "abc" })), [400, "INVALID_INPUT"]);
  assert.deepEqual(problem(await send("PUT", "/backups/a", { headers, body: new Uint8Array(100_001) })), [
    413,
    "PAYLOAD_TOO_LARGE",
  ]);
  const text = await send("PUT", "/backups/a", { headers: { "content-type": "text/plain" }, body: "abc" });
  assert.deepEqual(problem(text), [415, "UNSUPPORTED_MEDIA_TYPE"]);
  assert.equal(text.headers["accept"], "application/octet-stream, image/*");
  const zipped = { ...headers, "content-encoding": "gzip" };
  assert.deepEqual(problem(await send("PUT", "/backups/a", { headers: zipped, body: "abc" })), [
    415,
    "UNSUPPORTED_MEDIA_TYPE",
  ]);
  assert.deepEqual(defects, []);
});

bothFaces("items are decoded one by one, and a wrong one is named by its number", app, async ({ send, defects }) => {
  const headers = { "content-type": "application/x-ndjson; charset=utf-8" };
  const post = async (body: string): Promise<Received> => send("POST", "/importRows?table=t", { headers, body });
  const ok = await post('{"id":1,"name":"a"}\r\n\n  \n{"name":"ü","id":2}');
  assert.deepEqual(JSON.parse(ok.text), { table: "t", ids: [1, 2] });
  assert.deepEqual(JSON.parse((await post("")).text), { table: "t", ids: [] });
  const wrong = await post('{"id":1,"name":"a"}\n{"id":"2","name":"b","x":1}\n');
  assert.equal(wrong.status, 400);
  const { data } = JSON.parse(wrong.text) as { data: { issues: { pointer: string; code: string }[] } };
  assert.deepEqual(
    data.issues.map(({ pointer, code }) => `${pointer} ${code}`),
    ["/1/id type", "/1/x unknown_field"],
  );
  assert.deepEqual(problem(await post(`{"id":1,"name":"${"x".repeat(200)}"}`)), [413, "PAYLOAD_TOO_LARGE"]);
  assert.deepEqual(problem(await post('{"id":1,"id":2,"name":""}')), [400, "INVALID_INPUT"]);
  assert.deepEqual(problem(await post('{"id":-1,"name":""}\nnever looked at')), [409, "REJECTED"]);
  assert.deepEqual(problem(await send("POST", "/importRows?table=t", { headers: {}, body: "{}" })), [
    415,
    "UNSUPPORTED_MEDIA_TYPE",
  ]);
  assert.deepEqual(defects, []);
});

test("lines are the same however the bytes are split", async () => {
  const items = itemsOf(ndjson(t.json(), { maxBytes: 1000, maxItemBytes: 50 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 5 }),
      fc.array(fc.nat(120), { maxLength: 5 }),
      async (values, cuts) => {
        const bytes = new TextEncoder().encode(values.map((value) => JSON.stringify(value)).join("\n"));
        if (bytes.length > 45) return;
        const ends = [...cuts.filter((cut) => cut < bytes.length), bytes.length].toSorted((a, b) => a - b);
        async function* pieces(): AsyncGenerator<Uint8Array> {
          let from = 0;
          for (const end of ends) {
            yield bytes.subarray(from, end);
            from = end;
          }
        }
        const read: unknown[] = [];
        for await (const item of items(pieces())) read.push(item);
        assert.deepEqual(read, JSON.parse(JSON.stringify(values)));
      },
    ),
  );
});

async function served(t: TestContext): Promise<string> {
  const server = await serve(appOf(), { port: 0, signals: [], log: false });
  t.after(() => server.stop());
  return server.url;
}

test("the client sends blobs, bytes, streams and iterables", async (context) => {
  const client = createClient(api, { url: await served(context) });
  async function* octetsIn(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 10; i++) yield new Uint8Array(100);
  }
  const sources = [
    [new Blob([new Uint8Array(10)], { type: "image/gif" }), 10, "image/gif"],
    [new Uint8Array(20), 20, "application/octet-stream"],
    [new Blob(["abc"]).stream(), 3, "application/octet-stream"],
    [octetsIn(), 1000, "application/octet-stream"],
  ] as const;
  for (const [body, bytes, type] of sources) {
    const sent = await client.putBackup({ name: "b" }, { body });
    assert.deepEqual(sent.ok && sent.value, { name: "b", part: 0, bytes, type });
  }
  const rows = await client.importRows(
    { table: "t" },
    {
      body: [
        { id: 1, name: "a" },
        { id: 2, name: "b" },
      ],
    },
  );
  assert.deepEqual(rows.ok && rows.value, { table: "t", ids: [1, 2] });
  const rejected = await client.importRows({ table: "t" }, { body: [{ id: -1, name: "a" }] });
  assert.equal(rejected.ok ? "" : rejected.fault.code, "REJECTED");
  const nothing = await client.importRows({ table: "t" }, { body: undefined as never });
  assert.equal(nothing.ok ? "" : nothing.fault.code, "INVALID_INPUT");
  const wrong = await client.importRows({ table: "t" }, { body: [{ id: "x" as never, name: "a" }] });
  assert.equal(wrong.ok ? "" : wrong.fault.code, "NETWORK_ERROR");
});

test("in memory the handler gets the body as it is", async () => {
  const result = await appOf().call.importRows(
    { table: "t" },
    {
      body: (async function* rows() {
        yield { id: 7, name: "" };
      })(),
    },
  );
  assert.deepEqual(result.ok && result.value, { table: "t", ids: [7] });
});

test("a streamed body is for mutations with a body", () => {
  const body = octets({ maxBytes: 1 });
  const common = { access: "public" as const, input: {}, output: {}, body };
  assert.throws(() => httpPlan(mutation("x", { ...common, http: "DELETE /x" })), /POST, PUT or PATCH/);
  assert.throws(() => httpPlan(query("x", { ...common, http: "POST /x" } as never)), /POST, PUT or PATCH/);
  assert.throws(() => octets({ maxBytes: 0 }), /whole number from 1/);
  assert.throws(() => octets({ maxBytes: 1, types: ["png"] }), /"png" is none/);
  assert.throws(() => implementContract(api, { handlers, context: { body: 1 } }), /member "body"/);
});
