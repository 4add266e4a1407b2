/**
 * Reads JSON from UTF-8 bytes for a schema that knows what should come next. Generated code asks for a string or a number at a time;
 * no intermediate object is made, and each key is seen, so that a repeated one costs nothing to find. Whatever is not plainly
 * right is answered with undefined or NaN, and JSON.parse and the interpreter then decide.
 */
const quoteMark = 34;
const backslash = 92;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const powersOfTen = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

export class Scanner {
  bytes: Uint8Array;
  /** One character for each byte from `start` on. */
  text: string;
  /** Where the text starts in the bytes. */
  start = 0;
  /** The next byte to read. */
  p = 0;
  /** Where the last key starts. */
  from = 0;
  /** Where the text ends; the bytes may go on. */
  end: number;

  constructor(bytes: Uint8Array, text: string) {
    this.bytes = bytes;
    this.text = text;
    this.end = text.length;
  }

  /** The same bytes, written anew. */
  restart(text: string): this {
    this.text = text;
    this.p = 0;
    this.end = text.length;
    return this;
  }

  /** A text in the middle of other bytes. */
  restartAt(bytes: Uint8Array, text: string, start: number): this {
    this.bytes = bytes;
    this.text = text;
    this.start = this.p = start;
    this.end = start + text.length;
    return this;
  }

  /** The next byte after white space, not consumed; -1 at the end. */
  peek(): number {
    const { bytes, p } = this;
    // Reading past the end would work, and make V8 give up its fastest form of the read.
    const code = p < this.end ? (bytes[p] as number) : -1;
    return code > 32 ? code : this.#peekFurther();
  }

  #peekFurther(): number {
    const { bytes, end } = this;
    for (; this.p < end; this.p++) {
      const code = bytes[this.p] as number;
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return code;
    }
    return -1;
  }

  /** The next byte after white space, consumed. */
  next(): number {
    const code = this.peek();
    this.p++;
    return code;
  }

  /** Reads a key and its colon; returns the key's length in bytes as written, its start in `from`; -1 for anything else. */
  key(): number {
    if (this.next() !== quoteMark) return -1;
    const { bytes, end, p: from } = this;
    let p = from;
    for (; p < end; p++) {
      const code = bytes[p] as number;
      if (code === quoteMark) break;
      if (code < 32) return -1;
      if (code === backslash) p++;
    }
    this.from = from;
    this.p = p + 1;
    return this.next() === 58 ? p - from : -1;
  }

  string(): string | undefined {
    if (this.next() !== quoteMark) return undefined;
    const { bytes, end, p: from } = this;
    for (let p = from; p < end; p++) {
      const code = bytes[p] as number;
      if (code === quoteMark) {
        this.p = p + 1;
        return this.text.slice(from - this.start, p - this.start);
      }
      if (code < 32) return undefined;
      if (code === backslash || code > 127) return this.#hardString(from);
    }
    return undefined;
  }

  /** A string with escapes or beyond ASCII. */
  #hardString(from: number): string | undefined {
    const { bytes, end } = this;
    let p = from;
    while (p < end && bytes[p] !== quoteMark) p += bytes[p] === backslash ? 2 : 1;
    this.p = p + 1;
    try {
      return JSON.parse(utf8.decode(bytes.subarray(from - 1, p + 1))) as string;
    } catch {
      return undefined;
    }
  }

  /** NaN for what is not a JSON number. */
  number(): number {
    const negative = this.peek() === 45;
    const { bytes, end, p: from } = this;
    let p = negative ? from + 1 : from;
    const whole = p;
    let digits = 0;
    for (; p < end; p++) {
      const digit = (bytes[p] as number) - 48;
      if (digit < 0 || digit > 9) break;
      digits = digits * 10 + digit;
    }
    // No digit at all, or a zero before others.
    if (p === whole || (p > whole + 1 && bytes[whole] === 48)) return Number.NaN;
    let scale = 0;
    let code = p < end ? (bytes[p] as number) : -1;
    if (code === 46) {
      const point = p++;
      for (; p < end; p++) {
        const digit = (bytes[p] as number) - 48;
        if (digit < 0 || digit > 9) break;
        digits = digits * 10 + digit;
      }
      scale = p - point - 1;
      if (scale === 0) return Number.NaN;
      code = p < end ? (bytes[p] as number) : -1;
    }
    if (code === 101 || code === 69) return this.#hardNumber(from);
    this.p = p;
    // Up to 15 digits are exact, and so is a quotient of two exact numbers rounded once.
    if (p - from > 15) return Number(this.text.slice(from - this.start, p - this.start));
    const value = scale === 0 ? digits : digits / (powersOfTen[scale] as number);
    return negative ? -value : value;
  }

  /** One with an exponent. */
  #hardNumber(from: number): number {
    const start = from - this.start;
    numberPattern.lastIndex = start;
    if (!numberPattern.test(this.text)) return Number.NaN;
    this.p = numberPattern.lastIndex + this.start;
    return Number(this.text.slice(start, numberPattern.lastIndex));
  }

  boolean(): boolean | undefined {
    const code = this.peek();
    if (code === 116) return this.#word("true") ? true : undefined;
    return code === 102 && this.#word("false") ? false : undefined;
  }

  /** Whether null comes next; consumes it. */
  null(): boolean {
    return this.peek() === 110 && this.#word("null");
  }

  #word(word: string): boolean {
    if (!this.text.startsWith(word, this.p - this.start)) return false;
    this.p += word.length;
    return true;
  }

  /** Whether nothing but white space is left. */
  ended(): boolean {
    return this.peek() === -1 && this.p >= this.end;
  }
}

/**
 * Longer texts go through JSON.parse. A string cut out of a text keeps that text in memory, and this bounds how much a string that
 * a program keeps can hold on to.
 */
const longestScan = 4096;

interface NodeBuffer {
  latin1Slice?(this: Uint8Array, start: number, end: number): string;
  utf8Write?(this: Uint8Array, text: string, offset: number, length: number): number;
}
/** Node's, and absent elsewhere. */
const { latin1Slice, utf8Write } = (globalThis as { Buffer?: { prototype: NodeBuffer } }).Buffer?.prototype ?? {};
const roomForOne = 4;
const nothing = new Uint8Array(0);
const shared = new Scanner(new Uint8Array(longestScan + roomForOne), "");
const sharedPart = new Scanner(nothing, "");

/**
 * Something that reads the source, or undefined when it is too long, or the runtime cannot make latin1 text fast. The scanner of a
 * string may be the one of the string before (`share`), which is safe as long as nothing else is scanned before it is done.
 */
export function scannerOf(source: string | Uint8Array, share: boolean): Scanner | undefined {
  if (latin1Slice === undefined || utf8Write === undefined || source.length > longestScan) return undefined;
  if (typeof source !== "string") return new Scanner(source, latin1Slice.call(source, 0, source.length));
  const { length } = source;
  const scanner = share ? shared.restart(source) : new Scanner(new Uint8Array(length + roomForOne), source);
  // Beyond ASCII the text itself has other positions than its bytes, and the bytes would have to be turned into a text again. With room for one
  // more character, as many bytes as characters are written only where that is all of it.
  return utf8Write.call(scanner.bytes, source, 0, length + roomForOne) === length ? scanner : undefined;
}

/** The same for a text in the middle of other bytes, which the shared scanner holds on to until it reads the next. */
export function scannerOfPart(bytes: Uint8Array, start: number, end: number, share: boolean): Scanner | undefined {
  if (latin1Slice === undefined || end - start > longestScan) return undefined;
  const scanner = share ? sharedPart : new Scanner(nothing, "");
  return scanner.restartAt(bytes, latin1Slice.call(bytes, start, end), start);
}
