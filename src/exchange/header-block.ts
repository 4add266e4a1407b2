/**
 * Response header fields, checked once. Routes answer with a handful of constant blocks, so the check and the concatenation
 * happen at start and not per response; and because only this class makes wire text, header injection has one place to fail.
 */
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 field-value: visible ASCII, space, tab, obs-text. No CR, LF, NUL or other control characters. */
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Those that frame the answer, and those of one connection (RFC 9110 section 7.6.1): HTTP/2 cannot carry the latter at all. */
const ownedByCarrier = new Set([
  ...["connection", "content-length", "date", "http2-settings", "keep-alive", "proxy-connection"],
  ...["te", "transfer-encoding", "upgrade"],
]);

export class HeaderBlock {
  static readonly empty = new HeaderBlock([]);
  /** `name: value\r\n` for each, ready to be sent. */
  readonly wire: string;
  readonly #before: HeaderBlock | undefined;
  readonly #own: readonly string[];
  readonly #after: HeaderBlock | undefined;
  #pairs: readonly string[] | undefined;

  /**
   * The fields of `before`, then `pairs` (name, value, name, value, …), then those of `after`. Throws a TypeError for a name or value that HTTP cannot
   * carry, or a field that the carrier owns.
   */
  constructor(pairs: readonly string[], before?: HeaderBlock, after?: HeaderBlock) {
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
    this.wire = after === undefined ? wire : wire + after.wire;
    this.#before = before;
    this.#own = own;
    this.#after = after;
  }

  /** Lower-case name, value, name, value, … Made on demand: the engine needs `wire` alone. */
  get pairs(): readonly string[] {
    return (this.#pairs ??= Object.freeze(
      this.#before === undefined && this.#after === undefined
        ? this.#own
        : [...(this.#before?.pairs ?? []), ...this.#own, ...(this.#after?.pairs ?? [])],
    ));
  }

  /** The value of a field by lower-case name, repeated lines joined by `, `; undefined when absent. */
  get(name: string): string | undefined {
    // Along the chain, because `pairs` of a block that nobody keeps would be made for this alone.
    const own = this.#own;
    let value = this.#before?.get(name);
    for (let i = 0; i < own.length; i += 2) if (own[i] === name) value = joined(value, own[i + 1] as string);
    const last = this.#after?.get(name);
    return last === undefined ? value : joined(value, last);
  }

  /** A new block with more fields after these. Costs the check of the new fields only. */
  with(...pairs: readonly string[]): HeaderBlock {
    return new HeaderBlock(pairs, this);
  }

  /** These fields, then those of a block that stands already: nothing is checked again. */
  followedBy(block: HeaderBlock): HeaderBlock {
    return new HeaderBlock([], this, block);
  }

  /** Without the fields of these lower-case names; the same block where it has none of them. */
  without(...names: readonly string[]): HeaderBlock {
    if (names.every((name) => this.get(name) === undefined)) return this;
    const { pairs } = this;
    return new HeaderBlock(pairs.filter((_, i) => !names.includes(pairs[i - (i % 2)] as string)));
  }

  /** With a lower-case name among those that `vary` lists; the same block where it stands there, or `*` does. */
  varying(name: string): HeaderBlock {
    const listed = this.get("vary");
    if (listed === undefined) return this.followedBy(varyBlock(name));
    const names = listed.split(",").map((each) => each.trim().toLowerCase());
    return names.includes(name) || names.includes("*") ? this : this.without("vary").with("vary", `${listed}, ${name}`);
  }
}

function joined(value: string | undefined, more: string): string {
  return value === undefined ? more : `${value}, ${more}`;
}

/** Of the few names that answers vary by. */
const varyBlocks = new Map<string, HeaderBlock>();
const mostVaryBlocks = 32;

function varyBlock(name: string): HeaderBlock {
  const known = varyBlocks.get(name);
  if (known !== undefined) return known;
  const block = new HeaderBlock(["vary", name]);
  if (varyBlocks.size < mostVaryBlocks) varyBlocks.set(name, block);
  return block;
}
