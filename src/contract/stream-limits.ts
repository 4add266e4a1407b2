/** Every bound of streams in one table (LAW: everything is bounded). `serve({ limits: { streams } })` takes others in their place. */
export interface StreamLimits {
  /** Subscriptions open at once in this process, those that are still ending included. One more: TOO_MANY_STREAMS (503). */
  readonly streams: number;
  /** Bytes of one item as JSON. A longer one is a defect of the handler. */
  readonly itemBytes: number;
  /** How long an answer waits for the first item, so that a stream that fails at once can still say so by its status, in ms. */
  readonly openMs: number;
  /** A stream that is silent this long sends a sign of life, in ms. Below the idle timeout of proxies in front, often 60 s. */
  readonly heartbeatMs: number;
  /** After which time a client shall come back, in ms. Each one is told between half and one and a half of it, so that they do not come all at once. */
  readonly retryMs: number;
  /** How long a handler may take to end after its client has left; then `call.abandoned` says so, in ms. */
  readonly unwindMs: number;
  /** WebSocket: subscriptions on one socket. One more is refused with a fault. */
  readonly socketStreams: number;
  /** WebSocket: bytes of one message of the client. Over it: close code 1009. */
  readonly messageBytes: number;
  /** WebSocket: messages and pings of one client in a second; four times as many may come at once. Over it: close code 1008. */
  readonly messagesPerSecond: number;
  /** WebSocket: bytes that may wait for a slow reader before its streams are no longer pulled. */
  readonly socketBufferBytes: number;
  /** WebSocket: a client that takes nothing, or does not answer a ping, for this long is cut, in ms. */
  readonly pongMs: number;
}

const streamLimits: StreamLimits = Object.freeze({
  streams: 5_000,
  itemBytes: 1024 * 1024,
  openMs: 250,
  heartbeatMs: 15_000,
  retryMs: 2_000,
  unwindMs: 5_000,
  socketStreams: 16,
  messageBytes: 64 * 1024,
  messagesPerSecond: 25,
  socketBufferBytes: 64 * 1024,
  pongMs: 10_000,
});

const ranges: { readonly [K in keyof StreamLimits]: readonly [min: number, max: number] } = {
  streams: [0, 1_000_000],
  itemBytes: [64, 64 * 1024 * 1024],
  openMs: [0, 30_000],
  heartbeatMs: [100, 3_600_000],
  retryMs: [1, 3_600_000],
  unwindMs: [1, 3_600_000],
  socketStreams: [1, 10_000],
  messageBytes: [64, 16 * 1024 * 1024],
  messagesPerSecond: [1, 100_000],
  socketBufferBytes: [1024, 64 * 1024 * 1024],
  pongMs: [100, 3_600_000],
};

/** @throws TypeError for an unknown name, or a value that is not a whole number in its range. */
export function resolveStreamLimits(overrides: Partial<StreamLimits> = {}): StreamLimits {
  const limits: Record<keyof StreamLimits, number> = { ...streamLimits };
  for (const [name, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(ranges, name))
      throw new TypeError(`"${name}" is not a limit of streams. Known: ${Object.keys(ranges).join(", ")}.`);
    if (value === undefined) continue;
    const [min, max] = ranges[name as keyof StreamLimits];
    if (!Number.isInteger(value) || value < min || value > max)
      throw new TypeError(`The stream limit "${name}" is a whole number from ${min} to ${max}, not ${String(value)}.`);
    limits[name as keyof StreamLimits] = value;
  }
  return Object.freeze(limits);
}
