/**
 * Which route answers a method and a path. Built once at start into one segment tree for each method; a look-up walks the
 * path's segments, so that its cost does not grow with the number of routes.
 *
 * Rules: a path is matched segment by segment; plain text beats a capture, a capture beats a tail, and what comes earlier in the
 * path weighs more. Case matters, a trailing slash makes another path, `//` and dot segments are never resolved away. Escapes
 * are decoded for the comparison, and an escaped slash stays data inside its capture; in a tail it could not be told from a
 * separator, so it matches nothing there. A capture is never empty and never a dot segment.
 */
import { parsePath, type PathPart } from "../contract/index.ts";

export interface RouteSpec<T> {
  readonly method: string;
  /** A template: `/cities/{id}`, `/files/{*rest}`. */
  readonly path: string;
  /** The path, where somebody has read it already. */
  readonly parts?: readonly PathPart[];
  readonly value: T;
  /** Who registered it, for the sentence about two routes that clash: made only when they do. */
  readonly owner: RouteOwner;
}

export type RouteOwner = string | { readonly type: string; readonly name: string };

export class RouteMatch<T> {
  readonly value: T;
  /** Decoded, in the order of the template. */
  readonly captures: readonly string[];

  constructor(value: T, captures: readonly string[]) {
    this.value = value;
    this.captures = captures;
  }
}

/** No route: the path leads nowhere, it answers other methods only, or an escape in it is not UTF-8. */
export type RouteMiss =
  | { readonly miss: "not_found" }
  /** `allow` is sorted and holds HEAD where there is GET, and OPTIONS always. */
  | { readonly miss: "method"; readonly allow: readonly string[] }
  | { readonly miss: "bad_escape" };

export interface Router<T> {
  /** `path` is as received, without the query. HEAD is answered by GET where there is no HEAD route. */
  find(method: string, path: string): RouteMatch<T> | RouteMiss;
  /** Every method that some route answers, sorted, with HEAD and OPTIONS. */
  readonly methods: readonly string[];
}

/**
 * @throws TypeError naming both, when two routes of one method match the same paths, or name the capture at one place
 * differently; and for a template that `parsePath` refuses.
 */
export function createRouter<T>(routes: Iterable<RouteSpec<T>>): Router<T> {
  return new TreeRouter(routes);
}

const notFound: RouteMiss = Object.freeze({ miss: "not_found" });
const badEscape: RouteMiss = Object.freeze({ miss: "bad_escape" });
const noCaptures: readonly string[] = Object.freeze([]);

/** A place in the tree: after this many segments, this is what can come. */
interface Place<T> {
  /** Only where they are not few. */
  literals: Map<string, Place<T>> | undefined;
  /** The same while they are few: comparing them in place beats cutting out a text to look it up. Undefined where there are none. */
  few: { readonly text: string; readonly place: Place<T> }[] | undefined;
  capture: Place<T> | undefined;
  tail: Ending<T> | undefined;
  /** The route that ends here. */
  ending: Ending<T> | undefined;
  /** What the capture is called, and by whom. */
  captureName: { readonly name: string; readonly owner: RouteOwner } | undefined;
}

interface Ending<T> {
  readonly value: T;
  readonly owner: RouteOwner;
  /** Shared where there is nothing to capture. */
  readonly match: RouteMatch<T>;
}

/** The routes of one method. */
interface Table<T> {
  readonly root: Place<T>;
  /** Routes without captures by their whole path: always the most specific ones. */
  readonly fixed: Map<string, RouteMatch<T>>;
  /** By length, whether a fixed route is so long: spares most other paths the price of being hashed. */
  readonly fixedLengths: boolean[];
}

class TreeRouter<T> implements Router<T> {
  readonly methods: readonly string[];
  readonly #tables = new Map<string, Table<T>>();

  constructor(routes: Iterable<RouteSpec<T>>) {
    for (const route of routes) {
      let table = this.#tables.get(route.method);
      if (table === undefined)
        this.#tables.set(route.method, (table = { root: newPlace(), fixed: new Map(), fixedLengths: [] }));
      insert(table, route);
    }
    this.methods = allowed([...this.#tables.keys()]);
  }

  find(method: string, path: string): RouteMatch<T> | RouteMiss {
    const match = this.#match(method, path);
    if (match !== undefined) return match;
    if (method === "HEAD") {
      const get = this.#match("GET", path);
      if (get !== undefined) return get;
    }
    return this.#miss(path);
  }

  #match(method: string, path: string): RouteMatch<T> | RouteMiss | undefined {
    const table = this.#tables.get(method);
    if (table === undefined) return undefined;
    if (table.fixedLengths[path.length] === true) {
      const fixed = table.fixed.get(path);
      if (fixed !== undefined) return fixed;
    }
    if (!path.includes("%")) return walk(table.root, path, 1, noCaptures);
    const segments = decodeSegments(path);
    return segments === undefined ? badEscape : walkDecoded(table.root, segments, 0, noCaptures);
  }

  #miss(path: string): RouteMiss {
    if (path.includes("%") && decodeSegments(path) === undefined) return badEscape;
    const others: string[] = [];
    for (const method of this.#tables.keys()) if (this.#match(method, path) !== undefined) others.push(method);
    return others.length === 0 ? notFound : { miss: "method", allow: allowed(others) };
  }
}

function allowed(methods: readonly string[]): readonly string[] {
  const all = new Set([...methods, "OPTIONS"]);
  if (all.has("GET")) all.add("HEAD");
  return Object.freeze([...all].toSorted());
}

function newPlace<T>(): Place<T> {
  return {
    literals: undefined,
    few: undefined,
    capture: undefined,
    tail: undefined,
    ending: undefined,
    captureName: undefined,
  };
}

function insert<T>(table: Table<T>, { method, path, parts, value, owner }: RouteSpec<T>): void {
  let place = table.root;
  let captures = false;
  for (const part of parts ?? parsePath(path)) {
    if (part.kind === "literal") {
      place = literalOf(place, part.text) ?? addLiteral(place, part.text);
      continue;
    }
    captures = true;
    if (part.kind === "tail") {
      if (place.tail !== undefined) throw overlap(owner, place.tail.owner, method, path);
      place.tail = { value, owner, match: new RouteMatch(value, noCaptures) };
      return;
    }
    if (place.captureName === undefined) place.captureName = { name: part.name, owner };
    else if (place.captureName.name !== part.name) {
      throw new TypeError(
        `${nameOf(owner)} calls the capture in "${method} ${path}" {${part.name}}, and ${nameOf(place.captureName.owner)} calls it {${place.captureName.name}} at the same place. Give it one name.`,
      );
    }
    place = place.capture ??= newPlace();
  }
  if (place.ending !== undefined) throw overlap(owner, place.ending.owner, method, path);
  place.ending = { value, owner, match: new RouteMatch(value, noCaptures) };
  if (captures) return;
  table.fixed.set(path, place.ending.match);
  while (table.fixedLengths.length <= path.length) table.fixedLengths.push(false);
  table.fixedLengths[path.length] = true;
}

function literalOf<T>({ few, literals }: Place<T>, text: string): Place<T> | undefined {
  if (few === undefined) return literals?.get(text);
  for (const one of few) if (one.text === text) return one.place;
  return undefined;
}

function addLiteral<T>(at: Place<T>, text: string): Place<T> {
  const place = newPlace<T>();
  if (at.literals !== undefined) at.literals.set(text, place);
  else if (at.few === undefined) at.few = [{ text, place }];
  else if (at.few.length < fewLiterals) at.few.push({ text, place });
  else {
    at.literals = new Map(at.few.map((one) => [one.text, one.place]));
    at.literals.set(text, place);
    at.few = undefined;
  }
  return place;
}

function nameOf(owner: RouteOwner): string {
  return typeof owner === "string" ? owner : `${owner.type}("${owner.name}")`;
}

function overlap(owner: RouteOwner, other: RouteOwner, method: string, path: string): TypeError {
  const owners = `${nameOf(owner)} and ${nameOf(other)}`;
  return new TypeError(`${owners} both answer "${method} ${path}". Give one of them another path or method.`);
}

/** `from` is where the next segment begins. No escapes in the path. */
function walk<T>(place: Place<T>, path: string, from: number, captures: readonly string[]): RouteMatch<T> | undefined {
  const slash = path.indexOf("/", from);
  const last = slash === -1;
  const to = last ? path.length : slash;
  const literal = literalAt(place, path, from, to);
  if (literal !== undefined) {
    const found = last ? end(literal, captures) : walk(literal, path, slash + 1, captures);
    if (found !== undefined) return found;
  }
  if (place.capture === undefined && place.tail === undefined) return undefined;
  const segment = path.slice(from, to);
  if (place.capture !== undefined && isData(segment)) {
    const more = captures.length === 0 ? [segment] : [...captures, segment];
    const found = last ? end(place.capture, more) : walk(place.capture, path, slash + 1, more);
    if (found !== undefined) return found;
  }
  if (place.tail !== undefined && from < path.length) {
    const tail = path.slice(from);
    if (tail.split("/").every((one) => !isDots(one))) return new RouteMatch(place.tail.value, [...captures, tail]);
  }
  return undefined;
}

const fewLiterals = 4;

function literalAt<T>(place: Place<T>, path: string, from: number, to: number): Place<T> | undefined {
  const { few, literals } = place;
  if (few !== undefined) {
    for (const { text, place: next } of few) {
      if (text.length === to - from && path.startsWith(text, from)) return next;
    }
    return undefined;
  }
  return literals?.get(path.slice(from, to));
}

/** The same over segments that are decoded already. */
function walkDecoded<T>(
  place: Place<T>,
  segments: readonly string[],
  at: number,
  captures: readonly string[],
): RouteMatch<T> | undefined {
  const segment = segments[at] as string;
  const last = at === segments.length - 1;
  const literal = literalOf(place, segment);
  if (literal !== undefined) {
    const found = last ? end(literal, captures) : walkDecoded(literal, segments, at + 1, captures);
    if (found !== undefined) return found;
  }
  if (place.capture !== undefined && isData(segment)) {
    const more = [...captures, segment];
    const found = last ? end(place.capture, more) : walkDecoded(place.capture, segments, at + 1, more);
    if (found !== undefined) return found;
  }
  if (place.tail !== undefined && !(last && segment === "")) {
    const rest = segments.slice(at);
    if (rest.every((one) => !isDots(one) && !one.includes("/")))
      return new RouteMatch(place.tail.value, [...captures, rest.join("/")]);
  }
  return undefined;
}

function end<T>(place: Place<T>, captures: readonly string[]): RouteMatch<T> | undefined {
  if (place.ending === undefined) return undefined;
  return captures.length === 0 ? place.ending.match : new RouteMatch(place.ending.value, captures);
}

function isData(segment: string): boolean {
  return segment !== "" && !isDots(segment);
}

function isDots(segment: string): boolean {
  return segment === "." || segment === "..";
}

/** Undefined when an escape is malformed or does not make UTF-8. */
function decodeSegments(path: string): string[] | undefined {
  try {
    return path.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
