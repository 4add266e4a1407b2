/**
 * Who may import: whoever holds the one key, sent as `authorization: Bearer KEY`.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { Unauthenticated, type Authenticate, type Principal } from "tensile";

/** Nobody without a key, `UNAUTHENTICATED` with a wrong one. Digests are compared, so that the time tells nothing, not even the length. */
export function apiKey(key: string): Authenticate<Principal> {
  if (key === "") throw new TypeError("The key is empty: everybody would hold it.");
  const expected = digest(key);
  return (request) => {
    const given = request.header("authorization");
    if (given === undefined) return undefined;
    const token = /^bearer +(.*)$/i.exec(given)?.[1] ?? "";
    return timingSafeEqual(digest(token), expected) ? { subject: "key-holder", scopes: ["import"] } : Unauthenticated();
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
