/**
 * Whose request is it, when proxies stand between? What they say is believed only where the program says that they stand there:
 * anybody can send `X-Forwarded-For`. Read from right to left, because each proxy adds at the right and everything to the left of
 * the last one that is trusted may be invented.
 */
import { formatIp, inRange, parseIp, parseRange, type IpRange } from "./ip-address.ts";

/** What a client's address is worked out from. An HttpRequest and an Incoming both are one. */
export interface AddressSource {
  /** The peer of the connection, or "" where that is not known. */
  readonly remoteAddress: string;
  header(name: string): string | undefined;
}

/** The client's IP address in one form: IPv4 dotted, IPv6 as in RFC 5952; or "" where nothing is known. */
export type ClientAddress = (source: AddressSource) => string;

export interface TrustProxyOptions {
  /** How many proxies stand before this server, when it can be reached through them alone. 1 to 16. */
  readonly hops?: number;
  /** The proxies' addresses: ranges such as `10.0.0.0/8`, `loopback`, or `private` (RFC 1918, RFC 4193, link-local). */
  readonly cidrs?: readonly string[];
  /**
   * The one header that the proxies write. The other is not looked at, because a proxy that does not write it may pass it on
   * from the client. Default `x-forwarded-for`; `forwarded` is RFC 7239.
   */
  readonly header?: "x-forwarded-for" | "forwarded";
}

const named: { readonly [name: string]: readonly string[] } = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"],
};

/** Entries of the header that are looked at, from the right. */
const longestChain = 32;

/** The peer of the connection: what holds unless `trustProxy` says otherwise. */
export const peerAddress: ClientAddress = ({ remoteAddress }) => normalised(remoteAddress);

/**
 * Believes the proxies in front. Give `hops` when their number is fixed, `cidrs` when their addresses are.
 *
 * @throws TypeError when neither or both are given, or a range cannot be read.
 * @example
 * const clientAddress = trustProxy({ cidrs: ["loopback", "10.0.0.0/8"] });
 */
export function trustProxy({ hops, cidrs, header = "x-forwarded-for" }: TrustProxyOptions): ClientAddress {
  if ((hops === undefined) === (cidrs === undefined))
    throw new TypeError("trustProxy needs either hops (how many proxies) or cidrs (their addresses).");
  const read = header === "forwarded" ? forwardedChain : forwardedForChain;
  const chainOf = (source: AddressSource): string[] => {
    const value = source.header(header);
    return value === undefined ? [] : read(value);
  };
  if (cidrs !== undefined) {
    const ranges = trustedRanges(cidrs);
    return (source) => byRange(source.remoteAddress, chainOf(source), ranges);
  }
  if (!Number.isInteger(hops) || (hops as number) < 1 || (hops as number) > 16)
    throw new TypeError(`trustProxy: hops is a whole number from 1 to 16, not ${hops}.`);
  return (source) => byCount(source.remoteAddress, chainOf(source), hops as number);
}

/** Ranges by CIDR or by name. @throws TypeError for what is neither. */
export function trustedRanges(cidrs: readonly string[]): readonly IpRange[] {
  return cidrs.flatMap((cidr) => named[cidr] ?? [cidr]).map(parseRange);
}

/** The entry that the outermost proxy wrote; a shorter chain than there are proxies gives its leftmost. */
function byCount(remote: string, chain: readonly string[], hops: number): string {
  let client = remote;
  for (let i = 1; i <= hops && i <= chain.length; i++) {
    const next = chain[chain.length - i] as string;
    // A proxy that hides the client behind a name, or writes nonsense: what is known ends here.
    if (parseIp(next) === undefined) break;
    client = next;
  }
  return normalised(client);
}

/** The first from the right that is no proxy of ours. */
function byRange(remote: string, chain: readonly string[], ranges: readonly IpRange[]): string {
  let client = remote;
  for (let i = chain.length - 1; i >= 0; i--) {
    const ip = parseIp(client);
    if (ip === undefined || !ranges.some((range) => inRange(ip, range))) break;
    if (parseIp(chain[i] as string) === undefined) break;
    client = chain[i] as string;
  }
  return normalised(client);
}

function normalised(address: string): string {
  const ip = parseIp(address);
  return ip === undefined ? address : formatIp(ip);
}

/** Left to right: `client, proxy, proxy`. A port, as some proxies write it, is cut off. */
function forwardedForChain(value: string): string[] {
  return value
    .split(",")
    .slice(-longestChain)
    .map((entry) => hostOf(entry.trim()));
}

/** RFC 7239 section 4: the `for` of each element; "" where it is missing or cannot be read. */
function forwardedChain(value: string): string[] {
  return splitOutsideQuotes(value, ",")
    .slice(-longestChain)
    .map((element) => {
      for (const pair of splitOutsideQuotes(element, ";")) {
        const match = /^\s*for\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))\s*$/i.exec(pair);
        if (match !== null) return hostOf(match[1]?.replaceAll(/\\(.)/g, "$1") ?? (match[2] as string));
      }
      return "";
    });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let [from, quoted] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === separator) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** `192.0.2.1:47011` -> `192.0.2.1`, `[2001:db8::1]:47011` -> `2001:db8::1`. */
function hostOf(node: string): string {
  if (node.startsWith("[")) return /^\[([^\]]*)\](?::\w+)?$/.exec(node)?.[1] ?? "";
  return /^([\d.]+):\w+$/.exec(node)?.[1] ?? node;
}
