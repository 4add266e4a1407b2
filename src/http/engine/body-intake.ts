/**
 * The reading of request bodies on one connection. At most one body is under way: it stands between its head and the next
 * one, so nothing else can be read before it. A body is read only when the handler asks for it, or when its answer is
 * written and it has to be got out of the way.
 */
import { ok, type Result } from "../../core/index.ts";
import type { BodyFault } from "../../exchange/index.ts";
import { badBody, clientGone, tooLarge } from "./body-faults.ts";
import { BodyReader } from "./body-reader.ts";
import { BodyStream } from "./body-stream.ts";
import type { ConnectionHost } from "./connection-host.ts";
import type { InputWindow } from "./input-window.ts";
import type { EngineRequest } from "./request.ts";

type BodyResult = Result<Uint8Array, BodyFault>;
const noBody: BodyResult = ok(new Uint8Array(0));

/**
 * `more`: bytes are missing. `done`: the next head may follow. `failed`: the handler was told, its answer will be the last.
 * `unreadable`: nobody waits for this body and what follows cannot be found: the connection must end.
 */
export type IntakeState = "more" | "done" | "failed" | "unreadable";

export class BodyIntake {
  /** The request whose body is the next thing to come. */
  request: EngineRequest | null = null;
  /** When the body must be complete, in monotonic ms. */
  deadline = 0;
  readonly #host: ConnectionHost;
  readonly #input: InputWindow;
  /** Made when somebody wants the body, or wants it out of the way. */
  #reader: BodyReader | null = null;
  #stream: BodyStream | null = null;
  /** Since when the stream has had no room, in monotonic ms: time that is not the client's. */
  #heldSince: number | null = null;

  constructor(host: ConnectionHost, input: InputWindow) {
    this.#host = host;
    this.#input = input;
  }

  /** Whether bytes are being read, and not left alone until somebody asks. */
  get isReading(): boolean {
    return this.#reader !== null && (this.#stream === null || this.#stream.hasRoom);
  }

  /** Bytes of memory that a body which is not complete takes. */
  get kept(): number {
    return this.#reader === null ? 0 : this.#reader.kept;
  }

  /** The body is asked for: what can be said before anything is read, else null. */
  claim(request: EngineRequest): BodyResult | null {
    if (request.bodyAsked) return badBody("it has been read already");
    request.bodyAsked = true;
    if (request.bodyLength === 0) return noBody;
    return this.request === request ? null : clientGone();
  }

  /** The body of the current request as a stream, which calls `onPull` when it has room. */
  open(request: EngineRequest, limit: number, onPull: () => void): Result<AsyncIterable<Uint8Array>, BodyFault> {
    const early = this.claim(request);
    if (early !== null) return early.ok ? ok(complete()) : early;
    const most = Math.min(limit, this.#host.limits.streamBytes);
    if (request.bodyLength > most) return tooLarge(most);
    const stream = new BodyStream(() => {
      if (this.request !== request) return;
      if (this.#reader === null) this.#start(request.bodyLength).stream(most, (piece) => stream.push(piece));
      if (this.#heldSince !== null) this.deadline += this.#host.monotonic() - this.#heldSince;
      this.#heldSince = null;
      onPull();
    });
    this.#stream = stream;
    request.settleBody = (result) => stream.settle(result);
    return ok(stream);
  }

  /**
   * The handler wants the body of the current request: what can be given at once, else null, and the bytes that come from
   * now on are collected for `request.settleBody`.
   */
  take(request: EngineRequest, limit: number): BodyResult | null {
    const length = request.bodyLength;
    const input = this.#input;
    const most = Math.min(limit, this.#host.limits.bodyBytes);
    if (length > most) return tooLarge(most);
    if (length > 0 && input.end - input.start >= length) {
      // The bytes lie in a buffer that the next read overwrites, and the handler may keep them.
      const body = Buffer.allocUnsafe(length);
      input.bytes.copy(body, 0, input.start, input.start + length);
      input.start += length;
      this.request = null;
      return ok(body);
    }
    const reader = this.#start(length);
    reader.collect(most);
    if (input.start === input.end) return null;
    let arrived: BodyResult | undefined;
    request.settleBody = (result) => (arrived = result);
    this.feed();
    request.settleBody = null;
    return arrived ?? null;
  }

  /** Reads what has arrived. */
  feed(): IntakeState {
    const request = this.request;
    const reader = this.#reader;
    const input = this.#input;
    if (request === null || reader === null) return "more";
    const before = reader.size;
    const verdict = reader.read(input.bytes, input.start, input.end);
    input.start = reader.at;
    if (this.#stream !== null) this.#streamed(this.#stream, reader.size - before);
    if (verdict === "more") return "more";
    if (verdict === "bad") return this.fail(badBody(reader.reason));
    if (verdict === "too_large") return this.fail(tooLarge(reader.limit));
    this.#end();
    settle(request, ok(reader.body()));
    return "done";
  }

  /** A long upload has the time that its bytes take at the slowest rate. */
  #streamed(stream: BodyStream, bytes: number): void {
    this.deadline += (bytes * 1000) / this.#host.limits.streamBytesPerSecond;
    if (!stream.hasRoom) this.#heldSince ??= this.#host.monotonic();
  }

  #end(): void {
    this.request = this.#reader = this.#stream = this.#heldSince = null;
  }

  /** Gives the body up. */
  fail(fault: BodyResult): IntakeState {
    const request = this.request;
    this.#end();
    if (request === null) return "done";
    request.keepAlive = false;
    return settle(request, fault) ? "failed" : "unreadable";
  }

  /** The answer is written before the body was read: skip the rest if it is short, else the request is the last one. */
  leave(inputEnded: boolean): void {
    const request = this.request;
    if (request === null) return;
    const bound = this.#host.limits.unreadBodyBytes;
    const reader = this.#reader ?? this.#start(request.bodyLength);
    const mayBeShort = request.bodyLength < 0 || reader.left <= bound;
    // A client that waits for 100 Continue may or may not send the body after this answer: nobody can know what comes next.
    if (!mayBeShort || request.expectContinue || inputEnded || !request.keepAlive) {
      request.keepAlive = false;
      this.#end();
    } else reader.discard(bound);
    this.#stream = null;
    settle(request, badBody("the request was answered before it was complete"));
  }

  /** The connection is gone. */
  close(): void {
    if (this.request !== null) settle(this.request, clientGone());
    this.#end();
  }

  #start(length: number): BodyReader {
    this.deadline = this.#host.monotonic() + this.#host.limits.bodyTimeoutMs;
    return (this.#reader = new BodyReader(length, this.#host.limits));
  }
}

/** The stream of a request without a body. */
function complete(): AsyncIterable<Uint8Array> {
  const stream = new BodyStream(() => undefined);
  stream.settle(noBody);
  return stream;
}

/** False: nobody waits. */
function settle(request: EngineRequest, result: BodyResult): boolean {
  const waiting = request.settleBody;
  request.settleBody = null;
  waiting?.(result);
  return waiting !== null;
}
