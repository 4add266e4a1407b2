import assert from "node:assert/strict";
import { test } from "node:test";
import { contract, fault, implementContract, middleware, query, mutation, type Wire } from "../contract/index.ts";
import { HeaderBlock } from "../exchange/index.ts";
import { t } from "../schema/index.ts";
import { bothFaces } from "./testing/faces.ts";

const Busy = fault("BUSY", { kind: "unavailable" });
const Refused = fault("REFUSED", { kind: "conflict" });
const read = query("read", { access: "public", input: {}, output: { n: t.int32() }, faults: [Refused] });
const write = mutation("write", { access: "public", input: {}, output: t.nothing() });
const demo = contract("demo.v1", { read, write });

/** Notes its way in and out, in a header. */
const noted = (name: string): Wire => {
  return (next) => async (request) => {
    const response = await next(request);
    return { ...response, headers: response.headers.with("x-way", name) };
  };
};

bothFaces(
  "wires stand around routes and misses alike, outermost first",
  implementContract(demo, {
    middleware: [middleware({ wire: noted("outer") }), middleware({ wire: noted("inner") })],
    handlers: { read: () => ({ n: 1 }), write: () => undefined },
  }),
  async ({ send }) => {
    for (const [method, path, status] of [
      ["GET", "/read", 200],
      ["GET", "/nothing", 404],
      ["DELETE", "/read", 405],
      ["GET", "/extra", 200],
      ["OPTIONS", "/read", 204],
    ] as const) {
      const answer = await send(method, path);
      assert.equal(answer.status, status, path);
      assert.equal(answer.headers["x-way"], "inner, outer", path);
    }
  },
  {
    extraRoutes: [
      { method: "GET", path: "/extra", handle: () => ({ status: 200, headers: HeaderBlock.empty, body: "x" }) },
    ],
  },
);

bothFaces(
  "a wire may answer with a problem, and what it throws becomes one that the wires around it see",
  implementContract(demo, {
    middleware: [
      middleware({ wire: noted("outer") }),
      middleware({
        wire: (next, tools) => (request) => {
          const mode = request.header("x-mode");
          if (mode === "busy") return tools.problem(request, Busy, Busy());
          if (mode === "throw") throw new Error("thrown");
          if (mode === "reject") return Promise.reject(new Error("rejected"));
          return next(request);
        },
      }),
    ],
    handlers: { read: () => ({ n: 1 }), write: () => undefined },
  }),
  async ({ send, defects }) => {
    const busy = await send("GET", "/read", { headers: { "x-mode": "busy", "x-request-id": "r7" } });
    assert.deepEqual([busy.status, busy.headers["x-way"], busy.headers["x-request-id"]], [503, "outer", "r7"]);
    assert.equal((JSON.parse(busy.text) as { code: string }).code, "BUSY");
    for (const mode of ["throw", "reject"]) {
      const broken = await send("GET", "/read", { headers: { "x-mode": mode } });
      assert.deepEqual([broken.status, broken.headers["x-way"]], [500, "outer"]);
      assert.doesNotMatch(broken.text, /thrown|rejected/);
    }
    assert.equal(defects.length, 2);
    assert.equal((await send("GET", "/read")).text, '{"n":1}');
  },
);

bothFaces(
  "what the reply of a handler and of middleware holds is in the answer",
  implementContract(demo, {
    middleware: [
      middleware(async (call, next) => {
        call.reply.set("x-policy", "10");
        return next({});
      }),
    ],
    handlers: {
      read: ({ reply }) => {
        reply.set("cache-control", "public, max-age=60");
        reply.append("set-cookie", "a=1; HttpOnly");
        return Refused();
      },
      write: ({ reply }) => {
        reply.status = 202;
        reply.set("location", "/read");
        return undefined;
      },
    },
  }),
  async ({ send }) => {
    const failed = await send("GET", "/read");
    assert.equal(failed.status, 409);
    assert.equal(failed.headers["cache-control"], "no-store");
    assert.equal(failed.headers["set-cookie"], "a=1; HttpOnly");
    assert.equal(failed.headers["x-policy"], "10");
    const accepted = await send("POST", "/write", { headers: { "content-type": "application/json" }, body: "{}" });
    assert.deepEqual([accepted.status, accepted.text], [202, ""]);
    assert.deepEqual([accepted.headers["location"], accepted.headers["x-policy"]], ["/read", "10"]);
  },
);

bothFaces(
  "a header value with a line break in it is a defect, not a header",
  implementContract(demo, {
    handlers: { read: ({ reply }) => (reply.set("x-a", "a\r\nset-cookie: b=1"), { n: 1 }), write: () => undefined },
  }),
  async ({ send, defects }) => {
    const answer = await send("GET", "/read");
    assert.deepEqual([answer.status, answer.headers["set-cookie"], defects.length], [500, undefined, 1]);
  },
);

bothFaces(
  "a gate refuses before the body is read, and its fault is a documented problem",
  implementContract(demo, {
    middleware: [middleware({ faults: [Busy], admit: (call) => (call.reply.set("x-policy", "1"), Busy()) })],
    handlers: { read: () => ({ n: 1 }), write: () => undefined },
  }),
  async ({ send }) => {
    const refused = await send("POST", "/write", { headers: { "content-type": "text/plain" }, body: "no JSON" });
    assert.deepEqual([refused.status, refused.headers["x-policy"], refused.headers["retry-after"]], [503, "1", "1"]);
  },
);

test("a wire that gives no handler stops the program with its place in the list", async () => {
  const { createHttpHandler } = await import("./index.ts");
  const { boundApp } = await import("./testing/faces.ts");
  const implemented = implementContract(demo, {
    middleware: [middleware({ wire: () => undefined as never })],
    handlers: { read: () => ({ n: 1 }), write: () => undefined },
  });
  assert.throws(() => createHttpHandler(boundApp(implemented).app), /wire of middleware\[0\] must return a handler/);
});
