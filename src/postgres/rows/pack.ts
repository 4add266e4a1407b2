/**
 * Batches as parameters: whole columns in array literals, and all text of users in one blob of bytes, of which each field has the start and the length.
 * So a batch is one statement with the same shape whatever its size, and it says nothing about how a driver sends arrays.
 */
import { Buffer } from "node:buffer";
import type { SqlParameter } from "../connection.ts";

export interface Statement {
  readonly text: string;
  readonly params: readonly SqlParameter[];
}

/** Numbers as a PostgreSQL array literal. Empty where none is set: `unnest` fills it up with nulls. */
export function numbers(values: readonly (number | string | undefined)[]): string {
  let some = false;
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value !== undefined) some = true;
    text += (index === 0 ? "" : ",") + (value ?? "NULL");
  }
  return some ? `${text}}` : "{}";
}

export function booleans(values: readonly boolean[]): string {
  return `{${values.map((value) => (value ? "t" : "f")).join(",")}}`;
}

export function texts(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? "NULL" : `"${value.replace(/["\\]/g, "\\$&")}"`)).join(",")}}`;
}

/** Texts as an array of `bytea`. */
export function byteTexts(values: readonly string[]): string {
  return `{${values.map((value) => `"\\\\x${Buffer.from(value).toString("hex")}"`).join(",")}}`;
}

/** Gathers the text fields of a batch in one blob. */
export class Blob {
  readonly #parts: Buffer[] = [];
  #size = 0;

  /** Two array literals: where each value starts, and how long it is. */
  fields(values: readonly (string | undefined)[]): readonly [starts: string, lengths: string] {
    const starts: (number | undefined)[] = [];
    const lengths: (number | undefined)[] = [];
    for (const value of values) {
      if (value === undefined) {
        starts.push(undefined);
        lengths.push(undefined);
        continue;
      }
      const bytes = Buffer.from(value);
      this.#parts.push(bytes);
      starts.push(this.#size);
      lengths.push(bytes.length);
      this.#size += bytes.length;
    }
    return [numbers(starts), numbers(lengths)];
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#size);
  }
}
