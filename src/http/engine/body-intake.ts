/**
 * The reading of request bodies on one connection. At most one body is under way: it stands between its head and the next
 * one, so nothing else can be read before it. A body is read only when the handler asks for it, or when its answer is
 * written and it has to be got out of the way.
 */
import { ok, type Result } from "../../core/index.ts";
import type { BodyFault } from "../../exchange/index.ts";
import { badBody, clientGone, tooLarge } from "./body-faults.ts";
import { BodyReader } from "./body-reader.ts";
import type { ConnectionHost } from "./connection-host.ts";
import type { InputWindow } from "./input-window.ts";
import type { EngineRequest } from "./request.ts";

type BodyResult = Result<Uint8Array, BodyFault>;

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

  constructor(host: ConnectionHost, input: InputWindow) {
    this.#host = host;
    this.#input = input;
  }

  /** Whether bytes are being read, and not left alone until somebody asks. */
  get isReading(): boolean {
    return this.#reader !== null;
  }

  /**
   * The handler wants the body of the current request: what can be given at once, else null, and the bytes that come from
   * now on are collected for `request.settleBody`.
   */
  take(request: EngineRequest, limit: number): BodyResult | null {
    const length = request.bodyLength;
    const input = this.#input;
    if (length > limit) return tooLarge(limit);
    if (length > 0 && input.end - input.start >= length) {
      // The bytes lie in a buffer that the next read overwrites, and the handler may keep them.
      const body = Buffer.allocUnsafe(length);
      input.bytes.copy(body, 0, input.start, input.start + length);
      input.start += length;
      this.request = null;
      return ok(body);
    }
    const reader = this.#start(length);
    reader.collect(Math.min(limit, this.#host.limits.bodyBytes));
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
    const verdict = reader.read(input.bytes, input.start, input.end);
    input.start = reader.at;
    if (verdict === "more") return "more";
    if (verdict === "bad") return this.fail(badBody(reader.reason));
    if (verdict === "too_large") return this.fail(tooLarge(reader.limit));
    this.request = this.#reader = null;
    settle(request, ok(reader.body()));
    return "done";
  }

  /** Gives the body up. */
  fail(fault: BodyResult): IntakeState {
    const request = this.request;
    this.request = this.#reader = null;
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
      this.request = this.#reader = null;
    } else reader.discard(bound);
    settle(request, badBody("the request was answered before it was complete"));
  }

  /** The connection is gone. */
  close(): void {
    if (this.request !== null) settle(this.request, clientGone());
    this.request = this.#reader = null;
  }

  #start(length: number): BodyReader {
    this.deadline = this.#host.monotonic() + this.#host.limits.bodyTimeoutMs;
    return (this.#reader = new BodyReader(length, this.#host.limits));
  }
}

/** False: nobody waits. */
function settle(request: EngineRequest, result: BodyResult): boolean {
  const waiting = request.settleBody;
  request.settleBody = null;
  waiting?.(result);
  return waiting !== null;
}
