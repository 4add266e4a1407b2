/**
 * Multipart forms. Whole: fields are decoded by their schema, each file lies in a folder of the call's own, under a random name,
 * until the call ends. In parts: the handler takes them as they come. Needs Node.
 */
import type Busboy from "busboy";
import type { UploadOptions } from "../../contract/index.ts";
import { Err, Ok, type Fault, type Result } from "../../core/index.ts";
import { BodyError, type HttpRequest } from "../../exchange/index.ts";
import { UploadDisk, cleanName, type DiskFolder } from "./disk.ts";
import { FormRules } from "./form-rules.ts";
import { readParts, type MultipartSpec, type Part } from "./multipart-parts.ts";
import { mediaTypeOf, type MultipartReader, type OpenedBody, type UploadReader } from "./upload.ts";

/** @throws TypeError that says what to install when busboy is missing, or for a wrong option. */
export async function multipartReader(options: UploadOptions = {}): Promise<MultipartReader> {
  const disk = new UploadDisk(options);
  const { default: busboy } = await import("busboy").catch((cause: unknown) => {
    throw new TypeError('multipart(…) needs the package "busboy": npm install busboy', { cause });
  });
  const reader = (spec: MultipartSpec): UploadReader =>
    spec.deliver === "parts" ? new PartsReader(spec, busboy) : new FormReader(spec, disk, busboy);
  return Object.assign(reader, { clear: () => disk.clear() });
}

abstract class MultipartUpload implements UploadReader {
  readonly types = ["multipart/form-data"];
  protected readonly spec: MultipartSpec;
  protected readonly rules: FormRules;
  readonly #busboy: typeof Busboy;

  constructor(spec: MultipartSpec, busboy: typeof Busboy) {
    this.spec = spec;
    this.rules = new FormRules(spec);
    this.#busboy = busboy;
  }

  accepts(contentType: string | undefined): boolean {
    return mediaTypeOf(contentType) === "multipart/form-data";
  }

  abstract open(request: HttpRequest): Promise<Result<OpenedBody, Fault>>;

  protected parts(request: HttpRequest, body: AsyncIterable<Uint8Array>): AsyncGenerator<Part> {
    return readParts(this.#busboy, body[Symbol.asyncIterator](), request.header("content-type") ?? "", this.spec);
  }
}

class PartsReader extends MultipartUpload {
  override async open(request: HttpRequest): Promise<Result<OpenedBody, Fault>> {
    const opened = request.bodyStream(this.spec.maxBytes);
    if (!opened.ok) return opened;
    const body = this.#checked(this.parts(request, opened.value));
    return new Ok({ body, close: async () => void (await body.return(undefined).catch(() => undefined)) });
  }

  /** What is missing is known at the end alone: then the iteration ends in a fault. */
  async *#checked(parts: AsyncGenerator<Part>): AsyncGenerator<object> {
    const texts = new Map<string, string[]>();
    const counts = new Map<string, number>();
    const filesOf = (name: string): number => counts.get(name) ?? 0;
    for await (const part of parts) {
      const { name } = part;
      if (part.kind === "field") {
        if (!this.rules.isField(part)) continue;
        texts.set(name, [...(texts.get(name) ?? []), part.text]);
        yield { kind: "field", name, value: valueOf(await this.rules.decodeOne(name, part.text)) };
      } else {
        const bytes = await this.rules.fileBytes(part, filesOf(name));
        if (bytes === undefined) continue;
        counts.set(name, filesOf(name) + 1);
        yield { kind: "file", name, fileName: cleanName(part.fileName), contentType: part.contentType, bytes };
      }
    }
    valueOf(await this.rules.decode(texts));
    const missing = this.rules.missingFile(filesOf);
    if (missing !== undefined) throw new BodyError(missing);
  }
}

function valueOf(result: Result<unknown, Fault>): unknown {
  if (!result.ok) throw new BodyError(result.fault);
  return result.value;
}

class FormReader extends MultipartUpload {
  readonly #disk: UploadDisk;

  constructor(spec: MultipartSpec, disk: UploadDisk, busboy: typeof Busboy) {
    super(spec, busboy);
    this.#disk = disk;
  }

  override async open(request: HttpRequest): Promise<Result<OpenedBody, Fault>> {
    const opened = request.bodyStream(this.spec.maxBytes);
    if (!opened.ok) return opened;
    const folder = this.#disk.folder();
    let keep = false;
    try {
      const body = await this.#read(this.parts(request, opened.value), folder);
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

  async #read(parts: AsyncIterable<Part>, folder: DiskFolder): Promise<Result<object, Fault>> {
    const texts = new Map<string, string[]>();
    const files = new Map<string, unknown[]>();
    for await (const part of parts) {
      const { name } = part;
      if (part.kind === "field") {
        if (this.rules.isField(part)) texts.set(name, [...(texts.get(name) ?? []), part.text]);
      } else {
        const earlier = files.get(name) ?? [];
        const bytes = await this.rules.fileBytes(part, earlier.length);
        if (bytes !== undefined) files.set(name, [...earlier, await folder.save(bytes, part)]);
      }
    }
    const fields = await this.rules.decode(texts);
    if (!fields.ok) return fields;
    const missing = this.rules.missingFile((name) => files.get(name)?.length ?? 0);
    if (missing !== undefined) return new Err(missing);
    const body = fields.value as { [name: string]: unknown };
    for (const [name, { maxFiles }] of this.spec.files) {
      const found = files.get(name) ?? [];
      if (maxFiles !== undefined) body[name] = found;
      else if (found.length > 0) body[name] = found[0];
    }
    return new Ok(body);
  }
}
