/**
 * How long requests wait for the event loop. Handlers that answer synchronously are never "in flight" beside others: they queue
 * before the loop, in the sockets' buffers, and no latency measured inside shows it. What shows it is the length of a turn of the
 * loop: whatever is handled late in a turn was readable at its beginning.
 *
 *            a probe is late             turns stay long for queuePatienceMs
 *   calm ───────────────────▶ watching ───────────────────────────────────▶ overloaded
 *     ▲                          │  ▲                                           │
 *     └── no long turn for 1 s ──┘  └──────── no long turn for queuePatienceMs ─┘
 *
 * Calm costs a request one field check: a probe, one timer for all requests of 10 ms, tells how late the loop is. It exists only
 * while requests come (LAW: no invisible work). Watching reads the clock for each request and marks each turn's end.
 *
 * Refusing is CoDel as Facebook uses it for servers ("Fail at Scale", ACM Queue 13:8, 2015): a queue that drains within the
 * interval is a burst and is served; one that stands is cut down to the target. The target follows the work: a turn of three
 * long requests is no queue.
 */
import type { Clock, Timer } from "../../core/index.ts";
import type { OverloadLimits } from "./limits.ts";

/** Milliseconds between the probes. */
const probeMs = 10;
/** Milliseconds without a long turn after which nobody watches any more. */
const calmAfterMs = 1_000;
/** So many requests of average length may stand in one turn even where that is more than `queueMs`. */
const turnRequests = 3;
const smoothing = 0.2;

/** Runs a callback when this turn of the event loop has handled what was readable: `setImmediate`. */
export type AfterTurn = (callback: () => void) => void;

export class LoopDelay {
  /** Milliseconds that a normal request may wait now. */
  allowedMs: number;
  overloaded = false;
  readonly #limits: OverloadLimits;
  readonly #clock: Clock;
  readonly #afterTurn: AfterTurn;
  #watching = false;
  /** A request has come since the last probe. */
  #used = false;
  #probe: Timer | undefined;
  #probeDue = 0;
  #turnOpen = false;
  #turnStart = 0;
  #requests = 0;
  /** Milliseconds of the loop per request that was let in, smoothed. */
  #serviceMs = 0;
  #lastShort = 0;
  #lastLong = -Infinity;
  #lastTurnMs = 0;

  constructor(limits: OverloadLimits, clock: Clock, afterTurn: AfterTurn) {
    this.#limits = limits;
    this.#clock = clock;
    this.#afterTurn = afterTurn;
    this.allowedMs = limits.queuePatienceMs;
  }

  /** Asked once for each request: milliseconds that it has waited in this turn at least; 0 while calm. */
  waited(): number {
    if (this.#watching) return this.#waitedInTurn();
    this.#used = true;
    if (this.#probe === undefined) this.#setProbe();
    return 0;
  }

  /** The request that was asked about is let in. */
  admitted(): void {
    if (this.#turnOpen) this.#requests++;
  }

  /** How long the last watched turn was, in ms: 0 while calm. */
  get lastTurnMs(): number {
    return this.#watching ? this.#lastTurnMs : 0;
  }

  /** For tests, and for a server that stops. */
  stop(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
  }

  #setProbe(): void {
    this.#used = false;
    this.#probeDue = this.#clock.monotonic() + probeMs;
    this.#probe = this.#clock.setTimer(probeMs, this.#probed);
  }

  readonly #probed = (): void => {
    this.#probe = undefined;
    const now = this.#clock.monotonic();
    if (now - this.#probeDue >= this.#limits.queueMs / 2) this.#watch(now);
    else if (this.#used) this.#setProbe();
  };

  #watch(now: number): void {
    this.#watching = true;
    this.#lastShort = this.#lastLong = now;
    // Timers fire before the loop looks at the network: a turn begins.
    this.#openTurn(now);
  }

  #openTurn(now: number): void {
    this.#turnOpen = true;
    this.#turnStart = now;
    this.#requests = 0;
    this.#afterTurn(this.#endTurn);
  }

  #waitedInTurn(): number {
    const now = this.#clock.monotonic();
    if (this.#turnOpen) return now - this.#turnStart;
    // What stood before a silence no longer does.
    if (now - this.#lastLong > this.#limits.queuePatienceMs) this.#setOverloaded(false);
    this.#openTurn(now);
    return 0;
  }

  readonly #endTurn = (): void => {
    const now = this.#clock.monotonic();
    const length = now - this.#turnStart;
    const { queuePatienceMs } = this.#limits;
    this.#turnOpen = false;
    this.#lastTurnMs = length;
    if (this.#requests > 0) this.#serviceMs += smoothing * (length / this.#requests - this.#serviceMs);
    if (length >= this.#targetMs()) {
      this.#lastLong = now;
      this.#setOverloaded(this.overloaded || now - this.#lastShort >= queuePatienceMs);
      // The next turn begins here, and not with its first request: what runs before that is a wait too.
      this.#openTurn(now);
      return;
    }
    this.#lastShort = now;
    if (now - this.#lastLong >= queuePatienceMs) this.#setOverloaded(false);
    if (now - this.#lastLong >= calmAfterMs) this.#watching = false;
  };

  #setOverloaded(overloaded: boolean): void {
    this.overloaded = overloaded;
    this.allowedMs = overloaded ? this.#targetMs() : this.#limits.queuePatienceMs;
  }

  #targetMs(): number {
    const { queueMs, queuePatienceMs } = this.#limits;
    return Math.min(queuePatienceMs, Math.max(queueMs, (turnRequests - 0.5) * this.#serviceMs));
  }
}
