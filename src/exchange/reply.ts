/**
 * What handlers and middleware add to the answer of their call: header fields, and another 2xx status. Made when somebody asks for it,
 * checked as it is filled, and laid over the answer's own fields at the end.
 */
import type { HttpResponse } from "./exchange.ts";
import { HeaderBlock } from "./header-block.ts";

export interface Reply {
  /**
   * Sets a header field of the HTTP answer, in place of earlier values and of what Tensile writes itself, such as `cache-control`.
   *
   * @throws TypeError for a name or value that HTTP cannot carry (a line break, for one), and for fields that are not the
   * handler's: those that frame the message, `content-type`, `content-encoding` and `x-request-id`.
   */
  set(name: string, value: string): void;
  /** The same beside earlier values, as another field line: for `set-cookie`, `vary`, `link`, `server-timing`. */
  append(name: string, value: string): void;
  /**
   * The status of a success in place of the operation's own: 200 to 299 without 204, 205 and 206, which say something about the
   * body. A failure keeps the status of its kind. @throws TypeError for any other.
   */
  status: number | undefined;
  /** What was set and appended so far: lower-case name, value, name, value, … */
  readonly fields: readonly string[];
}

/** Fields in all, and their bytes: an answer's head is bounded like everything else. */
const mostFields = 64;
const mostBytes = 16 * 1024;

/** Written by the codec, but for `trailer`: what a HeaderBlock refuses is not theirs either. */
const notTheirs = new Set(["content-type", "content-encoding", "content-range", "trailer", "x-request-id"]);

/** What describes the success that did not happen: a problem that is cached as if it were one would be served for long. */
const ofSuccess = new Set([
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-language",
  "content-location",
  "etag",
  "expires",
  "last-modified",
  "location",
]);

export class ReplyFields implements Reply {
  readonly #pairs: string[] = [];
  /** Lower-case names whose other values are replaced. */
  readonly #replaced = new Set<string>();
  #bytes = 0;
  #status: number | undefined;

  get fields(): readonly string[] {
    return this.#pairs;
  }

  get status(): number | undefined {
    return this.#status;
  }

  set status(status: number | undefined) {
    if (status !== undefined && !isFreeStatus(status))
      throw new TypeError(
        `reply.status is ${String(status)}. It is 200 to 299, but not 204, 205 or 206; a failure is a fault.`,
      );
    this.#status = status;
  }

  set(name: string, value: string): void {
    const key = checked(name, value);
    for (let i = this.#pairs.length - 2; i >= 0; i -= 2) if (this.#pairs[i] === key) this.#pairs.splice(i, 2);
    this.#replaced.add(key);
    this.#add(key, value);
  }

  append(name: string, value: string): void {
    this.#add(checked(name, value), value);
  }

  #add(key: string, value: string): void {
    this.#bytes += key.length + value.length;
    if (this.#pairs.length >= 2 * mostFields || this.#bytes > mostBytes)
      throw new TypeError(`reply holds at most ${mostFields} header fields with ${mostBytes} bytes in all.`);
    this.#pairs.push(key, value);
  }

  /** The answer with what was set. */
  dress(response: HttpResponse, failed: boolean): HttpResponse {
    const status = failed ? response.status : (this.#status ?? response.status);
    return { ...response, status, headers: this.#over(response.headers, failed) };
  }

  #over(base: HeaderBlock, failed: boolean): HeaderBlock {
    const own = failed ? without(this.#pairs, ofSuccess) : this.#pairs;
    if (own.length === 0) return base;
    const kept = without(
      base.pairs,
      failed ? new Set([...this.#replaced].filter((name) => !ofSuccess.has(name))) : this.#replaced,
    );
    return kept.length === base.pairs.length ? base.with(...own) : new HeaderBlock([...kept, ...own]);
  }
}

function isFreeStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 299 && (status < 204 || status > 206);
}

/** The name in lower case. */
function checked(name: string, value: string): string {
  const block = new HeaderBlock([name, String(value)]);
  const key = block.pairs[0] as string;
  if (notTheirs.has(key)) throw new TypeError(`reply cannot set "${key}": Tensile writes it.`);
  return key;
}

function without(pairs: readonly string[], names: ReadonlySet<string>): readonly string[] {
  return pairs.filter((_, i) => !names.has(pairs[i - (i % 2)] as string));
}
