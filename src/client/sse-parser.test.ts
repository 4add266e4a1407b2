import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SseParser, type ServerEvent } from "./sse-parser.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const message = (data: string, lastEventId = "", type = "message"): ServerEvent => ({ type, data, lastEventId });

function parse(pieces: readonly Uint8Array[], limit = 1_000): { events: ServerEvent[]; parser: SseParser } {
  const parser = new SseParser(limit);
  return { events: pieces.flatMap((piece) => [...parser.push(piece)]), parser };
}

/** The examples of WHATWG HTML section 9.2.6, and what its rules say beside them. */
const cases: readonly (readonly [name: string, text: string, events: readonly ServerEvent[]])[] = [
  ["one event of two lines", "data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]],
  [
    "comments, ids, an id taken back",
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    [message("first event", "1"), message("second event", ""), message(" third event", "")],
  ],
  ["empty data, and an event that is not complete", "data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]],
  ["a space after the colon counts for nothing", "data:test\n\ndata: test\n\n", [message("test"), message("test")]],
  ["a type without data is no event", "event: x\n\ndata: 1\n\n", [message("1")]],
  ["an event of a type", "event: add\ndata: 73857293\n\ndata: 1\n\n", [message("73857293", "", "add"), message("1")]],
  ["an id stays for the events after it", "id: 7\ndata: a\n\ndata: b\n\n", [message("a", "7"), message("b", "7")]],
  ["an id without data stays too", "id: 7\n\ndata: b\n\n", [message("b", "7")]],
  ["an id with a NUL is ignored", "id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n", [message("a", "7"), message("b", "7")]],
  ["CR, LF and CRLF each end a line", "data: a\rdata: b\r\ndata: c\n\r\n\r", [message("a\nb\nc")]],
  ["a mark at the start is not part of the first field", "\uFEFFdata: a\n\n", [message("a")]],
  ["unknown fields are ignored, names are exact", "Data: a\n data: b\nx: y\ndata: c\n\n", [message("c")]],
  ["text of every kind", "data: ä\u2028\n\n", [message("ä\u2028")]],
];

for (const [name, text, expected] of cases) {
  test(`an event stream: ${name}`, () => {
    const whole = bytes(text);
    assert.deepEqual(parse([whole]).events, expected);
    // Split in two at every byte, and into single bytes.
    for (let at = 0; at <= whole.length; at++)
      assert.deepEqual(parse([whole.subarray(0, at), whole.subarray(at)]).events, expected, `split at ${at}`);
    assert.deepEqual(parse([...whole].map((byte) => Uint8Array.of(byte))).events, expected);
  });
}

test("an event stream: retry is digits alone", () => {
  assert.equal(parse([bytes("retry: 1500\n")]).parser.retryMs, 1500);
  assert.equal(parse([bytes("retry: 1500ms\nretry: -1\nretry:\nretry: 1e3\n")]).parser.retryMs, undefined);
});

test("however a stream is split, it is the same events", () => {
  const field = fc.constantFrom("data", "event", "id", "retry", "", "other", "data ");
  const value = fc.string({ unit: fc.constantFrom("a", "ä", "😀", ":", " ", "\0", "\uFEFF", "7"), maxLength: 6 });
  const line = fc.oneof(
    fc.constant(""),
    fc.tuple(field, fc.constantFrom(":", ": ", ""), value).map((parts) => parts.join("")),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n")), { maxLength: 30 })
    .map((lines) => bytes(lines.flat().join("")));
  fc.assert(
    fc.property(stream, fc.array(fc.nat(300), { maxLength: 20 }), (whole, cuts) => {
      const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).toSorted((a, b) => a - b), whole.length];
      const pieces = places.slice(1).map((to, i) => whole.subarray(places[i], to));
      const { events, parser } = parse(pieces);
      const once = parse([whole]);
      assert.deepEqual(events, once.events);
      assert.equal(parser.retryMs, once.parser.retryMs);
      const single = parse([...whole].map((byte) => Uint8Array.of(byte)));
      assert.deepEqual(single.events, once.events);
    }),
    { numRuns: 500 },
  );
});

test("a line or an event over the limit stops the reading", () => {
  const long = parse([bytes("data: "), bytes("x".repeat(60)), bytes("x".repeat(60)), bytes("\n\ndata: a\n\n")], 100);
  assert.ok(long.parser.overflowed);
  assert.deepEqual(long.events, []);
  const many = parse([bytes(`data: ${"x".repeat(50)}\n`.repeat(3)), bytes("\n")], 100);
  assert.ok(many.parser.overflowed);
  const fine = parse([bytes(`data: ${"x".repeat(50)}\n\n`.repeat(30))], 100);
  assert.equal(fine.events.length, 30);
});
