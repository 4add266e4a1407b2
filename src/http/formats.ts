/**
 * What an app speaks beside JSON, for one operation: which format answers a request, and how a body in one is read. An app without
 * formats has none of these objects, and a request in JSON to an app that has them meets one comparison more.
 */
import type { HttpPlan } from "../contract/index.ts";
import { Err, Ok, type Result } from "../core/index.ts";
import { HeaderBlock, type HttpRequest } from "../exchange/index.ts";
import {
  Invalid,
  compileReader,
  compileBinary,
  compileForm,
  rootIssue,
  type BinaryCodec,
  type BinaryFormat,
  type BinaryLibrary,
  type FormFormat,
  type Format,
} from "../schema/index.ts";
import { bodySchema, missingBody, operationDecoder, type BodyReader, type OperationCodec } from "./codec.ts";
import { HttpCall } from "./http-call.ts";
import { acceptsJson } from "./media.ts";
import { preferred } from "./negotiation.ts";
import { parseQuery } from "./query-text.ts";

export type LoadedFormat = FormFormat | (BinaryFormat & { readonly library: BinaryLibrary });

/**
 * Loads what the formats need.
 *
 * @throws TypeError for what is no format, or for two of one media type; an Error that says what to install when a package is missing.
 */
export async function loadFormats(formats: readonly Format[]): Promise<readonly LoadedFormat[]> {
  const seen = new Set<string>(["application/json"]);
  for (const format of formats) {
    if (typeof format !== "object" || format === null || !("types" in format))
      throw new TypeError("formats: […] takes what messagePack(), cbor() and form() of tensile/formats give.");
    for (const type of format.types) {
      if (seen.has(type)) throw new TypeError(`formats: […] has ${type} twice.`);
      seen.add(type);
    }
  }
  return Promise.all(
    formats.map(async (format) => (format.kind === "form" ? format : { ...format, library: await format.load() })),
  );
}

type Decode = OperationCodec["decode"];

/** An answer in another format. */
interface Answer {
  readonly headers: HeaderBlock;
  /** The body, or null for an output that has none. */
  write(output: unknown): Result<Uint8Array | null, Invalid>;
}

/** A call that is not in JSON both ways. */
export class FormatCall extends HttpCall {
  readonly answer: Answer | undefined;
  readonly decode: Decode | undefined;

  constructor(request: HttpRequest, newId: () => string, answer: FormatCall["answer"], decode: FormatCall["decode"]) {
    super(request, newId);
    this.answer = answer;
    this.decode = decode;
  }
}

export class OperationFormats {
  /** Media types that a body may have, for the `accept` of a 415. */
  readonly bodyTypes: readonly string[];
  /** Of answers; JSON is the first. */
  readonly #offers: readonly (readonly string[])[];
  readonly #answers: readonly (Answer | undefined)[];
  readonly #decoders: ReadonlyMap<string, Decode>;

  constructor(plan: HttpPlan, formats: readonly LoadedFormat[], maxBodyBytes: number) {
    const binary = formats.filter((format) => format.kind === "binary");
    this.#offers = [["application/json"], ...binary.map(({ types }) => types)];
    const codecs = new BinaryCodecs(plan, maxBodyBytes);
    this.#answers = [undefined, ...binary.map((format) => answerIn(format, codecs))];
    const readers = formats.map((format) => [format, readerOf(plan, format, codecs, maxBodyBytes)] as const);
    const decoders = new Map<string, Decode>();
    for (const [{ types }, reader] of readers) {
      if (reader === undefined) continue;
      const decode = operationDecoder(plan, reader);
      for (const type of types) decoders.set(type, decode);
    }
    this.#decoders = decoders;
    this.bodyTypes = ["application/json", ...readers.flatMap(([{ types }, reader]) => (reader ? [types[0]] : []))];
  }

  /** The call, with what is not JSON about it. Undefined when nothing that can be answered is acceptable. */
  callOf(request: HttpRequest, newId: () => string): HttpCall | undefined {
    const accept = request.header("accept");
    let chosen = 0;
    if (accept !== undefined && accept !== "*/*" && accept !== "application/json") {
      chosen = preferred(accept, this.#offers);
      // Some say that they want a problem document, and nothing of what comes otherwise.
      if (chosen === -1 && !acceptsJson(accept)) return undefined;
    }
    const answer = this.#answers[chosen];
    const decode = this.#decoderOf(request.header("content-type"));
    return answer === undefined && decode === undefined
      ? new HttpCall(request, newId)
      : new FormatCall(request, newId, answer, decode);
  }

  #decoderOf(contentType: string | undefined): Decode | undefined {
    if (contentType === undefined || contentType === "application/json") return undefined;
    const semicolon = contentType.indexOf(";");
    const type = semicolon === -1 ? contentType : contentType.slice(0, semicolon);
    const parameters = semicolon === -1 ? "" : contentType.slice(semicolon + 1);
    return isUtf8Only(parameters) ? this.#decoders.get(type.trim().toLowerCase()) : undefined;
  }
}

/** No parameter, or that of UTF-8. */
function isUtf8Only(parameters: string): boolean {
  return /^\s*(?:charset\s*=\s*"?utf-8"?\s*)?$/i.test(parameters);
}

/** The binary codecs of an operation, shared by its formats and made when the first message in one comes. */
class BinaryCodecs {
  readonly #plan: HttpPlan;
  readonly maxBodyBytes: number;
  #input: BinaryCodec<never, unknown> | undefined;
  #output: BinaryCodec<never, unknown> | undefined;

  constructor(plan: HttpPlan, maxBodyBytes: number) {
    this.#plan = plan;
    this.maxBodyBytes = maxBodyBytes;
  }

  /** Asked for only where there is a body. */
  get input(): BinaryCodec<never, unknown> {
    return (this.#input ??= compileBinary(bodySchema(this.#plan) ?? this.#plan.input));
  }

  get output(): BinaryCodec<never, unknown> {
    return (this.#output ??= compileBinary(this.#plan.output));
  }

  get hasOutput(): boolean {
    return this.#plan.status !== 204 && this.#plan.status !== 205;
  }
}

const noOutput: Ok<null> = Object.freeze(new Ok(null));

function answerIn(format: BinaryFormat & { readonly library: BinaryLibrary }, codecs: BinaryCodecs): Answer {
  const fields = ["content-type", format.types[0], "cache-control", "no-store", "x-content-type-options", "nosniff"];
  return {
    headers: new HeaderBlock([...fields, "vary", "accept"]),
    write(output) {
      if (!codecs.hasOutput) return noOutput;
      const wire = codecs.output.encode(output as never);
      return wire.ok ? new Ok(format.library.encode(wire.value)) : wire;
    },
  };
}

/** Undefined where the operation has no body, or none that the format could carry. */
function readerOf(
  plan: HttpPlan,
  format: LoadedFormat,
  codecs: BinaryCodecs,
  maxBodyBytes: number,
): BodyReader | undefined {
  if (plan.body === "none" || plan.body === "stream") return undefined;
  if (format.kind === "form") return formReader(plan, maxBodyBytes);
  return (bytes) => {
    if (bytes.length === 0) return plan.bodyRequired ? missingBody : codecs.input.parse({});
    const wire = format.library.decode(bytes);
    return wire.ok ? codecs.input.parse(wire.value) : wire;
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function formReader(plan: HttpPlan, maxBodyBytes: number): BodyReader | undefined {
  const node = bodySchema(plan);
  const { bodyObject: object } = plan;
  const gather = object === undefined ? undefined : compileForm(object);
  if (node === undefined || object === undefined || gather === undefined) return undefined;
  const codec = compileReader(node, { limits: { maxTextLength: Math.max(1, maxBodyBytes) } });
  const known = new Set(object.fields.map(({ wireName }) => wireName));
  return (bytes) => {
    const pairs = pairsOf(bytes);
    if (pairs === undefined) return badForm;
    const texts = new Map<string, string | string[]>();
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i] as string;
      const earlier = texts.get(name);
      if (earlier === undefined) texts.set(name, pairs[i + 1] as string);
      else if (typeof earlier === "string") texts.set(name, [earlier, pairs[i + 1] as string]);
      else earlier.push(pairs[i + 1] as string);
    }
    const wire = Object.assign(
      Object.create(null) as { [name: string]: unknown },
      gather((name) => texts.get(name)),
    );
    // What the schema does not know it refuses by itself, or strips.
    for (const [name, value] of texts) if (!known.has(name)) wire[name] = value;
    return codec.parse(wire);
  };
}

const badForm = new Err(
  new Invalid([rootIssue("encoding", "is not a valid form: it has a broken percent-escape or is not UTF-8")]),
);

function pairsOf(bytes: Uint8Array): readonly string[] | undefined {
  try {
    return parseQuery(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}
