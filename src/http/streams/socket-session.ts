/**
 * One WebSocket with its subscriptions. Each is pulled by a loop of its own, and all of them wait while more than a little waits
 * to be sent: a slow reader slows its handlers, and nothing is gathered for it.
 */
import type { WebSocket } from "ws";
import {
  StreamMoved,
  TooManyStreams,
  closeCodes,
  type ClientMessage,
  type StreamLimits,
} from "../../contract/index.ts";
import { type Clock, type Fault, type Result, type TimeoutEntry, type Timeouts } from "../../core/index.ts";
import type { EncodedStream } from "./encoded-stream.ts";
import { nextTurn } from "./next-turn.ts";
import { readClientMessage } from "./client-message.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Bytes, about, after which other work of the process has its turn. */
const turnLength = 128 * 1024;

/** What a session is given by whoever knows operations. */
export interface SessionHost {
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly heartbeats: Timeouts;
  readonly pongs: Timeouts;
  /** The process drains. */
  isDraining(): boolean;
  /** Opens what the handshake's URL names. Never rejects. */
  openFirst(): Promise<Result<EncodedStream, Fault>>;
  /** Opens what a message names. Never rejects. */
  open(message: ClientMessage & { type: "subscribe" }): Promise<Result<EncodedStream, Fault>>;
  /** The JSON of a problem, and when to come back. */
  problem(operation: string | undefined, fault: Fault): { readonly json: string; readonly retryMs: number | undefined };
}

/** A stream on this socket; `stream` is there once it is open. */
interface Slot {
  readonly operation: string | undefined;
  stream: EncodedStream | undefined;
  left: boolean;
}

export class SocketSession {
  readonly #socket: WebSocket;
  readonly #host: SessionHost;
  readonly #slots = new Map<number, Slot>();
  readonly #bucket: TokenBucket;
  #closing = false;
  #waiters: (() => void)[] = [];
  #sinceTurn = 0;
  #heartbeat: TimeoutEntry | undefined;
  /** Anything has come, or has been taken, since the last ping. */
  #alive = true;

  constructor(socket: WebSocket, host: SessionHost) {
    this.#socket = socket;
    this.#host = host;
    const { messagesPerSecond } = host.limits;
    this.#bucket = new TokenBucket(host.clock, messagesPerSecond, messagesPerSecond * 4);
    socket.on("message", (data, isBinary) => this.#received(data as Buffer, isBinary));
    socket.on("ping", (data) => this.#pinged(data));
    socket.on("pong", () => void this.#mayGoOn());
    // Broken frames, texts that are no UTF-8, messages that are too long: `ws` closes with the code for it.
    socket.on("error", () => this.#stop());
    socket.on("close", () => this.#stop());
    this.#beat();
    void this.#run(0, { operation: undefined, stream: undefined, left: false }, host.openFirst());
  }

  /** The process drains: the client shall come back elsewhere. */
  goAway(): void {
    this.#close(closeCodes.goingAway, "The server is going away. Come back.");
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (!this.#mayGoOn()) return;
    if (isBinary) return this.#close(closeCodes.unsupportedData, "Messages are text.");
    const message = readClientMessage(data.toString());
    if (message === undefined) return this.#close(closeCodes.policyViolation, "That is no message of tensile.v1.json.");
    if (message.type === "unsubscribe") return this.#leave(message.stream);
    if (this.#slots.has(message.stream))
      return this.#close(closeCodes.policyViolation, `Stream ${message.stream} is open already.`);
    if (this.#slots.size >= this.#host.limits.socketStreams)
      return this.#say(this.#lastWords(message.stream, undefined, TooManyStreams()));
    const slot = { operation: message.operation, stream: undefined, left: false };
    void this.#run(message.stream, slot, this.#host.open(message));
  }

  #pinged(data: Buffer): void {
    if (!this.#mayGoOn()) return;
    const waits = this.#isFull();
    this.#socket.pong(data, false, () => this.#sent(waits));
  }

  /** Something has come from the client. False: too much, or the session is over. */
  #mayGoOn(): boolean {
    if (this.#closing) return false;
    this.#alive = true;
    if (this.#bucket.take()) {
      // Messages and pings cost answers: who does not read those is not read either, or they would gather without a bound.
      if (this.#isFull()) this.#socket.pause();
      return true;
    }
    this.#close(closeCodes.policyViolation, "Too many messages.");
    // What still comes of a flood is not even parsed.
    this.#socket.pause();
    return false;
  }

  #leave(number: number): void {
    const slot = this.#slots.get(number);
    if (slot === undefined) return;
    slot.left = true;
    slot.stream?.close();
  }

  // ---- one stream

  async #run(number: number, slot: Slot, opening: Promise<Result<EncodedStream, Fault>>): Promise<void> {
    this.#slots.set(number, slot);
    const opened = await opening;
    let code: number = closeCodes.normal;
    if (opened.ok) {
      slot.stream = opened.value;
      if (slot.left || this.#closing) opened.value.close();
      code = await this.#pump(number, slot, opened.value);
    } else if (!this.#closing) {
      this.#say(this.#lastWords(number, slot.operation, opened.fault));
      code = codeOf(opened.fault);
    }
    this.#slots.delete(number);
    if (this.#slots.size === 0) this.#close(code, "");
  }

  /** Gives the code to close with when nothing else is open. */
  async #pump(number: number, { operation }: Slot, stream: EncodedStream): Promise<number> {
    for (;;) {
      await this.#room();
      const step = await stream.next();
      if (this.#closing) {
        stream.close();
        return closeCodes.normal;
      }
      switch (step.type) {
        case "item": {
          const id = step.id === undefined ? "" : `"id":${JSON.stringify(step.id)},`;
          this.#say(`{"type":"item","stream":${number},${id}"item":${step.json}}`);
          break;
        }
        case "end":
          this.#say(`{"type":"end","stream":${number}}`);
          return closeCodes.normal;
        case "closed":
          return closeCodes.normal;
        case "moved":
          if (this.#host.isDraining()) {
            this.goAway();
            return closeCodes.goingAway;
          }
          this.#say(this.#lastWords(number, operation, StreamMoved()));
          return closeCodes.tryAgainLater;
        case "fault":
          this.#say(this.#lastWords(number, operation, step.fault));
          return codeOf(step.fault);
      }
    }
  }

  #lastWords(number: number, operation: string | undefined, fault: Fault): string {
    const { json, retryMs } = this.#host.problem(operation, fault);
    const retry = retryMs === undefined ? "" : `,"retryMs":${retryMs}`;
    return `{"type":"fault","stream":${number},"fault":${json}${retry}}`;
  }

  // ---- sending

  #say(text: string): void {
    if (this.#closing) return;
    this.#sinceTurn += text.length;
    let waits = false;
    this.#socket.send(text, () => this.#sent(waits));
    waits = this.#isFull();
  }

  #sent(waited: boolean): void {
    // Taken by the system only now: the client reads, if slowly.
    if (waited) this.#alive = true;
    this.#release();
  }

  #isFull(): boolean {
    return this.#socket.bufferedAmount > this.#host.limits.socketBufferBytes;
  }

  /** Resolves when more may be sent. */
  async #room(): Promise<void> {
    if (this.#sinceTurn > turnLength) {
      this.#sinceTurn = 0;
      await nextTurn(this.#host.clock);
    }
    while (this.#isFull() && !this.#closing) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #release(): void {
    if (this.#isFull() && !this.#closing) return;
    if (!this.#closing) this.#socket.resume();
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  // ---- signs of life

  #beat(): void {
    if (this.#closing) return;
    this.#heartbeat = this.#host.heartbeats.add(() => {
      this.#alive = false;
      this.#socket.ping();
      this.#heartbeat = this.#host.pongs.add(() => {
        if (this.#alive) this.#beat();
        else this.#socket.terminate();
      });
    });
  }

  // ---- the end

  #close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#stop();
    // The client's own close is to be read.
    this.#socket.resume();
    this.#socket.close(code, reason);
  }

  /** Lets go of everything. Safe to call twice. */
  #stop(): void {
    this.#closing = true;
    this.#heartbeat?.cancel();
    for (const { stream } of this.#slots.values()) stream?.close();
    this.#release();
  }
}

function codeOf({ kind }: Fault): number {
  switch (kind) {
    case "internal":
    case "data_loss":
      return closeCodes.internalError;
    case "unavailable":
    case "resource_exhausted":
      return closeCodes.tryAgainLater;
    case "unauthenticated":
    case "permission_denied":
      return closeCodes.policyViolation;
    default:
      return closeCodes.normal;
  }
}
