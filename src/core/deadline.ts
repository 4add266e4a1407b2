/**
 * One answer to "must this call end now?". Joins the timeout, the caller going away, an operator's cancellation and the
 * shutdown of the process into one AbortSignal with a typed reason.
 *
 * Most calls end before anyone asks, so nothing is made until it is asked for: no timer, no AbortController and no listener
 * exists before the first `signal` or `onAbort`. `dispose` takes back whatever was made.
 */
import type { Clock, Timer } from "./clock.ts";
import type { Kind } from "./kinds.ts";

/** `timeout`: the time is up. `client`: the caller went away. `cancelled`: somebody asked. `shutdown`: the process stops. `lost`: what runs is another process's by now. */
export type AbortWhy = "timeout" | "client" | "cancelled" | "shutdown" | "lost";

const sentences: { readonly [why in AbortWhy]: string } = {
  timeout: "The deadline passed before the call ended.",
  client: "The caller went away before the call ended.",
  cancelled: "The call was cancelled.",
  shutdown: "The process is shutting down.",
  lost: "The claim ended: another process may run the job by now.",
};

const kindOfWhy: { readonly [why in AbortWhy]: Kind } = {
  timeout: "deadline_exceeded",
  client: "cancelled",
  cancelled: "cancelled",
  shutdown: "unavailable",
  lost: "cancelled",
};

/**
 * The reason of a deadline's signal. It is an Error because platform functions reject with a signal's reason, and its name
 * is the one that libraries look for: `TimeoutError` or `AbortError` (https://webidl.spec.whatwg.org/#idl-DOMException).
 */
export class Aborted extends Error {
  readonly why: AbortWhy;

  constructor(why: AbortWhy, options?: ErrorOptions) {
    super(sentences[why], options);
    this.name = why === "timeout" ? "TimeoutError" : "AbortError";
    this.why = why;
  }

  /** The row of the kind table for a call that ended so. */
  get kind(): Kind {
    return kindOfWhy[this.why];
  }
}

/** A signal, or a function that makes it when the deadline is first watched. */
export type LazySignal = AbortSignal | (() => AbortSignal);

export interface DeadlineOptions {
  readonly clock: Clock;
  /** Milliseconds from now; absent or Infinity: no limit of its own. */
  readonly timeoutMs?: number | undefined;
  /** Aborts when the caller goes away. */
  readonly client?: LazySignal | undefined;
  /** Aborts when somebody cancels the call. */
  readonly cancelled?: LazySignal | undefined;
  /** Aborts when the process must end what still runs. Shared by every call; costs O(1) for each. */
  readonly shutdown?: AbortSignal | undefined;
}

export interface Deadline extends Disposable {
  /** Aborts with an `Aborted` as its reason, at most once. */
  readonly signal: AbortSignal;
  /** Why the call must end, or undefined while it may go on. Looks at the clock and the signals; makes nothing. */
  readonly aborted: Aborted | undefined;
  /** Milliseconds left, never below 0; Infinity without a timeout. */
  remaining(): number;
  /** Calls back once, when (or if already) aborted. Cheaper than a listener on `signal`. The callback must not throw. */
  onAbort(callback: (aborted: Aborted) => void): void;
  /** The call ended: frees the timer and the listeners; the signal can no longer abort. Safe to call twice. */
  dispose(): void;
}

/**
 * Starts to count now.
 *
 * @example
 * using limit = deadline({ clock: systemClock, timeoutMs: 5_000, client: request.signal });
 * const response = await fetch(url, { signal: limit.signal });
 */
export function deadline(options: DeadlineOptions): Deadline {
  return new JoinedDeadline(options);
}

class JoinedDeadline implements Deadline {
  readonly #options: DeadlineOptions;
  /** Monotonic time of expiry. */
  readonly #expires: number;
  #aborted: Aborted | undefined;
  #controller: AbortController | undefined;
  #callbacks: ((aborted: Aborted) => void)[] | undefined;
  #undo: (() => void)[] | undefined;
  #disposed = false;

  constructor(options: DeadlineOptions) {
    this.#options = options;
    const { clock, timeoutMs } = options;
    this.#expires = timeoutMs === undefined || timeoutMs === Infinity ? Infinity : clock.monotonic() + timeoutMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
      else this.#watch();
    }
    return this.#controller.signal;
  }

  get aborted(): Aborted | undefined {
    if (this.#aborted === undefined && !this.#disposed) {
      const { client, cancelled, shutdown } = this.#options;
      if (this.remaining() === 0) this.#abort("timeout");
      // A signal that nobody has made cannot have aborted in a way that this call could have seen.
      else if (typeof client === "object" && client.aborted) this.#abort("client", client.reason);
      else if (typeof cancelled === "object" && cancelled.aborted) this.#abort("cancelled", cancelled.reason);
      else if (shutdown?.aborted) this.#abort("shutdown");
    }
    return this.#aborted;
  }

  remaining(): number {
    return this.#expires === Infinity ? Infinity : Math.max(0, this.#expires - this.#options.clock.monotonic());
  }

  onAbort(callback: (aborted: Aborted) => void): void {
    if (this.#disposed) return;
    this.#watch();
    if (this.#aborted !== undefined) callback(this.#aborted);
    else (this.#callbacks ??= []).push(callback);
  }

  dispose(): void {
    this.#disposed = true;
    this.#callbacks = undefined;
    this.#unwatch();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Makes the timer and the listeners, once. */
  #watch(): void {
    if (this.#undo !== undefined || this.#disposed || this.#aborted !== undefined) return;
    this.#undo = [];
    const { clock, client, cancelled, shutdown } = this.#options;
    if (client !== undefined) this.#listen(client, "client");
    if (cancelled !== undefined) this.#listen(cancelled, "cancelled");
    if (this.#aborted !== undefined) return;
    if (this.remaining() === 0) return this.#abort("timeout");
    if (shutdown !== undefined) {
      if (shutdown.aborted) return this.#abort("shutdown");
      this.#undo.push(hubOf(shutdown).add(() => this.#abort("shutdown")));
    }
    if (this.#expires !== Infinity) {
      const timer: Timer = clock.setTimer(this.remaining(), () => this.#abort("timeout"));
      this.#undo.push(() => timer.cancel());
    }
  }

  #listen(lazy: LazySignal, why: AbortWhy): void {
    if (this.#aborted !== undefined) return;
    const signal = typeof lazy === "function" ? lazy() : lazy;
    if (signal.aborted) return this.#abort(why, signal.reason);
    const onAbort = (): void => this.#abort(why, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#undo?.push(() => signal.removeEventListener("abort", onAbort));
  }

  #abort(why: AbortWhy, cause?: unknown): void {
    if (this.#aborted !== undefined || this.#disposed) return;
    const aborted = cause instanceof Aborted ? cause : new Aborted(why, cause === undefined ? undefined : { cause });
    this.#aborted = aborted;
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    this.#unwatch();
    this.#controller?.abort(aborted);
    for (const callback of callbacks ?? []) callback(aborted);
  }

  #unwatch(): void {
    for (const undo of this.#undo ?? []) undo();
    this.#undo = undefined;
  }
}

/**
 * One listener on a signal that outlives thousands of calls, and a Set behind it: Node's EventTarget keeps its listeners in
 * a list, so that adding and removing one for each call would cost more the more calls are running.
 */
class Hub {
  readonly #callbacks = new Set<() => void>();

  constructor(signal: AbortSignal) {
    const onAbort = (): void => {
      for (const callback of this.#callbacks) callback();
      this.#callbacks.clear();
    };
    signal.addEventListener("abort", onAbort, { once: true });
  }

  add(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }
}

const hubs = new WeakMap<AbortSignal, Hub>();

function hubOf(signal: AbortSignal): Hub {
  let hub = hubs.get(signal);
  if (hub === undefined) {
    hub = new Hub(signal);
    hubs.set(signal, hub);
  }
  return hub;
}
