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
  readonly bytes: Uint8Array;
  /** One character for each byte, so that both have the same positions. */
  readonly text: string;
  /** The next byte to read. */
  p = 0;
  /** Where the last key starts. */
  from = 0;

  constructor(bytes: Uint8Array, text: string) {
    this.bytes = bytes;
    this.text = text;
  }

  /** The next byte after white space, not consumed. Undefined at the end. */
  peek(): number | undefined {
    let code = this.bytes[this.p];
    while (code === 32 || code === 10 || code === 13 || code === 9) code = this.bytes[++this.p];
    return code;
  }

  /** The next byte after white space, consumed. */
  next(): number | undefined {
    const code = this.peek();
    this.p++;
    return code;
  }

  /** Reads a key and its colon; returns the key's length in bytes as written, its start in `from`; -1 for anything else. */
  key(): number {
    if (this.next() !== quoteMark) return -1;
    const { bytes } = this;
    const from = this.p;
    let p = from;
    for (let code = bytes[p]; code !== quoteMark; code = bytes[++p]) {
      if (code === undefined || code < 32) return -1;
      if (code === backslash) p++;
    }
    this.from = from;
    this.p = p + 1;
    return this.next() === 58 ? p - from : -1;
  }

  string(): string | undefined {
    if (this.next() !== quoteMark) return undefined;
    const { bytes } = this;
    const from = this.p;
    let p = from;
    for (let code = bytes[p]; code !== quoteMark; code = bytes[++p]) {
      if (code === undefined || code < 32) return undefined;
      if (code === backslash || code > 127) return this.#hardString(from);
    }
    this.p = p + 1;
    return this.text.slice(from, p);
  }

  /** A string with escapes or beyond ASCII. */
  #hardString(from: number): string | undefined {
    const { bytes } = this;
    let p = from;
    for (let code = bytes[p]; code !== quoteMark; code = bytes[p]) {
      if (code === undefined) return undefined;
      p += code === backslash ? 2 : 1;
    }
    this.p = p + 1;
    try {
      return JSON.parse(utf8.decode(bytes.subarray(from - 1, p + 1))) as string;
    } catch {
      return undefined;
    }
  }

  /** NaN for what is not a JSON number. */
  number(): number {
    let code = this.peek();
    const { bytes } = this;
    const from = this.p;
    let p = from;
    if (code === 45) code = bytes[++p];
    if (code === undefined || code < 48 || code > 57) return Number.NaN;
    let digits = code - 48;
    code = bytes[++p];
    // A leading zero ends the whole part; a digit after it fails at whatever comes next.
    if (digits !== 0) {
      while (code !== undefined && code >= 48 && code <= 57) {
        digits = digits * 10 + (code - 48);
        code = bytes[++p];
      }
    }
    let scale = 0;
    if (code === 46) {
      const point = p;
      code = bytes[++p];
      while (code !== undefined && code >= 48 && code <= 57) {
        digits = digits * 10 + (code - 48);
        code = bytes[++p];
      }
      scale = p - point - 1;
      if (scale === 0) return Number.NaN;
    }
    // Up to 15 digits are exact, and so is a quotient of two exact numbers rounded once.
    if (p - from > 15 || code === 101 || code === 69) return this.#hardNumber(from);
    this.p = p;
    const value = scale === 0 ? digits : digits / (powersOfTen[scale] as number);
    return bytes[from] === 45 ? -value : value;
  }

  #hardNumber(from: number): number {
    numberPattern.lastIndex = from;
    if (!numberPattern.test(this.text)) return Number.NaN;
    this.p = numberPattern.lastIndex;
    return Number(this.text.slice(from, this.p));
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
    if (!this.text.startsWith(word, this.p)) return false;
    this.p += word.length;
    return true;
  }

  /** Whether nothing but white space is left. */
  ended(): boolean {
    return this.peek() === undefined;
  }
}

/**
 * Longer texts go through JSON.parse. A string cut out of a text keeps that text in memory, and this bounds how much a string that
 * a program keeps can hold on to.
 */
export const longestScan = 4096;

interface Latin1 {
  latin1Slice?(this: Uint8Array, start: number, end: number): string;
}
/** Node's, and absent elsewhere. */
const latin1Slice = (globalThis as { Buffer?: { prototype: Latin1 } }).Buffer?.prototype.latin1Slice;
const scratch = new Uint8Array(longestScan);
const encoder = new TextEncoder();

/**
 * Something that reads the source, or undefined when it is too long, or the runtime cannot make latin1 text fast. The scanner of a
 * string may share its bytes with the next one (`share`), which is safe as long as nothing else is scanned before it is done.
 */
export function scannerOf(source: string | Uint8Array, share: boolean): Scanner | undefined {
  if (latin1Slice === undefined || source.length > longestScan) return undefined;
  if (typeof source !== "string") return new Scanner(source, latin1Slice.call(source, 0, source.length));
  const bytes = share ? scratch : new Uint8Array(source.length);
  const { read, written } = encoder.encodeInto(source, bytes);
  // Beyond ASCII the text itself has other positions than its bytes, and the bytes would have to be turned into a text again.
  return read === source.length && written === read ? new Scanner(bytes.subarray(0, written), source) : undefined;
}
