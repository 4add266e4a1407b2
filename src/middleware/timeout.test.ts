import assert from "node:assert/strict";
import { test } from "node:test";
import { Aborted, manualClock } from "../core/index.ts";
import { HeaderBlock, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import type { ExtraRoute } from "../http/index.ts";
import { timeout, type TimeoutOptions } from "./index.ts";
import { rig } from "./testing/rig.ts";

const headers = HeaderBlock.empty;

/** `GET /x` tells when it was asked, and answers when it is told to. */
function waiting() {
  const asked = Promise.withResolvers<HttpRequest>();
  const answer = Promise.withResolvers<HttpResponse>();
  const route: ExtraRoute = {
    method: "GET",
    path: "/x",
    handle(request) {
      asked.resolve(request);
      return answer.promise;
    },
  };
  return { route, asked: asked.promise, answer };
}

test("an answer that does not begin in time is 504, its signal aborts, and its stream is closed when it comes", async (context) => {
  const clock = manualClock();
  const { route, asked, answer } = waiting();
  const { send } = await rig(context, [timeout({ after: "2s" })], { clock, extraRoutes: [route] });
  const received = send("GET", "/x");
  const { signal } = await asked;
  await clock.advance(1999);
  assert.equal(signal.aborted, false);
  await clock.advance(1);
  const { status, bytes } = await received;
  assert.equal(status, 504);
  assert.match(bytes.toString(), /DEADLINE_EXCEEDED/);
  assert.ok(signal.reason instanceof Aborted && signal.reason.why === "timeout");
  const closed = Promise.withResolvers<void>();
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: new Uint8Array(1) }),
      return: async () => (closed.resolve(), { done: true as const, value: undefined }),
    }),
  };
  answer.resolve({ status: 200, headers, body });
  await closed.promise;
});

test("a signal that is first looked at after the time has aborted", async (context) => {
  const clock = manualClock();
  const { route, asked } = waiting();
  const { send } = await rig(context, [timeout({ after: 50 })], { clock, extraRoutes: [route] });
  const received = send("GET", "/x");
  const request = await asked;
  await clock.advance(50);
  assert.equal((await received).status, 504);
  assert.equal(request.signal.aborted, true);
});

test("what answers in time is left alone, and no timer stays", async (context) => {
  const clock = manualClock();
  const { route, asked, answer } = waiting();
  const { send, defects } = await rig(context, [timeout({ after: "2s" })], { clock, extraRoutes: [route] });
  assert.equal((await send("GET", "/read")).status, 200);
  const received = send("GET", "/x");
  const { signal } = await asked;
  await clock.advance(1500);
  answer.resolve({ status: 200, headers, body: "in time" });
  assert.equal((await received).bytes.toString(), "in time");
  await clock.advance(10_000);
  assert.deepEqual([signal.aborted && signal.reason instanceof Aborted, defects.length], [false, 0]);
});

test("only the requests that are meant are bounded", async (context) => {
  const clock = manualClock();
  const { route, asked, answer } = waiting();
  const only = timeout({ after: "2s", when: (request) => request.target !== "/x" });
  const { send } = await rig(context, [only], { clock, extraRoutes: [route] });
  const received = send("GET", "/x");
  await asked;
  await clock.advance(60_000);
  answer.resolve({ status: 200, headers, body: "late" });
  assert.equal((await received).status, 200);
});

test("mistakes are found at start", () => {
  assert.throws(() => timeout({} as TimeoutOptions), /say how long/);
  assert.throws(() => timeout({ after: 0 }), /more than nothing/);
  assert.throws(() => timeout({ after: "60d" }), /at most 24 days/);
  assert.throws(() => timeout({ after: "soon" }), /soon/);
  assert.throws(() => timeout({ after: "1s", unless: 1 } as TimeoutOptions), /no option "unless"/);
});
