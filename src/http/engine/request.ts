/** One request on its way through the engine: what the handler sees, and what the connection keeps about its answer. */
import type { MaybePromise, Result } from "../../core/index.ts";
import type { BodyFault, HttpRequest, HttpResponse } from "../../exchange/index.ts";
import type { Wire } from "./connection-host.ts";
import { allFields, findField } from "./head-fields.ts";
import type { HeadParser } from "./head-parser.ts";

/** What a request needs from its connection. */
export interface RequestOwner {
  readBody(request: EngineRequest, limit: number): MaybePromise<Result<Uint8Array, BodyFault>>;
  openBody(request: EngineRequest, limit: number): Result<AsyncIterable<Uint8Array>, BodyFault>;
  readonly wire: Wire;
  readonly isClosed: boolean;
}

export class EngineRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  /** 0 or 1. */
  readonly minor: number;
  readonly hasTimeout: boolean;
  readonly #hasId: boolean;
  /** 0: no body. -1: chunked. */
  readonly bodyLength: number;
  /** Whether the answer may leave the connection open. */
  keepAlive: boolean;
  /** The client waits for 100 Continue and has not got it. */
  expectContinue: boolean;
  /** The client would take another protocol for an answer: what follows may not be HTTP, so nothing is read before the answer. */
  readonly offersUpgrade: boolean;
  /** The handler waits for a body that should be invited by 100 Continue once this request's turn to write has come. */
  wantsContinue = false;
  bodyAsked = false;
  /** Settles the promise that `body()` returned. */
  settleBody: ((result: Result<Uint8Array, BodyFault>) => void) | null = null;
  /** Set when the handler has answered. */
  response: HttpResponse | null = null;
  /** Whether writing the answer has begun. */
  writing = false;

  readonly #owner: RequestOwner;
  readonly #head: string;
  readonly #fieldsAt: number;
  #pairs: readonly string[] | null = null;
  #abort: AbortController | null = null;

  /** Takes over what `parser` has just read. */
  constructor(owner: RequestOwner, parser: HeadParser) {
    this.#owner = owner;
    this.method = parser.method;
    this.target = parser.target;
    this.minor = parser.minor;
    this.bodyLength = parser.chunked ? -1 : Math.max(0, parser.contentLength);
    this.hasTimeout = parser.hasTimeout;
    this.#hasId = parser.hasId;
    this.keepAlive = parser.keepAlive;
    this.expectContinue = parser.expectContinue && this.bodyLength !== 0;
    this.offersUpgrade = parser.upgrade && this.minor === 1 && this.bodyLength === 0 && this.method === "GET";
    this.#head = parser.head;
    this.#fieldsAt = parser.fieldsAt;
  }

  header(name: string): string | undefined {
    if (name === "x-request-id" && !this.#hasId) return undefined;
    return findField(this.#head, this.#fieldsAt, name);
  }

  headerPairs(): readonly string[] {
    return (this.#pairs ??= Object.freeze(allFields(this.#head, this.#fieldsAt)));
  }

  body(limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    return this.#owner.readBody(this, limit);
  }

  bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    return this.#owner.openBody(this, limit);
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#owner.isClosed) this.abort();
    }
    return this.#abort.signal;
  }

  get httpVersion(): string {
    return this.minor === 1 ? "1.1" : "1.0";
  }

  get remoteAddress(): string {
    return this.#owner.wire.remoteAddress();
  }

  get secure(): boolean {
    return this.#owner.wire.isSecure;
  }

  get canUpgrade(): boolean {
    return this.offersUpgrade && this.header("upgrade") !== undefined;
  }

  /** The client is gone. Free when nobody has asked for the signal, and harmless after the answer. */
  abort(): void {
    this.#abort?.abort(new Error("The client closed the connection."));
  }
}
