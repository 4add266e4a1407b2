/**
 * The strict, incremental decoder of the chunked coding (RFC 9112 section 7.1). Pure: bytes in, spans of data out through
 * `sink`. Reads every byte once and remembers where it stood, so the verdict never depends on where the bytes were split.
 *
 *   size -> [extension] -> size-lf -> data -> data-cr -> data-lf -> size ...
 *   size 0 -> [extension] -> size-lf -> trailer line ... -> end-lf -> done
 *
 * Stricter than the RFC where recipients are known to disagree: no white space around extensions, at most 8 digits of size.
 * Extensions and trailers are checked, bounded and dropped.
 */
import { BACKSLASH, COLON, CR, EQUALS, LF, QUOTE, SEMICOLON, hexValue, tokenByte, valueByte } from "./byte-classes.ts";
import type { EngineLimits } from "./limits.ts";

export type ChunkedVerdict = "more" | "done" | "bad" | "too_large";

/** Takes the bytes from `from` to `to`; they are only good during the call. */
export interface ByteSink {
  take(bytes: Buffer, from: number, to: number): void;
}

const SIZE = 0,
  EXT_NAME = 1,
  EXT_VALUE = 2,
  EXT_QUOTED = 3,
  EXT_ESCAPED = 4,
  EXT_END = 5,
  SIZE_LF = 6;
const DATA = 7,
  DATA_CR = 8,
  DATA_LF = 9;
const TRAILER = 10,
  TRAILER_NAME = 11,
  TRAILER_VALUE = 12,
  TRAILER_LF = 13,
  END_LF = 14;
const longestSize = 8;
/** Fields that frame or route a message: in a trailer they come too late to be anything but an attack (RFC 9110 section 6.5.1). */
const framingFields: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

export class ChunkedDecoder {
  /** After "bad": what was wrong, for the BAD_BODY fault. */
  reason = "";
  /** Where reading stopped: the first byte that is not part of what was read. */
  at = 0;

  readonly #limits: EngineLimits;
  #state = SIZE;
  #digits = 0;
  #size = 0;
  #total = 0;
  #token = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailerName = "";

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  /**
   * Reads from `start` to `end`, at most to the end of the body; `at` then says where. More than `limit` data bytes in all:
   * "too_large", as soon as a chunk size says so.
   */
  decode(bytes: Buffer, start: number, end: number, limit: number, sink: ByteSink): ChunkedVerdict {
    let at = start;
    while (at < end) {
      if (this.#state === DATA) {
        const to = end - at < this.#size ? end : at + this.#size;
        sink.take(bytes, at, to);
        this.#size -= to - at;
        at = to;
        if (this.#size === 0) this.#state = DATA_CR;
        continue;
      }
      const verdict = this.#step(bytes[at++] as number, limit);
      if (verdict !== "more") {
        this.at = at;
        return verdict;
      }
    }
    this.at = at;
    return "more";
  }

  /** One byte of framing. */
  #step(byte: number, limit: number): ChunkedVerdict {
    switch (this.#state) {
      case SIZE:
        return this.#readSize(byte, limit);
      case EXT_NAME:
      case EXT_VALUE:
      case EXT_QUOTED:
      case EXT_ESCAPED:
      case EXT_END:
        return this.#readExtension(byte);
      case SIZE_LF:
        if (byte !== LF) return this.#bad("a chunk size does not end with CRLF");
        if (this.#size === 0) this.#state = TRAILER;
        else this.#state = DATA;
        this.#digits = 0;
        return "more";
      case DATA_CR:
        if (byte !== CR) return this.#bad("a chunk does not end with CRLF");
        this.#state = DATA_LF;
        return "more";
      case DATA_LF:
        if (byte !== LF) return this.#bad("a chunk does not end with CRLF");
        this.#state = SIZE;
        return "more";
      default:
        return this.#readTrailer(byte);
    }
  }

  #readSize(byte: number, limit: number): ChunkedVerdict {
    const digit = hexValue[byte] as number;
    if (digit !== 255) {
      if (++this.#digits > longestSize) return this.#bad("a chunk size has too many digits");
      this.#size = this.#digits === 1 ? digit : this.#size * 16 + digit;
      return "more";
    }
    if (this.#digits === 0) return this.#bad("a chunk size is not a hexadecimal number");
    if (byte !== CR && byte !== SEMICOLON) return this.#bad("a chunk size is not followed by CRLF or an extension");
    this.#total += this.#size;
    if (this.#total > limit) return "too_large";
    if (byte === CR) this.#state = SIZE_LF;
    else this.#enterExtension();
    return "more";
  }

  #enterExtension(): void {
    this.#state = EXT_NAME;
    this.#token = 0;
  }

  /** `;name`, `;name=token` or `;name="quoted"`. */
  #readExtension(byte: number): ChunkedVerdict {
    if (byte === CR && this.#extensionMayEnd()) {
      this.#state = SIZE_LF;
      return "more";
    }
    if (++this.#extensionBytes > this.#limits.chunkExtensionBytes)
      return this.#bad("the chunk extensions are too long");
    switch (this.#state) {
      case EXT_QUOTED:
        if (byte === QUOTE) this.#state = EXT_END;
        else if (byte === BACKSLASH) this.#state = EXT_ESCAPED;
        else if (valueByte[byte] !== 1) return this.#bad("a chunk extension holds a control character");
        return "more";
      case EXT_ESCAPED:
        if (valueByte[byte] !== 1) return this.#bad("a chunk extension holds a control character");
        this.#state = EXT_QUOTED;
        return "more";
      default:
        return this.#readExtensionToken(byte);
    }
  }

  #readExtensionToken(byte: number): ChunkedVerdict {
    if (byte === SEMICOLON && this.#extensionMayEnd()) {
      this.#enterExtension();
    } else if (this.#state !== EXT_END && tokenByte[byte] === 1) {
      this.#token++;
    } else if (this.#state === EXT_NAME && byte === EQUALS && this.#token > 0) {
      this.#state = EXT_VALUE;
      this.#token = 0;
    } else if (this.#state === EXT_VALUE && byte === QUOTE && this.#token === 0) {
      this.#state = EXT_QUOTED;
    } else {
      return this.#bad("a chunk extension is malformed");
    }
    return "more";
  }

  #extensionMayEnd(): boolean {
    return this.#state === EXT_END || ((this.#state === EXT_NAME || this.#state === EXT_VALUE) && this.#token > 0);
  }

  #readTrailer(byte: number): ChunkedVerdict {
    if (++this.#trailerBytes > this.#limits.trailerBytes + 2) return this.#bad("the trailer section is too long");
    switch (this.#state) {
      case TRAILER:
        if (byte === CR) this.#state = END_LF;
        else if (tokenByte[byte] === 1) {
          this.#state = TRAILER_NAME;
          this.#trailerName = String.fromCharCode(byte);
        } else return this.#bad("a trailer line does not start with a name");
        return "more";
      case TRAILER_NAME:
        if (byte === COLON) {
          if (framingFields.has(this.#trailerName.toLowerCase()))
            return this.#bad("a trailer holds a field that frames the message");
          this.#state = TRAILER_VALUE;
        } else if (tokenByte[byte] === 1) this.#trailerName += String.fromCharCode(byte);
        else return this.#bad("a trailer name is not a token");
        return "more";
      case TRAILER_VALUE:
        if (byte === CR) this.#state = TRAILER_LF;
        else if (valueByte[byte] !== 1) return this.#bad("a trailer value holds a control character");
        return "more";
      case TRAILER_LF:
        if (byte !== LF) return this.#bad("a trailer line does not end with CRLF");
        this.#state = TRAILER;
        return "more";
      default:
        return byte === LF ? "done" : this.#bad("the trailer section does not end with CRLF");
    }
  }

  #bad(reason: string): ChunkedVerdict {
    this.reason = reason;
    return "bad";
  }
}
