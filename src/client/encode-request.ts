/** The input of a call to the parts of its request, along the same plan by which the server reads it. */
import { InvalidInput, fillPath, invalidInput, type HttpPlan, type TextField } from "../contract/index.ts";
import { Err, Ok, type Result } from "../core/index.ts";
import { compile, compileBinary, type BinaryFormat, type BinaryLibrary, type Codec } from "../schema/index.ts";

export interface EncodedRequest {
  /** Path and query. */
  readonly target: string;
  /** Name, value, name, value, … */
  readonly headers: readonly string[];
  /** JSON text, or bytes of another format. */
  readonly body: string | Uint8Array | undefined;
}

/** A format whose library is there. */
export type ClientFormat = BinaryFormat & { readonly library: BinaryLibrary };

type InputFault = ReturnType<typeof InvalidInput>;
type Wire = { readonly [field: string]: unknown };
export type RequestEncoder = (input: unknown) => Result<EncodedRequest, InputFault>;

export function requestEncoder(plan: HttpPlan, format?: ClientFormat): RequestEncoder {
  const codec = compile(plan.input);
  const write = bodyWriter(plan, format);
  const { texts, parts } = plan;
  const own = new Set(texts.map(({ field }) => field.wireName));
  return (input) => {
    const encoded = wireOf(plan, codec, input);
    if (!encoded.ok) return encoded;
    const wire = encoded.value;
    const byKey = new Map<string, string>();
    const headers: string[] = [];
    let query = "";
    for (const text of texts) {
      const value = (wire as Wire)[text.field.wireName];
      if (value === undefined) continue;
      const written = writeText(text, value);
      if (written === undefined) return new Err(cannotTravel(text));
      if (text.place === "path") byKey.set(text.key, written[0] as string);
      else if (text.place === "header") headers.push(text.key, written.join(", "));
      else for (const one of written) query += `&${encodeURIComponent(text.key)}=${encodeURIComponent(one)}`;
    }
    const path = fillPath(parts, (name) => byKey.get(name) ?? "");
    if (path === undefined) return new Err(cannotTravel(unfit(plan, byKey)));
    const body = write(input, wire, own);
    if (body !== undefined) headers.push("content-type", format?.types[0] ?? "application/json");
    return new Ok({ target: query === "" ? path : `${path}?${query.slice(1)}`, headers, body });
  };
}

/** The first field of the path whose text cannot stand in its place. */
function unfit({ texts, parts }: HttpPlan, byKey: ReadonlyMap<string, string>): TextField {
  const isUnfit = ({ place, key }: TextField): boolean => {
    const own = parts.filter((part) => part.kind !== "literal" && part.name === key);
    return place === "path" && fillPath(own, (name) => byKey.get(name) ?? "") === undefined;
  };
  return texts.find(isUnfit) as TextField;
}

/** A foreign schema is asked by the server alone: it may transform, and what it has transformed it would not accept again. */
function wireOf(plan: HttpPlan, codec: Codec<never, unknown>, input: unknown): Result<unknown, InputFault> {
  if (plan.input.kind === "foreign") {
    try {
      return new Ok(JSON.parse(JSON.stringify(input)) as unknown);
    } catch {
      return new Err(inputFault("", "json", "cannot be written as JSON"));
    }
  }
  // The codec checks what the caller's types promise.
  const wire = codec.encode(input as never);
  return wire.ok ? wire : new Err(invalidInput(wire.fault));
}

/** `wire`: the input as JSON has it. */
type BodyWriter = (input: unknown, wire: unknown, own: ReadonlySet<string>) => EncodedRequest["body"];

function bodyWriter(plan: HttpPlan, format: ClientFormat | undefined): BodyWriter {
  if (plan.body === "none" || plan.body === "stream") return () => undefined;
  if (format === undefined) {
    return (_input, wire, own) => {
      const text = JSON.stringify(bodyPart(plan, wire, own));
      // An empty body stands for an empty object.
      return text === "{}" ? undefined : text;
    };
  }
  // What another library's schema takes is JSON in every format.
  const codec = plan.input.kind === "foreign" ? undefined : compileBinary(plan.input);
  return (input, wire, own) => {
    const binary = codec?.encode(input);
    const part = bodyPart(plan, binary?.ok === true ? binary.value : wire, own);
    return isEmptyObject(part) ? undefined : format.library.encode(part);
  };
}

function isEmptyObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) return false;
  return Object.keys(value).length === 0;
}

function bodyPart({ body }: HttpPlan, wire: unknown, own: ReadonlySet<string>): unknown {
  if (body === "whole") return wire;
  return Object.fromEntries(Object.entries(wire as Wire).filter(([name]) => !own.has(name)));
}

/** RFC 9110 field-value of visible ASCII, without white space at its ends. */
const headerPattern = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

/** The texts of a wire value; undefined when their place cannot carry one of them. */
function writeText({ place, list }: TextField, value: unknown): readonly string[] | undefined {
  const texts = list ? (value as readonly unknown[]).map(String) : [String(value)];
  const fits = (text: string): boolean =>
    place === "header"
      ? headerPattern.test(text) && !(list && (text === "" || text.includes(",")))
      : text.isWellFormed();
  return texts.every(fits) ? texts : undefined;
}

const limitsOfPlaces = {
  path: 'cannot stand in a path: it is empty, "." or "..", or holds half a surrogate pair',
  query: "holds half a surrogate pair, which a URL cannot carry",
  header: "can be visible ASCII only in a header, without commas in a list",
};

function cannotTravel({ field, place }: TextField): InputFault {
  return inputFault(`/${field.wireName}`, "format", limitsOfPlaces[place]);
}

function inputFault(pointer: string, code: string, message: string): InputFault {
  return InvalidInput({ issues: [{ pointer, code, message }] });
}
