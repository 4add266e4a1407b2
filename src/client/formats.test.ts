/** The client in other formats, against a real app: what it gets is what it would have got in JSON. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contract, mutation, query } from "../contract/index.ts";
import { cbor, form, messagePack } from "../formats/index.ts";
import { t } from "../schema/index.ts";
import { arbitrarySchema, arbitraryValue } from "../../tools/random-schemas.ts";
import { implement } from "../serve/index.ts";
import { createClient } from "./index.ts";

const formats = [messagePack(), cbor(), form()];

test("random values go round trip in every format as they do in JSON", async () => {
  const samples = arbitrarySchema().chain((node) => fc.tuple(fc.constant(node), arbitraryValue(node)));
  await fc.assert(
    fc.asyncProperty(samples, async ([node, value]) => {
      const echo = mutation("echo", { access: "public", input: node, output: node });
      const app = implement(contract("echo.v1", { echo }), {
        formats,
        handlers: { echo: ({ input }) => input as never },
      });
      const common = { url: "http://app", fetch: app.fetch };
      type Echo = { echo(input: unknown): Promise<{ ok: boolean; value?: unknown; fault?: { code: string } }> };
      const asJson = await (createClient(app.contract, common) as unknown as Echo).echo(value);
      // MessagePack's library refuses a key __proto__; half a surrogate pair has no UTF-8.
      if (
        /__proto__|\\ud/.test(JSON.stringify(asJson, (_, part) => (typeof part === "bigint" ? 0 : (part as unknown))))
      )
        return;
      for (const format of [messagePack(), cbor()]) {
        const result = await (createClient(app.contract, { ...common, format }) as unknown as Echo).echo(value);
        assert.deepEqual([result.ok, result.value, result.fault?.code], [asJson.ok, asJson.value, asJson.fault?.code]);
      }
    }),
    { numRuns: 60, seed: 7 },
  );
});

const find = query("find", {
  access: "public",
  http: "GET /things/{id}",
  input: { id: t.int64() },
  output: { id: t.int64(), bytes: t.bytes() },
});
const things = contract("things.v1", { find });
const handlers = { find: ({ input }: { input: { id: bigint } }) => ({ id: input.id, bytes: new Uint8Array([1]) }) };

test("the answer is asked for in the format, and JSON is read when the server has no other", async () => {
  for (const [app, expected] of [
    [implement(things, { formats, handlers }), "application/cbor"],
    [implement(things, { handlers }), "application/json"],
  ] as const) {
    let type: string | null = null;
    const client = createClient(things, {
      url: "http://app",
      format: cbor(),
      fetch: async (request) => {
        const response = await app.fetch(request);
        type = response.headers.get("content-type");
        return response;
      },
    });
    const found = await client.find({ id: 2n ** 60n });
    assert.deepEqual(found.ok && [found.value.id, [...found.value.bytes]], [2n ** 60n, [1]]);
    assert.equal(type, expected);
  }
});

test("a format that does not carry whole values is refused at once", () => {
  assert.throws(
    () => createClient(things, { url: "http://app", format: form() as never }),
    /messagePack\(\) or cbor\(\)/,
  );
});

test("an answer that is broken is UNEXPECTED_RESPONSE", async () => {
  const headers = { "content-type": "application/cbor" };
  const client = createClient(things, {
    url: "http://app",
    format: cbor(),
    fetch: async () => new Response(new Uint8Array([0x9a, 1, 0, 0, 0]), { headers }),
  });
  const found = await client.find({ id: 1n });
  assert.equal(found.ok ? "" : found.fault.code, "UNEXPECTED_RESPONSE");
});
