/** Formats beside JSON, on both carriers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode as decodeCbor, encode as encodeCbor } from "cborg";
import { decode as decodeMessagePack, encode as encodeMessagePack } from "@msgpack/msgpack";
import * as z from "zod";
import { contract, fault, implementContract, mutation, query } from "../contract/index.ts";
import { cbor, form, messagePack } from "../formats/index.ts";
import { t } from "../schema/index.ts";
import { loadFormats } from "./index.ts";
import { bothFaces, type Received } from "./testing/faces.ts";

const Taken = fault("TAKEN", { kind: "conflict", data: { name: t.string() } });
const Photo = { id: t.int64(), name: t.string(), pixels: t.bytes({ maxLength: 1000 }), at: t.timestamp() };
const addPhoto = mutation("addPhoto", {
  access: "public",
  http: "PUT /albums/{album}/photos",
  input: { album: t.int32(), ...Photo },
  output: { album: t.int32(), ...Photo },
  faults: [Taken],
  maxBodyBytes: 2000,
});
const order = mutation("order", {
  access: "public",
  http: "POST /orders",
  input: {
    city: t.string({ minLength: 1 }),
    count: t.int32(),
    tags: t.array(t.string()),
    gift: t.default(t.boolean(), false),
  },
  output: t.json(),
});
const signUp = mutation("signUp", {
  access: "public",
  input: z.object({ email: z.email(), age: z.number() }),
  output: z.object({ email: z.string(), age: z.number() }),
});
const drop = mutation("drop", {
  access: "public",
  http: "DELETE /photos/{id}",
  input: { id: t.int32() },
  output: t.nothing(),
});
const look = query("look", { access: "public", input: {}, output: { n: t.int64() } });
const api = contract("photos.v1", { addPhoto, order, signUp, drop, look });
const app = implementContract(api, {
  handlers: {
    addPhoto: ({ input }) => (input.name === "taken" ? Taken({ name: input.name }) : input),
    order: ({ input }) => ({ ...input }),
    signUp: ({ input }) => input,
    drop: () => undefined,
    look: () => ({ n: 2n ** 60n }),
  },
});
const options = { formats: await loadFormats([messagePack(), cbor(), form()]) };

const photo = { id: 2n ** 60n, name: "Zürich", pixels: new Uint8Array([0, 255, 1]), at: "2026-11-26T00:00:00.000Z" };
const packed = (value: unknown): Uint8Array<ArrayBuffer> =>
  new Uint8Array(encodeMessagePack(value, { useBigInt64: true }));
const concise = (value: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(encodeCbor(value));

function problem({ status, headers, text }: Received): unknown {
  assert.equal(headers["content-type"], "application/problem+json");
  return [status, (JSON.parse(text) as { code: string }).code];
}

bothFaces(
  "a body and an answer in MessagePack",
  app,
  async ({ send, defects }) => {
    const sent = {
      headers: { "content-type": "application/msgpack", accept: "application/msgpack" },
      body: packed(photo),
    };
    const answer = await send("PUT", "/albums/7/photos", sent);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["content-type"], "application/msgpack");
    assert.equal(answer.headers["vary"], "accept");
    assert.deepEqual(decodeMessagePack(new Uint8Array(answer.bytes), { useBigInt64: true }), { album: 7, ...photo });
    assert.deepEqual(defects, []);
  },
  options,
);

bothFaces(
  "one format in, another out",
  app,
  async ({ send }) => {
    const inCbor = await send("PUT", "/albums/7/photos", {
      headers: { "content-type": "application/cbor" },
      body: concise(photo),
    });
    assert.equal(inCbor.headers["content-type"], "application/json");
    assert.equal(inCbor.headers["vary"], "accept");
    const { pixels, id } = JSON.parse(inCbor.text) as { pixels: string; id: string };
    assert.deepEqual([pixels, id], ["AP8B", "1152921504606846976"]);
    const json = JSON.stringify({ ...photo, pixels, id });
    const headers = {
      "content-type": "application/json",
      accept: "text/html, application/cbor;q=0.9, application/json;q=0.2",
    };
    const outCbor = await send("PUT", "/albums/7/photos", { headers, body: json });
    assert.deepEqual(decodeCbor(outCbor.bytes), { album: 7, ...photo });
    const got = await send("GET", "/look", { headers: { accept: "application/vnd.msgpack" } });
    assert.deepEqual(decodeMessagePack(got.bytes, { useBigInt64: true }), { n: 2n ** 60n });
    const head = await send("HEAD", "/look", { headers: { accept: "application/cbor" } });
    assert.deepEqual([head.status, head.headers["content-type"], head.text], [200, "application/cbor", ""]);
  },
  options,
);

bothFaces(
  "a form carries scalars and lists, strictly",
  app,
  async ({ send }) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const post = async (body: string): Promise<Received> => send("POST", "/orders", { headers, body });
    const ok = await post("city=San+Jos%C3%A9&count=2&tags=a&tags=b&gift=true");
    assert.deepEqual(JSON.parse(ok.text), { city: "San José", count: 2, tags: ["a", "b"], gift: true });
    assert.deepEqual(JSON.parse((await post("city=x&count=2")).text), { city: "x", count: 2, tags: [], gift: false });
    const issues = async (body: string): Promise<unknown> => {
      const answer = await post(body);
      assert.equal(answer.status, 400);
      const { data } = JSON.parse(answer.text) as { data: { issues: { pointer: string; code: string }[] } };
      return data.issues.map(({ pointer, code }) => `${pointer} ${code}`);
    };
    assert.deepEqual(await issues("city=x&count=02"), ["/count type"]);
    assert.deepEqual(await issues("city=x&city=y&count=2"), ["/city type"]);
    assert.deepEqual(await issues("city=x&count=2&__proto__=1&extra=1"), [
      "/__proto__ unknown_field",
      "/extra unknown_field",
    ]);
    assert.deepEqual(await issues("city=%ff&count=2"), [" encoding"]);
    assert.deepEqual(await issues(""), ["/city required", "/count required"]);
    const foreign = await send("POST", "/signUp", { headers, body: "email=ann%40example.org&age=7" });
    assert.deepEqual(JSON.parse(foreign.text), { email: "ann@example.org", age: 7 });
    assert.deepEqual(problem(await send("POST", "/signUp", { headers, body: "email=ann&age=7" })), [
      400,
      "INVALID_INPUT",
    ]);
  },
  options,
);

bothFaces(
  "failures are problem documents, whatever the format",
  app,
  async ({ send }) => {
    const headers = { "content-type": "application/msgpack", accept: "application/msgpack" };
    const put = async (body: Uint8Array<ArrayBuffer>): Promise<unknown> =>
      problem(await send("PUT", "/albums/7/photos", { headers, body }));
    assert.deepEqual(await put(packed({ ...photo, name: "taken" })), [409, "TAKEN"]);
    assert.deepEqual(await put(packed({ ...photo, extra: 1 })), [400, "INVALID_INPUT"]);
    assert.deepEqual(await put(packed({ ...photo, album: 8 })), [400, "INVALID_INPUT"]);
    assert.deepEqual(await put(packed(photo).slice(0, -1)), [400, "INVALID_INPUT"]);
    assert.deepEqual(await put(new Uint8Array(3000)), [413, "PAYLOAD_TOO_LARGE"]);
    assert.deepEqual(await put(new Uint8Array(0)), [400, "INVALID_INPUT"]);
  },
  options,
);

bothFaces(
  "415 lists what can be sent, 406 says that it depends on Accept",
  app,
  async ({ send }) => {
    const xml = { headers: { "content-type": "application/xml" }, body: "<a/>" };
    const put = await send("PUT", "/albums/7/photos", xml);
    assert.deepEqual(problem(put), [415, "UNSUPPORTED_MEDIA_TYPE"]);
    assert.equal(
      put.headers["accept"],
      "application/json, application/msgpack, application/cbor, application/x-www-form-urlencoded",
    );
    const post = await send("POST", "/orders", xml);
    assert.equal(post.headers["accept-post"], post.headers["accept"]);
    const charset = { headers: { "content-type": "application/x-www-form-urlencoded; charset=latin1" }, body: "a=1" };
    assert.deepEqual(problem(await send("POST", "/orders", charset)), [415, "UNSUPPORTED_MEDIA_TYPE"]);
    const html = await send("GET", "/look", { headers: { accept: "text/html" } });
    assert.deepEqual(problem(html), [406, "NOT_ACCEPTABLE"]);
    assert.equal(html.headers["vary"], "accept");
    const problemOnly = await send("GET", "/look", { headers: { accept: "application/problem+json" } });
    assert.equal(problemOnly.headers["content-type"], "application/json");
    const empty = await send("DELETE", "/photos/1", { headers: { accept: "application/cbor" } });
    assert.deepEqual([empty.status, empty.text, empty.headers["vary"]], [204, "", undefined]);
  },
  options,
);

bothFaces("without formats there is JSON alone, and nothing varies", app, async ({ send }) => {
  const sent = { headers: { "content-type": "application/msgpack" }, body: packed(photo) };
  const put = await send("PUT", "/albums/7/photos", sent);
  assert.deepEqual([put.status, put.headers["accept"]], [415, "application/json"]);
  const form = { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "city=x&count=2" };
  assert.equal((await send("POST", "/orders", form)).status, 415);
  assert.equal((await send("GET", "/look", { headers: { accept: "application/msgpack" } })).status, 406);
  assert.equal((await send("GET", "/look")).headers["vary"], undefined);
});

test("formats that cannot be are refused at start", async () => {
  await assert.rejects(loadFormats([cbor(), cbor()]), /application\/cbor twice/);
  await assert.rejects(loadFormats(["msgpack" as never]), /messagePack\(\), cbor\(\) and form\(\)/);
});
