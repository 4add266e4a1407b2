/**
 * One typed table of what happens inside Tensile. Logs, metrics and traces are listeners; an event that nobody listens to costs
 * one length check.
 */
import { isPromiseLike } from "../core/index.ts";

/** What is known of a request when it starts. Read what you need while you hear the event: the getters look into the request. */
export interface RequestInfo {
  /** As the client wrote it: any of the eight that the engine takes. */
  readonly method: string;
  /** The template, `/cities/{id}`: never the raw path. `(none)` where no route was found, or none was needed (a CORS preflight). */
  readonly route: string;
  /** Undefined for routes that are no operation. */
  readonly operation: string | undefined;
  /** `1.0`, `1.1`, `2`; undefined where the carrier cannot know, as behind `fetch`. */
  readonly httpVersion: string | undefined;
  /** The client's own where it gave a sane one. Made when it is first read; the answer carries it if that is at the start. */
  readonly requestId: string;
  /** A header by lower-case name. It may hold a secret: log what you chose, not what came. */
  header(name: string): string | undefined;
}

export interface RequestEnd extends RequestInfo {
  /** Of the answer, also where the client left before it could be sent. */
  readonly status: number;
  /** The code of the fault that was answered. */
  readonly fault: string | undefined;
  readonly outcome: "answered" | "shed" | "aborted" | "timed_out";
  /** From the request's arrival at the handler to the event, in monotonic milliseconds with fractions. */
  readonly durationMs: number;
  /** Of the body, before the carrier's framing; undefined where nobody counted. Counted when it is read. */
  readonly responseBytes: number | undefined;
}

export interface SubscriptionInfo {
  readonly operation: string;
  readonly requestId: string;
}

export interface EventTable {
  /** A mistake in the program: a throw, an undeclared fault, a wrong output. The client got only the incident id. */
  defect: { readonly incident: string; readonly where: string; readonly error: unknown };
  /** Its route is known (or that it has none). Every start is followed by exactly one `request.end`, with the same object. */
  "request.start": RequestInfo;
  /**
   * The answer has left Tensile: a body at hand was given to whatever carries it (the bytes may still lie in the system's
   * buffers), a streamed body has ended, or was given up.
   */
  "request.end": RequestEnd;
  /** Refused by the overload guard, before its body was read. `request.end` follows. */
  "request.shed": Pick<RequestInfo, "method" | "route" | "operation"> & { readonly reason: string };
  /** The client left before the answer had left. Noticed when the handler answers, or when a streamed body is given up. `request.end` follows. */
  "request.aborted": RequestEnd;
  /** Answered by a deadline (408, 504) and not by its handler. `request.end` follows. */
  "request.timed_out": RequestEnd;
  /** A stream of a subscription has begun. */
  "subscription.start": SubscriptionInfo;
  /** It has ended, whoever ended it, and its handler with it. */
  "subscription.end": SubscriptionInfo & {
    readonly durationMs: number;
    /** Items handed to whatever carries the stream. */
    readonly items: number;
    /** `completed`: the handler ended. `aborted`: the client left. `failed`: it ended with the fault. `drained`: this process moved it on (a stop, `maxAge`). */
    readonly outcome: "completed" | "aborted" | "failed" | "drained";
    readonly fault?: string;
  };
  /** Credentials that came with a request were refused, or could not be checked. `reason` is not told to the client. */
  "auth.refused": {
    readonly operation: string;
    readonly code: string;
    readonly reason: string;
    readonly requestId: string;
    /** The peer of the connection, which may be a proxy. */
    readonly remoteAddress: string;
  };
  /** A call answered its deadline, but its handler is still running. */
  "call.abandoned": { readonly where: string; readonly timeoutMs: number };
  /** A job was committed to the store by this process. `duplicate`: an unfinished one with the same key was there. */
  "job.enqueued": { readonly id: string; readonly name: string; readonly duplicate: boolean };
  /** One attempt of a job ended. `fault` is set when it did not succeed. */
  "job.attempt": {
    readonly id: string;
    readonly name: string;
    readonly attempt: number;
    readonly durationMs: number;
    readonly to: "succeeded" | "retry" | "failed" | "cancelled" | "released" | "snoozed" | "waiting";
    readonly fault?: { readonly code: string; readonly message: string };
  };
  /** An attempt ended with a fault after which the job is tried again, or has failed. Comes with `job.attempt`: who wants no successes is not told of each. */
  "job.faulted": {
    readonly id: string;
    readonly name: string;
    readonly attempt: number;
    readonly to: "retry" | "failed";
    readonly fault: { readonly code: string; readonly message: string } | undefined;
  };
  /** Attempts of a job that their process did not survive were found by this process: `again` jobs are ready once more, `failed` have no attempts left. */
  "job.crashed": { readonly name: string; readonly again: number; readonly failed: number };
  /** An attempt ended after its claim was no longer valid; its outcome changed nothing. */
  "job.stale": { readonly id: string; readonly name: string };
  /** A step of a job was carried out and kept; a later run is given what it gave, and says nothing. */
  "job.step": {
    readonly id: string;
    readonly name: string;
    readonly attempt: number;
    readonly step: string;
    readonly durationMs: number;
  };
  /** The claim of a running attempt is gone, as after a stall that outlasted its lease: its signal aborts, and its outcome counts no more. */
  "job.lost": { readonly id: string; readonly name: string; readonly attempt: number };
  /** While jobs ran, nothing else of this process got its turn for so long. `name`: a job that did it without a pause; undefined: it is not known who. */
  "job.stalled": { readonly blockedMs: number; readonly name: string | undefined };
  /** A signal was kept for a job by this process. */
  "job.signalled": { readonly id: string; readonly name: string; readonly signal: string };
  /** This process paused jobs, or resumed them. */
  "jobs.paused": { readonly names: readonly string[]; readonly paused: boolean };
  /** An attempt timed out and its handler still runs after the grace. `slotFreed`: its slot was given to other work. */
  "job.runaway": { readonly id: string; readonly name: string; readonly attempt: number; readonly slotFreed: boolean };
  /** A schedule could not enqueue its job, or its record is not to be believed. */
  "schedule.trouble": { readonly schedule: string; readonly message: string };
  /** The store has trouble, or has it no longer. */
  "store.trouble": { readonly code: string; readonly message: string };
  /** What the process may use, once after the start. The log has it where `heapAdvice` says what to do. */
  resources: {
    readonly memoryBytes: number;
    readonly memoryFrom: string;
    readonly cpus: number;
    readonly heapLimitBytes: number;
    readonly heapAdvice: string | undefined;
  };
  /** Requests are being refused: at the first, then every 10 s while it lasts. `refused`: since the last time this was said. */
  overload: {
    readonly reason: "queue" | "in_flight" | "streams";
    readonly refused: number;
    readonly inFlight: number;
    readonly inFlightLimit: number;
    /** Length of the last turn of the event loop in ms; 0 where the loop is not behind. */
    readonly loopTurnMs: number;
  };
  /** The application's own readiness checks say something else than before. */
  readiness: { readonly ready: boolean; readonly failed: readonly string[] };
  /** The server has taken a new certificate. */
  "tls.renewed": { readonly validTo: string };
  /** A new certificate cannot be used, the one in use has expired, or its files cannot be watched. */
  "tls.trouble": { readonly message: string };
  /**
   * A thread of the server: it answers (`ready`), has died and is replaced (`died`), has died and cannot be replaced, so that the server
   * stops (`lost`), or is the only one, because the system has no way to have more (`alone`); or it runs with the system's time slice, because it cannot have the one that was
   * asked for (`unsliced`).
   */
  thread: {
    readonly thread: number;
    readonly state: "ready" | "died" | "lost" | "alone" | "unsliced";
    readonly reason?: string;
    readonly restartInMs?: number;
  };
  /** The process moved to another part of its life. */
  lifecycle: { readonly phase: "starting" | "ready" | "draining" | "stopped"; readonly detail?: string };
}

export type EventName = keyof EventTable;
export type EventListener<N extends EventName> = (event: EventTable[N]) => void;

export class Events {
  readonly #listeners = new Map<EventName, ((event: never) => unknown)[]>();
  #requestListeners = 0;

  /** Whether anybody listens to a `request.` event: the one check that a request costs while nobody does. */
  get observesRequests(): boolean {
    return this.#requestListeners > 0;
  }

  /** Calls `listener` for every event of that name; returns the function that stops it. A listener must not throw or reject; if it does, others still run. */
  on<N extends EventName>(name: N, listener: EventListener<N>): () => void {
    const list = this.#listeners.get(name) ?? [];
    // An entry of its own, so that stopping one leaves another of the same function.
    const own: (event: never) => unknown = (event) => listener(event);
    this.#listeners.set(name, [...list, own]);
    const ofRequests = name.startsWith("request.") ? 1 : 0;
    this.#requestListeners += ofRequests;
    return () => {
      const before = this.#listeners.get(name) ?? [];
      const left = before.filter((other) => other !== own);
      if (left.length < before.length) this.#requestListeners -= ofRequests;
      this.#listeners.set(name, left);
    };
  }

  /** Whether anybody listens: ask before building a costly event. */
  heard(name: EventName): boolean {
    const list = this.#listeners.get(name);
    return list !== undefined && list.length > 0;
  }

  emit<N extends EventName>(name: N, event: EventTable[N]): void {
    const list = this.#listeners.get(name);
    if (list === undefined) return;
    // A listener is an observer: its failure must not become the failure of what it observes, nor end the process later.
    for (const listener of list) {
      try {
        const answer: unknown = listener(event as never);
        if (isPromiseLike(answer)) void answer.then(undefined, () => undefined);
      } catch {
        continue;
      }
    }
  }
}
