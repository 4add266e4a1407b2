/**
 * How many calls may be under way, by what their latency says. Pure: it is told times and reads none.
 *
 * A call that waits for something shared (a pool, another service, this very loop) takes longer the more of them there are, so
 * latency that rises above the usual is a queue, and the limit comes down until it is gone. That is the gradient of Netflix's
 * concurrency-limits (Gradient2) and of Envoy's adaptive concurrency filter, with two differences:
 *
 * - "The usual" is each route's own, so a mix of cheap and dear operations does not look like a queue. It is a mean and not a
 *   minimum: a route that is fast when its cache hits and slow when it does not has no queue. It follows downwards within a
 *   second and upwards within a minute, the latter only where the limit is not what makes calls wait.
 * - The limit begins at its ceiling: nothing is refused before there is evidence.
 *
 *   window ends ──▶ latency within tolerance ──▶ limit + sqrt(limit), if it was needed
 *        │
 *        ├── above it, for the second time in a row ──▶ limit = busiest moment x (allowed / measured, at least 1/2) + sqrt
 *        │
 *        └── the limit has held calls back for 30 s ──▶ floor for two windows: what calls take then is the usual from now on
 *
 * The last is Envoy's way to learn whether a backend is slow for its queue or for good.
 */
import type { OverloadLimits } from "./limits.ts";

/** What one route usually takes. */
export class RouteLatency {
  /** Milliseconds; 0 until the first window with samples has ended. */
  usualMs = 0;
  sumMs = 0;
  count = 0;
  /** Calls under way. */
  inFlight = 0;
}

/** Fewer samples in a window say nothing: it goes on, for at most ten times its length. */
const enoughSamples = 10;
const longestWindows = 10;
/** Of the distance, per window: towards a lower mean. */
const followDown = 0.2;
/** Milliseconds in which the usual latency moves most of the way towards a higher mean. */
const followUpMs = 60_000;
const steepest = 0.5;
/** Four times what is allowed: the limit moves at once, and twice as far. */
const flood = 0.25;
const probeAfterMs = 30_000;

export class LatencyLimit {
  /** Calls that may be under way now. */
  value: number;
  readonly #limits: OverloadLimits;
  readonly #active: RouteLatency[] = [];
  #windowStart: number;
  #samples = 0;
  #peak = 0;
  #hadPressure = false;
  /** Milliseconds for which every window reached the limit. */
  #heldBackMs = 0;
  #probe: "none" | "emptying" | "measuring" = "none";
  /** The limit before the probe. */
  #before = 0;

  constructor(limits: OverloadLimits, now: number) {
    this.#limits = limits;
    this.value = limits.inFlight;
    this.#windowStart = now;
  }

  /** A call has begun; `inFlight` counts it. */
  began(inFlight: number): void {
    if (inFlight > this.#peak) this.#peak = inFlight;
  }

  /** A call has ended well, or too late: both say how long it takes. True when the limit may have moved. */
  ended(route: RouteLatency, latencyMs: number, now: number): boolean {
    if (route.count === 0) this.#active.push(route);
    route.count++;
    route.sumMs += latencyMs;
    this.#samples++;
    const age = now - this.#windowStart;
    const { windowMs } = this.#limits;
    if (age < windowMs || (this.#samples < enoughSamples && age < windowMs * longestWindows)) return false;
    this.#closeWindow(age);
    this.#windowStart = now;
    return true;
  }

  #closeWindow(ageMs: number): void {
    const peak = this.#peak;
    const gradient = this.#takeSamples(ageMs, peak < this.value);
    this.#peak = 0;
    if (this.#probe !== "none") return this.#probed();
    this.#heldBackMs = peak < this.value ? 0 : this.#heldBackMs + ageMs;
    this.#move(gradient, peak);
    if (this.#heldBackMs < probeAfterMs || this.value === this.#limits.inFlight) return;
    this.#probe = "emptying";
    this.#before = this.value;
    this.value = this.#limits.inFlightFloor;
  }

  /** Allowed by measured latency; what was measured becomes part of the usual. */
  #takeSamples(ageMs: number, learnsUp: boolean): number {
    const { latencyTolerance, latencySlackMs } = this.#limits;
    const isProbe = this.#probe === "measuring";
    let measured = 0;
    let allowed = 0;
    for (const route of this.#active) {
      const mean = route.sumMs / route.count;
      if (route.usualMs === 0 || isProbe) route.usualMs = mean;
      measured += route.count * Math.max(mean, comingMs(route, ageMs));
      allowed += route.count * (latencyTolerance * route.usualMs + latencySlackMs);
      if (mean < route.usualMs) route.usualMs += followDown * (mean - route.usualMs);
      else if (learnsUp) route.usualMs += Math.min(followDown, ageMs / followUpMs) * (mean - route.usualMs);
      route.sumMs = route.count = 0;
    }
    this.#active.length = 0;
    this.#samples = 0;
    return allowed / measured;
  }

  #probed(): void {
    if (this.#probe === "emptying") {
      // The calls of this window began when there were more of them.
      this.#probe = "measuring";
      return;
    }
    this.#probe = "none";
    this.#heldBackMs = 0;
    this.#hadPressure = false;
    this.value = this.#before;
  }

  #move(gradient: number, peak: number): void {
    const { inFlight, inFlightFloor } = this.#limits;
    const pressed = gradient < 1;
    const flooded = gradient < flood;
    // One window above the usual may be a collection or a neighbour; two are a queue. A flood cannot wait for the second.
    if (pressed && (this.#hadPressure || flooded)) {
      const base = Math.min(this.value, peak);
      const factor = Math.max(flooded ? flood : steepest, gradient);
      this.value = Math.max(inFlightFloor, Math.floor(base * factor + Math.sqrt(base)));
    } else if (!pressed && peak * 2 >= this.value) {
      this.value = Math.min(inFlight, Math.ceil(this.value + Math.sqrt(this.value)));
    }
    this.value = Math.min(this.value, inFlight);
    this.#hadPressure = pressed;
  }
}

/**
 * What the last of those under way will take, at the rate of this window (Little's law). The latency of those that have ended tells
 * of the queue as it was when they came, and a flood would be let in whole before it showed. Says nothing of a route whose calls
 * take longer than the window: those that have just come cannot have ended.
 */
function comingMs({ usualMs, inFlight, count }: RouteLatency, ageMs: number): number {
  return usualMs <= ageMs ? (inFlight * ageMs) / count : 0;
}
