/**
 * IP addresses as values: read strictly, compared by prefix, written in one form (RFC 5952), so that one client has one name.
 * IPv4 is held as its IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), which is also how a dual-stack socket reports it.
 */

/** Eight groups of 16 bits. */
export type IpAddress = readonly number[];

const v4Pattern = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const groupPattern = /^[0-9a-f]{1,4}$/i;

/** Undefined for what is no address. Octets with leading zeros are refused: some read them as octal. A zone (`%eth0`) is dropped. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 64) return undefined;
  if (!text.includes(":")) {
    const pair = parseV4(text);
    return pair === undefined ? undefined : [0, 0, 0, 0, 0, 0xffff, ...pair];
  }
  const zone = text.indexOf("%");
  return parseV6(zone === -1 ? text : text.slice(0, zone));
}

function parseV4(text: string): [number, number] | undefined {
  const octets = v4Pattern.exec(text)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > 255)) return undefined;
  const [a, b, c, d] = octets as [number, number, number, number];
  return [a * 256 + b, c * 256 + d];
}

function parseV6(text: string): IpAddress | undefined {
  const gap = text.indexOf("::");
  if (gap === -1) {
    const all = parseGroups(text);
    return all?.length === 8 ? all : undefined;
  }
  if (text.includes("::", gap + 1)) return undefined;
  const before = text.slice(0, gap);
  const after = text.slice(gap + 2);
  const head = before === "" ? [] : parseGroups(before);
  const tail = after === "" ? [] : parseGroups(after);
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined;
  // An embedded IPv4 address stands at the end alone.
  if (before.includes(".")) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function parseGroups(text: string): number[] | undefined {
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (groupPattern.test(part)) groups.push(Number.parseInt(part, 16));
    else {
      const pair = i === parts.length - 1 ? parseV4(part) : undefined;
      if (pair === undefined) return undefined;
      groups.push(...pair);
    }
  }
  return groups.length <= 8 ? groups : undefined;
}

function isV4(ip: IpAddress): boolean {
  return ip[5] === 0xffff && ip.slice(0, 5).every((group) => group === 0);
}

/** `192.0.2.1`, or lower-case hexadecimal with the longest run of zeros as `::`. */
export function formatIp(ip: IpAddress): string {
  if (isV4(ip)) {
    const [high = 0, low = 0] = ip.slice(6);
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  const texts = ip.map((group) => group.toString(16));
  let [from, length] = [0, 0];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && ip[end] === 0) end++;
    if (end - i > length) [from, length] = [i, end - i];
  }
  if (length < 2) return texts.join(":");
  return `${texts.slice(0, from).join(":")}::${texts.slice(from + length).join(":")}`;
}

/**
 * What counts as one client: an IPv4 address, or the /64 of an IPv6 address, since that is the least that a subscriber is given
 * (RFC 6177) and each of its 2^64 addresses is free. What is no address comes back as it is.
 */
export function clientNetwork(address: string): string {
  const ip = parseIp(address);
  if (ip === undefined) return address;
  if (isV4(ip)) return formatIp(ip);
  return `${formatIp([...ip.slice(0, 4), 0, 0, 0, 0])}/64`;
}

/** A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address. */
export interface IpRange {
  readonly base: IpAddress;
  /** Of 128. */
  readonly bits: number;
}

/** @throws TypeError for what is no range, or one with bits set after its prefix: most likely a mistake. */
export function parseRange(text: string): IpRange {
  const slash = text.indexOf("/");
  const base = parseIp(slash === -1 ? text : text.slice(0, slash));
  const width = base !== undefined && !text.includes(":") ? 32 : 128;
  const given = slash === -1 ? String(width) : text.slice(slash + 1);
  const prefix = /^(0|[1-9]\d{0,2})$/.test(given) ? Number(given) : Infinity;
  if (base === undefined || prefix > width)
    throw new TypeError(
      `"${text}" is not a range of IP addresses. Write "10.0.0.0/8", "2001:db8::/32" or one address.`,
    );
  const range = { base, bits: 128 - width + prefix };
  if (masked(base, range.bits).some((group, i) => group !== base[i]))
    throw new TypeError(`"${text}" has bits set after its prefix. Write the first address of the range.`);
  return range;
}

export function inRange(ip: IpAddress, { base, bits }: IpRange): boolean {
  return masked(ip, bits).every((group, i) => group === base[i]);
}

function masked(ip: IpAddress, bits: number): number[] {
  return ip.map((group, i) => {
    const kept = Math.min(16, Math.max(0, bits - i * 16));
    return group & ((0xffff << (16 - kept)) & 0xffff);
  });
}
