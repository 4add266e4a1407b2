/** A subscription as its caller sees it: items decoded, faults typed, connections made again where that loses nothing. */
import {
  StreamMoved,
  backoffMs,
  isStreamId,
  streamFailed,
  streamed,
  type Backoff,
  type ResultSource,
} from "../contract/index.ts";
import { sleep, systemRandom, type Clock, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import { readProblemText, type ProblemReaders } from "./read-response.ts";
import type { OpenLink, StreamLink } from "./stream-link.ts";
import { Aborted, UnexpectedResponse, bounded } from "./transport-faults.ts";

export interface StreamSourceParts {
  readonly open: OpenLink;
  readonly decode: (json: string) => MaybePromise<Result<unknown, { readonly message: string }>>;
  readonly problems: ProblemReaders;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly lastEventId: string | undefined;
  /** Connections made again in a row without an item. */
  readonly attempts: number;
  readonly backoff: Backoff;
}

type Step = Awaited<ReturnType<ResultSource<unknown, Fault>["next"]>>;

export class StreamSource implements ResultSource<unknown, Fault> {
  readonly #parts: StreamSourceParts;
  /** Aborts when the caller leaves, or their signal does. */
  readonly #stop = new AbortController();
  readonly #onAbort = (): void => this.#end();
  #link: StreamLink | undefined;
  #lastEventId: string | undefined;
  #failures = 0;

  constructor(parts: StreamSourceParts) {
    this.#parts = parts;
    this.#lastEventId = parts.lastEventId;
    const { signal } = parts;
    if (signal?.aborted === true) this.#end();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  async next(): Promise<Step> {
    for (;;) {
      const step = await this.#step();
      if (step !== "again") return step;
    }
  }

  close(): void {
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#end();
  }

  #end(): void {
    this.#stop.abort();
    this.#link?.close();
  }

  async #step(): Promise<Step | "again"> {
    if (this.#stop.signal.aborted) return this.#left();
    if (this.#link === undefined) {
      const opened = await this.#parts.open(this.#lastEventId);
      if (opened === "complete") return undefined;
      if ("refused" in opened) return this.#failed(opened.refused, opened.retryMs);
      this.#link = opened;
      if (this.#stop.signal.aborted) {
        opened.close();
        return this.#left();
      }
    }
    const link = this.#link;
    const step = await link.next();
    if (this.#stop.signal.aborted) return this.#left();
    switch (step.type) {
      case "item":
        return this.#item(step.json, step.id);
      case "end":
        link.close();
        return undefined;
      case "moved":
        return this.#failed(StreamMoved(), link.retryMs);
      case "broken":
        return this.#failed(step.fault, link.retryMs);
      case "fault": {
        const { fault } = await readProblemText({ status: 200 }, step.problem, this.#parts.problems);
        return this.#failed(fault, link.retryMs);
      }
    }
  }

  async #item(json: string, id: string | undefined): Promise<Step> {
    const value = await this.#parts.decode(json);
    if (value.ok) {
      this.#failures = 0;
      // A server may send an id that is none; coming back with it would be refused.
      const known = isStreamId(id) ? id : undefined;
      if (known !== undefined) this.#lastEventId = known;
      return streamed(value.value, known);
    }
    this.#end();
    const reason = bounded(`an item does not fit the contract: ${value.fault.message}`);
    return streamFailed(UnexpectedResponse({ status: 200, reason }));
  }

  /** Connects again after a while, or gives the fault. */
  async #failed(fault: Fault, retryMs: number | undefined): Promise<Step | "again"> {
    this.#link?.close();
    this.#link = undefined;
    if (!fault.retryable || this.#failures >= this.#parts.attempts) return streamFailed(fault);
    this.#failures++;
    const { clock, backoff } = this.#parts;
    const wait = Math.max(retryMs ?? 0, backoffMs(backoff, this.#failures, systemRandom.next()));
    try {
      await sleep(clock, wait, this.#stop.signal);
    } catch {
      return this.#left();
    }
    return "again";
  }

  /** The caller asked for it: by their signal, or by leaving, when nobody reads this. */
  #left(): Step {
    return streamFailed(Aborted());
  }
}
