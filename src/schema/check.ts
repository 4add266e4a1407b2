/**
 * The public face of the interpreter: decode and encode one value by reading the schema, reporting everything that is wrong.
 * Slower than a compiled codec and equal to it; use it for one-off values, and where `new Function` is forbidden.
 */
import { Err, Ok, type MaybePromise, type Result } from "../core/index.ts";
import { walkNode } from "./check/walk-node.ts";
import { newWalk, report, type ForeignAnswer, type Walk, type WireForm } from "./check/walk.ts";
import { Invalid } from "./issues.ts";
import { defaultLimits, type SchemaLimits } from "./limits.ts";
import { toNode } from "./make-node.ts";
import type { AnySchema, Infer, InferInput, Node } from "./nodes.ts";

/**
 * Decodes a wire value: JSON as JSON.parse gives it. Reports up to 100 issues.
 * Throws a TypeError when a foreign schema inside answers with a promise: use `compile` for those.
 *
 * @example
 * const city = decode(City, JSON.parse(text)); // Result<{ id: number, … }, Invalid>
 */
export function decode<S extends AnySchema>(schema: S, wire: unknown): Result<Infer<S>, Invalid> {
  const result = decodeNode(toNode(schema), wire, defaultLimits);
  if (result instanceof Promise) {
    void result.catch(() => undefined);
    throw new TypeError(
      "This schema validates asynchronously, which decode() cannot wait for. Use compile(schema).parse(value) and await it.",
    );
  }
  return result;
}

/** Encodes a program's value to the wire: a JSON value that holds the schema's fields and no others. Reports up to 100 issues. */
export function encode<S extends AnySchema>(schema: S, value: InferInput<S>): Result<unknown, Invalid> {
  return encodeNode(toNode(schema), value, defaultLimits);
}

/** `decode` for a node: a promise only when a foreign schema gave one. `eitherForm` accepts decoded values as well. */
export function decodeNode(
  node: Node,
  wire: unknown,
  limits: SchemaLimits,
  eitherForm = false,
  form: WireForm = "json",
): MaybePromise<Result<unknown, Invalid>> {
  const walk = newWalk("decoded", limits, eitherForm, undefined, form);
  const value = walkNode(node, wire, walk);
  if (walk.waiting.size > 0) return decodeAgain(node, wire, walk, eitherForm);
  return outcome(value, walk);
}

/** Walks again once the asynchronous answers are there. One that only now comes to be asked is waited for as well. */
async function decodeAgain(
  node: Node,
  wire: unknown,
  walk: Walk,
  eitherForm: boolean,
): Promise<Result<unknown, Invalid>> {
  const answers = new Map<string, ForeignAnswer>(walk.answers);
  for (const [pointer, waiting] of walk.waiting) answers.set(pointer, await waiting);
  const again = newWalk("decoded", walk.limits, eitherForm, answers, walk.form);
  const value = walkNode(node, wire, again);
  return again.waiting.size > 0 ? decodeAgain(node, wire, again, eitherForm) : outcome(value, again);
}

export function encodeNode(
  node: Node,
  value: unknown,
  limits: SchemaLimits,
  form: WireForm = "json",
): Result<unknown, Invalid> {
  const walk = newWalk("wire", limits, false, undefined, form);
  const wire = walkNode(node, value, walk);
  for (const waiting of walk.waiting.values()) {
    void waiting.catch(() => undefined);
    report(walk, "async", "is validated asynchronously, which an output cannot wait for");
  }
  return outcome(wire, walk);
}

function outcome(value: unknown, walk: Walk): Result<unknown, Invalid> {
  return walk.issues.length === 0 ? new Ok(value) : new Err(new Invalid(walk.issues));
}
