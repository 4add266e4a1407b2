import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBlock, type HttpResponse } from "../exchange/index.ts";
import { checkIfMatch, etag, type EtagOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

test("the same bytes have the same tag, and who has them gets 304", async (context) => {
  let text = "one";
  const { send } = await rig(context, [etag()], {
    read: ({ reply }) => {
      reply.append("set-cookie", "seen=1");
      return { text };
    },
  });
  const first = await send("GET", "/read");
  const tag = String(first.headers["etag"]);
  assert.match(tag, /^"[\w-]{22}"$/);
  assert.equal((await send("GET", "/read")).headers["etag"], tag);
  for (const method of ["GET", "HEAD"]) {
    const same = await send(method, "/read", { "if-none-match": `"other", W/${tag}` });
    assert.deepEqual([same.status, same.bytes.length, same.headers["etag"]], [304, 0, tag]);
    assert.equal(same.headers["content-type"], undefined);
    assert.equal(same.headers["cache-control"], "no-store");
    assert.equal(same.headers["set-cookie"], "seen=1");
  }
  text = "two";
  const changed = await send("GET", "/read", { "if-none-match": tag });
  assert.deepEqual([changed.status, changed.bytes.toString()], [200, '{"text":"two"}']);
  assert.notEqual(changed.headers["etag"], tag);
});

test("If-Match of another version is 412, and comes before If-None-Match", async (context) => {
  const { send } = await rig(context, [etag()]);
  const tag = String((await send("GET", "/read")).headers["etag"]);
  assert.equal((await send("GET", "/read", { "if-match": `"a", ${tag}` })).status, 200);
  assert.equal((await send("GET", "/read", { "if-match": "*" })).status, 200);
  for (const [wanted, known] of [
    ['"other"', ""],
    [`W/${tag}`, ""],
    ['"other"', tag],
  ] as const) {
    const refused = await send("GET", "/read", { "if-match": wanted, "if-none-match": known });
    assert.deepEqual([refused.status, refused.headers["etag"]], [412, undefined]);
    assert.match(refused.bytes.toString(), /PRECONDITION_FAILED/);
  }
});

test("mutations, failures, streams and long answers get no tag; a tag that is there stays and counts", async (context) => {
  let closed = 0;
  const stream = (): AsyncIterable<Uint8Array> => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: true, value: undefined }),
      return: async () => (closed++, { done: true, value: undefined }),
    }),
  });
  const route = (path: string, response: () => HttpResponse) => ({ method: "GET", path, handle: response });
  const { send } = await rig(context, [etag({ maxBytes: 100 })], {
    extraRoutes: [
      route("/stream", () => ({ status: 200, headers: HeaderBlock.empty, body: stream() })),
      route("/long", () => ({ status: 200, headers: HeaderBlock.empty, body: "a".repeat(101) })),
      route("/created", () => ({ status: 201, headers: HeaderBlock.empty, body: "a" })),
      route("/own", () => ({ status: 200, headers: new HeaderBlock(["etag", '"v7"']), body: stream() })),
    ],
  });
  for (const path of ["/stream", "/long", "/created", "/nothing"])
    assert.equal((await send("GET", path)).headers["etag"], undefined, path);
  const json = { "content-type": "application/json" };
  assert.equal((await send("POST", "/write", json, '{"text":"a"}')).headers["etag"], undefined);
  assert.equal((await send("GET", "/own", { "if-none-match": '"v6"' })).status, 200);
  closed = 0;
  assert.equal((await send("GET", "/own", { "if-none-match": '"v7"' })).status, 304);
  assert.equal((await send("GET", "/own", { "if-match": '"v6"' })).status, 412);
  assert.equal(closed, 2, "streams that were not sent were closed");
});

test("tags can be weak, and what browsers may keep is said where it is not said already", async (context) => {
  let own = "";
  const { send } = await rig(context, [etag({ weak: true, cacheControl: "private, no-cache" })], {
    read: ({ reply }) => {
      if (own !== "") reply.set("cache-control", own);
      return { text: "a" };
    },
  });
  const kept = (await send("GET", "/read")).headers;
  assert.match(String(kept["etag"]), /^W\/"/);
  assert.equal(kept["cache-control"], "private, no-cache");
  own = "max-age=5";
  assert.equal((await send("GET", "/read")).headers["cache-control"], "max-age=5");
  assert.equal((await send("GET", "/nothing")).headers["cache-control"], "no-store");
});

test("an operation that changes a version compares it itself", () => {
  assert.equal(checkIfMatch(undefined, "7"), undefined);
  assert.equal(checkIfMatch('"7"', "7"), undefined);
  assert.equal(checkIfMatch('W/"7"', "7"), undefined);
  assert.equal(checkIfMatch('"6", "7"', "7"), undefined);
  assert.equal(checkIfMatch("*", "7"), undefined);
  for (const [wanted, version] of [
    ['"6"', "7"],
    ["7", "7"],
    ['"7"', undefined],
    ["*", undefined],
  ] as const)
    assert.equal(checkIfMatch(wanted, version)?.code, "PRECONDITION_FAILED", `${wanted} ${version}`);
});

test("mistakes are found at start", () => {
  assert.throws(() => etag({ maxBytes: -1 }), /maxBytes is a whole number/);
  assert.throws(() => etag({ strong: true } as EtagOptions), /no option "strong"/);
});
