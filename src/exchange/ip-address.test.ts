import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { clientNetwork, formatIp, inRange, parseIp, parseRange } from "./index.ts";

test("what node:net calls an address is read, and nothing else", () => {
  const nearly = fc
    .array(fc.constantFrom("0", "1", "25", "255", "256", "01", "ffff", "abcde", ".", ":", "::", "%", "g", " "), {
      maxLength: 12,
    })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), nearly), (text) => {
      // An address with a zone is one for node:net only when the zone has a name.
      fc.pre(!text.includes("%"));
      assert.equal(parseIp(text) !== undefined, isIP(text) !== 0, text);
    }),
    { numRuns: 2000 },
  );
});

test("one address has one form: that of RFC 5952, which is also the URL parser's", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const ip = parseIp(text);
      assert.ok(ip !== undefined);
      const written = formatIp(ip);
      assert.deepEqual(parseIp(written), ip);
      if (!written.includes(".")) assert.equal(`[${written}]`, new URL(`http://[${text}]`).hostname);
    }),
  );
  const ip = parseIp("::FFFF:192.0.2.1");
  assert.ok(ip !== undefined);
  assert.equal(formatIp(ip), "192.0.2.1");
  assert.deepEqual(parseIp("192.0.2.1"), ip);
});

test("a client is an IPv4 address or the /64 of an IPv6 one", () => {
  assert.equal(clientNetwork("192.0.2.7"), "192.0.2.7");
  assert.equal(clientNetwork("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(clientNetwork("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(clientNetwork("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64");
  assert.equal(clientNetwork("fe80::1%eth0"), "fe80::/64");
  assert.equal(clientNetwork("unknown"), "unknown");
});

test("a range holds what shares its prefix", () => {
  const holds = (range: string, address: string): boolean => inRange(parseIp(address) as number[], parseRange(range));
  assert.ok(holds("10.0.0.0/8", "10.255.0.1"));
  assert.ok(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
  assert.ok(!holds("10.0.0.0/8", "11.0.0.1"));
  assert.ok(holds("192.0.2.1", "192.0.2.1"));
  assert.ok(!holds("192.0.2.1", "192.0.2.2"));
  assert.ok(holds("2001:db8::/33", "2001:db8:7fff::1"));
  assert.ok(!holds("2001:db8::/33", "2001:db8:8000::1"));
  assert.ok(holds("::/0", "192.0.2.1"));
  assert.ok(holds("0.0.0.0/0", "192.0.2.1"));
  assert.ok(!holds("0.0.0.0/0", "2001:db8::1"));
});

test("a range that cannot be meant ends the start", () => {
  for (const text of ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "2001:db8::/129", "example.com"])
    assert.throws(() => parseRange(text), /is not a range of IP addresses/);
  assert.throws(() => parseRange("10.1.0.0/8"), /bits set after its prefix/);
});
