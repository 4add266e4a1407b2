import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { allFields, findField } from "./head-fields.ts";
import { HeadParser } from "./head-parser.ts";
import { resolveLimits } from "./limits.ts";

const limits = resolveLimits({});

function parse(text: string): HeadParser {
  const bytes = Buffer.from(text, "latin1");
  const parser = new HeadParser(limits);
  assert.equal(parser.parse(bytes, 0, bytes.length), "done");
  return parser;
}

test("a head that comes byte by byte is read once: no byte is looked at more than a few times", () => {
  const bytes = Buffer.from(`GET /${"a".repeat(500)} HTTP/1.1\r\nHost: a\r\nX: ${"b".repeat(5_000)}\r\n\r\n`, "latin1");
  let reads = 0;
  const counting = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) reads++;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const parser = new HeadParser(limits);
  for (let end = 1; end < bytes.length; end++) assert.equal(parser.parse(counting, 0, end), "more");
  assert.equal(parser.parse(counting, 0, bytes.length), "done");
  assert.ok(reads < bytes.length * 4, `${reads} reads for ${bytes.length} bytes`);
});

test("the bytes of a head may move between two calls", () => {
  const text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
  const parser = new HeadParser(limits);
  for (let cut = 1; cut < text.length; cut++) {
    assert.equal(parser.parse(Buffer.from(`......${text.slice(0, cut)}`), 6, 6 + cut), "more");
    assert.equal(parser.parse(Buffer.from(text), 0, text.length), "done");
    assert.deepEqual(
      [parser.method, parser.target, parser.contentLength, parser.length],
      ["POST", "/a", 12, text.length],
    );
  }
});

test("one parser reads many heads and carries nothing from one to the next", () => {
  const heads =
    "POST /1 HTTP/1.0\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" +
    "PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n" +
    "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
  const bytes = Buffer.from(heads);
  const parser = new HeadParser(limits);
  const seen: unknown[] = [];
  for (let at = 0; at < bytes.length; at += parser.length) {
    assert.equal(parser.parse(bytes, at, bytes.length), "done");
    const { target, minor, contentLength, chunked, keepAlive, expectContinue } = parser;
    seen.push([target, minor, contentLength, chunked, keepAlive, expectContinue]);
  }
  assert.deepEqual(seen, [
    ["/1", 0, 1, false, false, false],
    ["/2", 1, -1, true, true, true],
    ["/3", 1, -1, false, true, false],
  ]);
});

test("an absolute target is given in origin form", () => {
  const target = (method: string, uri: string): string =>
    parse(`${method} ${uri} HTTP/1.1\r\nHost: A:80\r\n\r\n`).target;
  assert.equal(target("GET", "http://a/x?y"), "/x?y");
  assert.equal(target("GET", "HTTP://a:80"), "/");
  assert.equal(target("GET", "http://a:?y"), "/?y");
  assert.equal(target("OPTIONS", "http://a"), "*");
});

test("a field is found by name in any case, and only as a whole name", () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
  const value = fc.stringMatching(/^[\t -~\x80-\xff]{0,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(token, value), { maxLength: 8 }), token, (fields, wanted) => {
      const head = `${fields.map(([name, text]) => `${name}:${text}\r\n`).join("")}\r\n`;
      const trimmed = fields.map(([name, text]) => [name.toLowerCase(), text.replace(/^[ \t]+|[ \t]+$/g, "")] as const);
      assert.deepEqual(allFields(head, 0), trimmed.flat());
      for (const name of [wanted.toLowerCase(), ...trimmed.map(([known]) => known)]) {
        const values = trimmed.filter(([known]) => known === name).map(([, text]) => text);
        const joined = values.join(name === "cookie" ? "; " : ", ");
        assert.equal(findField(head, 0, name), values.length === 0 ? undefined : joined);
      }
    }),
  );
});
