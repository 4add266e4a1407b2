import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderBlock, ReplyFields, type HttpResponse } from "./index.ts";

const base = new HeaderBlock(["content-type", "application/json", "cache-control", "no-store", "vary", "accept"]);
const response: HttpResponse = { status: 200, headers: base, body: "{}" };

function dressed(fill: (reply: ReplyFields) => void, failed = false): HttpResponse {
  const reply = new ReplyFields();
  fill(reply);
  return reply.dress(response, failed);
}

test("what is set takes the place of what was there, what is appended stands beside it", () => {
  const { headers, status, body } = dressed((reply) => {
    reply.set("X-One", "1");
    reply.append("Set-Cookie", "a=1");
    reply.append("set-cookie", "b=2");
    reply.append("vary", "origin");
    reply.set("Cache-Control", "max-age=60");
    reply.set("cache-control", "max-age=61");
  });
  const own = ["x-one", "1", "set-cookie", "a=1", "set-cookie", "b=2", "vary", "origin", "cache-control", "max-age=61"];
  assert.deepEqual(headers.pairs, ["content-type", "application/json", "vary", "accept", ...own]);
  assert.deepEqual([status, body], [200, "{}"]);
});

test("a reply that nobody filled changes nothing", () => {
  assert.equal(dressed(() => undefined).headers, base);
});

test("a failure keeps its status, and what describes a success is left out", () => {
  const problem = dressed((reply) => {
    reply.status = 202;
    reply.set("cache-control", "public, max-age=60");
    reply.set("etag", '"1"');
    reply.append("location", "/x");
    reply.set("ratelimit-policy", "a");
  }, true);
  assert.equal(problem.status, 200);
  assert.deepEqual(problem.headers.pairs, [...base.pairs, "ratelimit-policy", "a"]);
});

test("line breaks, controls and names that are not the handler's are refused", () => {
  const reply = new ReplyFields();
  for (const value of ["a\r\nset-cookie: b=1", "a\nb", "a\rb", "a\0b", "€"]) {
    assert.throws(() => reply.set("x-a", value), /holds a character that HTTP cannot carry/);
    assert.throws(() => reply.append("x-a", value), TypeError);
  }
  assert.throws(() => reply.set("x a", "1"), /is not a header name/);
  assert.throws(() => reply.set("", "1"), /is not a header name/);
  for (const name of ["Connection", "content-length", "Transfer-Encoding", "upgrade", "keep-alive", "date", "te"])
    assert.throws(() => reply.set(name, "1"), TypeError, name);
  for (const name of ["proxy-connection", "http2-settings"])
    assert.throws(() => reply.append(name, "1"), TypeError, name);
  for (const name of ["Content-Type", "content-encoding", "trailer", "x-request-id"])
    assert.throws(() => reply.append(name, "1"), /Tensile writes it/);
  assert.equal(reply.dress(response, false).headers, base);
});

test("a status is a success that says nothing about the body", () => {
  const reply = new ReplyFields();
  for (const status of [199, 204, 205, 206, 300, 404, 201.5, Number.NaN])
    assert.throws(() => (reply.status = status), /reply\.status is/);
  reply.status = 202;
  assert.equal(reply.dress(response, false).status, 202);
  reply.status = undefined;
  assert.equal(reply.dress(response, false).status, 200);
});

test("it holds a bounded number of fields and bytes", () => {
  const many = new ReplyFields();
  for (let i = 0; i < 64; i++) many.append("x-a", String(i));
  assert.throws(() => many.append("x-a", "65"), /at most 64 header fields/);
  const long = new ReplyFields();
  assert.throws(() => long.set("x-a", "a".repeat(16 * 1024)), /at most 64 header fields with 16384 bytes/);
});
