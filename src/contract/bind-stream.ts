/**
 * The opening of a subscription: the same chain as every bound call, whose value is an open stream. The time limit holds for the
 * opening alone; from then on the stream lives until its handler ends, its client leaves, `maxAge` is over or the process drains.
 */
import {
  Aborted,
  Err,
  Ok,
  durationMs,
  isPromiseLike,
  type Fault,
  type MaybePromise,
  type Result,
} from "../core/index.ts";
import type { Reply, TraceContext } from "../exchange/index.ts";
import type { Events } from "../telemetry/index.ts";
import type { Principal } from "./access.ts";
import { CallScope, OperationArguments, type ScopeRuntime } from "./call-scope.ts";
import type { CallSource } from "./call-source.ts";
import { ShuttingDown } from "./framework-faults.ts";
import type { Incoming } from "./incoming.ts";
import { ItemStream, type ItemStreamHost } from "./item-stream.ts";
import type { Operation } from "./operation.ts";
import { TooManyStreams } from "./stream-faults.ts";
import type { StreamRegistry } from "./stream-registry.ts";

type AnyResult = Result<unknown, Fault>;

/** What is known about the request that opens a stream. */
export interface StreamIncoming extends Incoming {
  /** The id of the last item that this client has seen, where it comes back. */
  readonly lastEventId?: string | undefined;
}

/** Opens a stream. Never throws and never rejects. */
export type OpenStream = (
  incoming: StreamIncoming,
  auth: Principal | undefined,
  input: unknown,
) => MaybePromise<Result<ItemStream, Fault>>;

interface StreamRuntime extends ScopeRuntime {
  readonly events: Events;
}

/** What the waist lends: the chain of this operation, and its guards. */
export interface StreamParts {
  readonly operation: Operation;
  readonly runtime: StreamRuntime;
  readonly streams: StreamRegistry;
  /** access predicate -> context -> middleware -> handler. Never throws. Its value is the iterable. */
  start(scope: CallScope, input: unknown): MaybePromise<AnyResult>;
  guard(result: AnyResult): AnyResult;
  defect(error: unknown): Fault;
  thrown(error: unknown): Fault;
  /** The Result of `work`, or DEADLINE_EXCEEDED; `late` hears of one that comes after that. */
  inTime(work: PromiseLike<AnyResult>, late: (result: AnyResult) => void): Promise<AnyResult>;
}

export function streamOpener(parts: StreamParts): OpenStream {
  const { streams } = parts;
  return (incoming, auth, input) => {
    if (streams.draining) return new Err(ShuttingDown());
    if (!streams.enter()) return new Err(TooManyStreams());
    const opening = new Opening(parts, incoming, auth);
    const started = parts.start(opening.scope, input);
    if (!isPromiseLike(started)) return opening.settle(started);
    return parts.inTime(started, (late) => opening.giveUp(late)).then((result) => opening.settle(result));
  };
}

const outcomes = { end: "completed", fault: "failed", moved: "drained", closed: "aborted" } as const;

class Opening {
  readonly scope: CallScope;
  readonly #parts: StreamParts;
  readonly #incoming: StreamIncoming;
  /** Aborts the handler's signal, whoever ends the stream. */
  readonly #gone = new AbortController();
  readonly #onLeft = (): void => {
    this.#abort(new Aborted("client"));
    this.#stream?.close();
  };
  #stream: ItemStream | undefined;
  #startedAt = 0;
  #ended = false;

  constructor(parts: StreamParts, incoming: StreamIncoming, auth: Principal | undefined) {
    this.#parts = parts;
    this.#incoming = incoming;
    const { operation, runtime } = parts;
    this.scope = new StreamScope(operation, new StreamSource(incoming, this.#gone.signal, operation), auth, runtime);
    const { signal } = incoming;
    if (signal.aborted) this.#onLeft();
    else signal.addEventListener("abort", this.#onLeft, { once: true });
  }

  settle(result: AnyResult): Result<ItemStream, Fault> {
    const guarded = this.#parts.guard(result);
    if (!guarded.ok) {
      // After the deadline this aborts what still runs.
      this.#abort(new Aborted("timeout"));
      this.#end();
      return guarded;
    }
    try {
      const stream = new ItemStream(guarded.value as AsyncIterable<unknown, unknown, undefined>, this.#host());
      this.#stream = stream;
      this.#parts.streams.opened(stream);
      this.#startedAt = this.#parts.runtime.clock.monotonic();
      this.#announce("subscription.start", stream);
      if (this.#gone.signal.aborted) stream.close();
      return new Ok(stream);
    } catch (error) {
      const fault = this.#parts.thrown(error);
      this.#end();
      return new Err(fault);
    }
  }

  /** The handler gave its stream after the deadline: nobody will read it. */
  giveUp(result: AnyResult): void {
    if (!result.ok) return;
    try {
      const iterator = (result.value as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    } catch {
      // What cannot be opened needs no end.
    }
  }

  #host(): ItemStreamHost {
    const { operation, runtime, streams, guard, defect, thrown } = this.#parts;
    const { resume = false, maxAge } = operation.options;
    return {
      name: operation.name,
      resume,
      abort: (reason) => this.#abort(reason),
      thrown,
      defect,
      guard: (fault) => (guard(new Err(fault as Fault)) as Err<Fault>).fault,
      setTimer: (ms, callback) => runtime.clock.setTimer(ms, callback),
      unwindMs: streams.limits.unwindMs,
      maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge),
      onAbandoned: () =>
        runtime.events.emit("call.abandoned", { where: operation.name, timeoutMs: streams.limits.unwindMs }),
      onUnwound: (stream) => {
        this.#announce("subscription.end", stream);
        this.#end();
        streams.left(stream);
      },
    };
  }

  /** To those who listen, if anybody does. */
  #announce(name: "subscription.start" | "subscription.end", stream: ItemStream): void {
    const { operation, runtime } = this.#parts;
    const { events, clock } = runtime;
    if (!events.heard(name)) return;
    const about = { operation: operation.name, requestId: this.#incoming.requestId };
    if (name === "subscription.start") return events.emit(name, about);
    const { items, last } = stream;
    const fault = last?.type === "fault" ? { fault: last.fault.code } : {};
    const durationMs = clock.monotonic() - this.#startedAt;
    events.emit(name, { ...about, durationMs, items, outcome: outcomes[last?.type ?? "closed"], ...fault });
  }

  #abort(reason: Aborted): void {
    if (!this.#gone.signal.aborted) this.#gone.abort(reason);
  }

  /** Nothing of it runs any more. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#incoming.signal.removeEventListener("abort", this.#onLeft);
    this.scope.end();
    if (this.#stream === undefined) this.#parts.streams.left();
  }
}

class StreamSource implements CallSource {
  readonly signal: AbortSignal;
  readonly lastEventId: string | undefined;
  readonly #incoming: StreamIncoming;

  constructor(incoming: StreamIncoming, signal: AbortSignal, operation: Operation) {
    this.#incoming = incoming;
    this.signal = signal;
    this.lastEventId = operation.options.resume === true ? incoming.lastEventId : undefined;
  }

  get requestId(): string {
    return this.#incoming.requestId;
  }

  get remoteAddress(): string {
    return this.#incoming.remoteAddress;
  }

  get trace(): TraceContext | undefined {
    return this.#incoming.trace;
  }

  get reply(): Reply {
    return this.#incoming.reply;
  }

  header(name: string): string | undefined {
    return this.#incoming.header(name);
  }
}

class StreamScope extends CallScope {
  readonly #lastEventId: string | undefined;

  constructor(operation: Operation, source: StreamSource, auth: Principal | undefined, runtime: ScopeRuntime) {
    super(operation, source, auth, undefined, Infinity, runtime);
    this.#lastEventId = source.lastEventId;
  }

  override arguments(input: unknown, context: object | undefined): object {
    const call = new StreamArguments(this, input, this.#lastEventId);
    return context === undefined ? call : Object.assign(call, context);
  }
}

class StreamArguments extends OperationArguments {
  readonly lastEventId: string | undefined;

  constructor(scope: CallScope, input: unknown, lastEventId: string | undefined) {
    super(scope, input);
    this.lastEventId = lastEventId;
  }
}
