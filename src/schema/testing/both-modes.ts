/** Runs a schema test twice: on the compiled codec and on the interpreter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compile,
  compileText,
  type AnySchema,
  type Codec,
  type Infer,
  type InferInput,
  type ObjectNode,
  type SchemaLimits,
  type Shape,
  type TextCodec,
} from "../index.ts";
import type { Invalid } from "../issues.ts";

export interface Mode {
  readonly codec: <S extends AnySchema>(schema: S, limits?: Partial<SchemaLimits>) => Codec<InferInput<S>, Infer<S>>;
  readonly text: (shape: Shape | ObjectNode) => TextCodec<unknown>;
}

export function bothModes(name: string, body: (mode: Mode) => void | Promise<void>): void {
  for (const mode of ["compiled", "interpreted"] as const) {
    test(`${name} (${mode})`, () =>
      body({
        codec: (schema, limits = {}) => compile(schema, { mode, limits }),
        text: (shape) => compileText(shape as Shape, { mode }),
      }));
  }
}

type Settled = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: Invalid };

/** The value of a result that must be a synchronous success. */
export function valueOf(result: unknown): unknown {
  const settled = result as Settled;
  assert.ok(settled.ok, settled.ok === false ? settled.fault.message : "a promise");
  return settled.value;
}

/** The issues of a result that must be a synchronous failure, as `pointer code`. */
export function issuesOf(result: unknown): string[] {
  const settled = result as Settled;
  assert.equal(settled.ok, false);
  return settled.ok ? [] : settled.fault.issues.map((issue) => `${issue.pointer} ${issue.code}`);
}
