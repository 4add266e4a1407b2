/**
 * The answer of a call as text, and back: through the operation's own codecs, so that one stored answer serves every protocol. What
 * text cannot carry without loss is not kept, rather than repeated wrongly.
 */
import { schemaOf, type AnyFaultType, type Operation } from "../contract/index.ts";
import { Fault, err, isPromiseLike, ok, type Kind, type Result } from "../core/index.ts";
import type { Reply } from "../exchange/index.ts";
import { compile, type AnySchema, type Codec } from "../schema/index.ts";

type AnyCodec = Codec<unknown, unknown>;
type AnyResult = Result<unknown, Fault>;

/** As it is stored. `raw`: the value is JSON as the handler gave it, because a foreign schema may not accept twice what it has changed. */
interface StoredAnswer {
  readonly value?: unknown;
  readonly raw?: true;
  readonly fault?: { readonly code: string; readonly kind: Kind; readonly message: string; readonly data: unknown };
  readonly status?: number;
  readonly fields?: readonly string[];
}

/** Fields that belong to the answer itself. Never `set-cookie`: whoever has the key is not always whoever was signed in by it. */
const keptFields: ReadonlySet<string> = new Set([
  "cache-control",
  "content-language",
  "content-location",
  "etag",
  "last-modified",
  "link",
  "location",
]);

/** The codecs of one operation, made when it is first called with a key. */
export class Answers {
  readonly #input: AnyCodec;
  readonly #output: AnyCodec;
  readonly #faults: ReadonlyMap<string, AnyCodec>;

  constructor(operation: Operation) {
    const codecOf = (schema: AnySchema): AnyCodec => compile<AnySchema>(schema);
    this.#input = codecOf(schemaOf(operation.input));
    this.#output = codecOf(schemaOf(operation.output));
    this.#faults = new Map(operation.faults.map((type: AnyFaultType) => [type.code, codecOf(type.schema)]));
  }

  /** Equal texts for equal payloads. */
  fingerprintText(input: unknown): string {
    const wire = this.#input.node.kind === "foreign" ? undefined : this.#input.encode(input);
    return canonicalJson(wire?.ok === true ? wire.value : input);
  }

  /** Undefined for an answer that JSON cannot carry as it is. */
  write(result: AnyResult, reply: Reply): string | undefined {
    const stored = result.ok ? this.#writeValue(result.value) : this.#writeFault(result.fault);
    if (stored === undefined) return undefined;
    const fields = reply.fields.filter((_, i, all) => keptFields.has(all[i - (i % 2)] as string));
    return JSON.stringify({ ...stored, status: reply.status, fields } satisfies { [K in keyof StoredAnswer]: unknown });
  }

  async read(text: string, reply: Reply): Promise<AnyResult> {
    const stored = JSON.parse(text) as StoredAnswer;
    const fields = stored.fields ?? [];
    for (let i = 0; i + 1 < fields.length; i += 2) reply.append(fields[i] as string, fields[i + 1] as string);
    reply.status = stored.status;
    if (stored.fault !== undefined) return err(await this.#readFault(stored.fault));
    if (stored.raw === true) return ok(stored.value);
    const parsed = await this.#output.parse(stored.value);
    if (!parsed.ok) throw new TypeError(`A stored answer does not fit the output any more: ${parsed.fault.message}`);
    return ok(parsed.value);
  }

  #writeValue(value: unknown): StoredAnswer | undefined {
    if (this.#output.node.kind === "foreign") return isPlain(value) ? { value, raw: true } : undefined;
    const encoded = this.#output.encode(value);
    // An output that does not fit is a defect that the protocol will report; there is nothing to repeat.
    return encoded.ok ? { value: encoded.value } : undefined;
  }

  #writeFault({ code, kind, message, data }: Fault): StoredAnswer | undefined {
    const encoded = this.#faults.get(code)?.encode(data);
    if (encoded?.ok === true) return { fault: { code, kind, message, data: encoded.value } };
    return isPlain(data) ? { fault: { code, kind, message, data } } : undefined;
  }

  async #readFault({ code, kind, message, data }: NonNullable<StoredAnswer["fault"]>): Promise<Fault> {
    const codec = this.#faults.get(code);
    const parsed = codec?.parse(data);
    const decoded = isPromiseLike(parsed) ? await parsed : parsed;
    return new Fault(code, kind, decoded?.ok === true ? decoded.value : data, message);
  }
}

/** Whether JSON gives back exactly this. */
function isPlain(value: unknown, depth = 0): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || depth > 64) return value === undefined && depth === 0;
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth + 1));
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null) return false;
  return Object.values(value).every((item) => item !== undefined && isPlain(item, depth + 1));
}

/** JSON with the members of objects in one order. What JSON does not know is written with its type, so that it differs from text. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === "bigint") return { "~bigint": String(item) };
      if (item instanceof Map) return { "~map": [...item] };
      if (item instanceof Set) return { "~set": [...item] };
      if (item instanceof Uint8Array) return { "~bytes": [...item] };
      if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
      return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? "undefined"
  );
}
