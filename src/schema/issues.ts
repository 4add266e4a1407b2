/**
 * What is wrong with a value, as data: where, what was expected, and a sentence. An issue never repeats the value itself, since
 * a password sent to the wrong field would otherwise end up in a log or in an answer.
 */
export type IssueCode =
  | "type"
  | "required"
  | "unknown_field"
  | "literal"
  | "enum"
  | "variant"
  | "minimum"
  | "maximum"
  | "min_length"
  | "max_length"
  | "pattern"
  | "format"
  | "min_items"
  | "max_items"
  | "unique_items"
  | "max_entries"
  | "refine"
  | "foreign"
  | "async"
  | "max_depth"
  | "max_text"
  | "json"
  | "utf8"
  | "encoding"
  | "duplicate_key";

export interface Issue {
  readonly code: IssueCode;
  /** Keys and indices from the root, in wire names when decoding and in field names when encoding. */
  readonly path: readonly (string | number)[];
  /** The path as an RFC 6901 JSON pointer: `/cities/0/name`, or "" for the root. A key of more than 100 characters is cut (`…`). */
  readonly pointer: string;
  /** A sentence for people, without the value. */
  readonly message: string;
  /** What the schema asks for: a type, a bound, the allowed values. */
  readonly expected?: string;
  /** The JSON type of what came: never the value. */
  readonly received?: string;
}

/** Why a value does not fit its schema: at least one issue. The failure of every codec. */
export class Invalid {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    this.issues = issues;
  }

  /** All issues in one line, for logs. */
  get message(): string {
    return this.issues.map((issue) => `${issue.pointer === "" ? "value" : issue.pointer}: ${issue.message}`).join("; ");
  }

  toString(): string {
    return this.message;
  }
}

const longestKey = 100;

/** RFC 6901. */
export function jsonPointer(path: readonly (string | number)[]): string {
  let pointer = "";
  for (const part of path) pointer += `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return pointer;
}

/**
 * The pointer of an issue. Keys come from whoever sent the value: a long one is cut, with an ellipsis at its end, because a hundred
 * issues below one key of a megabyte would make an answer of a hundred.
 */
export function issuePointer(path: readonly (string | number)[]): string {
  const isLong = path.some((part) => typeof part === "string" && part.length > longestKey);
  if (!isLong) return jsonPointer(path);
  return jsonPointer(
    path.map((part) => (typeof part === "string" && part.length > longestKey ? `${part.slice(0, longestKey)}…` : part)),
  );
}

/** An issue about the whole text or value. */
export function rootIssue(code: IssueCode, message: string): Issue {
  return { code, path: [], pointer: "", message };
}

/** The name of a value's type as a JSON person would say it. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value === undefined) return "nothing";
  if (value instanceof Date) return "Date";
  if (value instanceof Map) return "Map";
  if (value instanceof Uint8Array) return "Uint8Array";
  return typeof value;
}
