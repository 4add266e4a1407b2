/** What middleware declares reaches the documents and the client. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../client/index.ts";
import { contract, mutation } from "../contract/index.ts";
import { implement, serve } from "../serve/index.ts";
import { CrossOriginRefused, csrf, etag } from "./index.ts";

const write = mutation("write", { access: "public", input: {}, output: {} });
const plain = contract("demo.v1", { write });
const naming = contract("demo.v1", { write }, { faults: [CrossOriginRefused] });

test("OpenAPI lists the faults of middleware, and a client types those that its contract names", async (context) => {
  const app = implement(plain, { middleware: [csrf(), etag()], handlers: { write: () => ({}) } });
  const server = await serve(app, { port: 0, log: false, signals: [], docs: true });
  context.after(() => server.stop());
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    readonly paths: { readonly [path: string]: { readonly post: { readonly responses: object } } };
    readonly components: object;
  };
  const responses = Object.keys(document.paths["/write"]?.post.responses ?? {});
  assert.ok(responses.includes("403") && responses.includes("412"), responses.join(" "));
  assert.match(JSON.stringify(document.components), /CROSS_ORIGIN_REFUSED/);
  const headers = { "sec-fetch-site": "cross-site" };
  const typed = await createClient(naming, { url: server.url, headers }).write({});
  assert.equal(typed.ok ? "" : typed.fault.code, "CROSS_ORIGIN_REFUSED");
  const other = await createClient(plain, { url: server.url, headers }).write({});
  assert.ok(!other.ok && other.fault.code === "UNEXPECTED_RESPONSE");
  assert.equal(other.fault.data.code, "CROSS_ORIGIN_REFUSED");
});
