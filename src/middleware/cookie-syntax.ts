/**
 * Cookies on the wire, as RFC 6265bis (draft-ietf-httpbis-rfc6265bis-20) has them: strict in what is sent, and in what is read
 * everything that is no cookie is passed over.
 */
import { durationMs, type Duration } from "../core/index.ts";

export interface CookieAttributes {
  /** How long the browser keeps it, at most 400 days. Default: until the browser ends its session. */
  readonly maxAge?: Duration;
  /** Default "/". */
  readonly path?: string;
  /** Sent to this domain and all below it. Default: to this host alone, which is what you want. */
  readonly domain?: string;
  /** Sent over TLS only. Default true; browsers make an exception for localhost. */
  readonly secure?: boolean;
  /** Hidden from scripts. Default true. */
  readonly httpOnly?: boolean;
  /** Whether it goes along with requests from other sites. Default "lax": only when the user follows a link. */
  readonly sameSite?: "strict" | "lax" | "none";
  /** A jar for each site that embeds this one (CHIPS). Default false. */
  readonly partitioned?: boolean;
}

const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;
/** cookie-octet: visible ASCII without quotes, comma, semicolon and backslash. */
const valuePattern = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const pathPattern = /^\/[\x20-\x3a\x3c-\x7e]*$/;
const domainPattern = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;

/** Bytes of name and value together: browsers keep no more (RFC 6265bis section 5.6). */
const longestCookie = 4096;
/** Cookies of one request that are looked at: browsers send some 180 for a site at most. */
const mostCookies = 200;
const longestMaxAgeMs = 400 * 86_400_000;

/**
 * What follows the value in Set-Cookie.
 * @throws TypeError for a name or attributes that browsers would refuse.
 */
export function cookieSuffix(name: string, attributes: CookieAttributes): string {
  const { path = "/", domain, secure = true, httpOnly = true, sameSite = "lax", partitioned = false } = attributes;
  const refuse = (why: string): never => {
    throw new TypeError(`cookie("${name}"): ${why}`);
  };
  if (!namePattern.test(name)) refuse("the name is 1 to 256 letters, digits and other token characters.");
  // Browsers look at prefixes without regard to case.
  const prefix = /^__(?:host-http|host|secure|http)-/i.exec(name)?.[0].toLowerCase();
  if (prefix !== undefined && !secure) refuse(`the prefix ${prefix} needs secure: true.`);
  if (prefix?.startsWith("__host-") === true && (domain !== undefined || path !== "/"))
    refuse(`the prefix ${prefix} needs path "/" and no domain.`);
  if (prefix?.endsWith("http-") === true && !httpOnly) refuse(`the prefix ${prefix} needs httpOnly: true.`);
  if (sameSite === "none" && !secure) refuse('sameSite "none" needs secure: true.');
  if (partitioned && !secure) refuse("partitioned needs secure: true.");
  if (!pathPattern.test(path) || path.length > 1024) refuse("the path begins with / and holds no semicolon.");
  if (domain !== undefined && !domainPattern.test(domain)) refuse(`"${domain}" is not a domain.`);
  const maxAgeMs = attributes.maxAge === undefined ? undefined : durationMs(attributes.maxAge);
  if (maxAgeMs !== undefined && maxAgeMs > longestMaxAgeMs) refuse("browsers keep a cookie for 400 days at most.");
  return [
    `; Path=${path}`,
    domain === undefined ? "" : `; Domain=${domain.toLowerCase()}`,
    maxAgeMs === undefined ? "" : `; Max-Age=${Math.floor(maxAgeMs / 1000)}`,
    secure ? "; Secure" : "",
    httpOnly ? "; HttpOnly" : "",
    `; SameSite=${sameSite[0]?.toUpperCase()}${sameSite.slice(1)}`,
    partitioned ? "; Partitioned" : "",
  ].join("");
}

/**
 * The value of Set-Cookie.
 * @throws TypeError for a value that a cookie cannot carry, or one that is too long.
 */
export function writeCookie(name: string, value: string, suffix: string): string {
  if (!valuePattern.test(value))
    throw new TypeError(`The value of the cookie "${name}" holds what a cookie cannot carry.`);
  if (name.length + value.length > longestCookie)
    throw new TypeError(
      `The cookie "${name}" has more than ${longestCookie} bytes, which browsers drop. Keep the data in a store.`,
    );
  return `${name}=${value}${suffix}`;
}

/** A Set-Cookie value that removes the cookie: only one with the same path and domain does. */
export function removeCookie(name: string, suffix: string): string {
  return `${name}=${suffix.replace(/; Max-Age=\d+/, "")}; Max-Age=0`;
}

/**
 * The cookies of a Cookie header, by name; of several with one name the first, which has the longest path. Pairs that are no
 * cookies are passed over.
 */
export function parseCookies(header: string): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  let from = 0;
  for (let count = 0; count < mostCookies && from < header.length; count++) {
    const end = header.indexOf(";", from);
    const pair = header.slice(from, end === -1 ? undefined : end);
    from = end === -1 ? header.length : end + 1;
    const equals = pair.indexOf("=");
    if (equals === -1) continue;
    const name = pair.slice(0, equals).trim();
    const value = unquoted(pair.slice(equals + 1).trim());
    if (namePattern.test(name) && valuePattern.test(value) && !cookies.has(name)) cookies.set(name, value);
  }
  return cookies;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Any text as cookie characters: what a cookie cannot carry is percent-encoded UTF-8. Half a surrogate pair becomes U+FFFD. */
export function encodeCookieText(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+/g, encodeURIComponent);
}

/** Undefined for a broken escape. */
export function decodeCookieText(value: string): string | undefined {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
