/**
 * Reads an event stream: bytes in any pieces to events. The rules are those of WHATWG HTML section 9.2.6, "Interpreting an event
 * stream"; beside them there is a limit, because a stream has no end by itself.
 */

export interface ServerEvent {
  /** `message` where the stream does not say. */
  readonly type: string;
  readonly data: string;
  /** Of this event, or of the last one before it that had one; "" for none. */
  readonly lastEventId: string;
}

const newline = 10;
const carriageReturn = 13;
const retryPattern = /^\d{1,9}$/;

export class SseParser {
  /** As the stream said it last, in ms. */
  retryMs: number | undefined;
  /** A line or an event was longer than the limit: nothing more is read. */
  overflowed = false;
  readonly #limit: number;
  readonly #decoder = new TextDecoder();
  #events: ServerEvent[] = [];
  /** The line in the making, in the pieces in which it came: joining them each time would cost its square. */
  #line: string[] = [];
  #lineLength = 0;
  #afterReturn = false;
  #data: string[] = [];
  #dataLength = 0;
  #type = "";
  #lastEventId = "";

  /** `limit`: characters of one line, and of the data of one event. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The events that are complete with these bytes. What is incomplete when the stream ends is no event. */
  push(bytes: Uint8Array): readonly ServerEvent[] {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#events = [];
    let from = 0;
    for (let at = 0; at < text.length && !this.overflowed; at++) {
      const code = text.charCodeAt(at);
      if (code === newline && this.#afterReturn) {
        // The second half of a CRLF whose first half ended the line.
        this.#afterReturn = false;
        from = at + 1;
        continue;
      }
      this.#afterReturn = code === carriageReturn;
      if (code !== newline && code !== carriageReturn) continue;
      this.#keep(text.slice(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#keep(text.slice(from));
    return this.overflowed ? [] : this.#events;
  }

  #keep(piece: string): void {
    if (piece === "") return;
    this.#lineLength += piece.length;
    if (this.#lineLength > this.#limit) this.overflowed = true;
    else this.#line.push(piece);
  }

  #endLine(): void {
    const line = this.#line.length === 1 ? (this.#line[0] as string) : this.#line.join("");
    this.#line = [];
    this.#lineLength = 0;
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    // A comment.
    if (colon === 0) return;
    if (colon === -1) return this.#field(line, "");
    const value = line.slice(colon + (line.charAt(colon + 1) === " " ? 2 : 1));
    this.#field(line.slice(0, colon), value);
  }

  #field(name: string, value: string): void {
    switch (name) {
      case "data":
        this.#dataLength += value.length + 1;
        if (this.#dataLength > this.#limit) this.overflowed = true;
        else this.#data.push(value);
        return;
      case "event":
        this.#type = value;
        return;
      case "id":
        if (!value.includes("\0")) this.#lastEventId = value;
        return;
      case "retry":
        if (retryPattern.test(value)) this.retryMs = Number(value);
        return;
      default:
    }
  }

  #dispatch(): void {
    if (this.#data.length > 0) {
      const data = this.#data.join("\n");
      // The standard drops an event whose data buffer is empty, which one empty `data` line does not make it.
      this.#events.push({ type: this.#type || "message", data, lastEventId: this.#lastEventId });
    }
    this.#data = [];
    this.#dataLength = 0;
    this.#type = "";
  }
}
