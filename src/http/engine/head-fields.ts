/**
 * Header lookup in the text of a head that the parser has accepted. Because every line is known to be `name:value CRLF`,
 * finding one field is a walk over line ends that compares only where the colon stands right; no table is built per request.
 */
const lineEnd = "\r\n";

/**
 * The value of the field `name` (lower case), repeated lines joined by ", " (`cookie` by "; "), or undefined.
 * `from` is where the first header line starts.
 */
export function findField(head: string, from: number, name: string): string | undefined {
  const length = name.length;
  let found: string | undefined;
  for (let line = from; head.charCodeAt(line) !== 13;) {
    const end = head.indexOf(lineEnd, line);
    if (head.charCodeAt(line + length) === 58 && sameName(head, line, name)) {
      const value = fieldValue(head, line + length + 1, end);
      found = found === undefined ? value : `${found}${name === "cookie" ? "; " : ", "}${value}`;
    }
    line = end + 2;
  }
  return found;
}

/** Every field line in order: lower-case name, value, name, value, … */
export function allFields(head: string, from: number): string[] {
  const pairs: string[] = [];
  for (let line = from; head.charCodeAt(line) !== 13;) {
    const end = head.indexOf(lineEnd, line);
    const colon = head.indexOf(":", line);
    pairs.push(head.slice(line, colon).toLowerCase(), fieldValue(head, colon + 1, end));
    line = end + 2;
  }
  return pairs;
}

function sameName(head: string, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = head.charCodeAt(at + i);
    const expected = name.charCodeAt(i);
    if (code !== expected && (code < 0x41 || code > 0x5a || code + 32 !== expected)) return false;
  }
  return true;
}

/** Without the optional white space around it. */
function fieldValue(head: string, from: number, to: number): string {
  while (from < to && isSpace(head.charCodeAt(from))) from++;
  while (to > from && isSpace(head.charCodeAt(to - 1))) to--;
  return head.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}
