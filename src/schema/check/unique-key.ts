/** A text that two JSON values share exactly when they are equal as JSON Schema means it: the order of keys does not count. */
import { writeBase64 } from "../scalars.ts";

const deepest = 64;

export function uniqueKey(value: unknown, depth = 0): string {
  // Of binary formats, where an integer may be written as a number or as a bigint.
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return `b${writeBase64(value)}`;
  if (typeof value !== "object" || value === null)
    return typeof value === "number" ? String(value + 0) : (JSON.stringify(value) ?? "");
  // Only fields that the schema strips can lie this deep, since the rest has passed the depth limit.
  if (depth >= deepest) return "…";
  if (Array.isArray(value)) return `[${value.map((item) => uniqueKey(item, depth + 1)).join(",")}]`;
  const record = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(record).toSorted();
  return `{${members.map((key) => `${JSON.stringify(key)}:${uniqueKey(record[key], depth + 1)}`).join(",")}}`;
}

/** Whether two items of a list of wire values are equal. */
export function hasRepeats(items: readonly unknown[]): boolean {
  const kind = typeof items[0];
  const simple = (kind === "string" || kind === "number") && items.every((item) => typeof item === kind);
  return new Set(simple ? items : items.map((item) => uniqueKey(item))).size !== items.length;
}
