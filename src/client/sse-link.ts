/** A stream over Server-Sent Events, by `fetch`: an EventSource could send no header and would show no failure. */
import { Aborted as DeadlineAborted, type Clock } from "../core/index.ts";
import { isMedia, mediaOf, readFailure, unexpected, type ProblemReaders } from "./read-response.ts";
import { makeRequest, reasonOf, retryAfterMs, type RequestParts } from "./send-call.ts";
import { SseParser, type ServerEvent } from "./sse-parser.ts";
import type { LinkStep, OpenLink, StreamLink } from "./stream-link.ts";
import { NetworkError, Timeout, UnexpectedResponse, bounded } from "./transport-faults.ts";

export interface SseCall extends RequestParts {
  readonly problems: ProblemReaders;
  readonly maxBytes: number;
  /** For the answer to begin. */
  readonly timeoutMs: number;
  readonly idleMs: number;
}

export function sseLinks(call: SseCall): OpenLink {
  return async (lastEventId) => {
    const stop = new AbortController();
    const { clock } = call.settings;
    const timer = clock.setTimer(call.timeoutMs, () => stop.abort(new DeadlineAborted("timeout")));
    try {
      const request = await makeRequest(call, stop.signal, "text/event-stream, application/problem+json");
      if (lastEventId !== undefined) request.headers.set("last-event-id", lastEventId);
      const response = await aborting(call.settings.send(request), stop.signal);
      // The server has no more for who has seen the end.
      if (response.status === 204) return "complete";
      if (!response.ok) {
        const { fault } = await aborting(readFailure(response, call.problems, call.maxBytes), stop.signal);
        return { refused: fault, retryMs: retryAfterMs(response) };
      }
      if (!isMedia(response, "text/event-stream") || response.body === null) {
        stop.abort();
        const { fault } = unexpected(response, `it is ${mediaOf(response)}, not text/event-stream`);
        return { refused: fault, retryMs: undefined };
      }
      return new SseLink(response.body.getReader(), stop, call);
    } catch (thrown) {
      const late = stop.signal.reason instanceof DeadlineAborted;
      const refused = late
        ? Timeout({ timeoutMs: call.timeoutMs })
        : NetworkError({ reason: bounded(reasonOf(thrown)) });
      return { refused, retryMs: undefined };
    } finally {
      timer.cancel();
    }
  };
}

/** A `fetch` that does not look at its signal ends all the same. */
function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

class SseLink implements StreamLink {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stop: AbortController;
  readonly #parser: SseParser;
  readonly #maxBytes: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  #events: readonly ServerEvent[] = [];
  #at = 0;
  #lastId = "";

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, stop: AbortController, call: SseCall) {
    this.#reader = reader;
    this.#stop = stop;
    this.#parser = new SseParser(call.maxBytes);
    this.#maxBytes = call.maxBytes;
    this.#idleMs = call.idleMs;
    this.#clock = call.settings.clock;
  }

  get retryMs(): number | undefined {
    return this.#parser.retryMs;
  }

  async next(): Promise<LinkStep> {
    for (;;) {
      const event = this.#events[this.#at];
      if (event === undefined) {
        const broken = await this.#read();
        if (broken !== undefined) return broken;
        continue;
      }
      this.#at++;
      if (event.type === "message") {
        const isNew = event.lastEventId !== this.#lastId;
        this.#lastId = event.lastEventId;
        return { type: "item", json: event.data, id: isNew ? event.lastEventId : undefined };
      }
      if (event.type === "fault") return { type: "fault", problem: event.data };
      if (event.type === "end") return { type: "end" };
      // An event of a kind that this version does not know.
    }
  }

  close(): void {
    this.#stop.abort();
    this.#reader.cancel().catch(() => undefined);
  }

  async #read(): Promise<LinkStep | undefined> {
    const timer = this.#clock.setTimer(this.#idleMs, () => this.#stop.abort(new DeadlineAborted("timeout")));
    try {
      const { done, value } = await aborting(this.#reader.read(), this.#stop.signal);
      if (done) return { type: "moved" };
      this.#events = this.#parser.push(value);
      this.#at = 0;
    } catch (thrown) {
      const silent = this.#stop.signal.reason instanceof DeadlineAborted;
      const reason = silent ? `no sign of life for ${this.#idleMs} ms` : bounded(reasonOf(thrown));
      this.close();
      return { type: "broken", fault: NetworkError({ reason }) };
    } finally {
      timer.cancel();
    }
    if (!this.#parser.overflowed) return undefined;
    this.close();
    const reason = `an event is larger than ${this.#maxBytes} characters`;
    return { type: "broken", fault: UnexpectedResponse({ status: 200, reason }) };
  }
}
