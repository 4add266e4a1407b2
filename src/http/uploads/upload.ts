/** How the streamed body of one operation is opened: what the handler is given, and what is cleaned up when the call has ended. */
import type { Body, OctetStream } from "../../contract/index.ts";
import { Ok, type Fault, type MaybePromise, type Result } from "../../core/index.ts";
import type { HttpRequest } from "../../exchange/index.ts";
import { itemsOf } from "./items.ts";

export interface OpenedBody {
  readonly body: unknown;
  /** The call has been answered. Never rejects. */
  close(): MaybePromise<void>;
}

export interface UploadReader {
  /** What may be sent, for the `accept` of a 415. */
  readonly types: readonly string[];
  accepts(contentType: string | undefined): boolean;
  open(request: HttpRequest): MaybePromise<Result<OpenedBody, Fault>>;
}

/** Reads multipart forms. Needs Node, so it comes from outside: see `loadUploads`. */
export interface MultipartReader {
  (spec: Extract<Body, { kind: "multipart" }>): UploadReader;
  /** Removes the files of calls that have not ended. For the end of a process; never rejects. */
  clear(): Promise<void>;
}

export function uploadReader(spec: Body, multipart: MultipartReader | undefined): UploadReader {
  if (spec.kind === "items") return itemsReader(spec);
  if (spec.kind === "octets") return octetsReader(spec);
  if (multipart === undefined)
    throw new TypeError("a multipart body needs serve(), or loadUploads() in front of createHttpHandler().");
  return multipart(spec);
}

function octetsReader({ maxBytes, types }: Extract<Body, { kind: "octets" }>): UploadReader {
  return {
    types: types ?? ["application/octet-stream"],
    accepts: (contentType) => types === undefined || isOneOf(mediaTypeOf(contentType), types),
    open(request) {
      const opened = request.bodyStream(maxBytes);
      if (!opened.ok) return opened;
      const source = opened.value[Symbol.asyncIterator]();
      const body: OctetStream = { contentType: request.header("content-type"), [Symbol.asyncIterator]: () => source };
      return new Ok({ body, close: () => closeSource(source) });
    },
  };
}

const itemTypes = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

function itemsReader(spec: Extract<Body, { kind: "items" }>): UploadReader {
  const items = itemsOf(spec);
  return {
    types: itemTypes.slice(0, 1),
    accepts: (contentType) => isOneOf(mediaTypeOf(contentType), itemTypes),
    open(request) {
      const opened = request.bodyStream(spec.maxBytes);
      if (!opened.ok) return opened;
      const source = opened.value[Symbol.asyncIterator]();
      return new Ok({ body: items(source), close: () => closeSource(source) });
    },
  };
}

async function closeSource(source: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // It has been told.
  }
}

/** `image/png` of `Image/PNG; q=1`; "" where there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined) return "";
  const semicolon = contentType.indexOf(";");
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

/** Whether a type is listed, by itself or by its family: `image/*`. */
export function isOneOf(type: string, types: readonly string[]): boolean {
  return types.some((one) => one === type || (one.endsWith("/*") && type.startsWith(one.slice(0, -1))));
}
