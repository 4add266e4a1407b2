/**
 * Which bytes may stand where in a request head, as 256-entry tables: one load and one branch per byte is the whole price of
 * strictness. Sources: RFC 9110 section 5 (token, field-value), RFC 3986 (target), RFC 9112 section 3.
 */
function table(allowed: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) bytes[byte] = allowed(byte) ? 1 : 0;
  return bytes;
}

const among = (characters: string) => (byte: number) => characters.includes(String.fromCharCode(byte));
const alphanumeric = among("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
const tokenPunctuation = among("!#$%&'*+-.^_`|~");

/** RFC 9110 tchar. */
export const tokenByte = table((byte) => alphanumeric(byte) || tokenPunctuation(byte));
/** Field value: visible ASCII, space, tab, obs-text. Not CR, LF, NUL, DEL or another control character. */
export const valueByte = table((byte) => byte === 9 || (byte >= 0x20 && byte !== 0x7f));
/**
 * Request target: visible ASCII but "#". Wider than RFC 3986 by `"<>[]\^`{|}`, which browsers send in queries; a fragment, a
 * space or a byte above 0x7e is never right.
 */
export const targetByte = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);
/** Registered name or IPv4 address in Host. Narrower than RFC 3986: no percent-encoding and no sub-delims, which no real host has. */
export const hostByte = table((byte) => alphanumeric(byte) || byte === 0x2d || byte === 0x2e || byte === 0x5f);
/** Value of a hexadecimal digit, or 255. */
export const hexValue = new Uint8Array(256).map((_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const STAR = 0x2a;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

/** Whether `buffer` holds the lower-case ASCII `word` at `at`, in any case. `word` may hold letters, digits and "-" only. */
export function holdsWord(buffer: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) {
    const byte = buffer[at + i] as number;
    const expected = word[i] as number;
    if (byte !== expected && (byte < 0x41 || byte > 0x5a || byte + 32 !== expected)) return false;
  }
  return true;
}

export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Whether `buffer` holds exactly `word` at `at`. */
export function holdsExactly(buffer: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (buffer[at + i] !== word[i]) return false;
  return true;
}

/** The white space of header lines: space or tab. */
export function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** White space after `chunked` may hold a tab by the grammar (RFC 9110 section 5.6.3), but llhttp then reads another coding: two readings. */
export function isTabAfter(bytes: Buffer, to: number): boolean {
  let at = to;
  while (bytes[at] === 0x20) at++;
  return bytes[at] === 0x09;
}

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
