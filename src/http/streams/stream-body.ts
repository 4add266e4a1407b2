/**
 * The body of an answer that streams. It is pulled by the carrier, and pulls the handler: at most one item is on its way ahead of
 * what the socket has taken. Items that are there together go out in one piece.
 */
import type { Clock, Timeouts } from "../../core/index.ts";
import type { EncodedStep, EncodedStream } from "./encoded-stream.ts";
import { nextTurn } from "./next-turn.ts";
import type { StreamFormat } from "./stream-media.ts";

/** Bytes, about, after which a piece is sent whatever follows. */
const pieceLength = 16 * 1024;
/** Bytes, about, after which other work of the process has its turn: a handler that never waits would leave it none. */
const turnLength = 128 * 1024;
/** Promise turns in which a handler that has its next item at hand gives it. */
const eagerTurns = 12;

export interface StreamBodyParts {
  readonly stream: EncodedStream;
  readonly format: StreamFormat;
  /** The first step, which has been asked for. */
  readonly first: Promise<EncodedStep>;
  readonly start: string;
  readonly clock: Clock;
  readonly heartbeats: Timeouts;
  /** What the last words of a stream are made of. */
  problem(step: EncodedStep & { type: "fault" | "moved" }): {
    readonly json: string;
    readonly retryMs: number | undefined;
  };
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });
const silence = Symbol("silence");
const promiseTurn = Promise.resolve();
const encoder = new TextEncoder();

export class StreamBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #parts: StreamBodyParts;
  #start: string;
  #asked = false;
  /** What has come and is not written yet. */
  #ready: EncodedStep | undefined;
  #wake: (() => void) | undefined;
  #ended = false;
  #sinceTurn = 0;

  constructor(parts: StreamBodyParts) {
    this.#parts = parts;
    this.#start = parts.start;
    this.#asked = true;
    void parts.first.then((step) => this.#arrived(step));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return done;
    if (this.#sinceTurn > turnLength) {
      this.#sinceTurn = 0;
      await nextTurn(this.#parts.clock);
    }
    let text = this.#start;
    this.#start = "";
    while (text.length < pieceLength) {
      const step = await (text === "" ? this.#stepOrSilence() : this.#stepAtHand());
      if (step === silence) {
        if (text === "") text = this.#parts.format.heartbeat;
        break;
      }
      text += this.#write(step);
      if (step.type === "item") continue;
      this.#ended = true;
      break;
    }
    this.#sinceTurn += text.length;
    return text === "" ? done : { done: false, value: encoder.encode(text) };
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#ended = true;
    this.#parts.stream.close();
    return Promise.resolve(done);
  }

  #write(step: EncodedStep): string {
    const { format, problem } = this.#parts;
    switch (step.type) {
      case "item":
        return format.item(step.json, step.id);
      case "end":
        return format.end;
      case "closed":
        return "";
      case "moved":
        return format.moved(problem(step).json);
      case "fault": {
        const { json, retryMs } = problem(step);
        return format.fault(json, retryMs);
      }
    }
  }

  /** Asks the handler for its next step, once. One reaction for each step: a race for each sign of life would gather them. */
  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    void this.#parts.stream.next().then((step) => this.#arrived(step));
  }

  #arrived(step: EncodedStep): void {
    this.#ready = step;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #take(): EncodedStep {
    const step = this.#ready as EncodedStep;
    this.#ready = undefined;
    this.#asked = false;
    return step;
  }

  /** The next step, however long it takes, or `silence` when it is time for a sign of life. */
  #stepOrSilence(): EncodedStep | Promise<EncodedStep | typeof silence> {
    this.#ask();
    if (this.#ready !== undefined) return this.#take();
    return new Promise((resolve) => {
      const heartbeat = this.#parts.heartbeats.add(() => {
        this.#wake = undefined;
        resolve(silence);
      });
      this.#wake = () => {
        heartbeat.cancel();
        resolve(this.#take());
      };
    });
  }

  /** The next step if the handler has it ready. */
  async #stepAtHand(): Promise<EncodedStep | typeof silence> {
    this.#ask();
    for (let turn = 0; turn < eagerTurns && this.#ready === undefined; turn++) await promiseTurn;
    return this.#ready === undefined ? silence : this.#take();
  }
}
