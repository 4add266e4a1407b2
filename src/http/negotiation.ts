/**
 * Which of several media types a client would rather have (RFC 9110 section 12.5.1): the greatest `q`, then the range that says most,
 * then the one that it names first, then what the server writes first. `q=0` refuses.
 */

interface Range {
  readonly type: string;
  readonly q: number;
  readonly position: number;
}

interface Wish {
  readonly q: number;
  /** 2: the type itself, 1: `application/*`, 0: any. */
  readonly says: number;
  readonly position: number;
}

/** The index of the best of `offers`, each a list of names of one form; -1 when the field refuses them all. */
export function preferred(accept: string, offers: readonly (readonly string[])[]): number {
  const ranges = accept.split(",").map(readRange);
  let best = -1;
  let wish: Wish = { q: 0, says: 0, position: 0 };
  for (const [index, types] of offers.entries()) {
    for (const type of types) {
      const found = wishFor(type, ranges);
      // A range of many types means the first name; another name of the same form counts where it is said.
      if (type !== types[0] && found?.says !== 2) continue;
      if (found !== undefined && found.q > 0 && isStronger(found, wish)) {
        best = index;
        wish = found;
      }
    }
  }
  return best;
}

function readRange(text: string, position: number): Range {
  const [type = "", ...parameters] = text.toLowerCase().split(";");
  const weight = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("q="));
  const q = weight === undefined ? 1 : Number(weight.slice(2));
  return { type: type.trim(), q: q >= 0 && q <= 1 ? q : 1, position };
}

/** Of all ranges that a type falls under, the most specific counts. */
function wishFor(type: string, ranges: readonly Range[]): Wish | undefined {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  let found: Wish | undefined;
  for (const { type: range, q, position } of ranges) {
    const says = range === type ? 2 : range === family ? 1 : range === "*/*" ? 0 : -1;
    if (says > (found?.says ?? -1)) found = { q, says, position };
  }
  return found;
}

function isStronger(one: Wish, other: Wish): boolean {
  if (one.q !== other.q) return one.q > other.q;
  if (one.says !== other.says) return one.says > other.says;
  return one.position < other.position;
}
