/** The methods that requests may have. */
import { asciiBytes, holdsExactly } from "./byte-classes.ts";

/**
 * Those of RFC 9110, PATCH and QUERY, the frequent ones first. CONNECT and TRACE are left out: a tunnel and an echo are not
 * an API's business. They are compared as bytes, so that no string is made per request.
 */
const methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "QUERY"].map((name) => ({
  name,
  bytes: asciiBytes(name),
}));

/** RFC 9110 section 9.2.1, with QUERY: these change nothing, so they may run beside each other. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);

/** The method between `from` and `to`, or "" when it is none of them. */
export function methodNamed(bytes: Uint8Array, from: number, to: number): string {
  for (const method of methods) {
    if (method.bytes.length === to - from && holdsExactly(bytes, from, method.bytes)) return method.name;
  }
  return "";
}

export function isKnownMethod(method: string): boolean {
  return methods.some(({ name }) => name === method);
}

export function isSafe(method: string): boolean {
  return safeMethods.has(method);
}
