/** What the compiler says about streamed bodies. */
import { contract, implementContract, multipart, file, mutation, ndjson, octets, query } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { createClient } from "./index.ts";

const rows = mutation("rows", {
  access: "public",
  input: {},
  body: ndjson(t.object({ id: t.int32() }), { maxBytes: 1 }),
  output: {},
});
const form = mutation("form", {
  access: "public",
  input: {},
  body: multipart({ title: t.string(), photo: file({ maxBytes: 1 }) }),
  output: {},
});
const plain = mutation("plain", { access: "public", input: {}, output: {} });
const api = contract("api.v1", { rows, form, plain });

implementContract(api, {
  handlers: {
    rows: async ({ body }) => {
      // THROWS TS2339 Property 'idd' does not exist on type
      for await (const row of body) row.idd;
      return {};
    },
    // THROWS TS2551 Property 'phto' does not exist on type
    form: ({ body }) => ({ title: body.title, size: body.photo.size, no: body.phto }),
    // THROWS TS2339 Property 'body' does not exist on type
    plain: ({ body }) => body,
  },
});

const client = createClient(api, { url: "http://a" });
// THROWS TS2554 Expected 2 arguments, but got 1.
void client.rows({});
// THROWS TS2322 Type 'string' is not assignable to type 'number'
void client.rows({}, { body: [{ id: "1" }] });
// THROWS TS2322 Type 'string' is not assignable to type 'Blob'
void client.form({}, { body: { title: "a", photo: "b" } });

// THROWS TS2322 is not assignable to type 'undefined'
query("read", { access: "public", input: {}, body: octets({ maxBytes: 1 }), output: {} });
