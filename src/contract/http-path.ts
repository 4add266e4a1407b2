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
const literalPattern = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]+$/;
const capturePattern = /^\{(\*?)([A-Za-z_][A-Za-z0-9_]{0,99})\}$/;

/** Segments come again and again in the paths of an API: each is read once, and its part shared. */
const known = new Map<string, PathPart>();
const mostKnown = 4096;

/**
 * Reads a template. Throws a TypeError that says what to write instead: for a path that does not start with `/`, an empty
 * segment inside, a dot segment, a capture that is not a whole segment, a name used twice, or a tail that is not last.
 */
export function parsePath(path: string): readonly PathPart[] {
  if (!path.startsWith("/")) throw new TypeError(`The path "${path}" does not start with "/".`);
  const parts: PathPart[] = [];
  for (let from = 1, last = false; !last;) {
    const slash = path.indexOf("/", from);
    last = slash === -1;
    const segment = last ? path.slice(from) : path.slice(from, slash);
    if (segment === "" && !last) throw new TypeError(`The path "${path}" has an empty segment ("//").`);
    const part = known.get(segment) ?? readSegment(path, segment);
    if (part.kind !== "literal") checkCapture(path, part, parts, last);
    parts.push(part);
    from = slash + 1;
  }
  return parts;
}

function readSegment(path: string, segment: string): PathPart {
  if (segment === "." || segment === "..") throw new TypeError(`The path "${path}" has a dot segment.`);
  const part: PathPart =
    segment === "" || literalPattern.test(segment) ? { kind: "literal", text: segment } : capturePart(path, segment);
  if (known.size < mostKnown) known.set(segment, Object.freeze(part));
  return part;
}

function capturePart(path: string, segment: string): PathPart {
  const capture = capturePattern.exec(segment);
  if (capture === null) {
    throw new TypeError(
      `The segment "${segment}" of the path "${path}" is neither plain text nor one capture. Write "{name}" for a whole segment, "{*name}" for the rest of the path, and nothing that needs a percent-escape.`,
    );
  }
  return { kind: capture[1] === "" ? "capture" : "tail", name: capture[2] as string };
}

function checkCapture(path: string, { kind, name }: CapturePart, before: readonly PathPart[], last: boolean): void {
  for (const part of before)
    if (part.kind !== "literal" && part.name === name)
      throw new TypeError(`The path "${path}" captures "${name}" twice.`);
  if (kind === "tail" && !last)
    throw new TypeError(`The path "${path}" goes on after {*${name}}, which takes all of the rest.`);
}

type CapturePart = Exclude<PathPart, { readonly kind: "literal" }>;

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
