import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBlock } from "./index.ts";

test("a block is its fields in order, as pairs and as wire text", () => {
  const block = new HeaderBlock(["Content-Type", "text/plain", "x-a", "b\tc \u00e9"])
    .with("Set-Cookie", "a=1")
    .with("set-cookie", "b=2");
  assert.deepEqual(block.pairs, [
    "content-type",
    "text/plain",
    "x-a",
    "b\tc \u00e9",
    "set-cookie",
    "a=1",
    "set-cookie",
    "b=2",
  ]);
  assert.equal(block.wire, "content-type: text/plain\r\nx-a: b\tc \u00e9\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n");
  assert.equal(block.pairs, block.pairs);
  assert.deepEqual([HeaderBlock.empty.pairs, HeaderBlock.empty.wire], [[], ""]);
});

test("what HTTP cannot carry, or the carrier writes itself, never becomes a block", () => {
  for (const [name, value] of [
    ["x a", "b"],
    ["", "b"],
    ["x:", "b"],
    ["x", "a\r\nb: c"],
    ["x", "a\n"],
    ["x", "\0"],
    ["x", "\u007f"],
    ["x", "\u2028"],
  ]) {
    assert.throws(() => new HeaderBlock([name as string, value as string]), TypeError);
    assert.throws(() => HeaderBlock.empty.with(name as string, value as string), TypeError);
  }
  for (const name of ["Content-Length", "transfer-encoding", "connection", "date"]) {
    assert.throws(() => new HeaderBlock([name, "1"]), /written by the HTTP engine/);
  }
});
