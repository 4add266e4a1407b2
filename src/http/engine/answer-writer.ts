/**
 * The writing half of a connection: answers become text in a batch, and the batch becomes one write at the end of a turn.
 * Bodies that are too long for that, and iterables, go out in pieces with back pressure.
 */
import type { HttpResponse } from "../../exchange/index.ts";
import { continueText, headText, internalErrorText, isBodyless, refusalText } from "./answer-text.ts";
import { endSource, pumpBytes, pumpIterable, type PumpEnd, type PumpTarget } from "./body-pump.ts";
import type { Carried, ConnectionHost, Wire } from "./connection-host.ts";
import { HeldPart } from "./held-bytes.ts";
import { latin1Text } from "./latin1.ts";
import type { Refusal } from "./refusal.ts";
import type { EngineRequest } from "./request.ts";

/** Bodies up to this size are joined with their head into one write; longer ones are sent in pieces. */
const inlineBytes = 64 * 1024;
/** Answers are written early when a batch grows past this: a batch is bounded too. */
const batchBytes = 64 * 1024;
/** Pieces of a stream up to this size are joined with their chunk framing into one write. */
const joinedPieceBytes = 4 * 1024;

/** `whole`: the answer is in the batch. `pieces`: its body follows, and `onPumped` will be called. */
export type Written = "whole" | "pieces";

export class AnswerWriter implements PumpTarget {
  /** Monotonic ms at which a peer that reads nothing is given up; Infinity: nothing waits for it. */
  deadline = Infinity;
  /** More waits to be sent than should: no new request may be started. */
  isFull = false;
  /** The connection is gone, or ending: pieces are no longer wanted. */
  isClosed = false;
  readonly #host: ConnectionHost;
  readonly #wire: Wire;
  readonly #onPumped: (request: EngineRequest, end: PumpEnd) => void;
  /** What its connection makes the process hold. */
  readonly held: HeldPart;
  /** The batch: Latin-1 text that waits for the end of the turn. */
  #batch = "";
  /** Bytes of a body at hand that goes out in pieces: all of it is kept until its end. */
  #atHand = 0;
  /** Whether the answer that goes out in pieces is chunked. */
  #chunked = false;
  #waiters: ((room: boolean) => void)[] = [];

  constructor(
    host: ConnectionHost,
    wire: Wire,
    connection: Carried,
    onPumped: (request: EngineRequest, end: PumpEnd) => void,
  ) {
    this.#host = host;
    this.#wire = wire;
    this.#onPumped = onPumped;
    this.held = new HeldPart(host, connection);
  }

  flush(): void {
    if (this.#batch === "") return;
    const text = this.#batch;
    this.#batch = "";
    this.#note(this.#wire.write(text));
  }

  /** The wire has room again. */
  drained(): void {
    this.held.unread(0);
    this.isFull = false;
    this.deadline = Infinity;
    this.#release(true);
  }

  /** Nothing more will be written: a body in the making is given up. */
  close(): void {
    this.isClosed = true;
    this.#release(false);
  }

  /**
   * Writes one answer. `last`: no other follows on this connection, which the head then says; an answer that only the end
   * of the connection can delimit sets the request's `keepAlive` to false.
   */
  write(request: EngineRequest, response: HttpResponse, last: boolean): Written {
    const { status, body } = response;
    const head = headText(status, response.headers, this.#host.date.text());
    if (isBodyless(status)) {
      abandon(response);
      return this.#whole(request, last, head, "", "");
    }
    if (typeof body === "string") return this.#text(request, last, head, body);
    if (body === null) {
      const length = request.method === "HEAD" ? (response.length ?? 0) : 0;
      return this.#whole(request, last, head, `content-length: ${length}\r\n`, "");
    }
    if (body instanceof Uint8Array) return this.#bytes(request, last, head, body);
    return this.#stream(request, last, head, body, response.length);
  }

  writeContinue(): void {
    this.#batch += continueText;
  }

  /** The connection must end after it. */
  writeRefusal(reason: Refusal): void {
    this.#batch += refusalText(reason, this.#host.date.text());
  }

  /** For a handler that gave no answer: 500, and the connection must end. */
  writeInternalError(): void {
    this.#batch += internalErrorText(this.#host.date.text());
  }

  #text(request: EngineRequest, last: boolean, head: string, body: string): Written {
    const size = Buffer.byteLength(body);
    // One byte per character means ASCII: the string is its own UTF-8.
    if (size !== body.length || size > inlineBytes) return this.#bytes(request, last, head, Buffer.from(body));
    return this.#whole(request, last, head, `content-length: ${size}\r\n`, body);
  }

  #bytes(request: EngineRequest, last: boolean, head: string, body: Uint8Array): Written {
    const length = `content-length: ${body.length}\r\n`;
    if (request.method === "HEAD") return this.#whole(request, last, head, length, "");
    if (body.length <= inlineBytes) return this.#whole(request, last, head, length, latin1(body));
    this.#atHand = body.length;
    this.#begin(request, last, head, length, false);
    this.#follow(request, pumpBytes(body, this));
    return "pieces";
  }

  #stream(
    request: EngineRequest,
    last: boolean,
    head: string,
    body: AsyncIterable<Uint8Array>,
    length: number | undefined,
  ): Written {
    const chunked = length === undefined && request.minor === 1;
    const framing =
      length !== undefined ? `content-length: ${length}\r\n` : chunked ? "transfer-encoding: chunked\r\n" : "";
    // Neither counted nor chunked: only the end of the connection delimits it.
    const endless = length === undefined && !chunked;
    if (endless) request.keepAlive = false;
    const closing = last || endless;
    if (request.method === "HEAD") {
      endIterable(body);
      return this.#whole(request, closing, head, framing, "");
    }
    this.#begin(request, closing, head, framing, chunked);
    this.#follow(request, pumpIterable(body, this, length));
    return "pieces";
  }

  #whole(request: EngineRequest, last: boolean, head: string, framing: string, body: string): Written {
    const content = request.method === "HEAD" ? "" : body;
    this.#batch += `${head}${framing}${connectionLine(request, last)}\r\n${content}`;
    if (this.#batch.length > batchBytes) this.flush();
    return "whole";
  }

  #begin(request: EngineRequest, last: boolean, head: string, framing: string, chunked: boolean): void {
    this.#chunked = chunked;
    this.#batch += `${head}${framing}${connectionLine(request, last)}\r\n`;
    this.flush();
  }

  #follow(request: EngineRequest, pump: Promise<PumpEnd>): void {
    void pump.then((result) => {
      this.#atHand = 0;
      if (this.isClosed) return;
      if (result.end === "sent" && this.#chunked) this.#batch += "0\r\n\r\n";
      this.#onPumped(request, result);
    });
  }

  /** PumpTarget: one piece of the answer that is being sent. */
  writePiece(piece: Uint8Array): boolean {
    if (this.isClosed) return false;
    if (!this.#chunked) return this.#note(this.#wire.write(piece));
    const size = `${piece.length.toString(16)}\r\n`;
    if (piece.length <= joinedPieceBytes) return this.#note(this.#wire.write(`${size}${latin1(piece)}\r\n`));
    return this.#note(this.#wire.writeAll([size, piece, "\r\n"]));
  }

  /** PumpTarget. */
  writable(): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    if (!this.isFull) return Promise.resolve(true);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Remembers what a write said about room. */
  #note(room: boolean): boolean {
    if (!room && !this.isFull && !this.isClosed) {
      this.isFull = true;
      this.deadline = this.#host.monotonic() + this.#host.limits.writeStallMs;
      this.#host.wakeAt(this.deadline);
    }
    if (!room && !this.isClosed) this.held.unread(this.#wire.queuedBytes() + this.#atHand);
    return room;
  }

  #release(room: boolean): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const release of waiters) release(room);
  }
}

/** An answer that will not be sent: its source may clean up. */
export function abandon({ body }: HttpResponse): void {
  if (typeof body === "object" && body !== null && !(body instanceof Uint8Array)) endIterable(body);
}

function endIterable(body: AsyncIterable<Uint8Array>): void {
  try {
    endSource(body[Symbol.asyncIterator]());
  } catch {
    // A source that cannot be opened needs no end.
  }
}

/** HTTP/1.1 stays open unless told; HTTP/1.0 closes unless told. */
function connectionLine(request: EngineRequest, last: boolean): string {
  if (last) return "connection: close\r\n";
  return request.minor === 1 ? "" : "connection: keep-alive\r\n";
}

function latin1(bytes: Uint8Array): string {
  return latin1Text(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
}
