/**
 * Unique keys: while an unfinished job of the same name holds a key, enqueueing the key again answers with that job. The store
 * scopes a key by the job's name.
 */
import { createHash } from "node:crypto";

/**
 * The key as it is stored: itself up to `maxChars`, else `sha256:` and 64 hexadecimal digits. Two different long keys share a
 * digest only if SHA-256 is broken, so a long key is as good as a short one.
 */
export function storedKey(key: string, maxChars: number): string {
  if (key.length <= maxChars) return key;
  return `sha256:${createHash("sha256").update(key).digest("hex")}`;
}

/** JSON text with the members of every object in order of their names, so that equal inputs give equal texts. */
export function canonicalJson(text: string): string {
  return JSON.stringify(sorted(JSON.parse(text)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  // Without a prototype, so that `__proto__` is a member like others.
  const other = Object.create(null) as { [key: string]: unknown };
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) other[key] = sorted(member);
  return other;
}
