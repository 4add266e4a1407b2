/**
 * The string formats, strict and linear. Each check bounds the length or scans character classes that cannot overlap, so no input
 * makes one take more than time proportional to its length. Shared by the interpreter and the compiled codecs.
 */
import type { StringFormat } from "./nodes.ts";

export const formats: { readonly [F in StringFormat]: (text: string) => boolean } = Object.freeze({
  email: isEmail,
  uuid: isUuid,
  uri: isUri,
  date: isDate,
  "date-time": isDateTime,
  time: isTime,
  ipv4: isIpv4,
  ipv6: isIpv6,
  hostname: isHostname,
});

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const emailPattern =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const hostnamePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i;
const octetPattern = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;
const hextetPattern = /^[0-9a-f]{1,4}$/i;
const uriPattern = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;
const notPathPattern = /[^a-z0-9\-._~!$&'()*+,;=:@/%]/i;
const notQueryPattern = /[^a-z0-9\-._~!$&'()*+,;=:@/?%]/i;
const notUserPattern = /[^a-z0-9\-._~!$&'()*+,;=:%]/i;
const notRegNamePattern = /[^a-z0-9\-._~!$&'()*+,;=%]/i;
const badPercentPattern = /%(?![0-9a-f]{2})/i;
const ipFuturePattern = /^v[0-9a-f]+\.[a-z0-9\-._~!$&'()*+,;=:]+$/i;
const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/;
const timePattern = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** RFC 5321 dot-atom local part (64) at a host name with a dot (254 in all). No quotes, no address literals, ASCII. */
function isEmail(text: string): boolean {
  return text.length <= 254 && text.indexOf("@") <= 64 && emailPattern.test(text);
}

/** RFC 9562 text form, any version, without `urn:uuid:`. */
function isUuid(text: string): boolean {
  return text.length === 36 && uuidPattern.test(text);
}

/** RFC 1123: labels of 1 to 63 letters, digits and inner hyphens, 253 in all; one dot may close it. */
function isHostname(text: string): boolean {
  return text.length <= (text.endsWith(".") ? 254 : 253) && hostnamePattern.test(text);
}

/** Four decimal octets without leading zeros. */
function isIpv4(text: string): boolean {
  if (text.length > 15) return false;
  const octets = text.split(".");
  return octets.length === 4 && octets.every((octet) => octetPattern.test(octet));
}

/** RFC 4291 text form, with `::` and an IPv4 tail; no zone, no brackets. */
function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const gap = text.indexOf("::");
  if (gap !== text.lastIndexOf("::")) return false;
  if (gap === -1) return hextets(text, true) === 8;
  const before = text.slice(0, gap);
  const after = text.slice(gap + 2);
  const left = before === "" ? 0 : hextets(before, false);
  const right = after === "" ? 0 : hextets(after, true);
  return left >= 0 && right >= 0 && left + right <= 7;
}

/** How many 16-bit groups the text holds, or NaN when one is malformed. */
function hextets(text: string, mayEndInIpv4: boolean): number {
  const parts = text.split(":");
  const last = parts.length - 1;
  let count = 0;
  for (let i = 0; i <= last; i++) {
    const part = parts[i] as string;
    if (hextetPattern.test(part)) count += 1;
    else if (i === last && mayEndInIpv4 && isIpv4(part)) count += 2;
    else return Number.NaN;
  }
  return count;
}

/** RFC 3986 URI with a scheme and something behind it; relative references and non-ASCII characters are refused. */
function isUri(text: string): boolean {
  const parts = uriPattern.exec(text);
  if (parts === null || badPercentPattern.test(text)) return false;
  const [, , authority, path, query, fragment] = parts;
  if (authority === undefined ? path === "" : !isAuthority(authority)) return false;
  if (notPathPattern.test(path as string)) return false;
  if (query !== undefined && notQueryPattern.test(query)) return false;
  return fragment === undefined || !notQueryPattern.test(fragment);
}

function isAuthority(authority: string): boolean {
  const at = authority.lastIndexOf("@");
  if (at >= 0 && notUserPattern.test(authority.slice(0, at))) return false;
  const hostAndPort = authority.slice(at + 1);
  const close = hostAndPort.lastIndexOf("]");
  const colon = hostAndPort.indexOf(":", close + 1);
  const host = colon < 0 ? hostAndPort : hostAndPort.slice(0, colon);
  if (colon >= 0 && /\D/.test(hostAndPort.slice(colon + 1))) return false;
  if (!host.startsWith("[")) return !notRegNamePattern.test(host);
  if (!host.endsWith("]")) return false;
  const literal = host.slice(1, -1);
  return isIpv6(literal) || ipFuturePattern.test(literal);
}

/** RFC 3339 full-date that exists in the calendar. */
function isDate(text: string): boolean {
  if (text.length !== 10) return false;
  const parts = datePattern.exec(text);
  return parts !== null && isCalendarDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 && leap ? 29 : (monthDays[month - 1] as number));
}

/** RFC 3339 full-time: the offset is required; second 60 only at 23:59:60 UTC. */
function isTime(text: string): boolean {
  const parts = timePattern.exec(text);
  if (parts === null) return false;
  const hour = Number(parts[1]);
  const minute = Number(parts[2]);
  const second = Number(parts[3]);
  const offsetHour = Number(parts[5] ?? 0);
  const offsetMinute = Number(parts[6] ?? 0);
  if (offsetHour > 23 || offsetMinute > 59 || hour > 23 || minute > 59) return false;
  if (second < 60) return true;
  const offset = (parts[4] === "-" ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  return second === 60 && (((hour * 60 + minute - offset) % 1440) + 1440) % 1440 === 1439;
}

/** RFC 3339 date-time, separated by `T` or `t`. */
function isDateTime(text: string): boolean {
  const separator = text.charCodeAt(10);
  return (separator === 84 || separator === 116) && isDate(text.slice(0, 10)) && isTime(text.slice(11));
}
