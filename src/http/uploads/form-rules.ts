/** What a form may hold, part by part: asked as the parts come, so that nothing of a wrong one is read further than need be. */
import { InvalidInput, PayloadTooLarge, invalidInput, schemaOf, type FilePart } from "../../contract/index.ts";
import { Err, Ok, type Fault, type Result } from "../../core/index.ts";
import { BodyError } from "../../exchange/index.ts";
import { compileForm, compileReader, t, toNode, type AnySchema, type ObjectNode } from "../../schema/index.ts";
import type { MultipartSpec, Part } from "./multipart-parts.ts";
import { isOneOf } from "./upload.ts";

type FieldPart = Extract<Part, { kind: "field" }>;
type FilePartRead = Extract<Part, { kind: "file" }>;
type Texts = ReadonlyMap<string, readonly string[]>;

export class FormRules {
  readonly #spec: MultipartSpec;
  /** The fields of a whole form, decoded. */
  readonly decode: (texts: Texts) => Promise<Result<unknown, Fault>>;

  /** One field of its own, as it comes: of a list, one item. */
  readonly decodeOne: (name: string, text: string) => Promise<Result<unknown, Fault>>;

  /** Throws a TypeError where a field is neither a scalar nor a list of scalars. */
  constructor(spec: MultipartSpec) {
    this.#spec = spec;
    this.decode = fieldDecoder(spec.fields);
    const { fields } = toNode(schemaOf(spec.fields)) as ObjectNode;
    const single = new Map(
      fields.map(({ name, node }) => {
        // How many items a list must have is known at the end.
        const one = node.kind === "array" ? t.array(node.items) : (spec.fields[name] as AnySchema);
        return [name, fieldDecoder({ [name]: one })] as const;
      }),
    );
    this.decodeOne = async (name, text) => {
      const decoded = await (single.get(name) as FormRules["decode"])(new Map([[name, [text]]]));
      if (!decoded.ok) return decoded;
      const value = (decoded.value as { readonly [field: string]: unknown })[name];
      return new Ok(Array.isArray(value) ? (value[0] as unknown) : value);
    };
  }

  /** Whether the part is a field that counts. */
  isField({ name, text }: FieldPart): boolean {
    if (this.#spec.files.has(name)) {
      // What a browser sends for a file input that was left empty.
      if (text === "") return false;
      throw new BodyError(wrong(name, "type", "must be a file, with a file name"));
    }
    if (!Object.hasOwn(this.#spec.fields, name))
      throw new BodyError(wrong(name, "unknown_field", "is not a part here"));
    return true;
  }

  /** The bytes of a file, which end in a fault where they are too many; undefined for an empty file input. `earlier`: files of this name so far. */
  async fileBytes(part: FilePartRead, earlier: number): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { name, fileName, contentType, bytes } = part;
    const { maxFiles = 1, maxBytes, types } = this.#fileSpec(name);
    const source = bytes[Symbol.asyncIterator]();
    const first = await source.next();
    if (first.done === true && fileName === undefined) return undefined;
    if (earlier >= maxFiles)
      throw new BodyError(wrong(name, "max_items", `must be at most ${maxFiles} file${maxFiles === 1 ? "" : "s"}`));
    if (types !== undefined && !isOneOf(contentType, types))
      throw new BodyError(wrong(name, "format", `must be of the type ${types.join(" or ")}`));
    const sentence = `The file "${shown(name)}" is larger than ${maxBytes} bytes.`;
    return bounded(first, source, maxBytes, () => PayloadTooLarge({ limit: maxBytes }, sentence));
  }

  /** The fault of a file that is missing. `count`: how many have come under a name. */
  missingFile(count: (name: string) => number): Fault | undefined {
    for (const [name, { optional }] of this.#spec.files)
      if (!optional && count(name) === 0) return wrong(name, "required", "is required: a file");
    return undefined;
  }

  #fileSpec(name: string): FilePart {
    const spec = this.#spec.files.get(name);
    if (spec !== undefined) return spec;
    const isField = Object.hasOwn(this.#spec.fields, name);
    throw new BodyError(
      isField ? wrong(name, "type", "must be text, not a file") : wrong(name, "unknown_field", "is not a part here"),
    );
  }
}

async function* bounded(
  first: IteratorResult<Uint8Array>,
  source: AsyncIterator<Uint8Array>,
  maxBytes: number,
  tooLarge: () => Fault,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for (let step = first; step.done !== true; step = await source.next()) {
      size += step.value.length;
      if (size > maxBytes) throw new BodyError(tooLarge());
      yield step.value;
    }
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

function fieldDecoder(fields: MultipartSpec["fields"]): FormRules["decode"] {
  const node = toNode(schemaOf(fields)) as ObjectNode;
  const gather = compileForm(node);
  if (gather === undefined)
    throw new TypeError(
      "multipart(…): a field is a scalar or a list of scalars. Send anything else as JSON of its own.",
    );
  const codec = compileReader(node);
  // Parts carry the names of the contract.
  const byWireName = new Map(node.fields.map(({ name, wireName }) => [wireName, name]));
  return async (texts) => {
    const value = await codec.parse(gather((wireName) => texts.get(byWireName.get(wireName) ?? wireName)));
    return value.ok ? value : new Err(invalidInput(value.fault));
  };
}
