/**
 * The scalars whose decoded form differs from JSON: each pair of functions is the one definition of a wire form, used by the
 * interpreter and by the compiled codecs alike. A reader returns undefined for text that is not in the form.
 */

const int64Pattern = /^(?:0|-?[1-9][0-9]{0,18})$/;
export const minInt64 = -(2n ** 63n);
export const maxInt64 = 2n ** 63n - 1n;

export function readInt64(text: string): bigint | undefined {
  if (text.length > 20 || !int64Pattern.test(text)) return undefined;
  const value = BigInt(text);
  return value >= minInt64 && value <= maxInt64 ? value : undefined;
}

const timestampPattern =
  /^(\d{4})-(\d\d)-(\d\d)t([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:z|([+-])([01]\d|2[0-3]):([0-5]\d))$/i;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what RFC 3339 and protobuf can write. */
const minTimestamp = -62_135_596_800_000;
const maxTimestamp = 253_402_300_799_999;

/**
 * RFC 3339 to milliseconds since 1970. Digits below the millisecond are dropped, for a Date cannot hold them; a leap second
 * is refused for the same reason.
 */
export function readTimestamp(text: string): number | undefined {
  if (text.length > 35) return undefined;
  const parts = timestampPattern.exec(text);
  if (parts === null) return undefined;
  const year = Number(parts[1]);
  const month = Number(parts[2]);
  const day = Number(parts[3]);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = parts[8] === undefined ? 0 : (parts[8] === "-" ? -1 : 1) * (Number(parts[9]) * 60 + Number(parts[10]));
  const fraction = parts[7] === undefined ? 0 : Number(parts[7].slice(0, 3).padEnd(3, "0"));
  const ms =
    date.getTime() + ((Number(parts[4]) * 60 + Number(parts[5]) - offset) * 60 + Number(parts[6])) * 1000 + fraction;
  return ms >= minTimestamp && ms <= maxTimestamp ? ms : undefined;
}

/** Always UTC with three digits of milliseconds. Undefined for an invalid Date or a year that RFC 3339 cannot write. */
export function writeTimestamp(date: Date): string | undefined {
  const ms = date.getTime();
  return ms >= minTimestamp && ms <= maxTimestamp ? date.toISOString() : undefined;
}

export const durationPattern = "^(?:0|[1-9][0-9]{0,10})(?:\\.[0-9]{1,9})?s$";
const durationRegExp = /^(0|[1-9][0-9]{0,10})(?:\.([0-9]{1,9}))?s$/;
/** 99,999,999,999.999 seconds: 3,170 years, within protobuf's bounds. */
export const maxDuration = 99_999_999_999_999;

/** `"1.5s"` to 1500. Digits below the millisecond are dropped. */
export function readDuration(text: string): number | undefined {
  const parts = durationRegExp.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * 1000 + (parts[2] === undefined ? 0 : Number(parts[2].slice(0, 3).padEnd(3, "0")));
}

/** 1500 to `"1.500s"`, 5000 to `"5s"`: the shortest of protobuf's forms with 0 or 3 digits. */
export function writeDuration(ms: number): string {
  const fraction = ms % 1000;
  const seconds = (ms - fraction) / 1000;
  return fraction === 0 ? `${seconds}s` : `${seconds}.${String(fraction).padStart(3, "0")}s`;
}

/** Source of the pattern for decimals with so many digits, for the check and for JSON Schema. */
export function decimalPattern(precision: number, scale: number): string {
  const whole = precision - scale;
  const fraction = scale === 0 ? "" : `(?:\\.[0-9]{1,${scale}})?`;
  return whole === 0 ? `^-?0${fraction}$` : `^-?(?:0|[1-9][0-9]{0,${whole - 1}})${fraction}$`;
}

/** Drops trailing zeros of the fraction and the sign of zero. The text already fits the pattern. */
export function canonicalDecimal(text: string): string {
  let end = text.length;
  if (text.includes(".")) {
    while (text.charCodeAt(end - 1) === 48) end--;
    if (text.charCodeAt(end - 1) === 46) end--;
  }
  const short = text.slice(0, end);
  return short === "-0" ? "0" : short;
}

const notBase64Pattern = /[^A-Za-z0-9+/]/;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** How many bytes a base64 text stands for, or -1 when it is not strict: standard alphabet, padded, unused bits zero. */
export function base64Length(text: string): number {
  const length = text.length;
  if (length % 4 !== 0) return -1;
  if (length === 0) return 0;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const body = padding === 0 ? text : text.slice(0, length - padding);
  if (notBase64Pattern.test(body)) return -1;
  const unused = padding === 2 ? 15 : padding === 1 ? 3 : 0;
  if ((alphabet.indexOf(body.charAt(body.length - 1)) & unused) !== 0) return -1;
  return (length / 4) * 3 - padding;
}

interface Base64Bytes extends Uint8ArrayConstructor {
  /** ES2026; absent from Node 24. */
  readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
}
interface Base64Text extends Uint8Array {
  readonly toBase64?: () => string;
}

/** Bytes of a text that `base64Length` accepted. Never a view on a shared pool. */
export function readBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as Base64Bytes).fromBase64;
  if (native !== undefined) return native.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function writeBase64(bytes: Uint8Array): string {
  const view: Base64Text = bytes;
  if (view.toBase64 !== undefined) return view.toBase64();
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}

/** Length of a text in Unicode code points; a lone surrogate counts as one. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/** Names that every object inherits: a field or key under one of them must be read as an own property. */
export const inheritedNames: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));
