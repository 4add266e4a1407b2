/**
 * A bound on how long any answer may take to begin. Operations have their own (`timeout`, 30 s); this is for what stands beside them
 * (routes of `serve`, static files, other middleware), and for groups of paths that must be quicker.
 */
import { DeadlineExceeded, middleware, type Middleware, type WireTools } from "../contract/index.ts";
import { Aborted, durationMs, isPromiseLike, type Duration } from "../core/index.ts";
import { RequestView, type HttpHandler, type HttpRequest, type HttpResponse } from "../exchange/index.ts";
import { closeBody } from "./coded-body.ts";
import { checkNames } from "./options.ts";

export interface TimeoutOptions {
  /** From the request's head to the beginning of its answer: what is streamed may take longer. */
  readonly after: Duration;
  /** Which requests it bounds. Default: all. Upgrades such as WebSocket are bounded until they are accepted. */
  readonly when?: (request: HttpRequest) => boolean;
}

/** Of a timer; longer ones would fire at once. */
const longestMs = 2 ** 31 - 1;

/**
 * Answers 504 `DEADLINE_EXCEEDED` when the answer has not begun in time. The request's `signal` aborts then, and an answer that comes
 * later is dropped, its stream closed. Reading of the request's body counts.
 *
 * @throws TypeError for a duration that is none.
 * @example
 * const app = implement(atlas, {
 *   middleware: [timeout({ after: "2s", when: (request) => request.target.startsWith("/search") })],
 *   handlers,
 * });
 */
export function timeout(options: TimeoutOptions): Middleware {
  checkNames("timeout", options, ["after", "when"]);
  const { after, when } = options;
  if (after === undefined) throw new TypeError('timeout(): say how long: { after: "10s" }.');
  const ms = durationMs(after);
  if (!(ms > 0 && ms <= longestMs)) throw new TypeError("timeout(): after is more than nothing and at most 24 days.");
  return middleware({
    wire: (next, tools) => (request) =>
      when === undefined || when(request) ? answerInTime(request, next, tools, ms) : next(request),
  });
}

function answerInTime(request: HttpRequest, next: HttpHandler, tools: WireTools, ms: number): ReturnType<HttpHandler> {
  const timed = new TimedRequest(request);
  const response = next(timed);
  if (!isPromiseLike(response)) return response;
  return new Promise((resolve) => {
    let late = false;
    const timer = tools.clock.setTimer(ms, () => {
      late = true;
      resolve(tools.problem(request, DeadlineExceeded, DeadlineExceeded()));
      timed.abort();
    });
    // What a handler or a wire further in rejects with is a problem by now.
    void response.then((settled) => {
      timer.cancel();
      if (late) drop(settled);
      else resolve(settled);
    });
  });
}

function drop({ body }: HttpResponse): void {
  if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) closeBody(body);
}

/** Its signal is the carrier's, joined with the time limit when somebody looks at it. */
class TimedRequest extends RequestView {
  #late = false;
  #controller: AbortController | undefined;
  #signal: AbortSignal | undefined;

  override get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#controller = new AbortController();
      this.#signal = AbortSignal.any([super.signal, this.#controller.signal]);
      if (this.#late) this.abort();
    }
    return this.#signal;
  }

  abort(): void {
    this.#late = true;
    this.#controller?.abort(new Aborted("timeout"));
  }
}
