/**
 * JSON text to a JSON value, refusing what JSON.parse lets through: invalid UTF-8, and a key that one object holds twice (two
 * parsers that each keep another one of them are how a check is bypassed).
 */
import { Err, Ok, type Result } from "../core/index.ts";
import { Invalid, rootIssue } from "./issues.ts";

// A byte order mark is kept, for JSON.parse to refuse: RFC 8259 forbids senders to add one.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes, within the length limit. */
export function readText(source: string | Uint8Array, maxLength: number): Result<string, Invalid> {
  if (source.length > maxLength) return refuse("max_text", `must be at most ${maxLength} bytes of JSON`);
  if (typeof source === "string") return new Ok(source);
  try {
    return new Ok(utf8.decode(source));
  } catch {
    return refuse("utf8", "is not valid UTF-8");
  }
}

/** JSON.parse as a Result. The message does not repeat the text, as V8's would. */
export function parseText(text: string): Result<unknown, Invalid> {
  try {
    return new Ok(JSON.parse(text) as unknown);
  } catch {
    return refuse("json", text.trim() === "" ? "is empty where JSON was expected" : "is not valid JSON");
  }
}

function refuse(code: "json" | "utf8" | "max_text", message: string): Err<Invalid> {
  return new Err(new Invalid([rootIssue(code, message)]));
}

export function repeatedKey(): Err<Invalid> {
  return new Err(new Invalid([rootIssue("duplicate_key", "holds the same key twice in one object")]));
}

/**
 * How many members the objects of a valid JSON text have, counted by their colons. More than the parsed value has keys means
 * that a key was repeated: far cheaper than a parser that looks at each key.
 */
export function countMembers(text: string): number {
  let members = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) members++;
    else if (code === 34) i = closingQuote(text, i + 1);
  }
  return members;
}

function closingQuote(text: string, from: number): number {
  let i = from;
  for (let code = text.charCodeAt(i); code !== 34; code = text.charCodeAt(i)) i += code === 92 ? 2 : 1;
  return i;
}

/** How many keys the objects inside a parsed value have in all. Keeps its own stack, since the value may be deep. */
export function countKeys(value: unknown): number {
  let keys = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null) continue;
    const members: unknown[] = Object.values(next);
    if (!Array.isArray(next)) keys += members.length;
    for (const member of members) if (typeof member === "object" && member !== null) open.push(member);
  }
  return keys;
}
