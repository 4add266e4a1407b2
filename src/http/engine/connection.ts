/**
 * One connection: bytes in, requests to the handler, answers out in order. It knows no socket (Wire) and reads time only
 * through its host, so every path of it can be driven from a test. The states are drawn in docs/http.md.
 *
 * Work happens in turns. A turn reads what has arrived, starts the requests in it, writes the answers that are ready, and
 * ends with one write for all of them (`#endTurn`).
 */
import { isPromiseLike, ok, type MaybePromise, type Result } from "../../core/index.ts";
import type { BodyFault, HttpResponse } from "../exchange.ts";
import { HeaderBlock } from "../header-block.ts";
import { continueText, headText, internalErrorText, isBodyless, isStatus, refusalText } from "./answer-text.ts";
import { badBody, bodyTimeout, clientGone, tooLarge } from "./body-faults.ts";
import { endSource, pumpBytes, pumpIterable, type PumpEnd, type PumpTarget } from "./body-pump.ts";
import { BodyReader } from "./body-reader.ts";
import type { ConnectionHost, EngineDefect, Wire } from "./connection-host.ts";
import { HeadParser } from "./head-parser.ts";
import { InputWindow } from "./input-window.ts";
import { latin1Text } from "./latin1.ts";
import type { Refusal } from "./refusal.ts";
import { EngineRequest, type RequestOwner } from "./request.ts";

/** Bodies up to this size are joined with their head into one write; longer ones are sent in pieces. */
const inlineBytes = 64 * 1024;
/** Answers are written early when a batch grows past this: a batch is bounded too. */
const batchBytes = 64 * 1024;
/** RFC 9110 section 9.2.1, with QUERY. Only these are handled while earlier requests of the same connection still run. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);
const noBody: Result<Uint8Array, BodyFault> = ok(new Uint8Array(0));

type Phase = "open" | "lingering" | "closed";

export class Connection implements RequestOwner, PumpTarget {
  readonly #host: ConnectionHost;
  readonly #wire: Wire;
  readonly #parser: HeadParser;
  readonly #input = new InputWindow();
  #phase: Phase = "open";
  /** Requests whose answers are not written yet, oldest first. */
  readonly #queue: EngineRequest[] = [];
  /** Whether a request in the queue has a method that is not safe: then nothing may run beside it. */
  #exclusive = false;
  /** A request whose head is read, and which must wait until the queue is empty. */
  #held: EngineRequest | null = null;
  /** The request whose body is the next thing to come. */
  #bodyOf: EngineRequest | null = null;
  /** Made when somebody wants the body, or wants it out of the way. */
  #reader: BodyReader | null = null;
  /** Written to the client when the queue is empty; then the connection closes. */
  #refusal: Refusal | null = null;
  /** No further request will be read. */
  #lastSeen = false;
  #inputEnded = false;
  #draining = false;
  #inTurn = false;
  #turnScheduled = false;
  /** The batch: Latin-1 text that waits for the end of the turn. */
  #out = "";
  #chunkedAnswer = false;
  #wireFull = false;
  #paused = false;
  #fresh = true;
  #headDeadline = 0;
  #bodyDeadline = 0;
  #roomWaiters: ((room: boolean) => void)[] | null = null;
  /** Monotonic ms; Infinity: none. Read by whoever calls `expire`. */
  readDeadline: number;
  writeDeadline = Infinity;

  constructor(host: ConnectionHost, wire: Wire) {
    this.#host = host;
    this.#wire = wire;
    this.#parser = new HeadParser(host.limits);
    this.readDeadline = host.monotonic() + host.limits.headTimeoutMs;
    host.wakeAt(this.readDeadline);
  }

  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  remoteAddress(): string {
    return this.#wire.remoteAddress();
  }

  // ---- what the transport says

  /** Bytes have arrived; they are only good during the call. False: stop reading, `resume` will be called on the wire. */
  receive(bytes: Buffer, length: number): boolean {
    if (this.#phase !== "open") return true;
    this.#input.accept(bytes, length);
    this.#inTurn = true;
    this.#consume();
    this.#endTurn();
    return !this.#paused;
  }

  /** The client will send no more. It may still read: answers in the making are written. */
  ended(): void {
    this.#inputEnded = true;
    // While lingering the transport closes by itself once both directions have ended.
    if (this.#phase === "open") this.#turn();
  }

  /** The wire has room again. */
  drained(): void {
    this.#wireFull = false;
    this.writeDeadline = Infinity;
    this.#releaseRoomWaiters(true);
    if (this.#phase === "open") this.#turn();
  }

  /** Everything has been sent, the end of stream included. */
  finished(): void {
    if (this.#phase === "lingering") this.#awaitUntil(this.#host.monotonic() + this.#host.limits.lingerMs);
  }

  /** The transport is gone. */
  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.readDeadline = this.writeDeadline = Infinity;
    this.#input.drop();
    this.#releaseRoomWaiters(false);
    this.#host.counters.inFlight -= this.#queue.length;
    for (const request of this.#queue) request.abort();
    const waiting = this.#bodyOf;
    this.#bodyOf = this.#held = this.#reader = null;
    this.#queue.length = 0;
    settleBody(waiting, clientGone());
    this.#host.forget(this);
  }

  // ---- what the engine says

  /** A deadline may have passed. */
  expire(now: number): void {
    if (this.#phase === "closed") return;
    if (this.writeDeadline <= now) {
      this.#host.counters.timedOut++;
      return this.destroy();
    }
    if (this.readDeadline > now) return;
    this.readDeadline = Infinity;
    if (this.#phase === "lingering") return this.destroy();
    if (this.#reader !== null) {
      this.#host.counters.timedOut++;
      this.#failBody(bodyTimeout());
      this.#turn();
    } else if (this.#parser.started) {
      this.#host.counters.timedOut++;
      this.#refuse("head_timeout");
      this.#turn();
    } else if (this.#queue.length === 0 && this.#bodyOf === null) this.#close();
  }

  /** Answer what has begun with `connection: close`, take nothing new, then close. */
  drain(): void {
    this.#draining = true;
    if (this.#phase === "open" && this.#isIdle() && !this.#parser.started) this.#close();
  }

  /** At once, whatever is under way. */
  destroy(): void {
    this.#wire.destroy();
    this.closed();
  }

  // ---- reading

  #turn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    this.#writeReady();
    this.#consume();
    this.#endTurn();
  }

  /** A turn after the present one's promises have run, so that answers which become ready together are written together. */
  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    process.nextTick(runScheduledTurn, this);
  }

  /** Called by the scheduled tick only. */
  runScheduled(): void {
    this.#turnScheduled = false;
    if (this.#phase === "open") this.#turn();
  }

  #mayParse(): boolean {
    const running = this.#queue.length;
    if (this.#lastSeen || this.#held !== null || this.#wireFull) return false;
    return running === 0 || (!this.#exclusive && !this.#draining && running < this.#host.limits.pipelineDepth);
  }

  #consume(): void {
    const input = this.#input;
    while (input.start < input.end && this.#phase === "open") {
      if (this.#bodyOf !== null) {
        if (this.#reader === null) break;
        this.#readBodyBytes();
      } else if (!this.#mayParse()) break;
      else {
        const verdict = this.#parser.parse(input.bytes, input.start, input.end);
        if (verdict === "more") break;
        if (verdict === "refused") {
          this.#refuse(this.#parser.refusal);
          break;
        }
        input.start += this.#parser.length;
        this.#accept(new EngineRequest(this, this.#parser));
      }
    }
  }

  #accept(request: EngineRequest): void {
    this.#host.counters.requests++;
    this.#fresh = false;
    this.#headDeadline = 0;
    if (!request.keepAlive) this.#lastSeen = true;
    if (request.bodyLength !== 0) this.#bodyOf = request;
    if (this.#queue.length > 0 && !safeMethods.has(request.method)) this.#held = request;
    else this.#start(request);
  }

  #start(request: EngineRequest): void {
    let answer: MaybePromise<HttpResponse>;
    try {
      answer = this.#host.handler(request);
    } catch (error) {
      return this.#misbehaved("handler_threw", error, request);
    }
    if (isPromiseLike(answer)) {
      this.#enqueue(request);
      answer.then(
        (response) => this.#answered(request, response),
        (error: unknown) => this.#misbehaved("handler_rejected", error, request),
      );
    } else if (this.#queue.length > 0) {
      this.#enqueue(request);
      request.response = answer;
    } else if (this.#phase === "open" && !this.#write(request, answer)) this.#enqueue(request);
  }

  #enqueue(request: EngineRequest): void {
    this.#queue.push(request);
    this.#host.counters.inFlight++;
    if (!safeMethods.has(request.method)) this.#exclusive = true;
  }

  #refuse(reason: Refusal): void {
    this.#host.counters.refused++;
    this.#refusal = reason;
    this.#lastSeen = true;
    if (this.#queue.length === 0) this.#writeRefusal(reason);
  }

  #writeRefusal(reason: Refusal): void {
    this.#out += refusalText(reason, this.#host.date.text());
    this.#close();
  }

  // ---- request bodies

  /** EngineRequest.body. */
  readBody(request: EngineRequest, limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    if (request.bodyAsked) return badBody("it has been read already");
    request.bodyAsked = true;
    const length = request.bodyLength;
    if (length === 0) return noBody;
    if (this.#bodyOf !== request) return clientGone();
    if (length > limit) return tooLarge(limit);
    const input = this.#input;
    if (length > 0 && input.end - input.start >= length) {
      const body = Buffer.allocUnsafe(length);
      input.bytes.copy(body, 0, input.start, input.start + length);
      input.start += length;
      this.#bodyOf = null;
      if (!this.#inTurn) this.#scheduleTurn();
      return ok(body);
    }
    return this.#collectBody(request, Math.min(limit, this.#host.limits.bodyBytes));
  }

  #collectBody(request: EngineRequest, limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    const reader = new BodyReader(request.bodyLength, this.#host.limits);
    reader.collect(limit);
    this.#reader = reader;
    this.#bodyDeadline = this.#host.monotonic() + this.#host.limits.bodyTimeoutMs;
    let now: Result<Uint8Array, BodyFault> | null = null;
    request.settleBody = (result) => (now = result);
    if (this.#input.size > 0) this.#readBodyBytes();
    // The callback above may have run; the compiler cannot see it.
    const arrived = now as Result<Uint8Array, BodyFault> | null;
    if (!this.#inTurn) this.#scheduleTurn();
    if (arrived !== null) return arrived;
    if (this.#inputEnded) {
      this.#failBody(clientGone());
      return clientGone();
    }
    request.wantsContinue = request.expectContinue;
    if (this.#queue.length === 0 || this.#queue[0] === request) this.#inviteBody(request);
    return new Promise((resolve) => (request.settleBody = resolve));
  }

  /** Sends 100 Continue when the handler wants the body and it is this request's turn to write (RFC 9110 section 10.1.1). */
  #inviteBody(request: EngineRequest): void {
    if (!request.wantsContinue) return;
    request.wantsContinue = request.expectContinue = false;
    this.#out += continueText;
    if (!this.#inTurn) this.#scheduleTurn();
  }

  #readBodyBytes(): void {
    const reader = this.#reader as BodyReader;
    const request = this.#bodyOf as EngineRequest;
    const input = this.#input;
    const verdict = reader.read(input.bytes, input.start, input.end);
    input.start = reader.at;
    if (verdict === "more") return;
    if (verdict === "bad") return this.#failBody(badBody(reader.reason));
    if (verdict === "too_large") return this.#failBody(tooLarge(reader.limit));
    this.#bodyOf = this.#reader = null;
    settleBody(request, ok(reader.body()));
  }

  /** The rest of the body cannot be trusted or is not wanted: this request is the last one. */
  #failBody(fault: Result<Uint8Array, BodyFault>): void {
    const request = this.#bodyOf as EngineRequest;
    this.#bodyOf = this.#reader = null;
    this.#lastSeen = true;
    request.keepAlive = false;
    // Nobody waits for a body that was being skipped; its answer is written, so nothing is left to do here.
    if (request.settleBody === null) this.#close();
    else settleBody(request, fault);
  }

  /** The answer is about to be written and the body is not read: skip the rest if it is short, else this request is the last. */
  #leaveBody(request: EngineRequest): void {
    const settle = request.settleBody;
    const reader = (this.#reader ??= new BodyReader(request.bodyLength, this.#host.limits));
    const bound = this.#host.limits.unreadBodyBytes;
    const short = request.bodyLength < 0 || reader.left <= bound;
    if (!short || request.expectContinue || this.#inputEnded || !request.keepAlive) {
      request.keepAlive = false;
      this.#lastSeen = true;
      this.#bodyOf = this.#reader = null;
    } else {
      reader.discard(bound);
      this.#bodyDeadline = this.#host.monotonic() + this.#host.limits.bodyTimeoutMs;
    }
    request.settleBody = null;
    settle?.(badBody("the request was answered before it was complete"));
  }

  // ---- answers

  #answered(request: EngineRequest, response: HttpResponse): void {
    request.response = response;
    if (this.#phase !== "open") return abandon(response);
    if (this.#queue[0] !== request) return;
    if (this.#queue.length === 1 && this.#held === null && this.#input.size === 0) this.#turn();
    else this.#scheduleTurn();
  }

  #misbehaved(kind: EngineDefect["kind"], error: unknown, request: EngineRequest): void {
    this.#host.defect({ kind, error, method: request.method, target: request.target });
    request.keepAlive = false;
    if (kind === "handler_threw") {
      this.#enqueue(request);
      request.response = defective;
      if (this.#queue.length === 1) this.#writeReady();
    } else this.#answered(request, defective);
  }

  /** Writes every answer whose turn it is. */
  #writeReady(): void {
    const queue = this.#queue;
    while (queue.length > 0 && this.#phase === "open") {
      const request = queue[0] as EngineRequest;
      if (request.response === null) return this.#inviteBody(request);
      if (request.writing || !this.#write(request, request.response)) return;
      this.#dequeue();
    }
  }

  /** The oldest answer is complete. */
  #dequeue(): void {
    if (this.#queue.shift() === undefined) return;
    this.#host.counters.inFlight--;
    if (this.#queue.length > 0) return;
    this.#exclusive = false;
    const held = this.#held;
    this.#held = null;
    if (held !== null && this.#phase === "open") this.#start(held);
    else if (this.#refusal !== null && this.#phase === "open") this.#writeRefusal(this.#refusal);
  }

  /** Writes one answer into the batch. False: its body goes out in pieces, and `#pumped` will say when it is done. */
  #write(request: EngineRequest, response: HttpResponse): boolean {
    if (response === defective) return this.#writeInternalError(request);
    const { status, body } = response;
    if (!isStatus(status)) {
      this.#host.defect({
        kind: "bad_response",
        error: new TypeError(`The handler answered with status ${String(status)}; 200 to 599 are possible.`),
        method: request.method,
        target: request.target,
      });
      abandon(response);
      return this.#writeInternalError(request);
    }
    if (this.#bodyOf === request) this.#leaveBody(request);
    const text = headText(status, response.headers, this.#host.date.text());
    if (isBodyless(status)) {
      abandon(response);
      return this.#writeWhole(request, text, "", "");
    }
    if (body === null) return this.#writeWhole(request, text, "content-length: 0\r\n", "");
    if (typeof body === "string") return this.#writeText(request, text, body);
    if (body instanceof Uint8Array) return this.#writeBytes(request, text, body);
    return this.#writeStream(request, text, response, body);
  }

  #writeText(request: EngineRequest, head: string, body: string): boolean {
    const size = Buffer.byteLength(body);
    const length = `content-length: ${size}\r\n`;
    if (request.method === "HEAD") return this.#writeWhole(request, head, length, "");
    // One byte per character means ASCII: the string is its own UTF-8.
    if (size === body.length && size <= inlineBytes) return this.#writeWhole(request, head, length, body);
    return this.#writeBytes(request, head, Buffer.from(body));
  }

  #writeBytes(request: EngineRequest, head: string, body: Uint8Array): boolean {
    const length = `content-length: ${body.length}\r\n`;
    if (request.method === "HEAD") return this.#writeWhole(request, head, length, "");
    if (body.length <= inlineBytes) return this.#writeWhole(request, head, length, latin1(body));
    this.#beginPieces(request, head, length, false);
    void pumpBytes(body, this).then((end) => this.#pumped(request, end));
    return false;
  }

  #writeStream(request: EngineRequest, head: string, response: HttpResponse, body: AsyncIterable<Uint8Array>): boolean {
    const chunked = request.minor === 1;
    if (!chunked) request.keepAlive = false;
    const framing = chunked ? "transfer-encoding: chunked\r\n" : "";
    if (request.method === "HEAD") {
      abandon(response);
      return this.#writeWhole(request, head, framing, "");
    }
    let source: AsyncIterator<Uint8Array>;
    try {
      source = body[Symbol.asyncIterator]();
    } catch (error) {
      this.#host.defect({ kind: "bad_response", error, method: request.method, target: request.target });
      return this.#writeInternalError(request);
    }
    this.#beginPieces(request, head, framing, chunked);
    void pumpIterable(source, this).then((end) => this.#pumped(request, end));
    return false;
  }

  #writeInternalError(request: EngineRequest): boolean {
    if (this.#bodyOf === request) {
      this.#bodyOf = this.#reader = null;
      settleBody(request, clientGone());
    }
    this.#out += internalErrorText(this.#host.date.text());
    this.#close();
    return true;
  }

  /** A whole answer into the batch. */
  #writeWhole(request: EngineRequest, head: string, framing: string, body: string): boolean {
    const closing = this.#isLast(request);
    this.#out += `${head}${framing}${connectionLine(request, closing)}\r\n${body}`;
    if (closing) this.#close();
    else if (this.#out.length > batchBytes) this.#flush();
    return true;
  }

  #beginPieces(request: EngineRequest, head: string, framing: string, chunked: boolean): void {
    request.writing = true;
    // Decided now, because the head says so; and kept.
    if (this.#isLast(request)) {
      request.keepAlive = false;
      this.#lastSeen = true;
    }
    this.#chunkedAnswer = chunked;
    this.#out += `${head}${framing}${connectionLine(request, !request.keepAlive)}\r\n`;
    this.#flush();
  }

  /** PumpTarget: one piece of the answer that is being streamed. */
  writePiece(piece: Uint8Array): boolean {
    if (this.#phase !== "open") return false;
    if (!this.#chunkedAnswer) return this.#note(this.#wire.write(piece));
    const size = `${piece.length.toString(16)}\r\n`;
    if (piece.length <= 4096) return this.#note(this.#wire.write(`${size}${latin1(piece)}\r\n`));
    return this.#note(this.#wire.writeAll([size, piece, "\r\n"]));
  }

  /** PumpTarget. */
  writable(): Promise<boolean> {
    if (this.#phase !== "open") return Promise.resolve(false);
    if (!this.#wireFull) return Promise.resolve(true);
    return new Promise((resolve) => (this.#roomWaiters ??= []).push(resolve));
  }

  #pumped(request: EngineRequest, { end, ...rest }: PumpEnd): void {
    if (this.#phase !== "open") return;
    if (end === "failed") {
      this.#host.defect({
        kind: "stream_failed",
        error: "error" in rest ? rest.error : undefined,
        method: request.method,
        target: request.target,
      });
      // The client must see that the answer is not whole: no last chunk, no clean end.
      return this.destroy();
    }
    if (this.#chunkedAnswer) this.#out += "0\r\n\r\n";
    this.#chunkedAnswer = false;
    if (request.keepAlive) this.#dequeue();
    else this.#close();
    this.#turn();
  }

  /** Whether no answer follows this one. */
  #isLast(request: EngineRequest): boolean {
    return !request.keepAlive || (this.#draining && this.#queue.length <= 1 && this.#held === null);
  }

  // ---- the end of a turn, and of the connection

  #endTurn(): void {
    this.#flush();
    this.#inTurn = false;
    if (this.#phase !== "open") return;
    const input = this.#input;
    if (this.#lastSeen && this.#bodyOf === null) input.drop();
    if (this.#inputEnded && this.#finishInput()) return;
    input.keep();
    this.#setReadDeadline();
    // A head in the making is bounded by its own limit, as long as it may be parsed.
    const full =
      input.size > 0 && input.size >= this.#host.limits.stashBytes && !(this.#parser.started && this.#mayParse());
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#wire.pause();
    else this.#wire.resume();
  }

  /** No byte will follow. True when the turn is over with it. */
  #finishInput(): boolean {
    if (this.#reader !== null) {
      this.#failBody(clientGone());
    } else if (this.#parser.started && !this.#lastSeen) {
      this.#refuse("incomplete_head");
      this.#flush();
    } else if (this.#isIdle()) this.#close();
    return this.#phase !== "open";
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && this.#bodyOf === null && this.#input.size === 0;
  }

  #setReadDeadline(): void {
    const { limits } = this.#host;
    if (this.#reader !== null) {
      this.#awaitUntil(Math.min(this.#host.monotonic() + limits.bodyIdleTimeoutMs, this.#bodyDeadline));
    } else if (this.#parser.started) {
      if (this.#fresh) return;
      if (this.#headDeadline === 0) this.#headDeadline = this.#host.monotonic() + limits.headTimeoutMs;
      this.#awaitUntil(this.#headDeadline);
    } else if (this.#queue.length > 0 || this.#bodyOf !== null) this.readDeadline = Infinity;
    else if (!this.#fresh) this.#awaitUntil(this.#host.monotonic() + limits.keepAliveMs);
  }

  #awaitUntil(time: number): void {
    this.readDeadline = time;
    this.#host.wakeAt(time);
  }

  #flush(): void {
    if (this.#out === "") return;
    const text = this.#out;
    this.#out = "";
    this.#note(this.#wire.write(text));
  }

  /** Remembers what a write said about room. */
  #note(room: boolean): boolean {
    if (!room && !this.#wireFull && this.#phase === "open") {
      this.#wireFull = true;
      this.writeDeadline = this.#host.monotonic() + this.#host.limits.writeStallMs;
      this.#host.wakeAt(this.writeDeadline);
    }
    return room;
  }

  #releaseRoomWaiters(room: boolean): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = null;
    if (waiters !== null) for (const release of waiters) release(room);
  }

  /**
   * Sends what waits and the end of stream, then reads on for a moment: closing with unread bytes makes the system send a
   * reset, which can destroy the answer before the client has read it (RFC 9112 section 9.6).
   */
  #close(): void {
    this.#flush();
    this.#phase = "lingering";
    this.#lastSeen = true;
    this.#input.drop();
    this.#host.counters.inFlight -= this.#queue.length;
    // The oldest has just been answered; those behind it never will be.
    for (let i = 1; i < this.#queue.length; i++) this.#queue[i]?.abort();
    this.#queue.length = 0;
    this.#bodyOf = this.#held = this.#reader = null;
    this.#awaitUntil(this.#host.monotonic() + this.#host.limits.writeStallMs);
    if (this.#paused) this.#wire.resume();
    this.#paused = false;
    this.#wire.end();
  }
}

/** Stands for the answer of a handler that gave none. */
const defective: HttpResponse = Object.freeze({ status: 500, headers: HeaderBlock.empty, body: null });

function runScheduledTurn(connection: Connection): void {
  connection.runScheduled();
}

function settleBody(request: EngineRequest | null, result: Result<Uint8Array, BodyFault>): void {
  if (request === null || request.settleBody === null) return;
  const settle = request.settleBody;
  request.settleBody = null;
  settle(result);
}

/** An answer that will not be sent: its source may clean up. */
function abandon(response: HttpResponse): void {
  const { body } = response;
  if (typeof body !== "object" || body === null || body instanceof Uint8Array) return;
  try {
    endSource(body[Symbol.asyncIterator]());
  } catch {
    // A source that cannot be opened needs no end.
  }
}

/** HTTP/1.1 stays open unless told; HTTP/1.0 closes unless told. */
function connectionLine(request: EngineRequest, closing: boolean): string {
  if (closing) return "connection: close\r\n";
  return request.minor === 1 ? "" : "connection: keep-alive\r\n";
}

function latin1(bytes: Uint8Array): string {
  return latin1Text(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
}
