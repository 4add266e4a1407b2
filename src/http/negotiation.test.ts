import assert from "node:assert/strict";
import { test } from "node:test";
import { preferred } from "./negotiation.ts";

const offers = [["application/json"], ["application/msgpack", "application/vnd.msgpack"], ["application/cbor"]];
const names = ["json", "msgpack", "cbor"];
const cases: readonly (readonly [accept: string, chosen: string | undefined])[] = [
  ["*/*", "json"],
  ["application/*", "json"],
  ["application/msgpack", "msgpack"],
  ["application/vnd.msgpack", "msgpack"],
  ["APPLICATION/MSGPACK", "msgpack"],
  // RFC 9110 section 12.5.1: the greatest weight wins, whatever the order.
  ["application/json;q=0.5, application/cbor;q=0.8", "cbor"],
  ["application/json; q=0.5 , application/cbor ; q=0.8", "cbor"],
  ["application/cbor, application/msgpack", "cbor"],
  ["application/msgpack, application/cbor", "msgpack"],
  ["text/html, application/xhtml+xml, */*;q=0.8", "json"],
  ["*/*, application/cbor", "cbor"],
  ["*/*;q=0.1, application/json;q=0", "msgpack"],
  ["application/*;q=0.2, application/json;q=0.1, application/msgpack;q=0", "cbor"],
  // The most specific range decides about a type, even when it says less.
  ["application/json;q=0.1, */*;q=0.9", "msgpack"],
  ["application/json;q=0, application/*", "msgpack"],
  ["application/json;q=0", undefined],
  ["text/html", undefined],
  ["", undefined],
  ["*/*;q=0", undefined],
  ["*/*;q=0.000", undefined],
  ["*/*;q=nonsense", "json"],
  ["application/json;charset=utf-8", "json"],
  [",,,;;,=q", undefined],
];

for (const [accept, chosen] of cases) {
  test(`"${accept}" ${chosen === undefined ? "accepts none" : `prefers ${chosen}`}`, () => {
    assert.equal(names[preferred(accept, offers)], chosen);
  });
}
