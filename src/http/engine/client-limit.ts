/**
 * How many connections one client may hold: an address, or the /64 network of an IPv6 one, since a client has a whole such
 * network to itself (RFC 6177). Proxies that are trusted stand for many clients and are not counted.
 */
import { clientNetwork, inRange, parseIp, trustedRanges, type IpRange } from "../../exchange/index.ts";

export class ClientLimit {
  readonly #most: number;
  readonly #trusted: readonly IpRange[];
  readonly #held = new Map<string, number>();

  /** @throws TypeError for a range that cannot be read. */
  constructor(most: number, trusted: readonly string[]) {
    this.#most = most;
    this.#trusted = trustedRanges(trusted);
  }

  /** What to `leave` with later; null where this client is not counted, undefined when it has too many. */
  enter(address: string): string | null | undefined {
    const ip = parseIp(address);
    if (ip === undefined || this.#trusted.some((range) => inRange(ip, range))) return null;
    const client = clientNetwork(address);
    const held = this.#held.get(client) ?? 0;
    if (held >= this.#most) return undefined;
    this.#held.set(client, held + 1);
    return client;
  }

  leave(client: string): void {
    const held = (this.#held.get(client) ?? 1) - 1;
    if (held <= 0) this.#held.delete(client);
    else this.#held.set(client, held);
  }
}
