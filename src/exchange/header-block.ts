/**
 * Response header fields, checked once. Routes answer with a handful of constant blocks, so the check and the concatenation
 * happen at start and not per response; and because only this class makes wire text, header injection has one place to fail.
 */
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 field-value: visible ASCII, space, tab, obs-text. No CR, LF, NUL or other control characters. */
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;
const ownedByCarrier = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade"]);

export class HeaderBlock {
  static readonly empty = new HeaderBlock([]);
  /** `name: value\r\n` for each, ready to be sent. */
  readonly wire: string;
  readonly #before: HeaderBlock | undefined;
  readonly #own: readonly string[];
  #pairs: readonly string[] | undefined;

  /**
   * The fields of `before`, then `pairs` (name, value, name, value, …). Throws a TypeError for a name or value that HTTP cannot
   * carry, or a field that the carrier owns.
   */
  constructor(pairs: readonly string[], before?: HeaderBlock) {
    const own: string[] = [];
    let wire = before === undefined ? "" : before.wire;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const name = (pairs[i] as string).toLowerCase();
      const value = pairs[i + 1] as string;
      if (!tokenPattern.test(name)) throw new TypeError(`"${name}" is not a header name (RFC 9110 token).`);
      if (!valuePattern.test(value))
        throw new TypeError(`The value of header "${name}" holds a character that HTTP cannot carry.`);
      if (ownedByCarrier.has(name))
        throw new TypeError(`Header "${name}" is written by the HTTP engine; a response must not set it.`);
      own.push(name, value);
      wire += `${name}: ${value}\r\n`;
    }
    this.wire = wire;
    this.#before = before;
    this.#own = own;
  }

  /** Lower-case name, value, name, value, … Made on demand: the engine needs `wire` alone. */
  get pairs(): readonly string[] {
    return (this.#pairs ??= Object.freeze(
      this.#before === undefined ? this.#own : [...this.#before.pairs, ...this.#own],
    ));
  }

  /** A new block with more fields after these. Costs the check of the new fields only. */
  with(...pairs: readonly string[]): HeaderBlock {
    return new HeaderBlock(pairs, this);
  }
}
