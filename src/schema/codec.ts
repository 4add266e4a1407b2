/**
 * The face of a compiled schema: what the rest of Tensile calls for each request, answer and job.
 */
import type { MaybePromise, Result } from "../core/index.ts";
import type { Invalid } from "./issues.ts";
import type { SchemaLimits } from "./limits.ts";
import type { Node } from "./nodes.ts";

export interface Codec<in I, out O> {
  readonly node: Node;
  /** How this codec works: by generated code, or by the interpreter where code generation is forbidden. Both give equal answers. */
  readonly mode: "compiled" | "interpreted";
  /** A wire value, as JSON.parse gives it, to the decoded one. A promise only when a foreign schema inside validates asynchronously. */
  parse(wire: unknown): MaybePromise<Result<O, Invalid>>;
  /** JSON text, or its UTF-8 bytes, to the decoded value. Also refuses invalid UTF-8, repeated keys and too long texts. */
  parseJson(text: string | Uint8Array): MaybePromise<Result<O, Invalid>>;
  /** The same for a text that is part of other bytes, from `start` up to `end`: no text is made of it. */
  parseJsonPart(bytes: Uint8Array, start: number, end: number): MaybePromise<Result<O, Invalid>>;
  /** A decoded value to its wire value: only the schema's fields, validated. */
  encode(value: I): Result<unknown, Invalid>;
  /** A decoded value to JSON text: only the schema's fields, validated. */
  serialize(value: I): Result<string, Invalid>;
}

/** The codec of a schema for binary formats: the same checks and issues, another wire form (`check/binary-values.ts`). */
export interface BinaryCodec<in I, out O> {
  readonly mode: "compiled" | "interpreted";
  /** A wire value, as a library for the format gives it, to the decoded one. */
  parse(wire: unknown): MaybePromise<Result<O, Invalid>>;
  /** A decoded value to the wire value that a library is to write: only the schema's fields, validated. */
  encode(value: I): Result<unknown, Invalid>;
}

/** Values of a path, a query or headers: undefined when absent, a list when repeated. */
export type TextSource = (name: string) => string | readonly string[] | undefined;
/** Reads an object whose values come as texts. */
export type TextCodec<O> = (get: TextSource) => MaybePromise<Result<O, Invalid>>;

export interface CodecOptions {
  /** Default: "compiled" where the runtime allows `new Function`, else "interpreted". */
  readonly mode?: "compiled" | "interpreted";
  readonly limits?: Partial<SchemaLimits>;
}
