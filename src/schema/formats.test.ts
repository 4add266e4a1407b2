/** The string formats: what they take, that ajv-formats agrees, and that hostile texts cost no more than their length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fullFormats } from "ajv-formats/dist/formats.js";
import fc from "fast-check";
import { formats } from "./formats.ts";
import type { StringFormat } from "./nodes.ts";

const good: { readonly [F in StringFormat]: readonly string[] } = {
  email: ["a@b.co", "first.last+tag@sub.example.com", `${"a".repeat(64)}@b.co`, "!#$%&'*+/=?^_`{|}~-@x.y"],
  uuid: ["00000000-0000-0000-0000-000000000000", "123E4567-e89b-12d3-a456-426614174000"],
  uri: [
    "https://user:pw@example.com:8080/a/b?c=d&e#f",
    "urn:isbn:0451450523",
    "mailto:a@b.co",
    "http://[2001:db8::1]/",
    "file:///etc/hosts",
    "http://a/%20",
  ],
  date: ["2024-02-29", "2000-02-29", "0001-01-01"],
  "date-time": ["2024-02-29T00:00:00Z", "2024-02-29t23:59:59.999999999+23:59", "2016-12-31T23:59:60Z"],
  time: ["00:00:00Z", "23:59:60Z", "01:29:60+01:30", "12:00:00.5-08:00"],
  ipv4: ["0.0.0.0", "255.255.255.255", "1.2.3.4"],
  ipv6: [
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::ffff:1.2.3.4",
    "1:2:3:4:5:6:1.2.3.4",
    "fe80::1:2",
  ],
  hostname: ["localhost", "a-b.c", "xn--bcher-kva.example", `${"a".repeat(63)}.b`, "1.2.3.4"],
};

const bad: { readonly [F in StringFormat]: readonly string[] } = {
  email: [
    "",
    "@b.co",
    "a@",
    "a@b",
    "a b@c.de",
    "a@@b.co",
    ".a@b.co",
    "a.@b.co",
    "a..b@c.de",
    "a@-b.co",
    "a@b-.co",
    "a@b.co.",
    "é@b.co",
    `${"a".repeat(65)}@b.co`,
    `a@${"b.".repeat(130)}co`,
    "a@b.co\n",
  ],
  uuid: [
    "",
    "00000000000000000000000000000000",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "0000000g-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}",
  ],
  uri: [
    "",
    "a:",
    "a:?b",
    "a:#b",
    "//a",
    "/a",
    "a",
    "1a:b",
    "http://a b",
    "http://a/%2",
    "http://a/%zz",
    "http://[::1",
    "http://[1]",
    "http://a:b/",
    "http://é/",
    "http://a\\b",
    "http://a/\n",
    "a:#b#c",
    "http://a/<b>",
  ],
  date: [
    "",
    "2023-02-29",
    "1900-02-29",
    "2024-13-01",
    "2024-00-01",
    "2024-01-00",
    "2024-01-32",
    "24-01-01",
    "2024-1-1",
    "2024-02-29T",
    "2024/02/29",
  ],
  "date-time": [
    "",
    "2024-02-29",
    "2024-02-29 00:00:00Z",
    "2024-02-29T00:00:00",
    "2024-02-29T24:00:00Z",
    "2024-02-29T00:60:00Z",
    "2016-12-31T22:59:60Z",
    "2024-02-30T00:00:00Z",
    "2024-02-29T00:00:00+0100",
    "2024-02-29T00:00:00.Z",
  ],
  time: ["", "00:00:00", "24:00:00Z", "00:00:61Z", "12:00:60Z", "0:00:00Z", "00:00Z", "00:00:00+24:00"],
  ipv4: ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "1.2.3.-4", "0x1.2.3.4", "1..2.3"],
  ipv6: [
    "",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "g::",
    "::1%eth0",
    "[::1]",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3",
    "1.2.3.4::",
    ":1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8::",
  ],
  hostname: ["", ".", "-a", "a-", "a..b", "a_b", "é", `${"a".repeat(64)}`, "a.".repeat(127) + "ab", "a b"],
};

for (const format of Object.keys(formats) as StringFormat[]) {
  test(`${format} takes what it should and nothing else`, () => {
    for (const text of good[format]) assert.equal(formats[format](text), true, text);
    for (const text of bad[format]) assert.equal(formats[format](text), false, text);
  });

  test(`${format} takes nothing that ajv-formats refuses`, () => {
    const pieces = fc.constantFrom(..."0123456789abcfz:.-@/[]%?#TtZ+é ".split(""), ...good[format]);
    const nearly = fc
      .tuple(fc.constantFrom(...good[format], ...bad[format]), fc.nat(40), fc.nat(2), pieces)
      .map(([text, at, cut, piece]) => text.slice(0, at) + piece + text.slice(at + cut));
    fc.assert(
      fc.property(
        fc.oneof(
          nearly,
          fc.array(pieces, { maxLength: 12 }).map((list) => list.join("")),
        ),
        (text) => {
          if (formats[format](text)) assert.ok(ajvAccepts(format, text), text);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test(`${format} looks at a long hostile text once`, () => {
    const long = 200_000;
    const hostile = [
      "a",
      "a.",
      "a-",
      "-",
      ".",
      ":",
      "::",
      "1",
      "1.",
      "@",
      "a@",
      "a@a.",
      "%",
      "%a",
      "0:",
      "[",
      "/",
      "é",
      "a@a-",
      "http://a",
      "a:b@",
      "::1:",
    ];
    for (const piece of hostile) {
      const text = piece.repeat(long / piece.length);
      for (const one of [
        text,
        `${text}!`,
        `${good[format][0] as string}${text}`,
        `http://${text}`,
        `a@${text}`,
        `12:00:00.${text}`,
      ])
        formats[format](one);
    }
  });
}

function ajvAccepts(format: StringFormat, text: string): boolean {
  const definition: unknown = fullFormats[format];
  if (definition instanceof RegExp) return definition.test(text);
  if (typeof definition === "function") return (definition as (text: string) => boolean)(text);
  return (definition as { validate: (text: string) => boolean }).validate(text);
}
