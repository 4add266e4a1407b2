/** One request on an HTTP/2 stream: what the handler sees, and what the connection keeps about its time. */
import type { ServerHttp2Stream } from "node:http2";
import { ok, type MaybePromise, type Result } from "../../../core/index.ts";
import type { BodyFault, HttpRequest, RequestNotes } from "../../../exchange/index.ts";
import { badBody, bodyTimeout, clientGone, tooLarge } from "../body-faults.ts";
import type { ConnectionHost } from "../connection-host.ts";
import { BodyCollector } from "./body-collector.ts";
import { BodyStream } from "./body-stream.ts";
import type { RequestHead } from "./request-head.ts";

type BodyResult = Result<Uint8Array, BodyFault>;

/** What a request needs from its connection. */
export interface Http2Owner {
  readonly host: ConnectionHost;
  readonly isSecure: boolean;
  /** Sees to it that `expire` is called at `time`, monotonic, or soon after. */
  wakeAt(time: number): void;
  /** Something useful has come from the client. */
  progress(): void;
  remoteAddress(): string;
}

const noBody: BodyResult = ok(new Uint8Array(0));

export class Http2Request implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = "2";
  notes?: RequestNotes;
  readonly stream: ServerHttp2Stream;
  /** When the client must have sent or read something, in monotonic ms; Infinity: it is not its turn. */
  deadline = Infinity;
  /** Whether the answer is complete, as far as the handler is concerned. */
  isAnswered = false;
  readonly #owner: Http2Owner;
  readonly #fields: readonly string[];
  readonly #host: string;
  readonly #contentLength: number;
  readonly #hasBody: boolean;
  #expectContinue: boolean;
  #asked = false;
  #taker: BodyCollector | BodyStream | null = null;
  /** Time that the client has taken for its body so far, and since when it takes more. */
  #waitedMs = 0;
  #waitingSince = 0;
  #pairs: readonly string[] | null = null;
  #abort: AbortController | null = null;
  #isGone = false;

  /** Takes over what `head` has just read of `fields`. */
  constructor(
    owner: Http2Owner,
    stream: ServerHttp2Stream,
    head: RequestHead,
    fields: readonly string[],
    hasBody: boolean,
  ) {
    this.#owner = owner;
    this.stream = stream;
    this.method = head.method;
    this.target = head.target;
    this.#host = head.host;
    this.#fields = fields;
    this.#contentLength = head.contentLength;
    this.#hasBody = hasBody;
    this.#expectContinue = head.expectContinue && hasBody;
  }

  header(name: string): string | undefined {
    if (name === "host") return this.#host;
    const fields = this.#fields;
    let found: string | undefined;
    for (let at = 0; at < fields.length; at += 2) {
      if (fields[at] !== name) continue;
      const value = fields[at + 1] as string;
      found = found === undefined ? value : `${found}${name === "cookie" ? "; " : ", "}${value}`;
    }
    return found !== undefined && name.startsWith(":") ? undefined : found;
  }

  /** `host` first, in place of :authority: routes and middleware know no pseudo-headers. */
  headerPairs(): readonly string[] {
    if (this.#pairs !== null) return this.#pairs;
    const pairs = ["host", this.#host];
    for (let at = 0; at < this.#fields.length; at += 2) {
      const name = this.#fields[at] as string;
      if (!name.startsWith(":") && name !== "host") pairs.push(name, this.#fields[at + 1] as string);
    }
    return (this.#pairs = Object.freeze(pairs));
  }

  body(limit: number): MaybePromise<BodyResult> {
    const early = this.#claim();
    if (early !== null) return early;
    const most = Math.min(limit, this.#owner.host.limits.bodyBytes);
    if (this.#contentLength > most) return tooLarge(most);
    this.#invite();
    this.#awaitBody(0);
    return new Promise((resolve) => {
      const settle = (result: BodyResult): void => {
        this.#arrived();
        this.#taker = null;
        resolve(result);
      };
      this.#taker = new BodyCollector(this.stream, most, settle, () => {
        this.#arrived();
        this.#awaitBody(0);
      });
    });
  }

  bodyStream(limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    const early = this.#claim();
    if (early !== null) return early.ok ? ok(complete()) : early;
    const most = Math.min(limit, this.#owner.host.limits.streamBytes);
    if (this.#contentLength > most) return tooLarge(most);
    const stream = new BodyStream(this.stream, most, {
      awaits: (bytes) => {
        this.#invite();
        this.#awaitBody(bytes);
      },
      arrived: () => this.#arrived(),
    });
    this.#taker = stream;
    return ok(stream);
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#isGone) this.#abort.abort(gone());
    }
    return this.#abort.signal;
  }

  get remoteAddress(): string {
    return this.#owner.remoteAddress();
  }

  get secure(): boolean {
    return this.#owner.isSecure;
  }

  /** Nothing more will come of the body that nobody has read, or that is being read. */
  get bodyIsOpen(): boolean {
    return this.#hasBody && !this.stream.readableEnded;
  }

  /** The client must do something within `ms`. */
  within(ms: number): void {
    this.deadline = this.#owner.host.monotonic() + ms;
    this.#owner.wakeAt(this.deadline);
  }

  /** The deadline has passed while the body was awaited. False: it was not awaited. */
  bodyExpired(): boolean {
    if (this.#taker === null || this.isAnswered) return false;
    this.#taker.stop(bodyTimeout());
    return true;
  }

  /** Ends the stream with `code` of RFC 9113 section 7. What the client has still sent of its body is dropped. */
  end(code: number): void {
    this.#taker?.stop(badBody("the request was answered before it was complete"));
    this.stream.close(code);
    // Node keeps a stream for as long as it holds bytes that nobody reads.
    this.stream.resume();
  }

  /** The stream is gone. */
  closed(): void {
    this.#isGone = true;
    this.deadline = Infinity;
    this.#taker?.stop(clientGone());
    const { stream } = this;
    if (!this.isAnswered || stream.aborted || !stream.writableFinished) this.#abort?.abort(gone());
  }

  /** What can be said of the body before any of it is read; null: go on. */
  #claim(): BodyResult | null {
    if (this.#asked) return badBody("it has been read already");
    this.#asked = true;
    if (!this.#hasBody) return noBody;
    return this.#isGone || this.isAnswered ? clientGone() : null;
  }

  #invite(): void {
    if (!this.#expectContinue || this.stream.closed) return;
    this.#expectContinue = false;
    // Who sees an answer begin need wait no longer: RFC 9110 section 10.1.1 has no 100 after that.
    if (this.stream.headersSent) return;
    this.stream.additionalHeaders({ ":status": 100 });
  }

  /** The client's time runs: for the next piece, and for all, of which a streamed body earns more with every one of its `bytes`. */
  #awaitBody(bytes: number): void {
    const { bodyIdleTimeoutMs, bodyTimeoutMs, streamBytesPerSecond } = this.#owner.host.limits;
    const left = bodyTimeoutMs + (bytes * 1000) / streamBytesPerSecond - this.#waitedMs;
    this.#waitingSince = this.#owner.host.monotonic();
    this.within(Math.max(0, Math.min(bodyIdleTimeoutMs, left)));
  }

  /** The client has done its part for now. */
  #arrived(): void {
    if (this.deadline === Infinity) return;
    this.#waitedMs += this.#owner.host.monotonic() - this.#waitingSince;
    this.deadline = Infinity;
    this.#owner.progress();
  }
}

async function* complete(): AsyncGenerator<Uint8Array> {}

function gone(): Error {
  return new Error("The client closed the stream.");
}
