/**
 * Request bodies that do not fit into memory, as data: octets, items one by one, and multipart forms with files. An operation
 * declares one beside its input, whose fields then travel in path, query and headers. Imports no server code.
 */
import {
  toNode,
  type AnySchema,
  type Infer,
  type InferInput,
  type Node,
  type Shape,
  type ShapeInput,
  type ShapeOutput,
} from "../schema/index.ts";

/** Bytes on their way in, for one reader. What breaks them off is thrown, and answered by its fault when the handler lets it pass. */
export interface OctetStream extends AsyncIterable<Uint8Array> {
  /** As the client says; undefined when it does not. */
  readonly contentType: string | undefined;
}

/** What a client sends as octets. A stream is sent once: the call is not repeated. */
export type OctetSource = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
/** What a client sends as items. */
export type ItemSource<T> = Iterable<T> | AsyncIterable<T>;

/** `H`: what the handler is given. `C`: what the client passes. Both are types only. */
export interface OctetsBody<H = unknown, C = unknown> extends BodyTypes<H, C> {
  readonly kind: "octets";
  readonly maxBytes: number;
  /** Media types that are let in, lower case; `image/*` for a family. Undefined: any. */
  readonly types: readonly string[] | undefined;
}
export interface ItemsBody<H = unknown, C = unknown> extends BodyTypes<H, C> {
  readonly kind: "items";
  readonly maxBytes: number;
  readonly maxItemBytes: number;
  readonly item: Node;
}
export interface MultipartBody<H = unknown, C = unknown> extends BodyTypes<H, C> {
  readonly kind: "multipart";
  readonly fields: Shape;
  readonly files: ReadonlyMap<string, FilePart>;
  readonly maxBytes: number;
  readonly maxFields: number;
  readonly maxFieldBytes: number;
  /** `whole`: on disk, then the handler. `parts`: the handler takes one part after the other. */
  readonly deliver: "whole" | "parts";
}
interface BodyTypes<H, C> {
  readonly "~handler"?: H;
  readonly "~client"?: C;
}
export type Body<H = unknown, C = unknown> = OctetsBody<H, C> | ItemsBody<H, C> | MultipartBody<H, C>;

/** For callers without types: what is missing is then named by the check of its range. */
const noOptions = {} as { readonly maxBytes: number };

export interface OctetsOptions {
  /** Bytes in all. Over it: 413, before anything is read where Content-Length says so. */
  readonly maxBytes: number;
  /** What Content-Type may say; `image/*` for a family. Default: anything. It is the client's word: look at the bytes where it matters. */
  readonly types?: readonly string[];
}

/**
 * Raw octets as a stream.
 *
 * @example
 * const putBackup = mutation("putBackup", {
 *   access: { scopes: ["backups"] },
 *   http: "PUT /backups/{name}",
 *   input: { name: t.string() },
 *   body: octets({ maxBytes: 10 * 1024 ** 3 }),
 *   output: { bytes: t.int() },
 * });
 */
export function octets({ maxBytes, types }: OctetsOptions = noOptions): OctetsBody<OctetStream, OctetSource> {
  checkCount("octets", "maxBytes", maxBytes);
  return Object.freeze({ kind: "octets", maxBytes, types: mediaTypes("octets", types) });
}

export interface ItemsOptions {
  /** Bytes in all. */
  readonly maxBytes: number;
  /** Bytes of one item. Default 1 MiB. */
  readonly maxItemBytes?: number;
}

/**
 * Items as NDJSON (`application/x-ndjson`), one JSON value a line, decoded one by one: the handler gets an AsyncIterable of them.
 * An item that does not fit its schema ends the stream with INVALID_INPUT, whose pointers begin with its number.
 *
 * @example
 * const importRows = mutation("importRows", {
 *   access: "authenticated",
 *   input: { table: t.string() },
 *   body: ndjson(t.object({ id: t.int32() }), { maxBytes: 1024 ** 3 }),
 *   output: { rows: t.int() },
 * });
 */
export function ndjson<S extends AnySchema>(
  item: S,
  { maxBytes, maxItemBytes = 1024 * 1024 }: ItemsOptions = noOptions,
): ItemsBody<AsyncIterable<Infer<S>>, ItemSource<InferInput<S>>> {
  checkCount("ndjson", "maxBytes", maxBytes);
  checkCount("ndjson", "maxItemBytes", maxItemBytes);
  return Object.freeze({ kind: "items", maxBytes, maxItemBytes, item: toNode(item) });
}

export interface FileOptions {
  /** Bytes of one file. Over it: 413. */
  readonly maxBytes: number;
  /** What the part's Content-Type may say; `image/*` for a family. Default: anything. It is the client's word. */
  readonly types?: readonly string[];
  /** Whether the file may be missing. Default false. */
  readonly optional?: boolean;
}

export interface FilePart<H = unknown, C = unknown> extends BodyTypes<H, C> {
  readonly kind: "file";
  readonly maxBytes: number;
  readonly types: readonly string[] | undefined;
  readonly optional: boolean;
  /** How many under one name; undefined: one, and not a list. */
  readonly maxFiles: number | undefined;
}

/** A file that has arrived. It lies in a folder of its own that is deleted when the call ends. */
export interface UploadedFile {
  /** Where it lies: a random name. */
  readonly path: string;
  readonly size: number;
  /** What the client calls it, without folders and what file systems cannot take, at most 255 characters. Data: never a path. */
  readonly fileName: string | undefined;
  /** What the client says it is, lower case, without parameters. */
  readonly contentType: string;
  bytes(): Promise<Uint8Array>;
  stream(): AsyncIterable<Uint8Array>;
  /** Keeps it: moves it to `path`, also to another disk. Rejects when something is there already. */
  moveTo(path: string): Promise<void>;
}

/** Where the files of multipart forms lie while their calls run. */
export interface UploadOptions {
  /** An existing folder; each call makes one of its own in it, which only this user may enter. Default: the system's for temporary files. */
  readonly folder?: string;
  /** Bytes that all uploads of this process may have on the disk at once. Default 10 GiB. Over it: UPLOAD_STORAGE_FULL (503). */
  readonly diskBytes?: number;
}

/** One file of a multipart form. */
export function file(
  options: FileOptions & { readonly optional: true },
): FilePart<UploadedFile | undefined, Blob | undefined>;
export function file(options: FileOptions): FilePart<UploadedFile, Blob>;
export function file(options: FileOptions): FilePart {
  return filePart("file", options, undefined);
}

/** Several files under one name of a multipart form, at most `maxFiles`. */
export function files(
  options: FileOptions & { readonly maxFiles: number },
): FilePart<readonly UploadedFile[], readonly Blob[]> {
  checkCount("files", "maxFiles", options.maxFiles);
  return filePart("files", options, options.maxFiles) as FilePart<readonly UploadedFile[], readonly Blob[]>;
}

function filePart(
  what: string,
  { maxBytes, types, optional = false }: FileOptions,
  maxFiles: number | undefined,
): FilePart {
  checkCount(what, "maxBytes", maxBytes);
  return Object.freeze({ kind: "file", maxBytes, types: mediaTypes(what, types), optional, maxFiles });
}

type Parts = { readonly [name: string]: AnySchema | FilePart };
type FieldNames<P extends Parts> = { [K in keyof P]: P[K] extends FilePart ? never : K }[keyof P];
type FieldsOf<P extends Parts> = { [K in FieldNames<P>]: P[K] extends AnySchema ? P[K] : never };
type HandlerFiles<P extends Parts> = {
  [K in Exclude<keyof P, FieldNames<P>>]: P[K] extends FilePart<infer H> ? H : never;
};
type ClientFiles<P extends Parts> = {
  readonly [K in Exclude<keyof P, FieldNames<P>>]: P[K] extends FilePart<unknown, infer C> ? C : never;
};

export interface MultipartOptions {
  /** Bytes in all. Default: what all files may have, and 1 MiB. */
  readonly maxBytes?: number;
  /** Parts that are no files. Default 100. */
  readonly maxFields?: number;
  /** Bytes of one such part. Default 64 KiB. */
  readonly maxFieldBytes?: number;
}

/**
 * The parts of a form in the order in which they come: a field with its value (of a list: one item), a file with its bytes. A file that
 * is not read is skipped. Nothing lies on the disk.
 */
export type FormParts<P extends Parts> = AsyncIterable<
  | {
      [K in FieldNames<P> & string]: {
        readonly kind: "field";
        readonly name: K;
        readonly value: P[K] extends AnySchema ? ItemOf<Infer<P[K]>> : never;
      };
    }[FieldNames<P> & string]
  | (Exclude<keyof P, FieldNames<P>> extends infer K
      ? {
          readonly kind: "file";
          readonly name: K;
          /** As of an `UploadedFile`: data, never a path. */
          readonly fileName: string | undefined;
          readonly contentType: string;
          readonly bytes: AsyncIterable<Uint8Array>;
        }
      : never)
>;
type ItemOf<V> = V extends readonly (infer I)[] ? I : V;

/**
 * A form with files (`multipart/form-data`, RFC 7578). Fields are scalars and lists of scalars, as in a query; files are written to
 * disk as they come, and the handler is called when all is there. With `deliver: "parts"` nothing is written: the handler is given the
 * parts as they come, to send each file where it likes. Needs the package `busboy` on the server.
 *
 * @example
 * const addPhoto = mutation("addPhoto", {
 *   access: "authenticated",
 *   input: {},
 *   body: multipart({ title: t.string(), photo: file({ maxBytes: 5 * 1024 ** 2, types: ["image/*"] }) }),
 *   output: { id: t.int32() },
 * });
 */
export function multipart<P extends Parts>(
  parts: P,
  options: MultipartOptions & { readonly deliver: "parts" },
): MultipartBody<FormParts<P>, ShapeInput<FieldsOf<P>> & ClientFiles<P>>;
export function multipart<P extends Parts>(
  parts: P,
  options?: MultipartOptions,
): MultipartBody<ShapeOutput<FieldsOf<P>> & HandlerFiles<P>, ShapeInput<FieldsOf<P>> & ClientFiles<P>>;
export function multipart(
  parts: Parts,
  options: MultipartOptions & { readonly deliver?: "parts" } = {},
): MultipartBody<never, never> {
  const entries = Object.entries(parts);
  const fileParts = new Map(entries.filter((entry): entry is [string, FilePart] => isFilePart(entry[1])));
  const fields = Object.fromEntries(entries.filter(([, part]) => !isFilePart(part))) as Shape;
  const ofFiles = [...fileParts.values()].reduce((sum, part) => sum + part.maxBytes * (part.maxFiles ?? 1), 0);
  const { maxBytes = ofFiles + 1024 * 1024, maxFields = 100, maxFieldBytes = 64 * 1024 } = options;
  checkCount("multipart", "maxBytes", maxBytes);
  checkCount("multipart", "maxFields", maxFields);
  checkCount("multipart", "maxFieldBytes", maxFieldBytes);
  const deliver = options.deliver ?? "whole";
  return Object.freeze({ kind: "multipart", fields, files: fileParts, maxBytes, maxFields, maxFieldBytes, deliver });
}

function isFilePart(part: AnySchema | FilePart): part is FilePart {
  return "kind" in part && part.kind === "file";
}

/** The body that an operation declares; undefined where it declares none, and for any operation at all. */
export type BodyOf<M> = M extends { readonly "~body"?: infer B } ? (undefined extends B ? undefined : B) : undefined;
/** What the handler gets as `body`. */
export type HandlerBody<B> = B extends { readonly "~handler"?: infer H } ? H : never;
/** What a caller passes as `body`. */
export type ClientBody<B> = B extends { readonly "~client"?: infer C } ? C : never;

function checkCount(what: string, name: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw new TypeError(`${what}(…): ${name} is a whole number from 1, not ${String(value)}.`);
}

const mediaPattern = /^[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+)$/;

function mediaTypes(what: string, types: readonly string[] | undefined): readonly string[] | undefined {
  const lower = types?.map((type) => type.toLowerCase());
  const wrong = lower?.find((type) => !mediaPattern.test(type));
  if (wrong !== undefined || lower?.length === 0)
    throw new TypeError(
      `${what}(…): types lists media types such as "image/png" or "image/*"; "${wrong ?? ""}" is none.`,
    );
  return lower === undefined ? undefined : Object.freeze(lower);
}
