/**
 * One request for those who listen to it: made only while somebody does. The record is the event itself, from start to end, so
 * that observing costs one object; what is costly to know is worked out when it is read.
 */
import { isPromiseLike, type Clock, type MaybePromise } from "../core/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse, RequestNotes, TraceContext } from "../exchange/index.ts";
import type { Events, RequestEnd } from "../telemetry/index.ts";
import { givenRequestId } from "./request-id.ts";
import { watchBody } from "./watched-body.ts";

interface RecordServices {
  readonly clock: Clock;
  readonly events: Events;
  readonly newRequestId: () => string;
}

const noRoute = "(none)";

class RequestRecord implements RequestNotes, RequestEnd {
  route = noRoute;
  operation: string | undefined;
  status = 0;
  fault: string | undefined;
  outcome: RequestEnd["outcome"] = "answered";
  durationMs = 0;
  trace: TraceContext | undefined;
  readonly #request: HttpRequest;
  readonly #services: RecordServices;
  readonly #startedAt: number;
  #started = false;
  #requestId: string | undefined;
  #body: HttpResponse["body"] = null;
  #streamed: number | undefined;

  constructor(request: HttpRequest, services: RecordServices) {
    this.#request = request;
    this.#services = services;
    this.#startedAt = services.clock.monotonic();
  }

  get method(): string {
    return this.#request.method;
  }

  get httpVersion(): string | undefined {
    return this.#request.httpVersion;
  }

  get requestId(): string {
    return (this.#requestId ??= givenRequestId(this.#request) ?? this.#services.newRequestId());
  }

  set requestId(id: string) {
    this.#requestId = id;
  }

  get usedRequestId(): boolean {
    return this.#requestId !== undefined;
  }

  get responseBytes(): number | undefined {
    if (this.#streamed !== undefined) return this.#streamed;
    const body = this.#body;
    if (body === null) return 0;
    if (typeof body === "string") return utf8Bytes(body);
    return body instanceof Uint8Array ? body.length : undefined;
  }

  header(name: string): string | undefined {
    return this.#request.header(name);
  }

  matched(route: string, operation: string | undefined): void {
    this.route = route;
    this.operation = operation;
    this.#start();
  }

  shed(reason: string): void {
    this.outcome = "shed";
    const { method, route, operation } = this;
    this.#services.events.emit("request.shed", { method, route, operation, reason });
  }

  /** Gives back what the carrier shall have: the answer, or the same with its stream watched. */
  answered(response: HttpResponse, gone: boolean): HttpResponse {
    // Typed, but plain JavaScript can answer anything: the carrier makes a 500 of what is no answer.
    const { status = 500, body = null, fault } = (response as HttpResponse | null | undefined) ?? {};
    this.status = status;
    this.fault = fault;
    const streams = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
    if (!streams || gone || this.#request.method === "HEAD" || status === 204 || status === 304) {
      this.#body = body;
      this.#end(gone);
      return response;
    }
    const watched = watchBody(body, (bytes, end) => {
      this.#streamed = bytes;
      this.#end(end !== "sent");
    });
    return { ...response, body: watched };
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#services.events.emit("request.start", this);
  }

  #end(gone: boolean): void {
    this.#start();
    const { events, clock } = this.#services;
    this.durationMs = clock.monotonic() - this.#startedAt;
    if (gone) {
      this.outcome = "aborted";
      events.emit("request.aborted", this);
    } else if (this.fault !== undefined && (this.status === 504 || this.status === 408)) {
      this.outcome = "timed_out";
      events.emit("request.timed_out", this);
    }
    events.emit("request.end", this);
    this.#body = null;
  }
}

/** `handler` with a record for each request, while anybody listens to them. */
export function recorded(handler: HttpHandler, services: RecordServices): HttpHandler {
  const { events } = services;
  const observe = (request: HttpRequest): MaybePromise<HttpResponse> => {
    const record = new RequestRecord(request, services);
    request.notes = record;
    const response = handler(request);
    if (!isPromiseLike(response)) return record.answered(response, false);
    // Made now, because a client that leaves aborts only signals that are there already.
    const { signal } = request;
    return response.then((settled) => record.answered(settled, signal.aborted));
  };
  return (request) => (events.observesRequests ? observe(request) : handler(request));
}

const encoder = new TextEncoder();

function utf8Bytes(text: string): number {
  // Not on every runtime, and several times faster where it is.
  const { Buffer: buffer } = globalThis as { readonly Buffer?: { byteLength(text: string): number } };
  return buffer === undefined ? encoder.encode(text).length : buffer.byteLength(text);
}
