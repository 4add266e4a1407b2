import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HttpRequest } from "../exchange/index.ts";
import { originTest } from "./origins.ts";

// The rules that are no functions do not look at it.
const request = {} as HttpRequest;
const rules = ["https://app.example", "https://*.preview.example:8443", /^https:\/\/[a-z0-9]+\.team\.example$/];
const isAllowed = originTest("cors", rules);

/** The truth, the long way round. */
function expected(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin || url.protocol !== "https:") return false;
  if (origin === "https://app.example") return true;
  if (url.port === "8443") return /^(?:[a-z0-9_-]+\.)+preview\.example$/.test(url.hostname);
  return url.port === "" && /^[a-z0-9]+\.team\.example$/.test(url.hostname);
}

const part = fc.constantFrom(
  ...[
    "https://",
    "http://",
    "//",
    "app.example",
    "preview.example",
    "team.example",
    ":8443",
    ":443",
    "evil.example",
    "a",
    "b-1",
  ],
  ...[".", "@", "#", "?", "/", "\\", ":", "%2e", "null", "*", " ", "\n", "A", "é", "[::1]"],
);

test("whatever stands in Origin, only what is really below a rule is meant", () => {
  const likely = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
  const near = fc
    .tuple(
      fc.string({ maxLength: 6 }),
      fc.constantFrom("app.example", "x.preview.example:8443", "x.team.example"),
      fc.string({ maxLength: 6 }),
    )
    .map(([before, host, after]) => `https://${before}${host}${after}`);
  let meant = 0;
  fc.assert(
    fc.property(fc.oneof(likely, near, fc.webUrl()), (origin) => {
      const allowed = isAllowed(origin, request);
      if (allowed === true) meant++;
      assert.equal(allowed, expected(origin), JSON.stringify(origin));
    }),
    { numRuns: 5_000 },
  );
  assert.ok(meant > 20, `only ${meant} were meant`);
});
