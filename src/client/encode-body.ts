/** What a caller passes as `body` to what a request carries: octets, items as NDJSON, or a form with files. */
import { invalidInput, schemaOf, type Body, type InvalidInput } from "../contract/index.ts";
import { Err, Ok, type Result } from "../core/index.ts";
import { Invalid, compile, rootIssue } from "../schema/index.ts";

export interface EncodedBody {
  readonly body: BodyInit;
  /** Undefined: the platform writes it. */
  readonly type: string | undefined;
}

export type BodyEncoder = (source: unknown) => Result<EncodedBody, ReturnType<typeof InvalidInput>>;

export function bodyEncoder(spec: Body): BodyEncoder {
  switch (spec.kind) {
    case "octets":
      return octetsEncoder(spec);
    case "items":
      return itemsEncoder(spec);
    case "multipart":
      return formEncoder(spec);
  }
}

function octetsEncoder({ types }: Extract<Body, { kind: "octets" }>): BodyEncoder {
  const byDefault = types?.length === 1 && !types[0]?.endsWith("*") ? types[0] : "application/octet-stream";
  return (source) => {
    if (source instanceof Blob) return new Ok({ body: source, type: source.type === "" ? byDefault : source.type });
    if (source instanceof Uint8Array || source instanceof ReadableStream)
      return new Ok({ body: source as Uint8Array<ArrayBuffer> | ReadableStream, type: byDefault });
    if (!isAsyncIterable(source)) return missing("a Blob, bytes, or a stream of bytes");
    return new Ok({ body: streamOf(source[Symbol.asyncIterator](), (bytes) => bytes as Uint8Array), type: byDefault });
  };
}

function itemsEncoder({ item }: Extract<Body, { kind: "items" }>): BodyEncoder {
  const codec = compile(item);
  const text = new TextEncoder();
  return (source) => {
    if (!isAsyncIterable(source) && !isIterable(source)) return missing("an iterable of items");
    const items = isAsyncIterable(source) ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    const line = (one: unknown): Uint8Array => {
      const written = codec.serialize(one);
      if (!written.ok) throw new TypeError(`An item does not fit the contract: ${written.fault.message}`);
      return text.encode(`${written.value}\n`);
    };
    return new Ok({ body: streamOf(items, line), type: "application/x-ndjson" });
  };
}

function formEncoder({ fields, files }: Extract<Body, { kind: "multipart" }>): BodyEncoder {
  const codec = compile(schemaOf(fields));
  return (source) => {
    if (typeof source !== "object" || source === null) return missing("an object of fields and files");
    const given = source as { readonly [name: string]: unknown };
    const written = codec.encode(given);
    if (!written.ok) return new Err(invalidInput(written.fault));
    const form = new FormData();
    for (const [name, value] of Object.entries(written.value as object))
      for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) form.append(name, String(one));
    for (const [name, { optional }] of files) {
      const blobs = given[name] === undefined && optional ? [] : [given[name]].flat();
      for (const blob of blobs) {
        if (!(blob instanceof Blob)) return missing(`a Blob or a File as "${name}"`);
        form.append(name, blob);
      }
    }
    return new Ok({ body: form, type: undefined });
  };
}

function missing(what: string): Err<ReturnType<typeof InvalidInput>> {
  return new Err(invalidInput(new Invalid([rootIssue("type", `the body must be ${what}`)])));
}

/** Pulled as fast as it is sent. `ReadableStream.from` is not in every browser. */
function streamOf(
  source: AsyncIterator<unknown> | Iterator<unknown>,
  write: (value: unknown) => Uint8Array,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const step = await source.next();
      if (step.done === true) controller.close();
      else controller.enqueue(write(step.value));
    },
    async cancel() {
      await source.return?.();
    },
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
