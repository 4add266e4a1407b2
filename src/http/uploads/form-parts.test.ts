/** Multipart forms whose parts the handler takes as they come, to a sink of its own. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createClient, type Client } from "../../client/index.ts";
import { contract, file, files, multipart, mutation } from "../../contract/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve } from "../../serve/index.ts";

const send = mutation("send", {
  access: "public",
  input: {},
  body: multipart(
    {
      count: t.int32(),
      tags: t.array(t.string(), { minItems: 2 }),
      first: file({ maxBytes: 300_000 }),
      more: files({ maxBytes: 10, maxFiles: 2, optional: true, types: ["text/plain"] }),
    },
    { deliver: "parts" },
  ),
  output: { seen: t.array(t.string()) },
});
const api = contract("parts.v1", { send });

async function start(context: TestContext): Promise<Client<(typeof api)["members"]>> {
  const folder = mkdtempSync(join(tmpdir(), "tensile-test-"));
  const app = implement(api, {
    uploads: { folder },
    handlers: {
      send: async ({ body }) => {
        const seen: string[] = [];
        for await (const part of body) {
          if (part.kind === "field") {
            // Typed by the field's own schema.
            const value: number | string = part.value;
            seen.push(`${part.name} ${typeof value} ${value}`);
          } else if (part.name === "more") seen.push(`${part.name} skipped`);
          else {
            let bytes = 0;
            const sink = new WritableStream<Uint8Array>({ write: (piece) => void (bytes += piece.length) });
            const writer = sink.getWriter();
            for await (const piece of part.bytes) await writer.write(piece);
            seen.push(`${part.name} ${bytes} ${part.fileName ?? ""} ${part.contentType}`);
          }
        }
        return { seen };
      },
    },
  });
  const server = await serve(app, { port: 0, signals: [], log: false });
  context.after(async () => {
    await server.stop();
    assert.deepEqual(readdirSync(folder), [], "nothing was written");
    rmSync(folder, { recursive: true });
  });
  return createClient(api, { url: server.url });
}

const big = new File([new Uint8Array(300_000)], "../big.bin", { type: "application/x-thing" });
const note = new File(["note"], "n.txt", { type: "text/plain" });

test("parts come in their order, fields decoded, files as streams; a file that is not read is skipped", async (context) => {
  const client = await start(context);
  const sent = await client.send({}, { body: { count: 3, tags: ["a", "b"], first: big, more: [note, note] } });
  assert.deepEqual(sent.ok ? sent.value.seen : sent.fault, [
    "count number 3",
    "tags string a",
    "tags string b",
    "first 300000 big.bin application/x-thing",
    "more skipped",
    "more skipped",
  ]);
});

test("what is wrong ends the iteration, and answers when the handler lets it pass", async (context) => {
  const client = await start(context);
  const body = { count: 3, tags: ["a", "b"], first: big, more: [] };
  const answer = async (changed: object): Promise<string> => {
    const result = await client.send({}, { body: { ...body, ...changed } });
    if (result.ok) return "ok";
    const { code, data } = result.fault;
    if ("issues" in data) return `${code} ${data.issues.map((issue) => `${issue.pointer} ${issue.code}`).join()}`;
    return code === "UNEXPECTED_RESPONSE" && "code" in data ? String(data.code) : code;
  };
  assert.equal(await answer({}), "ok");
  assert.equal(await answer({ first: new Blob([new Uint8Array(300_001)]) }), "PAYLOAD_TOO_LARGE");
  assert.equal(await answer({ more: [big] }), "INVALID_INPUT /more format");
  assert.equal(await answer({ more: [note, note, note] }), "BAD_BODY");
  assert.equal(
    await answer({ first: note, more: [note, new File(["12345678901"], "x", { type: "text/plain" })] }),
    "ok",
    "not read",
  );
});

test("a form that lacks something is refused at its end", async (context) => {
  const client = await start(context);
  const seen: unknown[] = [];
  const app = implement(api, {
    handlers: {
      send: async ({ body }) => {
        for await (const part of body) seen.push(part.name);
        return { seen: [] };
      },
    },
  });
  assert.ok(client);
  const post = async (fields: readonly (readonly [string, string | Blob])[]): Promise<unknown> => {
    const form = new FormData();
    for (const [name, value] of fields) form.append(name, value);
    const response = await app.fetch(new Request("http://app/send", { method: "POST", body: form }));
    const problem = (await response.json()) as { data?: { issues?: { pointer: string; code: string }[] } };
    return [response.status, problem.data?.issues?.map(({ pointer, code }) => `${pointer} ${code}`).join()];
  };
  assert.deepEqual(
    await post([
      ["count", "1"],
      ["tags", "a"],
      ["tags", "b"],
    ]),
    [400, "/first required"],
  );
  assert.deepEqual(seen, ["count", "tags", "tags"]);
  assert.deepEqual(
    await post([
      ["count", "1"],
      ["tags", "a"],
      ["first", big],
    ]),
    [400, "/tags min_items"],
  );
  assert.deepEqual(await post([["count", "x"]]), [400, "/count type"]);
});
