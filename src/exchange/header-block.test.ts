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
  for (const name of [
    ...["Content-Length", "transfer-encoding", "connection", "date", "keep-alive", "upgrade"],
    // node:http2 throws for these.
    ...["Proxy-Connection", "te", "http2-settings"],
  ]) {
    assert.throws(() => new HeaderBlock([name, "1"]), /written by the HTTP engine/);
  }
});

test("fields are found, dropped and put after one another", () => {
  const block = new HeaderBlock(["Vary", "accept", "x-a", "1", "vary", "origin"]);
  assert.equal(block.get("vary"), "accept, origin");
  assert.equal(block.get("x-b"), undefined);
  assert.deepEqual(block.without("vary", "x-c").pairs, ["x-a", "1"]);
  assert.equal(block.without("x-c"), block);
  const joined = block.without("vary").followedBy(new HeaderBlock(["x-b", "2"]));
  assert.deepEqual(joined.pairs, ["x-a", "1", "x-b", "2"]);
  assert.equal(joined.wire, "x-a: 1\r\nx-b: 2\r\n");
});

test("vary lists a name once, and nothing beside a star", () => {
  assert.equal(HeaderBlock.empty.varying("origin").get("vary"), "origin");
  const both = new HeaderBlock(["vary", "Accept, Origin"]);
  assert.equal(both.varying("origin"), both);
  assert.equal(both.varying("accept-encoding").get("vary"), "Accept, Origin, accept-encoding");
  const star = new HeaderBlock(["vary", "*"]);
  assert.equal(star.varying("origin"), star);
});
