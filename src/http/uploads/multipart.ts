/**
 * Multipart forms on disk: fields are decoded by their schema, each file lies in a folder of the call's own, under a random name,
 * until the call ends. Needs Node.
 */
import type Busboy from "busboy";
import { InvalidInput, PayloadTooLarge, invalidInput, schemaOf, type UploadOptions } from "../../contract/index.ts";
import { Err, Ok, type Fault, type Result } from "../../core/index.ts";
import { BodyError, type HttpRequest } from "../../exchange/index.ts";
import { compile, compileForm, toNode, type ObjectNode } from "../../schema/index.ts";
import { UploadDisk, type DiskFolder } from "./disk.ts";
import { readParts, type MultipartSpec, type Part } from "./multipart-parts.ts";
import { isOneOf, mediaTypeOf, type MultipartReader, type OpenedBody, type UploadReader } from "./upload.ts";

/** @throws TypeError that says what to install when busboy is missing, or for a wrong option. */
export async function multipartReader(options: UploadOptions = {}): Promise<MultipartReader> {
  const disk = new UploadDisk(options);
  const { default: busboy } = await import("busboy").catch((cause: unknown) => {
    throw new TypeError('multipart(…) needs the package "busboy": npm install busboy', { cause });
  });
  return (spec) => new FormReader(spec, disk, busboy);
}

class FormReader implements UploadReader {
  readonly types = ["multipart/form-data"];
  readonly #spec: MultipartSpec;
  readonly #disk: UploadDisk;
  readonly #busboy: typeof Busboy;
  readonly #decode: (texts: ReadonlyMap<string, string[]>) => Promise<Result<unknown, Fault>>;

  constructor(spec: MultipartSpec, disk: UploadDisk, busboy: typeof Busboy) {
    this.#spec = spec;
    this.#disk = disk;
    this.#busboy = busboy;
    this.#decode = fieldDecoder(spec);
  }

  accepts(contentType: string | undefined): boolean {
    return mediaTypeOf(contentType) === "multipart/form-data";
  }

  async open(request: HttpRequest): Promise<Result<OpenedBody, Fault>> {
    const opened = request.bodyStream(this.#spec.maxBytes);
    if (!opened.ok) return opened;
    const folder = this.#disk.folder();
    let keep = false;
    try {
      const source = opened.value[Symbol.asyncIterator]();
      const body = await this.#read(source, request.header("content-type") ?? "", folder);
      if (!body.ok) return body;
      keep = true;
      return new Ok({ body: body.value, close: () => folder.remove() });
    } catch (error) {
      if (error instanceof BodyError) return new Err(error.fault);
      throw error;
    } finally {
      if (!keep) await folder.remove();
    }
  }

  async #read(
    source: AsyncIterator<Uint8Array>,
    contentType: string,
    folder: DiskFolder,
  ): Promise<Result<object, Fault>> {
    const texts = new Map<string, string[]>();
    const files = new Map<string, unknown[]>();
    for await (const part of readParts(this.#busboy, source, contentType, this.#spec)) {
      if (part.kind === "field") this.#field(part, texts);
      else await this.#file(part, files, folder);
    }
    const fields = await this.#decode(texts);
    if (!fields.ok) return fields;
    const body = fields.value as { [name: string]: unknown };
    for (const [name, { optional, maxFiles }] of this.#spec.files) {
      const found = files.get(name) ?? [];
      if (found.length === 0 && !optional) return new Err(wrong(name, "required", "is required: a file"));
      if (maxFiles !== undefined) body[name] = found;
      else if (found.length > 0) body[name] = found[0];
    }
    return new Ok(body);
  }

  #field({ name, text }: Extract<Part, { kind: "field" }>, texts: Map<string, string[]>): void {
    if (this.#spec.files.has(name)) {
      if (text === "") return;
      throw new BodyError(wrong(name, "type", "must be a file, with a file name"));
    }
    if (!Object.hasOwn(this.#spec.fields, name))
      throw new BodyError(wrong(name, "unknown_field", "is not a part here"));
    const earlier = texts.get(name);
    if (earlier === undefined) texts.set(name, [text]);
    else earlier.push(text);
  }

  async #file(
    { name, fileName, contentType, bytes }: Extract<Part, { kind: "file" }>,
    files: Map<string, unknown[]>,
    folder: DiskFolder,
  ): Promise<void> {
    const spec = this.#spec.files.get(name);
    if (spec === undefined) {
      const isField = Object.hasOwn(this.#spec.fields, name);
      throw new BodyError(
        isField ? wrong(name, "type", "must be text, not a file") : wrong(name, "unknown_field", "is not a part here"),
      );
    }
    const source = bytes[Symbol.asyncIterator]();
    const first = await source.next();
    // What a browser sends for a file input that was left empty: no name, no bytes.
    if (first.done === true && fileName === undefined) return;
    const earlier = files.get(name) ?? [];
    const { maxFiles = 1, maxBytes, types } = spec;
    if (earlier.length >= maxFiles)
      throw new BodyError(wrong(name, "max_items", `must be at most ${maxFiles} file${maxFiles === 1 ? "" : "s"}`));
    if (types !== undefined && !isOneOf(contentType, types))
      throw new BodyError(wrong(name, "format", `must be of the type ${types.join(" or ")}`));
    const tooLarge = (): Fault =>
      PayloadTooLarge({ limit: maxBytes }, `The file "${shown(name)}" is larger than ${maxBytes} bytes.`);
    const saved = await folder.save(resumed(first, source), maxBytes, tooLarge, { fileName, contentType });
    files.set(name, [...earlier, saved]);
  }
}

async function* resumed(
  first: IteratorResult<Uint8Array>,
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let step = first; step.done !== true; step = await source.next()) yield step.value;
  } finally {
    await source.return?.();
  }
}

function shown(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}

function wrong(name: string, code: string, message: string): Fault {
  const pointer = `/${shown(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return InvalidInput({ issues: [{ pointer, code, message }] });
}

/** Throws a TypeError where a field is neither a scalar nor a list of scalars. */
function fieldDecoder({
  fields,
}: MultipartSpec): (texts: ReadonlyMap<string, string[]>) => Promise<Result<unknown, Fault>> {
  const node = toNode(schemaOf(fields)) as ObjectNode;
  const gather = compileForm(node);
  if (gather === undefined)
    throw new TypeError(
      "multipart(…): a field is a scalar or a list of scalars. Send anything else as JSON of its own.",
    );
  const codec = compile(node);
  // Parts carry the names of the contract.
  const byWireName = new Map(node.fields.map(({ name, wireName }) => [wireName, name]));
  return async (texts) => {
    const value = await codec.parse(gather((wireName) => texts.get(byWireName.get(wireName) ?? wireName)));
    return value.ok ? value : new Err(invalidInput(value.fault));
  };
}
