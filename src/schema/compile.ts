/**
 * `compile`: a schema to the codec that serves it. Done once at start; what it returns runs for every message.
 */
import type { BinaryCodec, Codec, CodecOptions, TextCodec, TextSource } from "./codec.ts";
import { binaryCodec } from "./compile/binary.ts";
import { compiledCodec, compiledParser, compiledReader, compiledWriter } from "./compile/compiled.ts";
import { forbidGenerating, mayGenerate } from "./compile/emitter.ts";
import { interpretedCodec } from "./compile/interpreted.ts";
import { checkTextFields, emitTexts, gatherForm, gatherTexts } from "./compile/text.ts";
import { withLimits } from "./limits.ts";
import { isNode, toNode } from "./make-node.ts";
import type { AnySchema, Infer, InferInput, ObjectNode, Shape, ShapeOutput } from "./nodes.ts";
import { t } from "./t.ts";

/**
 * Makes the codec of a schema: a `t` node, or any Standard Schema. Throws a TypeError for what is not a schema.
 *
 * @example
 * const city = compile(City);
 * const parsed = await city.parseJson('{"id":1,"name":"Bern","population":134591}'); // Result<City, Invalid>
 * const text = city.serialize({ id: 1, name: "Bern", population: 134_591 }); // Result<string, Invalid>
 */
export function compile<S extends AnySchema>(schema: S, options: CodecOptions = {}): Codec<InferInput<S>, Infer<S>> {
  const node = toNode(schema);
  const limits = withLimits(options.limits);
  return inMode(options, (mode) => (mode === "compiled" ? compiledCodec : interpretedCodec)(node, limits));
}

/** The half of `compile` that reads: nothing else is generated. */
export function compileReader<S extends AnySchema>(
  schema: S,
  options: CodecOptions = {},
): Pick<Codec<InferInput<S>, Infer<S>>, "parse" | "parseJson"> {
  const node = toNode(schema);
  const limits = withLimits(options.limits);
  return inMode(options, (mode) => (mode === "compiled" ? compiledReader : interpretedCodec)(node, limits));
}

/** The half of `compile` that writes: nothing else is generated. */
export function compileWriter<S extends AnySchema>(
  schema: S,
  options: CodecOptions = {},
): Pick<Codec<InferInput<S>, Infer<S>>, "encode" | "serialize"> {
  const node = toNode(schema);
  const limits = withLimits(options.limits);
  return inMode(options, (mode) => (mode === "compiled" ? compiledWriter : interpretedCodec)(node, limits));
}

/**
 * Makes the codec of a schema for binary formats: what MessagePack and CBOR libraries read and write, with the same checks, issues
 * and limits as JSON. Bytes are bytes there and int64 is an integer; times, durations and decimals are texts as in JSON.
 *
 * @example
 * const city = compileBinary(City);
 * const wire = city.encode({ id: 1, name: "Bern", population: 134_591 }); // Result<unknown, Invalid>, for the library to write
 */
export function compileBinary<S extends AnySchema>(
  schema: S,
  options: CodecOptions = {},
): BinaryCodec<InferInput<S>, Infer<S>> {
  const node = toNode(schema);
  const limits = withLimits(options.limits);
  return inMode(options, (mode) => binaryCodec(node, limits, mode));
}

/**
 * Turns the texts of a form into the wire object that `compile(node)` reads. Undefined where a field is no scalar and no list of
 * scalars, so that a form cannot carry it.
 */
export function compileForm(node: ObjectNode): ((get: TextSource) => { [name: string]: unknown }) | undefined {
  try {
    checkTextFields(node);
  } catch {
    return undefined;
  }
  return (get) => gatherForm(node, get);
}

/** Makes a codec in the mode that is asked for, or in the best that the runtime allows. */
function inMode<C>({ mode }: CodecOptions, make: (mode: "compiled" | "interpreted") => C): C {
  if (mode !== "interpreted" && mayGenerate()) {
    try {
      return make("compiled");
    } catch (error) {
      // Workers allow at the top of a module what they forbid inside of a request, so the first answer need not hold for ever.
      if (!(error instanceof EvalError)) throw error;
      forbidGenerating();
    }
  }
  if (mode !== "compiled") return make("interpreted");
  throw new TypeError(
    'This runtime forbids code generation (new Function). Leave the option "mode" out, or set it to "interpreted".',
  );
}

/**
 * Makes the reader of an object whose fields come as texts: path parameters, query, headers. Fields are scalars and arrays of
 * scalars (by repetition). Numbers are strict: no spaces, no `+`, no leading zeros, no hexadecimal, no exponent in integers.
 * Names that the shape does not have are the caller's concern.
 *
 * @example
 * const query = compileText({ page: t.default(t.int32(), 1), tag: t.array(t.string()) });
 * query((name) => params.getAll(name)); // Result<{ page: number; tag: string[] }, Invalid>
 */
export function compileText<S extends Shape>(shape: S, options?: CodecOptions): TextCodec<ShapeOutput<S>>;
export function compileText<S extends ObjectNode>(object: S, options?: CodecOptions): TextCodec<Infer<S>>;
export function compileText(given: Shape | ObjectNode, options: CodecOptions = {}): TextCodec<unknown> {
  const node: ObjectNode = isNode(given as AnySchema) ? (given as ObjectNode) : t.object(given as Shape);
  if (node.kind !== "object") throw new TypeError("compileText takes a shape, { name: t.string() }, or a t.object(…).");
  checkTextFields(node);
  const limits = withLimits(options.limits);
  return inMode(options, (mode) => {
    if (mode === "interpreted") {
      const codec = interpretedCodec(node, limits);
      return (get) => codec.parse(gatherTexts(node, get));
    }
    const parse = compiledParser(node, limits);
    const gather = emitTexts(node, limits);
    return (get) => parse(gather(get));
  });
}
