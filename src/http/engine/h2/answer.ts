/** Writes an answer to an HTTP/2 stream: fields and a short body at once, long bodies and iterables in pieces. */
import type { ServerHttp2Stream } from "node:http2";
import type { HttpResponse } from "../../../exchange/index.ts";
import { isBodyless, problemBody } from "../answer-text.ts";
import { abandon } from "../answer-writer.ts";
import { pumpBytes, pumpIterable, type PumpEnd, type PumpTarget } from "../body-pump.ts";
import type { ConnectionHost } from "../connection-host.ts";
import { defective, reportDefect } from "../handler-call.ts";
import { refusals, type Refusal } from "../refusal.ts";
import type { Http2Request } from "./request.ts";

/** Bodies up to this size are given to the stream at once. */
const inlineBytes = 64 * 1024;

/** Codes of RFC 9113 section 7. */
export const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const ENHANCE_YOUR_CALM = 11;

const endStream = { endStream: true };

export function writeAnswer(host: ConnectionHost, request: Http2Request, response: HttpResponse): void {
  const { stream } = request;
  if (stream.closed || stream.destroyed) return abandon(response);
  if (response === defective) return writeInternalError(host, request);
  // Before anything is written: the stream may close in the same turn.
  request.isAnswered = true;
  if (request.bodyIsOpen) stream.once("finish", () => request.end(NO_ERROR));
  const { status, headers, body } = response;
  const fields = [":status", String(status), ...headers.pairs, "date", host.date.value()];
  const isHead = request.method === "HEAD";
  if (isBodyless(status)) {
    abandon(response);
    stream.respond(fields, endStream);
    request.within(host.limits.writeStallMs);
  } else if (body === null) {
    fields.push("content-length", String(isHead ? (response.length ?? 0) : 0));
    stream.respond(fields, endStream);
    request.within(host.limits.writeStallMs);
  } else if (typeof body === "string" || body instanceof Uint8Array) writeBytes(host, request, response, fields, body);
  else writeStream(host, request, response, fields, body);
}

/** A refusal ends its stream alone: in HTTP/2 what follows is told apart by its frames. */
export function writeRefusal(host: ConnectionHost, stream: ServerHttp2Stream, reason: Refusal): void {
  const { status, detail } = refusals[reason];
  stream.once("finish", () => stream.close(NO_ERROR));
  writeProblem(host, stream, status, detail);
}

function writeInternalError(host: ConnectionHost, request: Http2Request): void {
  request.isAnswered = true;
  request.stream.once("finish", () => request.end(NO_ERROR));
  writeProblem(host, request.stream, 500, "The server failed to answer this request.");
  request.within(host.limits.writeStallMs);
}

function writeProblem(host: ConnectionHost, stream: ServerHttp2Stream, status: number, detail: string): void {
  const body = problemBody(status, detail);
  stream.respond([
    ...[":status", String(status), "content-type", "application/problem+json"],
    ...["content-length", String(body.length), "date", host.date.value()],
  ]);
  stream.end(body);
}

function writeBytes(
  host: ConnectionHost,
  request: Http2Request,
  response: HttpResponse,
  fields: string[],
  body: string | Uint8Array,
): void {
  const { stream } = request;
  const size = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  fields.push("content-length", String(size));
  if (request.method === "HEAD" || (size === 0 && response.trailers === undefined)) {
    stream.respond(fields, endStream);
    return request.within(host.limits.writeStallMs);
  }
  begin(host, request, response, fields);
  if (size <= inlineBytes) {
    stream.end(body);
    request.within(host.limits.writeStallMs);
  } else {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    follow(host, request, pumpBytes(bytes, new StreamTarget(host, request)));
  }
}

function writeStream(
  host: ConnectionHost,
  request: Http2Request,
  response: HttpResponse,
  fields: string[],
  body: AsyncIterable<Uint8Array>,
): void {
  const { length } = response;
  if (length !== undefined) fields.push("content-length", String(length));
  if (request.method === "HEAD") {
    abandon(response);
    request.stream.respond(fields, endStream);
    return request.within(host.limits.writeStallMs);
  }
  begin(host, request, response, fields);
  follow(host, request, pumpIterable(body, new StreamTarget(host, request), length));
}

/** The fields, with a body to follow. */
function begin(host: ConnectionHost, request: Http2Request, { trailers }: HttpResponse, fields: string[]): void {
  if (trailers === undefined) return request.stream.respond(fields);
  request.stream.on("wantTrailers", () => sendTrailers(host, request, trailers));
  request.stream.respond(fields, { waitForTrailers: true });
}

function sendTrailers(
  host: ConnectionHost,
  request: Http2Request,
  trailers: NonNullable<HttpResponse["trailers"]>,
): void {
  try {
    const { pairs } = trailers();
    const fields: Record<string, string[]> = {};
    for (let at = 0; at < pairs.length; at += 2) (fields[pairs[at] as string] ??= []).push(pairs[at + 1] as string);
    request.stream.sendTrailers(fields);
  } catch (error) {
    reportDefect(host, "stream_failed", error, request);
    request.end(INTERNAL_ERROR);
  }
}

function follow(host: ConnectionHost, request: Http2Request, pump: Promise<PumpEnd>): void {
  void pump.then((result) => {
    const { stream } = request;
    if (result.end === "failed") {
      reportDefect(host, "stream_failed", result.error, request);
      // The client must see that the answer is not whole.
      request.end(INTERNAL_ERROR);
    } else if (result.end === "sent" && !stream.closed) {
      stream.end();
      request.within(host.limits.writeStallMs);
    }
  });
}

/** The stream as a pump sees it. Its time runs only while something waits for the client. */
class StreamTarget implements PumpTarget {
  readonly #host: ConnectionHost;
  readonly #request: Http2Request;
  #hasRoom = true;
  #release: ((room: boolean) => void) | null = null;

  constructor(host: ConnectionHost, request: Http2Request) {
    this.#host = host;
    this.#request = request;
    request.stream.on("drain", () => {
      this.#hasRoom = true;
      request.deadline = Infinity;
      this.#settle(true);
    });
    request.stream.on("close", () => this.#settle(false));
  }

  get isClosed(): boolean {
    return this.#request.stream.closed;
  }

  writePiece(piece: Uint8Array): boolean {
    if (this.isClosed) return false;
    this.#hasRoom = this.#request.stream.write(piece);
    if (!this.#hasRoom) this.#request.within(this.#host.limits.writeStallMs);
    return this.#hasRoom;
  }

  writable(): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    if (this.#hasRoom) return Promise.resolve(true);
    return new Promise((resolve) => (this.#release = resolve));
  }

  #settle(room: boolean): void {
    const release = this.#release;
    this.#release = null;
    release?.(room);
  }
}
