/**
 * The state of one walk of the interpreter over one value: which way it goes, where it is, and what it found wrong.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { issuePointer, typeName, type Issue, type IssueCode } from "../issues.ts";
import type { SchemaLimits } from "../limits.ts";

/** What a walker returns after it reported: no value of a schema is ever this one. */
export const failed: unique symbol = Symbol("failed");

export type ForeignAnswer = StandardSchemaV1.Result<unknown>;

/** The wire form: JSON's, or that of formats with bytes and 64-bit integers of their own (MessagePack, CBOR). */
export type WireForm = "json" | "binary";

export interface Walk {
  /** "decoded": from a wire value to the program's. "wire": the other way. */
  readonly to: "decoded" | "wire";
  /** Decoding for `~standard`, where a caller may hand over either form of a value. */
  readonly eitherForm: boolean;
  readonly limits: SchemaLimits;
  /** Changed for the moment in which a default is read, which the schema keeps in the form of JSON. */
  form: WireForm;
  readonly issues: Issue[];
  readonly path: (string | number)[];
  /** Containers around the current place. */
  depth: number;
  /** Answers of asynchronous foreign schemas by pointer, from the walk before this one. */
  readonly answers: ReadonlyMap<string, ForeignAnswer>;
  /** Foreign answers that are still to come, by pointer. While there are any, this walk's value counts for nothing. */
  readonly waiting: Map<string, Promise<ForeignAnswer>>;
}

export function newWalk(
  to: Walk["to"],
  limits: SchemaLimits,
  eitherForm = false,
  answers: ReadonlyMap<string, ForeignAnswer> = new Map(),
  form: WireForm = "json",
): Walk {
  return { to, eitherForm, limits, form, issues: [], path: [], depth: 0, answers, waiting: new Map() };
}

/** Notes an issue at the current place. */
export function report(
  walk: Walk,
  code: IssueCode,
  message: string,
  expected?: string,
  value?: unknown,
): typeof failed {
  if (!isFull(walk)) {
    walk.issues.push({
      code,
      path: [...walk.path],
      pointer: issuePointer(walk.path),
      message,
      ...(expected === undefined ? {} : { expected }),
      ...(value === undefined ? {} : { received: typeName(value) }),
    });
  }
  return failed;
}

export function isFull(walk: Walk): boolean {
  return walk.issues.length >= walk.limits.maxIssues;
}

/** The commonest issue: another type than asked for. */
export function wrongType(walk: Walk, expected: string, value: unknown): typeof failed {
  return report(walk, "type", `must be ${expected}, not ${typeName(value)}`, expected, value);
}

/** Goes one container deeper; false (and an issue) when that is too deep. The caller ends with `leave` when this was true. */
export function enter(walk: Walk): boolean {
  if (walk.depth >= walk.limits.maxDepth) {
    report(
      walk,
      "max_depth",
      `is nested more than ${walk.limits.maxDepth} levels deep`,
      `${walk.limits.maxDepth} levels`,
    );
    return false;
  }
  walk.depth += 1;
  return true;
}

export function leave(walk: Walk): void {
  walk.depth -= 1;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
