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

/** RFC 3986 pchar without percent-escapes, so that a template has one spelling. */
const literalPattern = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]*$/;
const capturePattern = /^\{(\*?)([A-Za-z_][A-Za-z0-9_]{0,99})\}$/;

/**
 * Reads a template. Throws a TypeError that says what to write instead: for a path that does not start with `/`, an empty
 * segment inside, a dot segment, a capture that is not a whole segment, a name used twice, or a tail that is not last.
 */
export function parsePath(path: string): readonly PathPart[] {
  if (!path.startsWith("/")) throw new TypeError(`The path "${path}" does not start with "/".`);
  const segments = path.slice(1).split("/");
  const names: string[] = [];
  const parts = segments.map((segment, index): PathPart => {
    const last = index === segments.length - 1;
    if (segment === "" && !last) throw new TypeError(`The path "${path}" has an empty segment ("//").`);
    if (segment === "." || segment === "..") throw new TypeError(`The path "${path}" has a dot segment.`);
    if (literalPattern.test(segment)) return Object.freeze({ kind: "literal", text: segment });
    const capture = capturePattern.exec(segment);
    if (capture === null) {
      throw new TypeError(
        `The segment "${segment}" of the path "${path}" is neither plain text nor one capture. Write "{name}" for a whole segment, "{*name}" for the rest of the path, and nothing that needs a percent-escape.`,
      );
    }
    const name = capture[2] as string;
    if (names.includes(name)) throw new TypeError(`The path "${path}" captures "${name}" twice.`);
    names.push(name);
    if (capture[1] === "") return Object.freeze({ kind: "capture", name });
    if (!last) throw new TypeError(`The path "${path}" goes on after {*${name}}, which takes all of the rest.`);
    return Object.freeze({ kind: "tail", name });
  });
  return Object.freeze(parts);
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
