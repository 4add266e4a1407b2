import assert from "node:assert/strict";
import { test } from "node:test";
import { peerAddress, trustProxy, type AddressSource } from "./index.ts";

function from(remoteAddress: string, headers: { readonly [name: string]: string } = {}): AddressSource {
  return { remoteAddress, header: (name) => headers[name] };
}

test("without trust the peer is the client, whatever the headers say", () => {
  const headers = { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" };
  assert.equal(peerAddress(from("198.51.100.9", headers)), "198.51.100.9");
  assert.equal(peerAddress(from("::ffff:198.51.100.9")), "198.51.100.9");
  assert.equal(peerAddress(from("")), "");
});

test("by hops, the entry that the outermost proxy wrote is the client", () => {
  const one = trustProxy({ hops: 1 });
  assert.equal(one(from("10.0.0.1", { "x-forwarded-for": "6.6.6.6, 192.0.2.1" })), "192.0.2.1");
  assert.equal(one(from("10.0.0.1")), "10.0.0.1");
  const two = trustProxy({ hops: 2 });
  assert.equal(two(from("10.0.0.1", { "x-forwarded-for": "6.6.6.6, 192.0.2.1, 10.0.0.2" })), "192.0.2.1");
  assert.equal(two(from("10.0.0.1", { "x-forwarded-for": "10.0.0.2" })), "10.0.0.2");
  assert.equal(two(from("10.0.0.1", { "x-forwarded-for": "192.0.2.1, nonsense, 10.0.0.2" })), "10.0.0.2");
});

test("by ranges, the first from the right that is no proxy is the client", () => {
  const trusted = trustProxy({ cidrs: ["loopback", "10.0.0.0/8"] });
  const headers = { "x-forwarded-for": "6.6.6.6, 192.0.2.1, 10.0.0.2" };
  assert.equal(trusted(from("127.0.0.1", headers)), "192.0.2.1");
  // Who comes past the proxies is not believed.
  assert.equal(trusted(from("198.51.100.9", headers)), "198.51.100.9");
  // Nor is one who pretends to be a proxy further out.
  assert.equal(trusted(from("10.0.0.1", { "x-forwarded-for": "127.0.0.1, 192.0.2.1" })), "192.0.2.1");
  assert.equal(trusted(from("10.0.0.1", { "x-forwarded-for": "10.0.0.3, 10.0.0.2" })), "10.0.0.3");
  assert.equal(trusted(from("10.0.0.1", { "x-forwarded-for": "unknown" })), "10.0.0.1");
});

test("addresses come with ports from some proxies", () => {
  const one = trustProxy({ hops: 1 });
  assert.equal(one(from("10.0.0.1", { "x-forwarded-for": "192.0.2.1:4711" })), "192.0.2.1");
  assert.equal(one(from("10.0.0.1", { "x-forwarded-for": "[2001:DB8::1]:4711" })), "2001:db8::1");
  assert.equal(one(from("10.0.0.1", { "x-forwarded-for": "2001:db8::1" })), "2001:db8::1");
});

test("Forwarded is read as RFC 7239 writes it, and only when it is the header that was named", () => {
  const one = trustProxy({ hops: 1, header: "forwarded" });
  const client = (forwarded: string): string => one(from("10.0.0.1", { forwarded, "x-forwarded-for": "6.6.6.6" }));
  assert.equal(client("for=192.0.2.43"), "192.0.2.43");
  assert.equal(client('For="[2001:db8:cafe::17]:4711"'), "2001:db8:cafe::17");
  assert.equal(client("for=6.6.6.6, for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
  assert.equal(client('by="a,b;for=6.6.6.6";for="192.0.2.61"'), "192.0.2.61");
  assert.equal(client("for=_hidden"), "10.0.0.1");
  assert.equal(client("for=unknown, proto=http"), "10.0.0.1");
  assert.equal(client('for="192.0.2.1'), "10.0.0.1");
  assert.equal(trustProxy({ hops: 1 })(from("10.0.0.1", { forwarded: "for=6.6.6.6" })), "10.0.0.1");
});

test("a chain of thousands costs no more than its right end", () => {
  const chain = `${"6.6.6.6, ".repeat(5000)}192.0.2.1`;
  assert.equal(trustProxy({ hops: 1 })(from("10.0.0.1", { "x-forwarded-for": chain })), "192.0.2.1");
});

test("trust that is not said clearly ends the start", () => {
  assert.throws(() => trustProxy({}), /either hops/);
  assert.throws(() => trustProxy({ hops: 1, cidrs: ["loopback"] }), /either hops/);
  assert.throws(() => trustProxy({ hops: 0 }), /from 1 to 16/);
  assert.throws(() => trustProxy({ cidrs: ["localhost"] }), /not a range/);
});
