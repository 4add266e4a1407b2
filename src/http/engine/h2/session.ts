/**
 * One HTTP/2 connection: a session of `node:http2` on a socket that the engine accepted. It counts, times and drains its streams;
 * frames, HPACK and flow control are the library's.
 *
 *   open ──drain──▶ announced (GOAWAY: soon no more) ──drainIdleMs──▶ closing (GOAWAY: no more) ──last stream ends──▶ lingering ──▶ closed
 *     └── idle for keepAliveMs, or no request in headTimeoutMs ──────────▶┘
 */
import type * as Http2 from "node:http2";
import type { Socket } from "node:net";
import type { HttpResponse } from "../../../exchange/index.ts";
import type { Carried, ConnectionHost } from "../connection-host.ts";
import { callHandler } from "../handler-call.ts";
import { CANCEL, ENHANCE_YOUR_CALM, NO_ERROR, REFUSED_STREAM, writeAnswer, writeRefusal } from "./answer.ts";
import { FrameBudget } from "./frame-budget.ts";
import type { Http2Limits } from "./limits.ts";
import { Http2Request, type Http2Owner } from "./request.ts";
import { RequestHead } from "./request-head.ts";

type Session = Http2.ServerHttp2Session;
type Stream = Http2.ServerHttp2Stream;

/** RFC 9113 section 6.8: an end that is announced before it comes names the highest stream that there could be. */
const anyStream = 2 ** 31 - 1;
/** NGHTTP2_FLAG_END_STREAM. */
const endStreamFlag = 1;

/** Makes the function that carries on as HTTP/2 where a client has said so. `node:http2` (13 MB) is loaded when the first one does. */
export function createHttp2(host: ConnectionHost, limits: Http2Limits): (socket: Socket, head: Buffer) => Carried {
  let options: Http2.ServerSessionOptions | undefined;
  return (socket, head) => {
    const http2 = process.getBuiltinModule("node:http2");
    options ??= sessionOptions(host, limits);
    // A session reads first what the socket still holds.
    if (head.length > 0) socket.unshift(head);
    return new Http2Connection(host, limits, socket, http2.performServerHandshake(socket, options));
  };
}

function sessionOptions({ limits: shared }: ConnectionHost, limits: Http2Limits): Http2.ServerSessionOptions {
  return {
    maxSessionMemory: limits.sessionMegabytes,
    // The pseudo-headers come on top of what HTTP/1.1 counts.
    maxHeaderListPairs: shared.headerCount + 5,
    maxDeflateDynamicTableSize: 4096,
    maxSettings: limits.settings,
    maxSessionInvalidFrames: limits.invalidFrames,
    maxSessionRejectedStreams: limits.rejectedStreams,
    streamResetBurst: limits.resetBurst,
    streamResetRate: limits.resetsPerSecond,
    // Whether a field may be repeated was decided when the answer was made.
    strictSingleValueFields: false,
    settings: {
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: shared.headBytes,
      headerTableSize: limits.headerTableBytes,
      initialWindowSize: limits.streamWindowBytes,
      enablePush: false,
    },
  };
}

class Http2Connection implements Carried, Http2Owner {
  /** When something must be looked at. Never later than any deadline of a stream; perhaps earlier. */
  readDeadline = Infinity;
  readonly writeDeadline = Infinity;
  readonly host: ConnectionHost;
  readonly isSecure: boolean;
  readonly #limits: Http2Limits;
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #head = new RequestHead();
  readonly #requests = new Set<Http2Request>();
  readonly #budget: FrameBudget;
  readonly #onAnswer = (request: Http2Request, response: HttpResponse): void => this.#answered(request, response);
  #phase: "open" | "announced" | "closing" | "lingering" | "closed" = "open";
  /** Handlers that have not answered, those of streams that were reset included. */
  #running = 0;
  /** When the present phase ends, where nothing else decides. */
  #phaseEnd = Infinity;

  constructor(host: ConnectionHost, limits: Http2Limits, socket: Socket, session: Session) {
    this.host = host;
    this.#limits = limits;
    this.#socket = socket;
    this.#session = session;
    this.isSecure = session.encrypted === true;
    this.#budget = new FrameBudget(limits.controlFrames, host.monotonic());
    session.setLocalWindowSize(limits.sessionWindowBytes);
    session.on("stream", (stream, _, flags, fields) => this.#open(stream, flags, fields));
    session.on("error", () => this.#failed());
    session.on("ping", () => this.#control());
    session.on("remoteSettings", () => this.#control());
    socket.on("close", () => this.closed());
    this.#endPhaseIn(host.limits.headTimeoutMs);
  }

  get isUnfinished(): boolean {
    return this.#requests.size > 0;
  }

  remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  wakeAt(time: number): void {
    if (time >= this.readDeadline) return;
    this.readDeadline = time;
    this.host.wakeAt(time);
  }

  progress(): void {
    this.#budget.refill();
  }

  expire(now: number): void {
    if (this.#phase === "closed") return;
    this.readDeadline = Infinity;
    for (const request of this.#requests) {
      if (request.deadline <= now) this.#expireRequest(request);
      if (this.isClosed) return;
    }
    if (this.#phaseEnd <= now) this.#endPhase();
    if (this.isClosed) return;
    let next = this.#phaseEnd;
    for (const { deadline } of this.#requests) next = Math.min(next, deadline);
    this.wakeAt(next);
  }

  drain(): void {
    if (this.#phase !== "open" || this.#session.destroyed) return;
    this.#phase = "announced";
    this.#session.goaway(NO_ERROR, anyStream);
    this.#endPhaseIn(this.host.limits.drainIdleMs);
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
    this.closed();
  }

  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    for (const request of this.#requests) this.#forget(request);
    this.host.forget(this);
  }

  private get isClosed(): boolean {
    return this.#phase === "closed";
  }

  // ---- streams

  #open(stream: Stream, flags: number, fields: readonly string[]): void {
    stream.on("error", ignore);
    // Taken back before its turn has come: no handler need hear of it.
    if (stream.closed || stream.destroyed || this.isClosed) return;
    this.#budget.refill();
    if (this.#running >= this.#limits.streams) return stream.close(REFUSED_STREAM);
    if (this.#phase === "open") this.#phaseEnd = Infinity;
    const refusal = this.#head.read(fields, this.host.limits);
    const hasBody = (flags & endStreamFlag) === 0;
    const request = new Http2Request(this, stream, this.#head, fields, hasBody);
    this.#requests.add(request);
    this.host.counters.inFlight++;
    stream.on("close", () => this.#forget(request));
    if (refusal !== null) {
      this.host.counters.refused++;
      request.isAnswered = true;
      writeRefusal(this.host, stream, refusal);
      return request.within(this.host.limits.writeStallMs);
    }
    this.host.counters.requests++;
    this.#running++;
    const answer = callHandler(this.host, request, this.#onAnswer);
    if (answer !== null) this.#answered(request, answer);
  }

  #answered(request: Http2Request, response: HttpResponse): void {
    this.#running--;
    writeAnswer(this.host, request, response);
  }

  /** The stream is gone, one way or the other. */
  #forget(request: Http2Request): void {
    if (!this.#requests.delete(request)) return;
    this.host.counters.inFlight--;
    request.closed();
    if (this.#requests.size > 0 || this.isClosed) return;
    if (this.#phase === "open") this.#endPhaseIn(this.host.limits.keepAliveMs);
    else if (this.#phase === "closing") this.#linger();
  }

  #expireRequest(request: Http2Request): void {
    this.host.counters.timedOut++;
    if (request.bodyExpired()) return;
    // Not even the reset of an earlier time has reached the client: it reads nothing at all.
    if (request.stream.closed) return this.destroy();
    request.end(CANCEL);
    request.within(this.host.limits.lingerMs);
  }

  // ---- the connection's own time

  #endPhaseIn(ms: number): void {
    this.#phaseEnd = this.host.monotonic() + ms;
    this.wakeAt(this.#phaseEnd);
  }

  #endPhase(): void {
    this.#phaseEnd = Infinity;
    if (this.#phase === "lingering") return this.destroy();
    if (this.#phase === "open" && this.#requests.size > 0) return;
    this.#phase = "closing";
    this.#session.close();
    if (this.#requests.size === 0) this.#linger();
  }

  /** The library has sent the last frame and the end of stream; the client has a moment to end its side. */
  #linger(): void {
    this.#phase = "lingering";
    this.#endPhaseIn(this.host.limits.lingerMs);
  }

  /** A frame that costs an answer and brings nothing. */
  #control(): void {
    if (this.#budget.take(this.host.monotonic())) return;
    // `#failed` hears of it.
    this.#session.destroy(new Error("Too many PING or SETTINGS frames."), ENHANCE_YOUR_CALM);
  }

  /** The library has given the connection up: broken frames, too many resets, a socket error. It closes the socket. */
  #failed(): void {
    if (this.isClosed) return;
    this.host.counters.refused++;
    this.#linger();
  }
}

function ignore(): void {}
