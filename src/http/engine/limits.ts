/**
 * Every bound of the HTTP/1.1 engine in one table (LAW: everything is bounded). A value here is the answer to "what can one
 * client, or many, make this process hold"; start-up can print it.
 */
export interface EngineLimits {
  /** Open connections. One more is answered 503 with Retry-After and closed. */
  readonly connections: number;
  /** Of them by one client: an address, or the /64 of an IPv6 one. One more is answered in the same way. Trusted proxies are not counted. */
  readonly connectionsPerClient: number;
  /** Connections that the system holds until they are accepted; it may hold fewer (somaxconn). */
  readonly acceptBacklog: number;
  /** Bytes of a whole head: request line, header lines and the empty line. Over it: 431. */
  readonly headBytes: number;
  /** Bytes of the request target. Over it: 414. Must be below headBytes. */
  readonly targetBytes: number;
  /** Header lines of a request. Over it: 431. */
  readonly headerCount: number;
  /** Bytes of a request body that is held in memory, whatever the route allows. Over it: 413. */
  readonly bodyBytes: number;
  /** Bytes of a request body that is streamed, whatever the route allows. Over it, or with a larger Content-Length: 413. */
  readonly streamBytes: number;
  /** Bytes per second that a streamed body must bring on average once `bodyTimeoutMs` is over, while its reader has room. Below it: the BODY_TIMEOUT fault. */
  readonly streamBytesPerSecond: number;
  /**
   * Bytes of unread answers and unfinished bodies that all connections together may make the process hold. Over it: the connection
   * that has made no progress for the longest is destroyed.
   */
  readonly bufferedBytes: number;
  /** Bytes of all chunk extensions of one body together. Over it: 400. */
  readonly chunkExtensionBytes: number;
  /** Bytes of the trailer section (checked, then dropped). Over it: 400. */
  readonly trailerBytes: number;
  /** Requests of one connection that are being handled or wait for their turn to be written. At the bound, reading stops. */
  readonly pipelineDepth: number;
  /** Unread bytes a connection may hold while it may not be parsed. At the bound, reading stops. One read (64 KiB) may come on top. */
  readonly stashBytes: number;
  /** Bytes of an unread body that are skipped to keep the connection. A longer one closes it. */
  readonly unreadBodyBytes: number;
  /** TLS handshakes under way. One more connection is closed. */
  readonly handshakes: number;
  /** From accept to the end of the TLS handshake, in ms. Over it: closed. */
  readonly handshakeTimeoutMs: number;
  /** From the first byte of a head (on a new connection: from accept) to its last, in ms. Over it: 408. */
  readonly headTimeoutMs: number;
  /** The longest silence inside a body, in ms. Over it: the BODY_TIMEOUT fault, then close. */
  readonly bodyIdleTimeoutMs: number;
  /** From the head to the last byte of its body, in ms: what a client that trickles can cost. Over it: the BODY_TIMEOUT fault. */
  readonly bodyTimeoutMs: number;
  /** How long a connection may wait for its next request, in ms. Keep it above the idle timeout of a load balancer in front. */
  readonly keepAliveMs: number;
  /** How long the peer may leave answers unread, in ms, counted per 64 KiB. Over it: the connection is destroyed. */
  readonly writeStallMs: number;
  /** At a drain: how long an idle connection may still bring a request that is on its way, in ms; it is answered, then closed. */
  readonly drainIdleMs: number;
  /** After the last answer: how long bytes of the client are still read and dropped, so that a reset does not eat the answer, in ms. */
  readonly lingerMs: number;
}

/** The defaults. Each one can be overridden in `createEngine({ limits })`. */
export const engineLimits: EngineLimits = Object.freeze({
  connections: 10_000,
  connectionsPerClient: 500,
  acceptBacklog: 511,
  headBytes: 16 * 1024,
  targetBytes: 8 * 1024,
  headerCount: 100,
  bodyBytes: 16 * 1024 * 1024,
  streamBytes: 1024 ** 4,
  streamBytesPerSecond: 4 * 1024,
  bufferedBytes: 256 * 1024 * 1024,
  chunkExtensionBytes: 1024,
  trailerBytes: 4 * 1024,
  pipelineDepth: 16,
  stashBytes: 16 * 1024,
  unreadBodyBytes: 64 * 1024,
  handshakes: 1_000,
  handshakeTimeoutMs: 10_000,
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 15_000,
  bodyTimeoutMs: 300_000,
  keepAliveMs: 60_000,
  writeStallMs: 30_000,
  drainIdleMs: 100,
  lingerMs: 2_000,
});

/** The range a limit must lie in: below it the engine could not work, above it the limit would not be one. */
const ranges: { readonly [K in keyof EngineLimits]: readonly [min: number, max: number] } = {
  connections: [1, 10_000_000],
  connectionsPerClient: [1, 10_000_000],
  acceptBacklog: [1, 65_535],
  headBytes: [64, 1024 * 1024],
  targetBytes: [1, 1024 * 1024],
  headerCount: [1, 10_000],
  bodyBytes: [0, 1024 * 1024 * 1024],
  streamBytes: [0, Number.MAX_SAFE_INTEGER],
  streamBytesPerSecond: [1, 1024 ** 3],
  bufferedBytes: [1024 * 1024, 1024 ** 4],
  chunkExtensionBytes: [0, 1024 * 1024],
  trailerBytes: [0, 1024 * 1024],
  pipelineDepth: [1, 1_000],
  stashBytes: [0, 16 * 1024 * 1024],
  unreadBodyBytes: [0, 1024 * 1024 * 1024],
  handshakes: [1, 1_000_000],
  handshakeTimeoutMs: [1, 3_600_000],
  headTimeoutMs: [1, 3_600_000],
  bodyIdleTimeoutMs: [1, 3_600_000],
  bodyTimeoutMs: [1, 86_400_000],
  keepAliveMs: [1, 86_400_000],
  writeStallMs: [1, 3_600_000],
  drainIdleMs: [0, 60_000],
  lingerMs: [0, 60_000],
};

/**
 * The defaults with `overrides` in their place, frozen.
 *
 * @throws TypeError for an unknown name, a value that is not a whole number in its range, or a target that cannot fit its head.
 */
export function resolveLimits(overrides: Partial<EngineLimits> = {}): EngineLimits {
  const limits: Record<keyof EngineLimits, number> = { ...engineLimits };
  for (const [name, value] of Object.entries(overrides)) {
    if (!isLimitName(name))
      throw new TypeError(`"${name}" is not a limit of the HTTP engine. Known: ${Object.keys(ranges).join(", ")}.`);
    if (value === undefined) continue;
    const [min, max] = ranges[name];
    if (!Number.isInteger(value) || value < min || value > max)
      throw new TypeError(
        `The HTTP limit "${name}" must be a whole number from ${min} to ${max}; it is ${String(value)}.`,
      );
    limits[name] = value;
  }
  if (limits.targetBytes >= limits.headBytes)
    throw new TypeError(
      `The HTTP limit "targetBytes" (${limits.targetBytes}) must be below "headBytes" (${limits.headBytes}): a target is part of its head.`,
    );
  return Object.freeze(limits);
}

function isLimitName(name: string): name is keyof EngineLimits {
  return Object.hasOwn(ranges, name);
}
