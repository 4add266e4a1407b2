/** The values of the header fields that frame a message. */
import { COMMA, CR, holdsWord, isDigit, isSpace, LF, ZERO } from "./byte-classes.ts";
import { latin1Text } from "./latin1.ts";
import type { Refusal } from "./refusal.ts";

/** A sum of this many digits is exact; a longer number is over every limit anyway. */
const longestLength = 15;

/** The value of a Content-Length: 1*DIGIT (RFC 9110 section 8.6). -1: not that. Infinity: too many digits. */
export function contentLengthOf(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (!isDigit(byte)) return -1;
    length = length * 10 + byte - ZERO;
  }
  if (from === to) return -1;
  return to - from > longestLength ? Infinity : length;
}

/** Whether a Connection value, a comma-separated list, names `option` (lower case). A value of one option makes no string. */
export function hasConnectionOption(bytes: Buffer, from: number, to: number, option: Uint8Array): boolean {
  if (to - from === option.length) return holdsWord(bytes, from, option);
  let at = from;
  while (at < to && bytes[at] !== COMMA) at++;
  if (at === to) return false;
  const word = latin1Text(Buffer.from(option), 0, option.length);
  const names = latin1Text(bytes, from, to).split(",");
  return names.some((name) => name.trim().toLowerCase() === word);
}

/** Where a value ends once the white space after it is left away. */
export function trimmedEnd(bytes: Uint8Array, from: number, to: number): number {
  while (to > from && isSpace(bytes[to - 1] as number)) to--;
  return to;
}

/** What is wrong with a field line whose name ends with this byte. */
export function lineFault(byte: number): Refusal {
  return byte === LF || byte === CR ? "bad_line_end" : "bad_header_name";
}
