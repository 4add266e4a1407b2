/**
 * Answers in fewer bytes: gzip, br and zstd, as the client asks (RFC 9110 sections 8.4 and 12.5.3).
 *
 * A length tells something about what was compressed. Where an answer holds a secret beside text that an attacker may choose, the
 * secret can be guessed letter by letter (BREACH, CVE-2013-3587): answers that set cookies are never compressed, and `when` keeps
 * others from it.
 */
import { middleware, type Middleware } from "../contract/index.ts";
import { isPromiseLike, type MaybePromise } from "../core/index.ts";
import { acceptedCodings, type HeaderBlock, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { closeBody } from "./coded-body.ts";
import { codersHere, type Coder, type CodingName } from "./coders.ts";
import { checkNames, checkWhole } from "./options.ts";

export interface CompressionOptions {
  /** In the order in which they win where the client does not care. Default zstd, br, gzip: from the least CPU to the most. */
  readonly encodings?: readonly CodingName[];
  /** Bytes from which it is worth it. Default 1024. */
  readonly threshold?: number;
  /** Further content types, such as `application/vnd.acme`. JSON, text, XML, scripts, SVG, MessagePack, CBOR are known; media are not. */
  readonly types?: readonly string[];
  /** Asked for each answer that could be compressed. Default: all of them. */
  readonly when?: (request: HttpRequest, response: HttpResponse) => boolean;
  /** Bodies over 16 KiB that are compressed at one time, on other threads; over it they go as they are. Default 8. */
  readonly concurrency?: number;
  /** Streams that are compressed at one time; each holds up to 1 MiB. Over it they go as they are. Default 32. */
  readonly streams?: number;
  /** 0 to 11, default 4. */
  readonly brLevel?: number;
  /** 1 to 9, default 6. */
  readonly gzipLevel?: number;
  /** 1 to 19, default 3. */
  readonly zstdLevel?: number;
}

const names = [
  "encodings",
  "threshold",
  "types",
  "when",
  "concurrency",
  "streams",
  "brLevel",
  "gzipLevel",
  "zstdLevel",
];
const codingNames: readonly CodingName[] = ["zstd", "br", "gzip"];

/** Up to here doing it at once takes less CPU than handing it over and back: measured at 1 to 16 KiB as half to a quarter. */
const atOnceBytes = 16 * 1024;

/**
 * Compresses what is long enough, of a type that shrinks, and not coded already. Never: Server-Sent Events, ranges, answers with
 * `set-cookie`, with `cache-control: no-transform` or with a digest. A strong ETag becomes weak, because it named other bytes. Where the
 * runtime can compress nothing, it does nothing.
 *
 * @throws TypeError for a number out of range, or a coding that is none.
 * @example
 * const app = implement(atlas, { middleware: [compression({ threshold: 4096 })], handlers });
 */
export function compression(options: CompressionOptions = {}): Middleware {
  checkNames("compression", options, names);
  const { encodings = codingNames } = options;
  const unknown = encodings.find((name) => !codingNames.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`compression(): "${String(unknown)}" is no coding. There are: ${codingNames.join(", ")}.`);
  const coders = codersHere({
    br: checkWhole("compression", "brLevel", options.brLevel ?? 4, 0, 11),
    gzip: checkWhole("compression", "gzipLevel", options.gzipLevel ?? 6, 1, 9),
    zstd: checkWhole("compression", "zstdLevel", options.zstdLevel ?? 3, 1, 19),
  });
  const settings: Settings = {
    coders: encodings.flatMap((name) => coders.get(name) ?? []),
    threshold: checkWhole("compression", "threshold", options.threshold ?? 1024, 0, 2 ** 30),
    types: new CompressibleTypes(options.types ?? []),
    when: options.when,
    bodies: new Slots(checkWhole("compression", "concurrency", options.concurrency ?? 8, 1, 1024)),
    streams: new Slots(checkWhole("compression", "streams", options.streams ?? 32, 0, 65_536)),
  };
  return middleware({
    wire(next) {
      if (settings.coders.length === 0) return next;
      return (request) => {
        const response = next(request);
        return isPromiseLike(response)
          ? response.then((settled) => compress(request, settled, settings))
          : compress(request, response, settings);
      };
    },
  });
}

interface Settings {
  readonly coders: readonly Coder[];
  readonly threshold: number;
  readonly types: CompressibleTypes;
  readonly when: CompressionOptions["when"];
  readonly bodies: Slots;
  readonly streams: Slots;
}

function compress(request: HttpRequest, response: HttpResponse, settings: Settings): MaybePromise<HttpResponse> {
  const { headers, status } = response;
  // The cheapest question first: most answers are short.
  const bytes = knownBytes(response);
  if (bytes !== undefined && bytes < settings.threshold) return response;
  if (status < 200 || status === 204 || status === 205 || status === 206 || status === 304) return response;
  if (!isCompressible(headers, settings.types) || settings.when?.(request, response) === false) return response;
  const varied = { ...response, headers: headers.varying("accept-encoding") };
  const coder = acceptedCodings(request.header("accept-encoding"), settings.coders)[0];
  if (coder === undefined) return varied;
  const { body } = response;
  if (request.method === "HEAD") return headAnswer(varied, coder);
  if (body === null) return varied;
  if (typeof body === "object" && Symbol.asyncIterator in body) return streamed(varied, body, coder, settings.streams);
  return whole(varied, typeof body === "string" ? new TextEncoder().encode(body) : body, coder, settings.bodies);
}

function knownBytes({ body, length }: HttpResponse): number | undefined {
  if (body === null) return length ?? 0;
  // Characters, of which each has at least one byte: near enough for a threshold.
  return typeof body === "string" || body instanceof Uint8Array ? body.length : length;
}

/** What the same GET would say of itself, as far as it is known without doing it (RFC 9110 section 9.3.2). */
function headAnswer(response: HttpResponse, coder: Coder): HttpResponse {
  const { body } = response;
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) closeBody(body);
  const { length: _, ...rest } = response;
  // Of no known length: a Content-Length would be that of other bytes.
  return { ...rest, headers: codedHeaders(response.headers, coder.name), body: nothing };
}

const nothing: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

function whole(response: HttpResponse, bytes: Uint8Array, coder: Coder, slots: Slots): MaybePromise<HttpResponse> {
  const shorter = (coded: Uint8Array): HttpResponse =>
    coded.length < bytes.length
      ? { ...response, headers: codedHeaders(response.headers, coder.name), body: coded }
      : response;
  if (coder.atOnce !== undefined && bytes.length <= atOnceBytes) return shorter(coder.atOnce(bytes));
  if (!slots.take()) return response;
  return coder.later(bytes).then(
    (coded) => {
      slots.give();
      return shorter(coded);
    },
    () => {
      slots.give();
      return response;
    },
  );
}

function streamed(response: HttpResponse, body: AsyncIterable<Uint8Array>, coder: Coder, slots: Slots): HttpResponse {
  if (coder.stream === undefined || !slots.take()) return response;
  const { length, ...rest } = response;
  const coded = coder.stream(body, length === undefined, () => slots.give());
  return { ...rest, headers: codedHeaders(response.headers, coder.name), body: coded };
}

/** Ranges of it would be ranges of other bytes. */
function codedHeaders(headers: HeaderBlock, coding: CodingName): HeaderBlock {
  const etag = headers.get("etag");
  const kept = headers.without("accept-ranges", ...(etag?.startsWith('"') === true ? ["etag"] : []));
  return etag?.startsWith('"') === true
    ? kept.with("content-encoding", coding, "etag", `W/${etag}`)
    : kept.with("content-encoding", coding);
}

/** Something else says how the bytes are, or that they shall stay so. */
const keepsFrom = new Set([
  "content-encoding",
  "content-range",
  "content-digest",
  "repr-digest",
  "digest",
  "set-cookie",
]);
const noTransform = /(?:^|[,\s])no-transform(?:$|[,\s])/i;

function isCompressible({ pairs }: HeaderBlock, types: CompressibleTypes): boolean {
  let type: string | undefined;
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i] as string;
    if (keepsFrom.has(name)) return false;
    if (name === "content-type") type = pairs[i + 1];
    if (name === "cache-control" && noTransform.test(pairs[i + 1] as string)) return false;
  }
  return type !== undefined && types.has(type);
}

const shrinks =
  /^(?:text\/(?!event-stream)[\w.+-]+|application\/(?:json|javascript|xml|wasm|x-ndjson|jsonl|msgpack|x-msgpack|vnd\.msgpack|cbor|x-www-form-urlencoded|manifest\+json|[\w.+-]+\+(?:json|xml|cbor|yaml))|image\/(?:svg\+xml|bmp|x-icon|vnd\.microsoft\.icon)|font\/(?:ttf|otf))$/;
const mostTypesKept = 256;

class CompressibleTypes {
  readonly #more: ReadonlySet<string>;
  readonly #verdicts = new Map<string, boolean>();

  constructor(more: readonly string[]) {
    for (const type of more) {
      if (!/^[\w.+-]+\/[\w.+-]+$/.test(type) || type.toLowerCase() === "text/event-stream")
        throw new TypeError(`compression(): "${type}" in types is no content type that can be compressed.`);
    }
    this.#more = new Set(more.map((type) => type.toLowerCase()));
  }

  has(type: string): boolean {
    const known = this.#verdicts.get(type);
    if (known !== undefined) return known;
    const essence = (type.split(";", 1)[0] as string).trim().toLowerCase();
    const verdict = shrinks.test(essence) || this.#more.has(essence);
    if (this.#verdicts.size < mostTypesKept) this.#verdicts.set(type, verdict);
    return verdict;
  }
}

class Slots {
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  give(): void {
    this.#free++;
  }
}
