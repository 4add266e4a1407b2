import assert from "node:assert/strict";
import { test } from "node:test";
import { readRequestTimeout, readTraceContext, writeRequestTimeout } from "./index.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";

test("a trace context of the standard is read, and its state comes along", () => {
  const traceparent = `00-${trace}-${span}-01`;
  assert.deepEqual(readTraceContext(traceparent, undefined), { traceparent });
  assert.deepEqual(readTraceContext(traceparent, "congo=t61rcWkgMzE"), {
    traceparent,
    tracestate: "congo=t61rcWkgMzE",
  });
  assert.deepEqual(readTraceContext(traceparent, "x".repeat(513)), { traceparent });
  assert.deepEqual(readTraceContext(traceparent, "a=b\r\nx: y"), { traceparent });
});

test("one of a later version is handed on as the version that is known", () => {
  assert.deepEqual(readTraceContext(`01-${trace}-${span}-03-later`, undefined), {
    traceparent: `00-${trace}-${span}-01`,
  });
});

test("a malformed one is none", () => {
  for (const text of [
    undefined,
    "",
    `00-${trace}-${span}`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `ff-${trace}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
  ]) {
    assert.equal(readTraceContext(text, undefined), undefined, String(text));
  }
});

test("a request timeout is seconds with at most three places; anything else is none", () => {
  assert.equal(readRequestTimeout("2"), 2_000);
  assert.equal(readRequestTimeout("0.25"), 250);
  assert.equal(readRequestTimeout("0"), 0);
  for (const text of [undefined, "", "-1", "1e3", "1.2345", "5s", "1, 2", "9999999999", "Infinity", " 1"]) {
    assert.equal(readRequestTimeout(text), undefined, String(text));
  }
});

test("what is written is read again", () => {
  for (const ms of [0, 1, 999, 1_000, 1_500.7, 86_400_000]) {
    assert.equal(readRequestTimeout(writeRequestTimeout(ms)), Math.floor(ms));
  }
  assert.equal(writeRequestTimeout(-5), "0");
});
