/**
 * Any JSON value, for `t.json()`: only what JSON can write, and not deeper than the limit. A cycle ends there too.
 */
import { enter, failed, isFull, leave, report, wrongType, type Walk } from "./walk.ts";

/** The value itself, not a copy: keys such as `__proto__` stay the own properties that JSON.parse made of them. */
export function checkJson(value: unknown, walk: Walk): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint" && isBinaryWire(walk) && isSafe(value)) return value;
  if (typeof value === "number") {
    return Number.isFinite(value) ? value : report(walk, "type", "must be a finite number", "a finite number", value);
  }
  if (typeof value !== "object") return wrongType(walk, "a JSON value", value);
  if (!Array.isArray(value) && !isPlain(value))
    return report(walk, "type", "must be a plain object", "a JSON value", value);
  if (!enter(walk)) return failed;
  const before = walk.issues.length;
  if (Array.isArray(value)) for (let i = 0; i < value.length; i++) checkMember(value[i], i, walk);
  else for (const [key, member] of Object.entries(value)) if (member !== undefined) checkMember(member, key, walk);
  leave(walk);
  return walk.issues.length === before ? value : failed;
}

function checkMember(member: unknown, key: string | number, walk: Walk): void {
  if (isFull(walk)) return;
  walk.path.push(key);
  checkJson(member, walk);
  walk.path.pop();
}

function isBinaryWire({ form, to }: Walk): boolean {
  return form === "binary" && to === "decoded";
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}

/** An object literal or one without a prototype, of this realm or another. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The same question answered by yes or no, for compiled codecs. `depth` counts the containers around the value.
 */
export function isJson(value: unknown, depth: number, maxDepth: number, bigints = false): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "bigint") return bigints && isSafe(value);
  if (typeof value !== "object" || depth >= maxDepth) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isJson(value[i], depth + 1, maxDepth, bigints)) return false;
    return true;
  }
  if (!isPlain(value)) return false;
  for (const key of Object.keys(value)) {
    const member: unknown = (value as Record<string, unknown>)[key];
    if (member !== undefined && !isJson(member, depth + 1, maxDepth, bigints)) return false;
  }
  return true;
}
