import assert from "node:assert/strict";
import { test } from "node:test";
import { requestId, type RequestIdOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

test("every answer has the id that handlers and problems see", async (context) => {
  const seen: string[] = [];
  const { send } = await rig(context, [requestId()], {
    read: (tools) => {
      seen.push(tools.requestId);
      return { text: "a" };
    },
  });
  const made = (await send("GET", "/read")).headers["x-request-id"];
  assert.match(String(made), /^[0-9a-f-]{36}$/);
  const given = (await send("GET", "/read", { "x-request-id": "from-the-gateway" })).headers["x-request-id"];
  assert.equal(given, "from-the-gateway");
  assert.deepEqual(seen, [made, "from-the-gateway"]);
  for (const insane of ["a b", "a".repeat(129), ""]) {
    const other = (await send("GET", "/read", { "x-request-id": insane })).headers["x-request-id"];
    assert.match(String(other), /^[0-9a-f-]{36}$/);
  }
  assert.match(String((await send("GET", "/nothing")).headers["x-request-id"]), /^[0-9a-f-]{36}$/);
});

test("the id can be another header's, our own alone, and made by the app", async (context) => {
  let count = 0;
  const options: RequestIdOptions = { header: "X-Correlation-Id", trust: false, generate: () => `id-${count++}` };
  const { send } = await rig(context, [requestId(options)], { read: (tools) => ({ text: tools.requestId }) });
  const { headers, bytes } = await send("GET", "/read", { "x-correlation-id": "theirs", "x-request-id": "theirs" });
  assert.deepEqual([headers["x-correlation-id"], headers["x-request-id"]], ["id-0", undefined]);
  assert.equal(bytes.toString(), '{"text":"id-0"}');
});

test("trust can depend on the request", async (context) => {
  const { send } = await rig(context, [requestId({ trust: (request) => request.header("x-gateway") === "1" })]);
  const own = { "x-request-id": "r1" };
  assert.notEqual((await send("GET", "/read", own)).headers["x-request-id"], "r1");
  assert.equal((await send("GET", "/read", { ...own, "x-gateway": "1" })).headers["x-request-id"], "r1");
});

test("a generator that makes no id is a defect", async (context) => {
  const { send, defects } = await rig(context, [requestId({ generate: () => "two words\r\n" })]);
  assert.equal((await send("GET", "/read")).status, 500);
  assert.match(String(defects[0]), /generate\(\) must return/);
  assert.throws(() => requestId({ header: "x id" }), /is no name that HTTP knows/);
});
