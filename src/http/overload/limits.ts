/**
 * The bounds of admission in one table. The defaults hold for a process without a known memory limit; `serve` lowers
 * `inFlight` and `streams` where the container is small. docs/overload.md says how they work together.
 */
export interface OverloadLimits {
  /** Calls whose handlers are under way at once, whatever the latency says. 1 to 1,000,000. */
  readonly inFlight: number;
  /** The adaptive limit never goes below this many calls. 1 to `inFlight`. */
  readonly inFlightFloor: number;
  /** How many times its usual latency a call may take before that counts as queueing. 1 to 100. */
  readonly latencyTolerance: number;
  /** Milliseconds on top of that: noise of timers, collections and neighbours. 0 to 60,000. */
  readonly latencySlackMs: number;
  /** Milliseconds after which latencies are summed up and the limit moves. 10 to 60,000. */
  readonly windowMs: number;
  /** Milliseconds that a request may wait for the event loop while the loop is overloaded. 1 to 60,000. */
  readonly queueMs: number;
  /** Milliseconds for which the loop may be behind before that counts as overload; also the longest wait until then. `queueMs` to 60,000. */
  readonly queuePatienceMs: number;
  /** Milliseconds of waiting after which critical requests are refused as well. `queuePatienceMs` to 600,000. */
  readonly criticalQueueMs: number;
  /** Answers that are being streamed at once: subscriptions, downloads. 1 to 1,000,000. */
  readonly streams: number;
  /** Seconds: the longest Retry-After. The longer an overload lasts, the further clients are spread. 1 to 3,600. */
  readonly retryAfterS: number;
}

export const overloadLimits: OverloadLimits = Object.freeze({
  inFlight: 2_000,
  inFlightFloor: 32,
  latencyTolerance: 2,
  latencySlackMs: 20,
  windowMs: 100,
  queueMs: 50,
  queuePatienceMs: 250,
  criticalQueueMs: 2_000,
  streams: 5_000,
  retryAfterS: 30,
});

const ranges: { readonly [K in keyof OverloadLimits]: readonly [min: number, max: number] } = {
  inFlight: [1, 1_000_000],
  inFlightFloor: [1, 1_000_000],
  latencyTolerance: [1, 100],
  latencySlackMs: [0, 60_000],
  windowMs: [10, 60_000],
  queueMs: [1, 60_000],
  queuePatienceMs: [1, 60_000],
  criticalQueueMs: [1, 600_000],
  streams: [1, 1_000_000],
  retryAfterS: [1, 3_600],
};

/** Need not be whole numbers. */
const fractional: ReadonlySet<string> = new Set<keyof OverloadLimits>(["latencyTolerance"]);

/**
 * The defaults with `overrides` in their place, frozen. A lower `inFlight` lowers the floor with it where that was not given.
 *
 * @throws TypeError for an unknown name, a value out of its range, or limits that contradict each other.
 */
export function resolveOverloadLimits(overrides: Partial<OverloadLimits> = {}): OverloadLimits {
  const limits: Record<keyof OverloadLimits, number> = { ...overloadLimits };
  for (const [name, value] of Object.entries(overrides) as [keyof OverloadLimits, number | undefined][]) {
    const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
    if (range === undefined)
      throw new TypeError(`"${name}" is not a limit of admission. Known: ${Object.keys(ranges).join(", ")}.`);
    if (value === undefined) continue;
    const [min, max] = range;
    const fits = fractional.has(name) ? Number.isFinite(value) : Number.isInteger(value);
    if (!fits || value < min || value > max)
      throw new TypeError(
        `The overload limit "${name}" must be a number from ${min} to ${max}; it is ${String(value)}.`,
      );
    limits[name] = value;
  }
  if (overrides.inFlightFloor === undefined) limits.inFlightFloor = Math.min(limits.inFlightFloor, limits.inFlight);
  for (const [low, high] of [
    ["inFlightFloor", "inFlight"],
    ["queueMs", "queuePatienceMs"],
    ["queuePatienceMs", "criticalQueueMs"],
  ] as const) {
    if (limits[low] > limits[high])
      throw new TypeError(
        `The overload limit "${low}" (${limits[low]}) must not be above "${high}" (${limits[high]}).`,
      );
  }
  return Object.freeze(limits);
}
