/**
 * Admission: whether a request that has a route is let in, decided before its body is read. docs/overload.md is the guide.
 *
 *   route found ─▶ waited too long for the loop? ─▶ too many calls for the latency? ─▶ too many streams? ─▶ endpoint
 *                          └────────────────────────────────┴──────────────────────────────┴──▶ 503 OVERLOADED, Retry-After
 *
 * It stands around endpoints and bound operations, put there once at start: where it is off there is nothing to pass. A call
 * that is answered synchronously is never counted; one that is not is counted from its handler's start to its end, so that a
 * client that sends its body slowly holds no place.
 */
import type { BoundApp, Priority } from "../../contract/index.ts";
import {
  isPromiseLike,
  systemRandom,
  type Clock,
  type Fault,
  type MaybePromise,
  type Random,
  type Result,
} from "../../core/index.ts";
import type { HttpRequest, HttpResponse } from "../../exchange/index.ts";
import { LatencyLimit, type RouteLatency } from "./latency-limit.ts";
import { overloadLimits, type OverloadLimits } from "./limits.ts";
import { LoopDelay, type AfterTurn } from "./loop-delay.ts";
import { Refusals } from "./refusals.ts";
import { countedStream, isStream } from "./stream-count.ts";
import { WatchedOperation, type CallWatch } from "./watched-operation.ts";

/** What answers a route that was found. */
export interface Endpoint {
  /** Undefined for routes that are no operation. */
  readonly operation?: string;
  readonly template: string;
  handle(request: HttpRequest, captures: readonly string[], query: string): MaybePromise<HttpResponse>;
}

/** Why a request was refused. `queue`: it had waited too long for the event loop. */
type ShedReason = "queue" | "in_flight" | "streams";

export interface Shed {
  readonly reason: ShedReason;
  readonly priority: Priority;
  readonly method: string;
  /** The route's template, never the raw path. */
  readonly route: string;
}

export interface OverloadGateOptions {
  readonly limits?: OverloadLimits;
  readonly clock: Clock;
  /** Hears of every refusal. Must be quick. */
  readonly onShed?: ((shed: Shed) => void) | undefined;
  /** Default `setImmediate`. */
  readonly afterTurn?: AfterTurn;
  readonly random?: Random;
}

/** What admission sees now. Plain numbers: reading them costs nothing. */
export interface AdmissionStats {
  /** Calls that wait for something: those that answer at once never count. */
  readonly inFlight: number;
  /** How many may. */
  readonly inFlightLimit: number;
  readonly streams: number;
  /** Whether the event loop stands behind its requests. */
  readonly loopOverloaded: boolean;
  /** Length of the last turn of the event loop in ms, measured only when it is behind; else 0. */
  readonly loopTurnMs: number;
  /** Refused since the start, by reason. */
  readonly shed: { readonly [R in ShedReason]: number };
}

/** Of the adaptive limit: what low priority may use of it. The rest is kept for what matters more. */
const lowShare = 0.75;
/** Critical requests pass the adaptive limit and may exceed the fixed one by this much. */
const criticalShare = 1.1;
/** Milliseconds for which low priority is shut out after something more important had to be refused. */
const lowShutMs = 1_000;
/** Milliseconds without a refusal after which an overload is over. */
const overAfterMs = 10_000;

const ranks: { readonly [P in Priority]: 0 | 1 | 2 } = { critical: 0, normal: 1, low: 2 };

export class OverloadGate implements CallWatch {
  readonly limits: OverloadLimits;
  readonly #clock: Clock;
  readonly #delay: LoopDelay;
  readonly #latency: LatencyLimit;
  readonly #refusals: Refusals;
  readonly #onShed: ((shed: Shed) => void) | undefined;
  readonly #shed = { queue: 0, in_flight: 0, streams: 0 };
  #inFlight = 0;
  #streams = 0;
  /** Calls that may be under way when one more of this rank is let in. */
  readonly #room: [critical: number, normal: number, low: number] = [0, 0, 0];
  #lowShutUntil = -Infinity;
  #overloadSince = 0;
  #lastShed = -Infinity;

  constructor({ limits = overloadLimits, clock, onShed, afterTurn = setImmediate, random }: OverloadGateOptions) {
    this.limits = limits;
    this.#clock = clock;
    this.#onShed = onShed;
    this.#delay = new LoopDelay(limits, clock, afterTurn);
    this.#latency = new LatencyLimit(limits, clock.monotonic());
    this.#refusals = new Refusals(limits.retryAfterS, (random ?? systemRandom).int(2 ** 31));
    this.#setRoom();
  }

  /** The endpoint, behind this gate. Default priority: `normal`. */
  guard(endpoint: Endpoint, priority: Priority | undefined): Endpoint {
    return new GuardedEndpoint(this, endpoint, priority ?? "normal");
  }

  /** The same app, with its asynchronous calls counted and timed: for every protocol that calls it. */
  watch(app: BoundApp): BoundApp {
    const operations = new Map([...app.operations].map(([name, bound]) => [name, new WatchedOperation(bound, this)]));
    return { ...app, operations };
  }

  stats(): AdmissionStats {
    return {
      inFlight: this.#inFlight,
      inFlightLimit: this.#latency.value,
      streams: this.#streams,
      loopOverloaded: this.#delay.overloaded,
      loopTurnMs: this.#delay.lastTurnMs,
      shed: { ...this.#shed },
    };
  }

  /** Lets go of the probe, if there is one. */
  stop(): void {
    this.#delay.stop();
  }

  // ---- what a guarded endpoint asks

  /** Undefined: let in. */
  admit(endpoint: GuardedEndpoint, request: HttpRequest): HttpResponse | undefined {
    const { rank } = endpoint;
    const waited = this.#delay.waited();
    if (waited > 0 && waited > this.#mayWait(rank)) return this.#refuse("queue", endpoint, request);
    if (this.#inFlight >= this.#room[rank]) return this.#refuse("in_flight", endpoint, request);
    if (rank === 2 && this.#lowShutUntil > 0 && this.#clock.monotonic() < this.#lowShutUntil)
      return this.#refuse("queue", endpoint, request);
    if (endpoint.streams && this.#streams >= this.limits.streams) return this.#refuse("streams", endpoint, request);
    this.#delay.admitted();
    return undefined;
  }

  /** Counts the answer as long as it is streamed. */
  streamed(response: HttpResponse): HttpResponse {
    this.#streams++;
    return countedStream(response, () => void this.#streams--);
  }

  // ---- CallWatch

  follow<R extends Result<unknown, Fault>>(work: Promise<R>, latency: RouteLatency | undefined): Promise<R> {
    this.#latency.began(++this.#inFlight);
    if (latency !== undefined) latency.inFlight++;
    const startedAt = this.#clock.monotonic();
    return work.then((result) => {
      this.#inFlight--;
      if (latency !== undefined) latency.inFlight--;
      if (latency !== undefined && saysHowLong(result)) {
        const now = this.#clock.monotonic();
        if (this.#latency.ended(latency, now - startedAt, now)) this.#setRoom();
      }
      return result;
    });
  }

  // ---- inside

  #mayWait(rank: 0 | 1 | 2): number {
    if (rank === 0) return this.limits.criticalQueueMs;
    return rank === 1 ? this.#delay.allowedMs : this.#delay.allowedMs / 2;
  }

  #refuse(
    reason: ShedReason,
    { rank, priority, template }: GuardedEndpoint,
    { method, notes }: HttpRequest,
  ): HttpResponse {
    this.#shed[reason]++;
    const now = this.#clock.monotonic();
    if (now - this.#lastShed > overAfterMs) this.#overloadSince = now;
    this.#lastShed = now;
    if (rank < 2 && reason !== "streams") this.#lowShutUntil = now + lowShutMs;
    if (notes !== undefined) notes.shed(reason);
    this.#onShed?.({ reason, priority, method, route: template });
    // The longer it lasts, the longer it will: those who come back find room only if they come one by one.
    return this.#refusals.pick(3 + (now - this.#overloadSince) / 1000);
  }

  #setRoom(): void {
    const { inFlight } = this.limits;
    const { value } = this.#latency;
    this.#room[0] = Math.ceil(inFlight * criticalShare);
    this.#room[1] = value;
    this.#room[2] = Math.max(1, Math.floor(value * lowShare));
  }
}

/** A fault that comes at once says nothing about how long the work takes; one that comes at the deadline does. */
function saysHowLong(result: Result<unknown, Fault>): boolean {
  return result.ok || result.fault.kind === "deadline_exceeded";
}

class GuardedEndpoint implements Endpoint {
  readonly operation?: string;
  readonly template: string;
  readonly priority: Priority;
  readonly rank: 0 | 1 | 2;
  /** It has answered with a stream before. */
  streams = false;
  readonly #gate: OverloadGate;
  readonly #inner: Endpoint;

  constructor(gate: OverloadGate, inner: Endpoint, priority: Priority) {
    this.#gate = gate;
    this.#inner = inner;
    this.template = inner.template;
    if (inner.operation !== undefined) this.operation = inner.operation;
    this.priority = priority;
    this.rank = ranks[priority];
  }

  handle(request: HttpRequest, captures: readonly string[], query: string): MaybePromise<HttpResponse> {
    const refusal = this.#gate.admit(this, request);
    if (refusal !== undefined) return refusal;
    const answer = this.#inner.handle(request, captures, query);
    if (isPromiseLike(answer)) return answer.then((response) => this.#passed(response));
    return this.#passed(answer);
  }

  #passed(response: HttpResponse): HttpResponse {
    if (!isStream(response.body)) return response;
    this.streams = true;
    return this.#gate.streamed(response);
  }
}
