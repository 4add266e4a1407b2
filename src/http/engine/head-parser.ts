/**
 * The strict, incremental parser of a request head. Pure: bytes in, a record out; it knows no socket and no clock.
 *
 * It reads every byte once. When the bytes end inside the head it remembers where it stood (offsets are relative to the head,
 * so the caller may move the bytes), and the next call goes on there: a client that sends byte by byte costs no rescan. The
 * verdict depends on the bytes alone, never on where they were split.
 *
 *   start -> method -> target -> version -> line -> name -> space -> value -> value-lf -> line ... -> end-lf -> done
 *
 * Only what framing needs is looked at (host, connection, content-length, transfer-encoding, expect); the other fields stay
 * in `head`, one string, until somebody asks (head-fields.ts).
 */
import {
  isTabAfter,
  COLON,
  CR,
  LF,
  SLASH,
  SPACE,
  STAR,
  TAB,
  ZERO,
  asciiBytes,
  holdsExactly,
  holdsWord,
  isDigit,
  isSpace,
  targetByte,
  tokenByte,
  valueByte,
} from "./byte-classes.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  fieldNamed,
  HOST,
  NONE,
  PROXY_CONNECTION,
  REQUEST_ID,
  REQUEST_TIMEOUT,
  TRANSFER_ENCODING,
} from "./field-names.ts";
import { contentLengthOf, hasConnectionOption, lineFault, trimmedEnd } from "./field-values.ts";
import { agreesWithHost, isHost } from "./host.ts";
import { latin1Text } from "./latin1.ts";
import { methodNamed } from "./methods.ts";
import type { EngineLimits } from "./limits.ts";
import type { Refusal } from "./refusal.ts";

export type Verdict = "more" | "done" | "refused";

const longestMethod = 32;

const START = 0,
  METHOD = 1,
  TARGET = 2,
  VERSION = 3,
  LINE = 4,
  NAME = 5,
  GAP = 6,
  VALUE = 7,
  VALUE_LF = 8,
  END_LF = 9;

const chunkedWord = asciiBytes("chunked");
const continueWord = asciiBytes("100-continue");
const closeWord = asciiBytes("close");
const keepAliveWord = asciiBytes("keep-alive");
const upgradeWord = asciiBytes("upgrade");
const httpScheme = asciiBytes("http://");
/** "HTTP/1.": what stands before the minor version. */
const versionStart = asciiBytes("HTTP/1.");
/** What nearly every request line ends with, compared at once. */
const usualVersion = asciiBytes("HTTP/1.1\r\n");

export class HeadParser {
  /** Why the last verdict was "refused". */
  refusal: Refusal = "bad_method";
  /** Bytes of the whole head, once done. */
  length = 0;
  /** The head as Latin-1 text, once done: one character per byte. */
  head = "";
  /** Where the first header line starts in `head`. */
  fieldsAt = 0;
  method = "";
  /** In origin form, or `*`. */
  target = "";
  /** 0 or 1: the y of HTTP/1.y. */
  minor = 1;
  /** -1: no Content-Length. */
  contentLength = -1;
  chunked = false;
  /** Whether the connection may carry another request after this one. */
  keepAlive = true;
  /** Whether the client waits for `100 Continue`. */
  expectContinue = false;
  /** There is a request-timeout field, which the handler may read. */
  hasTimeout = false;
  /** There is an x-request-id field. */
  hasId = false;
  /** Whether Connection names `upgrade`. */
  upgrade = false;

  readonly #limits: EngineLimits;
  #state = START;
  /** The next byte to look at, relative to the head's start. */
  #offset = 0;
  /** Where the current token starts, relative. */
  #mark = 0;
  #field = NONE;
  #count = 0;
  #skipped = 0;
  #targetAt = 0;
  #targetEnd = 0;
  #hostAt = -1;
  #hostEnd = 0;
  #close = false;
  #keep = false;
  #badExpectation = false;

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /** Whether a head has begun and not ended. */
  get started(): boolean {
    return this.#offset !== 0;
  }

  /**
   * Reads `bytes` from `start`, where the head starts, to `end`. After "more", call again with the same bytes and what came
   * after them. After "done" the head's fields are set until the next call.
   */
  parse(bytes: Buffer, start: number, end: number): Verdict {
    if (this.#state === START && this.#offset === 0) this.#reset();
    const cap = start + this.#limits.headBytes;
    const stop = end < cap ? end : cap;
    let at = start + this.#offset;
    let state = this.#state;
    let mark = this.#mark + start;

    while (at < stop) {
      switch (state) {
        case START: {
          // RFC 9112 section 2.2: one empty line before the request line is ignored. No more than one.
          if (this.#skipped === 0 && bytes[at] === CR) this.#skipped = 1;
          else if (this.#skipped === 1) {
            if (bytes[at] !== LF) return this.#refuse("bad_line_end");
            this.#skipped = 2;
          } else {
            mark = at;
            state = METHOD;
            continue;
          }
          at++;
          break;
        }
        case METHOD: {
          while (at < stop && tokenByte[bytes[at] as number] === 1) at++;
          if (at - mark > longestMethod) return this.#refuse("unknown_method");
          if (at === stop) break;
          if (bytes[at] !== SPACE || at === mark) return this.#refuse("bad_method");
          this.method = methodNamed(bytes, mark, at);
          if (this.method === "") return this.#refuse("unknown_method");
          at++;
          this.#targetAt = at - start;
          state = TARGET;
          break;
        }
        case TARGET: {
          const longest = start + this.#targetAt + this.#limits.targetBytes;
          const bound = stop < longest ? stop : longest;
          while (at < bound && targetByte[bytes[at] as number] === 1) at++;
          if (at === stop) break;
          const byte = bytes[at] as number;
          if (byte !== SPACE)
            return this.#refuse(at === longest && targetByte[byte] === 1 ? "target_too_long" : "bad_target");
          this.#targetEnd = at - start;
          if (this.#targetEnd === this.#targetAt) return this.#refuse("bad_target");
          at++;
          mark = at;
          state = VERSION;
          break;
        }
        case VERSION: {
          if (at === mark && stop - at >= usualVersion.length && holdsExactly(bytes, at, usualVersion)) {
            this.minor = 1;
            at += usualVersion.length;
            this.fieldsAt = at - start;
            state = LINE;
            break;
          }
          const place = at - mark;
          const byte = bytes[at] as number;
          if (place < 7) {
            if (byte !== versionStart[place])
              return this.#refuse(place === 5 && isDigit(byte) ? "unknown_version" : "bad_version");
          } else if (place === 7) {
            if (byte !== ZERO && byte !== ZERO + 1)
              return this.#refuse(isDigit(byte) ? "unknown_version" : "bad_version");
            this.minor = byte - ZERO;
          } else if (place === 8) {
            if (byte !== CR) return this.#refuse("bad_version");
          } else {
            if (byte !== LF) return this.#refuse("bad_line_end");
            this.fieldsAt = at + 1 - start;
            state = LINE;
          }
          at++;
          break;
        }
        case LINE: {
          const byte = bytes[at] as number;
          if (byte === CR) {
            state = END_LF;
            at++;
            break;
          }
          if (byte === SPACE || byte === TAB) return this.#refuse("folded_header");
          if (++this.#count > this.#limits.headerCount) return this.#refuse("too_many_headers");
          mark = at;
          state = NAME;
          break;
        }
        case NAME: {
          while (at < stop && tokenByte[bytes[at] as number] === 1) at++;
          if (at === stop) break;
          if (bytes[at] !== COLON || at === mark) return this.#refuse(lineFault(bytes[at] as number));
          this.#field = fieldNamed(bytes, mark, at - mark);
          at++;
          state = GAP;
          break;
        }
        case GAP: {
          while (at < stop && isSpace(bytes[at] as number)) at++;
          if (at === stop) break;
          mark = at;
          state = VALUE;
          break;
        }
        case VALUE: {
          while (at < stop && valueByte[bytes[at] as number] === 1) at++;
          if (at === stop) break;
          const byte = bytes[at] as number;
          if (byte !== CR) return this.#refuse(byte === LF ? "bad_line_end" : "bad_header_value");
          at++;
          state = VALUE_LF;
          break;
        }
        case VALUE_LF: {
          if (bytes[at] !== LF) return this.#refuse("bad_line_end");
          if (this.#field !== NONE) {
            const refusal = this.#readField(bytes, start, mark, trimmedEnd(bytes, mark, at - 1));
            if (refusal !== null) return this.#refuse(refusal);
          }
          at++;
          state = LINE;
          break;
        }
        default: {
          if (bytes[at] !== LF) return this.#refuse("bad_line_end");
          return this.#finish(bytes, start, at + 1);
        }
      }
    }

    if (at === cap) return this.#refuse(state === TARGET ? "target_too_long" : "head_too_large");
    this.#state = state;
    this.#offset = at - start;
    this.#mark = mark - start;
    return "more";
  }

  #reset(): void {
    this.#count = 0;
    this.#skipped = 0;
    this.#hostAt = -1;
    this.#close = false;
    this.#keep = false;
    this.#badExpectation = false;
    this.contentLength = -1;
    this.chunked = false;
    this.expectContinue = false;
    this.hasTimeout = false;
    this.hasId = false;
    this.upgrade = false;
  }

  #refuse(reason: Refusal): Verdict {
    this.refusal = reason;
    this.#state = START;
    this.#offset = 0;
    return "refused";
  }

  #fail(reason: Refusal): false {
    this.#refuse(reason);
    return false;
  }

  #readField(bytes: Buffer, start: number, from: number, to: number): Refusal | null {
    switch (this.#field) {
      case HOST:
        if (this.#hostAt >= 0) return "repeated_host";
        if (!isHost(bytes, from, to)) return "bad_host";
        this.#hostAt = from - start;
        this.#hostEnd = to - start;
        return null;
      case CONNECTION:
        if (hasConnectionOption(bytes, from, to, closeWord)) this.#close = true;
        else if (hasConnectionOption(bytes, from, to, keepAliveWord)) this.#keep = true;
        // The usual value, keep-alive alone, is not looked at again.
        if (to - from !== keepAliveWord.length && hasConnectionOption(bytes, from, to, upgradeWord))
          this.upgrade = true;
        return null;
      case PROXY_CONNECTION:
        // Not of any standard, but read as Connection by some: close when it says close, for that is safe whoever is right.
        if (hasConnectionOption(bytes, from, to, closeWord)) this.#close = true;
        return null;
      case CONTENT_LENGTH:
        if (this.contentLength >= 0) return "repeated_content_length";
        this.contentLength = contentLengthOf(bytes, from, to);
        if (this.contentLength < 0) return "bad_content_length";
        return this.contentLength > Math.max(this.#limits.bodyBytes, this.#limits.streamBytes)
          ? "body_too_large"
          : null;
      case TRANSFER_ENCODING:
        if (this.chunked) return "repeated_transfer_encoding";
        if (to - from !== chunkedWord.length || !holdsWord(bytes, from, chunkedWord) || isTabAfter(bytes, to))
          return "unknown_transfer_encoding";
        this.chunked = true;
        return null;
      case REQUEST_TIMEOUT:
        this.hasTimeout = true;
        return null;
      case REQUEST_ID:
        this.hasId = true;
        return null;
      default:
        if (this.expectContinue || to - from !== continueWord.length || !holdsWord(bytes, from, continueWord))
          this.#badExpectation = true;
        this.expectContinue = true;
        return null;
    }
  }

  /** What only the whole head can tell. */
  #finish(bytes: Buffer, start: number, end: number): Verdict {
    this.length = end - start;
    this.head = latin1Text(bytes, start, end);
    if (this.#hostAt < 0 && this.minor === 1) return this.#refuse("missing_host");
    if (this.chunked) {
      if (this.contentLength >= 0) return this.#refuse("length_and_encoding");
      if (this.minor === 0) return this.#refuse("encoding_in_http10");
    }
    if (!this.#readTarget(bytes, start)) return "refused";
    if (this.minor === 1) {
      if (this.#badExpectation) return this.#refuse("unknown_expectation");
      this.keepAlive = !this.#close;
    } else {
      // RFC 9110 section 10.1.1: an expectation in HTTP/1.0 is ignored.
      this.expectContinue = false;
      this.keepAlive = this.#keep && !this.#close;
    }
    this.#state = START;
    this.#offset = 0;
    return "done";
  }

  #readTarget(bytes: Buffer, start: number): boolean {
    const at = this.#targetAt;
    const end = this.#targetEnd;
    const first = bytes[start + at];
    if (first === SLASH) {
      this.target = this.head.slice(at, end);
      return true;
    }
    if (first === STAR && end === at + 1 && this.method === "OPTIONS") {
      this.target = "*";
      return true;
    }
    if (end - at <= httpScheme.length || !holdsWord(bytes, start + at, httpScheme)) return this.#fail("bad_target");
    return this.#readAbsoluteTarget(bytes, start, at + httpScheme.length, end);
  }

  /** RFC 9112 section 3.2.2: `http://host/path` must be accepted. It is, where it names the same host as the Host header. */
  #readAbsoluteTarget(bytes: Buffer, start: number, hostAt: number, end: number): boolean {
    const rest = this.head.slice(hostAt, end);
    const cut = rest.search(/[/?]/);
    const authority = cut < 0 ? rest : rest.slice(0, cut);
    if (!isHost(bytes, start + hostAt, start + hostAt + authority.length)) return this.#fail("bad_target");
    if (this.#hostAt >= 0 && !agreesWithHost(authority, this.head.slice(this.#hostAt, this.#hostEnd)))
      return this.#fail("host_mismatch");
    const path = cut < 0 ? "" : rest.slice(cut);
    if (path === "" && this.method === "OPTIONS") this.target = "*";
    else this.target = path.startsWith("/") ? path : `/${path}`;
    return true;
  }
}
