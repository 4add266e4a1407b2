/**
 * A request that is another one but for what a subclass changes: what a middleware hands on. Whatever is added to HttpRequest is handed
 * on here, so that no middleware loses it.
 */
import type { MaybePromise, Result } from "../core/index.ts";
import type { BodyFault, HttpRequest, RequestNotes } from "./exchange.ts";

/** Every member, also those that may be absent. Not `Required`: that takes `undefined` away where a program has no `exactOptionalPropertyTypes`. */
type Whole<T> = { [K in keyof Required<T>]: T[K] };

export class RequestView implements Whole<HttpRequest> {
  protected readonly request: HttpRequest;

  constructor(request: HttpRequest) {
    this.request = request;
  }

  get method(): string {
    return this.request.method;
  }

  get target(): string {
    return this.request.target;
  }

  header(name: string): string | undefined {
    return this.request.header(name);
  }

  headerPairs(): readonly string[] {
    return this.request.headerPairs();
  }

  body(limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    return this.request.body(limit);
  }

  bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    return this.request.bodyStream(limit);
  }

  get signal(): AbortSignal {
    return this.request.signal;
  }

  get remoteAddress(): string {
    return this.request.remoteAddress;
  }

  get canUpgrade(): boolean | undefined {
    return this.request.canUpgrade;
  }

  get secure(): boolean | undefined {
    return this.request.secure;
  }

  get httpVersion(): string | undefined {
    return this.request.httpVersion;
  }

  get hasTimeout(): boolean | undefined {
    return this.request.hasTimeout;
  }

  get notes(): RequestNotes | undefined {
    return this.request.notes;
  }

  set notes(notes: RequestNotes | undefined) {
    this.request.notes = notes;
  }
}
