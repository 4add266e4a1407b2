/**
 * The bounds that only HTTP/2 has. Those that it shares with HTTP/1.1 (heads, bodies, times, connections) are the engine's: see
 * `engineLimits`. A connection that oversteps one of these is ended with GOAWAY, a stream with RST_STREAM.
 */
export interface Http2Limits {
  /** Requests of one connection at a time (SETTINGS_MAX_CONCURRENT_STREAMS), those included that were reset and whose handler still runs. */
  readonly streams: number;
  /** Bytes of a request body that may be under way, or wait to be read, on one stream (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly streamWindowBytes: number;
  /** The same for all streams of a connection together. */
  readonly sessionWindowBytes: number;
  /** What one connection may hold in header blocks, frames and answers that wait, in MB. Over it: no new streams (ENHANCE_YOUR_CALM). */
  readonly sessionMegabytes: number;
  /** Bytes of the table that HPACK keeps of the client's header fields (SETTINGS_HEADER_TABLE_SIZE). */
  readonly headerTableBytes: number;
  /** Requests that a client may take back at once (CVE-2023-44487). Over it: GOAWAY. */
  readonly resetBurst: number;
  /** How many of them it gets back each second. */
  readonly resetsPerSecond: number;
  /** PING and SETTINGS frames in a row without a request or a byte of a body between them. A tenth of it comes back each second. */
  readonly controlFrames: number;
  /** Frames that break the protocol without breaking the connection. */
  readonly invalidFrames: number;
  /** Streams that were refused, for one of the bounds above, before the connection is ended. */
  readonly rejectedStreams: number;
  /** Entries of one SETTINGS frame. */
  readonly settings: number;
}

/** The defaults. Each one can be overridden in `createEngine({ http2 })`. */
export const http2Limits: Http2Limits = Object.freeze({
  streams: 100,
  streamWindowBytes: 65_535,
  sessionWindowBytes: 1024 * 1024,
  sessionMegabytes: 10,
  headerTableBytes: 4096,
  resetBurst: 200,
  resetsPerSecond: 50,
  controlFrames: 1000,
  invalidFrames: 100,
  rejectedStreams: 100,
  settings: 32,
});

/** The range a limit must lie in. */
const ranges: { readonly [K in keyof Http2Limits]: readonly [min: number, max: number] } = {
  streams: [1, 100_000],
  streamWindowBytes: [1, 16 * 1024 * 1024],
  // RFC 9113 section 6.9.2: the window of a connection starts at 65535 and cannot be made smaller.
  sessionWindowBytes: [65_535, 1024 * 1024 * 1024],
  sessionMegabytes: [1, 1024],
  headerTableBytes: [0, 65_536],
  resetBurst: [1, 1_000_000],
  resetsPerSecond: [1, 1_000_000],
  controlFrames: [10, 1_000_000],
  invalidFrames: [0, 1_000_000],
  rejectedStreams: [0, 1_000_000],
  settings: [1, 1_000],
};

/**
 * The defaults with `overrides` in their place, frozen.
 *
 * @throws TypeError for an unknown name, or a value that is not a whole number in its range.
 */
export function resolveHttp2Limits(overrides: Partial<Http2Limits> = {}): Http2Limits {
  const limits: Record<keyof Http2Limits, number> = { ...http2Limits };
  for (const [name, value] of Object.entries(overrides)) {
    if (!isLimitName(name))
      throw new TypeError(`"${name}" is not a limit of HTTP/2. Known: ${Object.keys(ranges).join(", ")}.`);
    if (value === undefined) continue;
    const [min, max] = ranges[name];
    if (!Number.isInteger(value) || value < min || value > max)
      throw new TypeError(
        `The HTTP/2 limit "${name}" must be a whole number from ${min} to ${max}; it is ${String(value)}.`,
      );
    limits[name] = value;
  }
  return Object.freeze(limits);
}

function isLimitName(name: string): name is keyof Http2Limits {
  return Object.hasOwn(ranges, name);
}
