/**
 * One connection: bytes in, requests to the handler, answers out in order. It knows no socket (Wire) and reads time only
 * through its host, so every path of it can be driven from a test. The states are drawn in docs/http.md.
 *
 * Work happens in turns. A turn reads what has arrived, starts the requests in it, writes the answers that are ready, and
 * ends with one write for all of them (`#endTurn`).
 */
import type { MaybePromise, Result } from "../../core/index.ts";
import type { BodyFault, HttpResponse } from "../../exchange/index.ts";
import { abandon, AnswerWriter } from "./answer-writer.ts";
import { bodyTimeout, clientGone } from "./body-faults.ts";
import { BodyIntake } from "./body-intake.ts";
import type { PumpEnd } from "./body-pump.ts";
import type { Carried, ConnectionHost, Wire } from "./connection-host.ts";
import { callHandler, defective, reportDefect } from "./handler-call.ts";
import { handOver, isHttp2, toHttp2, toUpgrade, type Taker } from "./hand-over.ts";
import { HeadParser } from "./head-parser.ts";
import { InputWindow } from "./input-window.ts";
import { ReadDeadline } from "./read-deadline.ts";
import type { Refusal } from "./refusal.ts";
import { EngineRequest, type RequestOwner } from "./request.ts";
import { RequestQueue } from "./request-queue.ts";

export class Connection implements RequestOwner, Carried {
  static readonly #runScheduled = (connection: Connection): void => {
    connection.#turnScheduled = false;
    connection.#turn();
  };
  readonly #host: ConnectionHost;
  readonly wire: Wire;
  readonly #parser: HeadParser;
  readonly #input = new InputWindow();
  readonly #body: BodyIntake;
  readonly #writer: AnswerWriter;
  readonly #deadline: ReadDeadline;
  readonly #onAnswer = (request: EngineRequest, response: HttpResponse): void => this.#answered(request, response);
  #phase: "open" | "lingering" | "closed" = "open";
  readonly #queue: RequestQueue;
  /** Written to the client when the queue is empty; then the connection closes. */
  #refusal: Refusal | null = null;
  /** No further request will be read. */
  #lastSeen = false;
  #inputEnded = false;
  #draining = false;
  #inTurn = false;
  #turnScheduled = false;
  #paused = false;
  #allSent = false;

  constructor(host: ConnectionHost, wire: Wire) {
    this.#host = host;
    this.wire = wire;
    this.#parser = new HeadParser(host.limits);
    this.#queue = new RequestQueue(host.counters, host.limits.pipelineDepth);
    this.#body = new BodyIntake(host, this.#input);
    this.#writer = new AnswerWriter(host, wire, this, (request, end) => this.#pumped(request, end));
    this.#deadline = new ReadDeadline(host);
  }

  get readDeadline(): number {
    return this.#deadline.at;
  }

  get writeDeadline(): number {
    return this.#writer.deadline;
  }

  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  get isUnfinished(): boolean {
    return this.#phase === "open" ? !this.#isIdle() : this.#phase === "lingering" && !this.#allSent;
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

  /**
   * The client will send no more. Most often it has gone away, so handlers are told to stop; but it may have closed one
   * direction only, so what they answer is still written.
   */
  ended(): void {
    this.#inputEnded = true;
    this.#queue.abort();
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
    this.#allSent = true;
    if (this.#phase === "lingering") this.#deadline.within(this.#host.limits.lingerMs);
  }

  closed(): void {
    if (this.#phase === "closed") return;
    this.#letGo(0);
    this.#host.forget(this);
  }

  // ---- what the engine says
  expire(now: number): void {
    if (this.#phase === "closed") return;
    if (this.writeDeadline <= now) {
      this.#host.counters.timedOut++;
      return this.destroy();
    }
    if (this.readDeadline > now) return;
    this.#deadline.none();
    if (this.#phase === "lingering") return this.destroy();
    if (!this.#body.isReading && !this.#parser.started) return this.#isIdle() ? this.#close() : undefined;
    this.#host.counters.timedOut++;
    if (this.#body.isReading) this.#failBody(bodyTimeout());
    else this.#refuse("head_timeout");
    this.#turn();
  }

  /** Answer what has begun, then close. Not at once when idle: a busy client's next request is nearly always on its way. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#phase === "open" && this.#isIdle()) this.#deadline.within(this.#host.limits.drainIdleMs);
  }

  destroy(): void {
    this.wire.destroy();
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
    process.nextTick(Connection.#runScheduled, this);
  }

  #endTurn(): void {
    this.#writer.flush();
    this.#inTurn = false;
    if (this.#phase !== "open") return;
    const input = this.#input;
    if (this.#lastSeen && this.#body.request === null) input.drop();
    this.#writer.held.collected(this.#body.kept);
    if (this.#inputEnded && this.#finishInput()) return;
    input.keep();
    this.#setReadDeadline();
    // A head in the making is bounded by its own limit, as long as it may be parsed.
    const isFull = input.size > 0 && input.size >= this.#host.limits.stashBytes;
    this.#pause(isFull && !(this.#parser.started && this.#mayParse()));
  }

  #pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.wire.pause();
    else this.wire.resume();
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
    return this.#queue.size === 0 && this.#body.request === null && this.#input.size === 0;
  }

  #setReadDeadline(): void {
    if (this.#body.isReading) this.#deadline.awaitBody(this.#body.deadline);
    else if (this.#parser.started) this.#deadline.awaitHead(this.#mayParse());
    else if (this.#queue.size > 0 || this.#body.request !== null) this.#deadline.none();
    else this.#deadline.awaitRequest(this.#draining);
  }

  // ---- reading
  #mayParse(): boolean {
    // While an answer goes out in pieces no other is made: it would wait in memory.
    if (this.#lastSeen || this.#writer.isFull || this.#queue.oldest?.writing === true) return false;
    return this.#queue.hasRoom && !(this.#draining && this.#queue.size > 0);
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
        if (verdict === "refused") {
          if (this.#deadline.isFirst && isHttp2(this.#host, this.wire, input)) return void this.#handOver(toHttp2);
          return this.#refuse(this.#parser.refusal);
        }
        input.start += this.#parser.length;
        this.#accept(new EngineRequest(this, this.#parser));
      }
    }
  }

  #accept(request: EngineRequest): void {
    this.#host.counters.requests++;
    this.#deadline.headRead();
    if (!request.keepAlive) this.#lastSeen = true;
    if (request.bodyLength !== 0) this.#body.request = request;
    if (this.#queue.mayRun(request)) this.#start(request);
    else this.#queue.held = request;
  }

  #refuse(reason: Refusal): void {
    this.#host.counters.refused++;
    this.#refusal = reason;
    this.#lastSeen = true;
    if (this.#queue.size === 0) this.#writeRefusal(reason);
  }

  #writeRefusal(reason: Refusal): void {
    this.#writer.writeRefusal(reason);
    this.#close();
  }

  readBody(request: EngineRequest, limit: number): MaybePromise<Result<Uint8Array, BodyFault>> {
    const early = this.#body.claim(request);
    if (early !== null) return early;
    const now = this.#body.take(request, limit);
    this.#bodyWanted(request, now === null && !this.#inputEnded);
    if (now !== null) return now;
    if (!this.#inputEnded) return new Promise((resolve) => (request.settleBody = resolve));
    this.#body.fail(clientGone());
    this.#lastSeen = true;
    return clientGone();
  }

  openBody(request: EngineRequest, limit: number): Result<AsyncIterable<Uint8Array>, BodyFault> {
    return this.#body.open(request, limit, () => this.#bodyWanted(request, true));
  }

  #bodyWanted(request: EngineRequest, awaits: boolean): void {
    if (!request.keepAlive) this.#lastSeen = true;
    if (!this.#inTurn) this.#scheduleTurn();
    if (!awaits) return;
    request.wantsContinue = request.expectContinue;
    if (this.#queue.size === 0 || this.#queue.oldest === request) this.#inviteBody(request);
  }

  /** Sends 100 Continue when the handler wants the body and it is this request's turn to write (RFC 9110 section 10.1.1). */
  #inviteBody(request: EngineRequest): void {
    if (!request.wantsContinue) return;
    request.wantsContinue = request.expectContinue = false;
    this.#writer.writeContinue();
  }

  #failBody(fault: Result<Uint8Array, BodyFault>): void {
    this.#lastSeen = true;
    if (this.#body.fail(fault) === "unreadable") this.#close();
  }

  // ---- requests and their answers
  #start(request: EngineRequest): void {
    const answer = callHandler(this.#host, request, this.#onAnswer);
    if (this.#phase !== "open") return answer === null ? undefined : abandon(answer);
    if (answer === null || this.#queue.size > 0) {
      request.response = answer;
      this.#queue.push(request);
    } else if (!this.#write(request, answer)) this.#queue.push(request);
  }

  #answered(request: EngineRequest, response: HttpResponse): void {
    if (this.#phase !== "open") return abandon(response);
    request.response = response;
    if (this.#queue.oldest !== request) return;
    if (this.#queue.size === 1 && this.#queue.held === null && this.#input.size === 0) this.#turn();
    else this.#scheduleTurn();
  }

  /** Writes every answer whose turn it is. */
  #writeReady(): void {
    while (this.#phase === "open") {
      const request = this.#queue.oldest;
      if (request === undefined) return;
      if (request.response === null) return this.#inviteBody(request);
      if (request.writing || !this.#write(request, request.response)) return;
      this.#dequeue();
    }
  }

  /** The oldest answer is complete. */
  #dequeue(): void {
    this.#queue.shift();
    if (this.#queue.size > 0 || this.#phase !== "open") return;
    const { held } = this.#queue;
    this.#queue.held = null;
    if (held !== null) this.#start(held);
    else if (this.#refusal !== null) this.#writeRefusal(this.#refusal);
  }

  /** Writes one answer. False: its body goes out in pieces, and `#pumped` will say when it is done. */
  #write(request: EngineRequest, response: HttpResponse): boolean {
    if (response === defective) {
      this.#writer.writeInternalError();
      this.#close();
      return true;
    }
    if (request.offersUpgrade && response.status === 101) return this.#handOver(toUpgrade(request, response));
    if (this.#body.request === request) this.#body.leave(this.#inputEnded);
    // No answer follows this one.
    const last = !request.keepAlive || (this.#draining && this.#queue.size <= 1 && this.#queue.held === null);
    const written = this.#writer.write(request, response, last);
    if (last) request.keepAlive = false;
    if (!request.keepAlive) this.#lastSeen = true;
    if (written === "pieces") request.writing = true;
    else if (!request.keepAlive) this.#close();
    return written === "whole";
  }

  /** A body that went out in pieces has ended. */
  #pumped(request: EngineRequest, { end, ...rest }: PumpEnd): void {
    if (this.#phase !== "open") return;
    if (end === "failed") {
      reportDefect(this.#host, "stream_failed", "error" in rest ? rest.error : undefined, request);
      // The client must see that the answer is not whole: no last chunk, no clean end.
      this.destroy();
    } else if (request.keepAlive) {
      this.#dequeue();
      this.#turn();
    } else this.#close();
  }

  /**
   * Sends what waits and the end of stream, then reads on for a moment: closing with unread bytes makes the system send a
   * reset, which can destroy the answer before the client has read it (RFC 9112 section 9.6).
   */
  #close(): void {
    this.#writer.flush();
    this.#phase = "lingering";
    // The oldest has just been answered; those behind it never will be.
    this.#giveUp(1);
    this.#deadline.within(this.#host.limits.writeStallMs);
    this.#pause(false);
    this.wire.end();
  }

  /** What follows is another protocol. */
  #handOver(taker: Taker): true {
    this.#writer.flush();
    const head = this.#input.copy();
    this.#letGo(1);
    handOver(this.#host, this, this.wire, head, taker);
    return true;
  }

  #letGo(answered: number): void {
    this.#phase = "closed";
    this.#deadline.none();
    this.#writer.deadline = Infinity;
    this.#giveUp(answered);
  }

  /** Lets go of everything; the requests from the `answered`th on learn that nobody waits for them. */
  #giveUp(answered: number): void {
    this.#input.drop();
    this.#writer.close();
    this.#queue.clear(answered);
    this.#body.close();
  }
}
