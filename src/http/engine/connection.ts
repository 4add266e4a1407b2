/**
 * One connection: bytes in, requests to the handler, answers out in order. It knows no socket (Wire) and reads time only
 * through its host, so every path of it can be driven from a test. The states are drawn in docs/http.md.
 *
 * Work happens in turns. A turn reads what has arrived, starts the requests in it, writes the answers that are ready, and
 * ends with one write for all of them (`#endTurn`).
 */
import { isPromiseLike, type MaybePromise, ok, type Result } from "../../core/index.ts";
import type { BodyFault, HttpResponse } from "../exchange.ts";
import { HeaderBlock } from "../header-block.ts";
import { continueText, isStatus, refusalText } from "./answer-text.ts";
import { abandon, AnswerWriter } from "./answer-writer.ts";
import { badBody, bodyTimeout, clientGone } from "./body-faults.ts";
import { BodyIntake } from "./body-intake.ts";
import type { PumpEnd } from "./body-pump.ts";
import type { ConnectionHost, EngineDefect, Wire } from "./connection-host.ts";
import { HeadParser } from "./head-parser.ts";
import { InputWindow } from "./input-window.ts";
import type { Refusal } from "./refusal.ts";
import { EngineRequest, type RequestOwner } from "./request.ts";

/** RFC 9110 section 9.2.1, with QUERY. Only these are handled while earlier requests of the same connection still run. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);
const noBody: Result<Uint8Array, BodyFault> = ok(new Uint8Array(0));
/** Stands for the answer of a handler that gave none. */
const defective: HttpResponse = Object.freeze({ status: 500, headers: HeaderBlock.empty, body: null });

export class Connection implements RequestOwner {
  readonly #host: ConnectionHost;
  readonly #wire: Wire;
  readonly #parser: HeadParser;
  readonly #input = new InputWindow();
  readonly #body: BodyIntake;
  readonly #writer: AnswerWriter;
  #phase: "open" | "lingering" | "closed" = "open";
  /** Requests whose answers are not written yet, oldest first. */
  readonly #queue: EngineRequest[] = [];
  /** Whether a request in the queue has a method that is not safe: then nothing may run beside it. */
  #exclusive = false;
  /** A request whose head is read, and which must wait until the queue is empty. */
  #held: EngineRequest | null = null;
  /** Written to the client when the queue is empty; then the connection closes. */
  #refusal: Refusal | null = null;
  /** No further request will be read. */
  #lastSeen = false;
  #inputEnded = false;
  #draining = false;
  #inTurn = false;
  #turnScheduled = false;
  #paused = false;
  /** No request has been read yet. */
  #fresh = true;
  #headDeadline = 0;
  /** When the client must have sent something, in monotonic ms; Infinity: it is not its turn. */
  readDeadline: number;

  constructor(host: ConnectionHost, wire: Wire) {
    this.#host = host;
    this.#wire = wire;
    this.#parser = new HeadParser(host.limits);
    this.#body = new BodyIntake(host, this.#input);
    this.#writer = new AnswerWriter(host, wire, (request, end) => this.#pumped(request, end));
    this.readDeadline = host.monotonic() + host.limits.headTimeoutMs;
    host.wakeAt(this.readDeadline);
  }

  /** When the client must have read something, in monotonic ms. */
  get writeDeadline(): number {
    return this.#writer.deadline;
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
    this.#turn();
  }

  /** The wire has room again. */
  drained(): void {
    this.#writer.drained();
    this.#turn();
  }

  /** Everything has been sent, the end of stream included. */
  finished(): void {
    if (this.#phase === "lingering") this.#awaitUntil(this.#host.monotonic() + this.#host.limits.lingerMs);
  }

  /** The transport is gone. */
  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.readDeadline = this.#writer.deadline = Infinity;
    this.#giveUp(0);
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
    if (this.#phase === "lingering") this.destroy();
    else if (this.#body.isReading) {
      this.#host.counters.timedOut++;
      this.#failBody(bodyTimeout());
      this.#turn();
    } else if (this.#parser.started) {
      this.#host.counters.timedOut++;
      this.#refuse("head_timeout");
      this.#turn();
    } else if (this.#isIdle()) this.#close();
  }

  /** Answer what has begun with `connection: close`, take nothing new, then close. */
  drain(): void {
    this.#draining = true;
    if (this.#phase === "open" && this.#isIdle()) this.#close();
  }

  /** At once, whatever is under way. */
  destroy(): void {
    this.#wire.destroy();
    this.closed();
  }

  // ---- turns

  #turn(): void {
    if (this.#inTurn || this.#phase !== "open") return;
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
    this.#turn();
  }

  #endTurn(): void {
    this.#writer.flush();
    this.#inTurn = false;
    if (this.#phase !== "open") return;
    const input = this.#input;
    if (this.#lastSeen && this.#body.request === null) input.drop();
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
    if (this.#body.isReading) this.#failBody(clientGone());
    else if (this.#parser.started && !this.#lastSeen) this.#refuse("incomplete_head");
    else if (this.#isIdle()) this.#close();
    return this.#phase !== "open";
  }

  /** Nothing is under way, and nothing of the next request has come. */
  #isIdle(): boolean {
    return this.#queue.length === 0 && this.#body.request === null && this.#input.size === 0;
  }

  #setReadDeadline(): void {
    const { limits } = this.#host;
    if (this.#body.isReading) {
      this.#awaitUntil(Math.min(this.#host.monotonic() + limits.bodyIdleTimeoutMs, this.#body.deadline));
    } else if (this.#parser.started) {
      // The first head has its deadline from the start of the connection.
      if (this.#fresh) return;
      if (this.#headDeadline === 0) this.#headDeadline = this.#host.monotonic() + limits.headTimeoutMs;
      this.#awaitUntil(this.#headDeadline);
    } else if (this.#queue.length > 0 || this.#body.request !== null) this.readDeadline = Infinity;
    else if (!this.#fresh) this.#awaitUntil(this.#host.monotonic() + limits.keepAliveMs);
  }

  #awaitUntil(time: number): void {
    this.readDeadline = time;
    this.#host.wakeAt(time);
  }

  // ---- reading

  #mayParse(): boolean {
    const running = this.#queue.length;
    if (this.#lastSeen || this.#held !== null || this.#writer.isFull) return false;
    return running === 0 || (!this.#exclusive && !this.#draining && running < this.#host.limits.pipelineDepth);
  }

  #consume(): void {
    const input = this.#input;
    while (input.start < input.end && this.#phase === "open") {
      if (this.#body.request !== null) {
        if (!this.#body.isReading) return;
        const state = this.#body.feed();
        if (state === "failed") this.#lastSeen = true;
        else if (state === "unreadable") this.#close();
        else if (state === "more") return;
      } else if (!this.#mayParse()) return;
      else {
        const verdict = this.#parser.parse(input.bytes, input.start, input.end);
        if (verdict === "more") return;
        if (verdict === "refused") return this.#refuse(this.#parser.refusal);
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
    if (request.bodyLength !== 0) this.#body.request = request;
    if (this.#queue.length > 0 && !safeMethods.has(request.method)) this.#held = request;
    else this.#start(request);
  }

  #refuse(reason: Refusal): void {
    this.#host.counters.refused++;
    this.#refusal = reason;
    this.#lastSeen = true;
    if (this.#queue.length === 0) this.#writeRefusal(reason);
  }

  #writeRefusal(reason: Refusal): void {
    this.#writer.append(refusalText(reason, this.#host.date.text()));
    this.#close();
  }

  /** EngineRequest.body. */
  readBody(request: EngineRequest, limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    if (request.bodyAsked) return badBody("it has been read already");
    request.bodyAsked = true;
    if (request.bodyLength === 0) return noBody;
    if (this.#body.request !== request) return clientGone();
    const now = this.#body.take(request, limit);
    if (!request.keepAlive) this.#lastSeen = true;
    if (!this.#inTurn) this.#scheduleTurn();
    if (now !== null) return now;
    if (this.#inputEnded) {
      this.#body.fail(clientGone());
      this.#lastSeen = true;
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
    this.#writer.append(continueText);
  }

  #failBody(fault: Result<Uint8Array, BodyFault>): void {
    this.#lastSeen = true;
    if (this.#body.fail(fault) === "unreadable") this.#close();
  }

  // ---- requests and their answers

  #start(request: EngineRequest): void {
    let answer: MaybePromise<HttpResponse>;
    try {
      answer = this.#host.handler(request);
    } catch (error) {
      this.#report("handler_threw", error, request);
      answer = defective;
    }
    if (isPromiseLike(answer)) {
      this.#enqueue(request);
      answer.then(
        (response) => this.#answered(request, response),
        (error: unknown) => {
          this.#report("handler_rejected", error, request);
          this.#answered(request, defective);
        },
      );
    } else if (this.#phase !== "open") abandon(answer);
    else if (this.#queue.length > 0) {
      this.#enqueue(request);
      request.response = answer;
    } else if (!this.#write(request, answer)) this.#enqueue(request);
  }

  #enqueue(request: EngineRequest): void {
    this.#queue.push(request);
    this.#host.counters.inFlight++;
    if (!safeMethods.has(request.method)) this.#exclusive = true;
  }

  #answered(request: EngineRequest, response: HttpResponse): void {
    if (this.#phase !== "open") return abandon(response);
    request.response = response;
    if (this.#queue[0] !== request) return;
    if (this.#queue.length === 1 && this.#held === null && this.#input.size === 0) this.#turn();
    else this.#scheduleTurn();
  }

  #report(kind: EngineDefect["kind"], error: unknown, request: EngineRequest): void {
    this.#host.defect({ kind, error, method: request.method, target: request.target });
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
    if (held !== null) this.#start(held);
    else if (this.#refusal !== null) this.#writeRefusal(this.#refusal);
  }

  /** Writes one answer. False: its body goes out in pieces, and `#pumped` will say when it is done. */
  #write(request: EngineRequest, response: HttpResponse): boolean {
    if (response === defective) return this.#writeInternalError();
    if (!isStatus(response.status)) {
      const text = `The handler answered with status ${String(response.status)}; 200 to 599 are possible.`;
      this.#report("bad_response", new TypeError(text), request);
      abandon(response);
      return this.#writeInternalError();
    }
    if (this.#body.request === request) this.#body.leave(this.#inputEnded);
    // No answer follows this one.
    const last = !request.keepAlive || (this.#draining && this.#queue.length <= 1 && this.#held === null);
    const written = this.#writer.write(request, response, last);
    if (last) request.keepAlive = false;
    if (!request.keepAlive) this.#lastSeen = true;
    if (written === "pieces") request.writing = true;
    else if (!request.keepAlive) this.#close();
    return written === "whole";
  }

  #writeInternalError(): boolean {
    this.#writer.writeInternalError();
    this.#close();
    return true;
  }

  /** A body that went out in pieces has ended. */
  #pumped(request: EngineRequest, { end, ...rest }: PumpEnd): void {
    if (this.#phase !== "open") return;
    if (end === "failed") {
      this.#report("stream_failed", "error" in rest ? rest.error : undefined, request);
      // The client must see that the answer is not whole: no last chunk, no clean end.
      this.destroy();
    } else if (request.keepAlive) {
      this.#dequeue();
      this.#turn();
    } else this.#close();
  }

  // ---- the end

  /**
   * Sends what waits and the end of stream, then reads on for a moment: closing with unread bytes makes the system send a
   * reset, which can destroy the answer before the client has read it (RFC 9112 section 9.6).
   */
  #close(): void {
    this.#writer.flush();
    this.#phase = "lingering";
    // The oldest has just been answered; those behind it never will be.
    this.#giveUp(1);
    this.#awaitUntil(this.#host.monotonic() + this.#host.limits.writeStallMs);
    if (this.#paused) this.#wire.resume();
    this.#paused = false;
    this.#wire.end();
  }

  /** Lets go of everything; the requests from the `answered`th on learn that nobody waits for them. */
  #giveUp(answered: number): void {
    this.#input.drop();
    this.#writer.close();
    this.#host.counters.inFlight -= this.#queue.length;
    const unanswered = this.#queue.slice(answered);
    this.#queue.length = 0;
    this.#held = null;
    for (const request of unanswered) request.abort();
    this.#body.close();
  }
}

function runScheduledTurn(connection: Connection): void {
  connection.runScheduled();
}
