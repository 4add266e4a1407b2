/**
 * One open stream, as a carrier pulls it: item by item, never two at once, so that a slow reader slows its handler and nothing is
 * buffered. Whatever ends it, the handler's signal aborts where it still runs, and its `finally` blocks run.
 */
import { Aborted, Err, Fault, Ok, type Timer } from "../core/index.ts";
import type { DrainableStream } from "./stream-registry.ts";
import { StreamEvent, isStreamId } from "./stream-handler.ts";

/**
 * - `item`: one more.
 * - `end`: the handler has ended; there is no more, and no reason to come back.
 * - `fault`: the stream failed.
 * - `moved`: this process ends it (drain, `maxAge`); the client shall come back.
 * - `closed`: the client has left.
 */
export type StreamStep =
  | { readonly type: "item"; readonly item: unknown; readonly id: string | undefined }
  | { readonly type: "end" }
  | { readonly type: "fault"; readonly fault: Fault }
  | { readonly type: "moved" }
  | { readonly type: "closed" };

type LastStep = Exclude<StreamStep, { type: "item" }>;

export interface ItemStreamHost {
  readonly name: string;
  /** Whether items may carry an id. */
  readonly resume: boolean;
  /** Aborts the handler's signal. */
  readonly abort: (reason: Aborted) => void;
  /** What was thrown, as the fault that the client gets. */
  thrown(error: unknown): Fault;
  /** Reports a mistake in the program. */
  defect(error: unknown): Fault;
  /** The fault as it is, or an incident where it is not declared. */
  guard(fault: unknown): Fault;
  setTimer(ms: number, callback: () => void): Timer;
  readonly unwindMs: number;
  readonly maxAgeMs: number | undefined;
  /** The handler did not end in time. */
  onAbandoned(): void;
  /** The handler has ended: nothing of it runs any more. */
  onUnwound(stream: ItemStream): void;
}

export class ItemStream implements DrainableStream {
  readonly #host: ItemStreamHost;
  readonly #iterator: AsyncIterator<unknown, unknown, undefined>;
  /** Given to the carrier so far. */
  items = 0;
  #waiter: ((step: StreamStep) => void) | undefined;
  #last: LastStep | undefined;
  #ageTimer: Timer | undefined;
  #unwindTimer: Timer | undefined;
  #unwound = false;

  /** Throws what opening the iterable throws. */
  constructor(source: AsyncIterable<unknown, unknown, undefined>, host: ItemStreamHost) {
    this.#host = host;
    this.#iterator = source[Symbol.asyncIterator]();
    if (host.maxAgeMs !== undefined) this.#ageTimer = host.setTimer(host.maxAgeMs, () => this.move());
  }

  /** What ended the stream; undefined while it runs. */
  get last(): LastStep | undefined {
    return this.#last;
  }

  /** The next step. Never rejects. After the last one, that again. Not to be called while another call is pending. */
  next(): Promise<StreamStep> {
    if (this.#last !== undefined) return Promise.resolve(this.#last);
    return new Promise((resolve) => {
      this.#waiter = resolve;
      void this.#pull();
    });
  }

  /** The client has left. Safe to call twice, and after the end. */
  close(): void {
    this.#cut({ type: "closed" }, "client");
  }

  /** This process ends the stream; the client shall come back. Safe to call twice, and after the end. */
  move(): void {
    this.#cut({ type: "moved" }, "shutdown");
  }

  /** A carrier could not send what it got: a mistake in the program. Ends the stream and gives the fault for the client. */
  fail(error: unknown): Fault {
    const fault = this.#host.defect(error);
    this.#cut({ type: "fault", fault }, "cancelled");
    return fault;
  }

  #cut(last: LastStep, why: "client" | "shutdown" | "cancelled"): void {
    if (this.#last !== undefined) return;
    this.#end(last);
    this.#host.abort(new Aborted(why));
    this.#return();
  }

  #end(last: LastStep): void {
    this.#last = last;
    this.#ageTimer?.cancel();
    this.#give(last);
  }

  #give(step: StreamStep): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.(step);
  }

  async #pull(): Promise<void> {
    try {
      const result = await this.#iterator.next();
      if (result.done === true) {
        if (this.#last === undefined) this.#end(this.#endOf(result.value));
        this.#onUnwound();
      } else if (this.#last === undefined) this.#yielded(result.value);
      // What was yielded after the end is dropped; the `return` that waits behind it ends the handler.
    } catch (error) {
      // A handler that unwinds because its signal aborted throws that abort; anything else it throws is still an incident.
      if (this.#last === undefined) this.#end({ type: "fault", fault: this.#host.thrown(error) });
      else if (!isAbort(error)) this.#host.thrown(error);
      this.#onUnwound();
    }
  }

  #yielded(value: unknown): void {
    if (value instanceof Err) return this.#stop(this.#host.guard(value.fault));
    if (value instanceof StreamEvent) {
      const { item, id } = value as StreamEvent<unknown>;
      if (this.#host.resume && isStreamId(id)) {
        this.items++;
        return this.#give({ type: "item", item, id });
      }
      return this.#stop(this.#host.defect(new TypeError(this.#host.resume ? wrongId(id) : unusedId(this.#host.name))));
    }
    if (value instanceof Fault || value instanceof Ok) return this.#stop(this.#host.defect(new TypeError(notAnItem)));
    this.items++;
    this.#give({ type: "item", item: value, id: undefined });
  }

  /** The handler is to end here: with a fault that it yielded, or for a mistake. */
  #stop(fault: Fault): void {
    this.#end({ type: "fault", fault });
    this.#return();
  }

  #endOf(value: unknown): LastStep {
    if (value instanceof Fault) return { type: "fault", fault: this.#host.guard(value) };
    if (value instanceof Err) return { type: "fault", fault: this.#host.guard(value.fault) };
    return { type: "end" };
  }

  /** Runs the handler's `finally` blocks, as soon as it stands at a `yield`. */
  #return(): void {
    this.#unwindTimer = this.#host.setTimer(this.#host.unwindMs, () => {
      if (!this.#unwound) this.#host.onAbandoned();
    });
    void this.#unwind();
  }

  async #unwind(): Promise<void> {
    try {
      await this.#iterator.return?.();
    } catch (error) {
      if (!isAbort(error)) this.#host.thrown(error);
    }
    this.#onUnwound();
  }

  #onUnwound(): void {
    if (this.#unwound) return;
    this.#unwound = true;
    this.#ageTimer?.cancel();
    this.#unwindTimer?.cancel();
    this.#host.onUnwound(this);
  }
}

/** Also a platform's own error for an aborted signal, whose cause the reason is. */
function isAbort(error: unknown): boolean {
  return error instanceof Aborted || (error instanceof Error && error.name === "AbortError");
}

const notAnItem =
  "A subscription yielded a Fault or an Ok. `yield` gives an item; end with a fault by `return fault`, and read a Result by `yield* result`.";

function unusedId(name: string): string {
  return `"${name}" gave an event an id, but does not say that it can go on from one. Add resume: true to subscription("${name}"), and start after lastEventId.`;
}

function wrongId(id: unknown): string {
  return `The id of an event is 1 to 256 characters of visible ASCII and does not begin with "tensile:"; it is ${JSON.stringify(id)}.`;
}
