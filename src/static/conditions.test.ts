import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HttpRequest } from "../http/index.ts";
import { acceptedCodings } from "./codings.ts";
import { judge, type Verdict } from "./conditions.ts";
import { validatorsOf } from "./validators.ts";

const mtimeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const mtimeNs = BigInt(mtimeMs) * 1_000_000n + 5n;
const settled = validatorsOf(1000, mtimeNs, undefined, mtimeMs + 2_000);
const fresh = validatorsOf(1000, mtimeNs, undefined, mtimeMs + 1_999);
const etag = settled.etag as string;
const date = "Fri, 02 Jan 2026 03:04:05 GMT";

function verdict(
  headers: { readonly [name: string]: string },
  { size = 1000, method = "GET", validators = settled } = {},
): Verdict {
  const pairs = Object.entries(headers).flat();
  const request: HttpRequest = {
    method,
    target: "/",
    header: (name) => headers[name],
    headerPairs: () => pairs,
    body: () => assert.fail("a file needs no body"),
    bodyStream: () => assert.fail("a file needs no body"),
    signal: new AbortController().signal,
    remoteAddress: "",
  };
  return judge(request, size, validators);
}
const all: Verdict = { send: "all" };
const part = (start: number, length: number): Verdict => ({ send: "part", start, length });
const unsatisfiable: Verdict = { send: "range_not_satisfiable" };

test("an ETag differs with size, time to the nanosecond, and coding; it is weak while the file may still change unseen", () => {
  const tags = [
    settled.etag,
    validatorsOf(1001, mtimeNs, undefined, Infinity).etag,
    validatorsOf(1000, mtimeNs + 1n, undefined, Infinity).etag,
    validatorsOf(1000, mtimeNs, "br", Infinity).etag,
  ];
  assert.equal(new Set(tags).size, 4);
  assert.equal(fresh.etag, `W/${etag}`);
  assert.equal(settled.lastModified, date);
});

test("a time that reproducible builds give to every file validates nothing, and a time to come is not told", () => {
  for (const seconds of [0, 1, 315_532_800, 499_162_500])
    assert.equal(validatorsOf(1, BigInt(seconds) * 1_000_000_000n, undefined, mtimeMs).etag, undefined);
  const early = validatorsOf(1, mtimeNs, undefined, mtimeMs - 10_000);
  assert.deepEqual([early.lastModified, early.strong], [undefined, false]);
});

test("If-None-Match compares weakly, in lists and by star, and wins over If-Modified-Since", () => {
  const not = { send: "not_modified" };
  for (const value of [etag, `W/${etag}`, `"a", ${etag}`, `"a,b",W/${etag} , "c"`, "*", " * "])
    assert.deepEqual(verdict({ "if-none-match": value }), not, value);
  assert.deepEqual(verdict({ "if-none-match": etag }, { validators: fresh }), not);
  for (const value of ['"other"', etag.slice(1, -1), "", '"', `x${etag.slice(0, -1)}`])
    assert.deepEqual(verdict({ "if-none-match": value, "if-modified-since": date }), all, value);
  assert.deepEqual(verdict({ "if-modified-since": date }), not);
  assert.deepEqual(verdict({ "if-modified-since": "Fri, 02 Jan 2026 03:04:04 GMT" }), all);
  for (const value of ["2027-01-01", "Friday, 02-Jan-27 03:04:05 GMT", "Fri, 99 Foo 2027 03:04:05 GMT", "0", ""])
    assert.deepEqual(verdict({ "if-modified-since": value }), all, value);
});

test("If-Match compares strongly, If-Unmodified-Since by time, and both come before all else", () => {
  const failed = { send: "precondition_failed" };
  assert.deepEqual(verdict({ "if-match": etag }), all);
  assert.deepEqual(verdict({ "if-match": "*" }, { validators: fresh }), all);
  assert.deepEqual(verdict({ "if-match": `W/${etag}` }), failed);
  assert.deepEqual(verdict({ "if-match": `W/${etag}` }, { validators: fresh }), failed);
  assert.deepEqual(verdict({ "if-match": '"other"', "if-none-match": etag }), failed);
  assert.deepEqual(verdict({ "if-unmodified-since": date }), all);
  assert.deepEqual(verdict({ "if-unmodified-since": "Thu, 01 Jan 2026 00:00:00 GMT" }), failed);
});

test("one range of bytes is a part; several, other units, and nonsense are the whole; beyond the end is refused", () => {
  const table: readonly (readonly [string, Verdict])[] = [
    ["bytes=0-0", part(0, 1)],
    ["bytes=0-", part(0, 1000)],
    ["BYTES=10-19", part(10, 10)],
    ["bytes=990-5000", part(990, 10)],
    ["bytes=999-", part(999, 1)],
    ["bytes=-1", part(999, 1)],
    ["bytes=-5000", part(0, 1000)],
    [`bytes=0-${"9".repeat(400)}`, part(0, 1000)],
    ["bytes=1000-", unsatisfiable],
    ["bytes=-0", unsatisfiable],
    [`bytes=${"9".repeat(400)}-`, unsatisfiable],
    ["bytes=5-4", all],
    ["bytes=-", all],
    ["bytes=", all],
    ["bytes=0-1,3-4", all],
    ["bytes=0x1-2", all],
    ["bytes=+1-2", all],
    ["bytes 0-1", all],
    ["items=0-1", all],
  ];
  for (const [range, expected] of table) assert.deepEqual(verdict({ range }), expected, range);
  assert.deepEqual(verdict({ range: "bytes=0-0" }, { method: "HEAD" }), all);
  for (const range of ["bytes=0-", "bytes=-1"]) assert.deepEqual(verdict({ range }, { size: 0 }), unsatisfiable);
});

test("If-Range gives the part only of the very same version, by strong comparison", () => {
  const range = "bytes=0-0";
  assert.deepEqual(verdict({ range, "if-range": etag }), part(0, 1));
  assert.deepEqual(verdict({ range, "if-range": date }), part(0, 1));
  for (const version of ['"other"', `W/${etag}`, "Fri, 02 Jan 2026 03:04:06 GMT", ""])
    assert.deepEqual(verdict({ range, "if-range": version }), all, version);
  assert.deepEqual(verdict({ range, "if-range": `W/${etag}` }, { validators: fresh }), all);
  assert.deepEqual(verdict({ range, "if-range": date }, { validators: fresh }), all);
});

test("whatever the Range header says, a part lies within the file", () => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom("", "0", "5", "99"), fc.nat(2000)).map(([a, b]) => `bytes=${a}-${b}`),
  );
  fc.assert(
    fc.property(text, fc.nat(1500), (range, size) => {
      const found = verdict({ range }, { size });
      if (found.send !== "part") return;
      assert.ok(found.start >= 0 && found.length >= 1 && found.start + found.length <= size);
    }),
  );
});

test("content codings follow the client's weights, and ours where they are equal", () => {
  const names = (header: string | undefined): string =>
    acceptedCodings(header)
      .map(({ name }) => name)
      .join(" ");
  const table: readonly (readonly [string | undefined, string])[] = [
    [undefined, ""],
    ["", ""],
    ["gzip, deflate, br, zstd", "br zstd gzip"],
    ["gzip;q=1.0, br;q=0.5", "gzip br"],
    ["GZIP ; Q=0.8", "gzip"],
    ["x-gzip", "gzip"],
    ["*", "br zstd gzip"],
    ["*;q=0.5, br;q=0", "zstd gzip"],
    ["br;q=0, gzip;q=0.000", ""],
    ["br;q=2, gzip;q=x", ""],
    ["identity, br;q=0.5, gzip", "gzip"],
    ["identity;q=0, gzip;q=0.1", "gzip"],
  ];
  for (const [header, expected] of table) assert.equal(names(header), expected, String(header));
});
