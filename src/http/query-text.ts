/**
 * The query of a request target: `a=1&b=two+words`. WHATWG form rules (`&` separates, the first `=` divides, `+` is a space), but
 * strict where those repair: a broken percent-escape, or bytes that are not UTF-8, are an error.
 */

/** Name, value, name, value, … Undefined when an escape is broken. Empty pieces (`a=1&&b=2`) are skipped. */
export function parseQuery(text: string): string[] | undefined {
  const pairs: string[] = [];
  for (let from = 0; from <= text.length;) {
    let to = text.indexOf("&", from);
    if (to === -1) to = text.length;
    if (to > from) {
      const equals = text.indexOf("=", from);
      const split = equals === -1 || equals > to ? to : equals;
      const name = decodeForm(text.slice(from, split));
      const value = decodeForm(text.slice(split + 1, to));
      if (name === undefined || value === undefined) return undefined;
      pairs.push(name, value);
    }
    from = to + 1;
  }
  return pairs;
}

function decodeForm(text: string): string | undefined {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}
