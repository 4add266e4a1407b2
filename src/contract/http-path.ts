/**
 * Path templates of routes: `/cities/{id}`, `/files/{*rest}`. Data only: the router matches them, clients fill them in, and
 * OpenAPI prints them.
 */
export type PathPart =
  | { readonly kind: "literal"; readonly text: string }
  /** Exactly one segment, not empty. */
  | { readonly kind: "capture"; readonly name: string }
  /** One or more segments: the rest of the path. Always last. */
  | { readonly kind: "tail"; readonly name: string };

/** RFC 3986 pchar without percent-escapes, so that a template has one spelling. By character code. */
const isLiteral = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@") {
  isLiteral[char.charCodeAt(0)] = 1;
}
const capturePattern = /^\{(\*?)([A-Za-z_][A-Za-z0-9_]{0,99})\}$/;
const slash = 0x2f;

/**
 * Reads a template. Throws a TypeError that says what to write instead: for a path that does not start with `/`, an empty
 * segment inside, a dot segment, a capture that is not a whole segment, a name used twice, or a tail that is not last.
 */
export function parsePath(path: string): readonly PathPart[] {
  if (!path.startsWith("/")) throw new TypeError(`The path "${path}" does not start with "/".`);
  const parts: PathPart[] = [];
  let from = 1;
  let plain = true;
  for (let at = 1; at <= path.length; at++) {
    const code = at === path.length ? slash : path.charCodeAt(at);
    if (code !== slash) {
      plain &&= isLiteral[code] === 1;
      continue;
    }
    const segment = path.slice(from, at);
    parts.push(
      plain ? literalPart(path, segment, at === path.length) : capturePart(path, segment, at === path.length, parts),
    );
    from = at + 1;
    plain = true;
  }
  return parts;
}

function literalPart(path: string, text: string, last: boolean): PathPart {
  if (text === "" && !last) throw new TypeError(`The path "${path}" has an empty segment ("//").`);
  if (text === "." || text === "..") throw new TypeError(`The path "${path}" has a dot segment.`);
  return { kind: "literal", text };
}

function capturePart(path: string, segment: string, last: boolean, before: readonly PathPart[]): PathPart {
  const capture = capturePattern.exec(segment);
  if (capture === null) {
    throw new TypeError(
      `The segment "${segment}" of the path "${path}" is neither plain text nor one capture. Write "{name}" for a whole segment, "{*name}" for the rest of the path, and nothing that needs a percent-escape.`,
    );
  }
  const name = capture[2] as string;
  if (before.some((part) => part.kind !== "literal" && part.name === name))
    throw new TypeError(`The path "${path}" captures "${name}" twice.`);
  if (capture[1] === "") return { kind: "capture", name };
  if (!last) throw new TypeError(`The path "${path}" goes on after {*${name}}, which takes all of the rest.`);
  return { kind: "tail", name };
}

/**
 * The path with its captures filled in and escaped; undefined when a value cannot travel there: an empty text, a dot segment
 * (every URL parser would resolve it), a lone surrogate.
 */
export function fillPath(parts: readonly PathPart[], value: (name: string) => string): string | undefined {
  let path = "";
  for (const part of parts) {
    if (part.kind === "literal") {
      path += `/${part.text}`;
      continue;
    }
    const text = value(part.name);
    if (text === "" || !text.isWellFormed()) return undefined;
    const segments = part.kind === "tail" ? text.split("/") : [text];
    if (segments.some((segment) => segment === "." || segment === "..")) return undefined;
    path += `/${segments.map(encodeURIComponent).join("/")}`;
  }
  return path;
}
