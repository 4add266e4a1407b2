/**
 * The grammar of Host: one host and an optional port (RFC 9112 section 3.2). Strict on purpose: a Host that a proxy and this
 * server read differently is how caches are poisoned, so no percent-encoding, no user info, no empty host, no comma.
 */
import { COLON, ZERO, NINE, hexValue, hostByte, DOT } from "./byte-classes.ts";

const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Whether `bytes` from `from` to `to` are `host`, `host:port` or `[v6]:port`, with a port up to 65535. */
export function isHost(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  if (bytes[at] === OPEN && at < to) {
    at++;
    while (at < to && isAddressByte(bytes[at] as number)) at++;
    if (at === to || bytes[at] !== CLOSE || at < from + 3) return false;
    at++;
  } else {
    while (at < to && hostByte[bytes[at] as number] === 1) at++;
    if (at === from || at - from > 255) return false;
  }
  return at === to || isPort(bytes, at, to);
}

function isAddressByte(byte: number): boolean {
  return hexValue[byte] !== 255 || byte === COLON || byte === DOT;
}

/** `:` and digits. RFC 3986 allows the digits to be missing. */
function isPort(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] !== COLON || to - from > 6) return false;
  let port = 0;
  for (let at = from + 1; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte < ZERO || byte > NINE) return false;
    port = port * 10 + byte - ZERO;
  }
  return port <= 65_535;
}

/** Whether an absolute target names the same host and port as the Host header: case and the default port do not matter. */
export function agreesWithHost(authority: string, host: string): boolean {
  return normalHost(authority) === normalHost(host);
}

function normalHost(host: string): string {
  return host.toLowerCase().replace(/:(?:80)?$/, "");
}
