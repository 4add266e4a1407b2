/**
 * Where every input field of an operation travels in HTTP: path, query, header or JSON body. Worked out once at start from the
 * operation's `http` option; the server's codec, the client and OpenAPI all read this plan, so that they cannot disagree.
 */
import { pickFields, toNode, type Field, type Node, type ObjectNode, type RefineNode } from "../schema/index.ts";
import type { Body } from "./body.ts";
import { foreignObject } from "./foreign-object.ts";
import { parsePath, type PathPart } from "./http-path.ts";
import { schemaOf, type HttpRouteOptions, type Operation } from "./operation.ts";

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A field that travels as text. */
export interface TextField {
  readonly field: Field;
  readonly place: "path" | "query" | "header";
  /** Name of the capture, of the query parameter, or of the header in lower case. */
  readonly key: string;
  /** Takes a list: repeated in the query, separated by commas in a header. */
  readonly list: boolean;
}

export interface HttpPlan {
  readonly operation: Operation;
  readonly method: HttpMethod;
  /** As written: `/cities/{id}`. */
  readonly path: string;
  readonly parts: readonly PathPart[];
  /** Of a success. */
  readonly status: number;
  readonly input: Node;
  readonly output: Node;
  readonly texts: readonly TextField[];
  /**
   * What the JSON body holds: nothing (the method has no body), the whole input, or the fields that do not travel as text.
   * With `fields`, an empty body stands for `{}`.
   */
  readonly body: "none" | "whole" | "fields" | "stream";
  /** The streamed body, where `body` is `stream`. */
  readonly upload: Body | undefined;
  /** The schema of the body; undefined where there is none. */
  readonly bodyNode: Node | undefined;
  /** The object whose fields the body holds; undefined where there is none, or none that is known. */
  readonly bodyObject: ObjectNode | undefined;
  /** True where the input cannot be without a body: a field of it is required. */
  readonly bodyRequired: boolean;
  /** The object of the fields in `texts`. */
  readonly textNode: ObjectNode;
  /**
   * How the decoded parts become the input. `merge`: put together, then `refinements` (innermost first). `foreign`: another
   * library's schema, which takes the whole wire object at once.
   */
  readonly join: "merge" | "foreign";
  readonly refinements: readonly RefineNode[];
}

const methods: readonly string[] = ["GET", "POST", "PUT", "PATCH", "DELETE"] satisfies HttpMethod[];
const headerNamePattern = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Fields that HTTP itself or the framework reads; an input field under one of them would mean two things. */
const takenHeaders = new Set([
  "accept",
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "date",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);

/**
 * Throws a TypeError that names the operation and says what to write instead: for a route that is not `METHOD /path`, a
 * capture without a field, a field that its place cannot carry, a header that HTTP itself reads.
 */
export function httpPlan(operation: Operation): HttpPlan {
  try {
    return plan(operation);
  } catch (cause) {
    const { message } = cause as Error;
    throw new TypeError(`${operation.type}("${operation.name}"): ${message}`, { cause });
  }
}

function plan(operation: Operation): HttpPlan {
  const options = routeOptions(operation);
  const { method, path } = readRoute(operation, options.route);
  const parts = parsePath(path);
  const input = toNode(schemaOf(operation.input));
  const output = toNode(schemaOf(operation.output));
  const status = successStatus(options, output);
  const hasBody = method === "POST" || method === "PUT" || method === "PATCH";
  if (operation.type === "subscription") checkStream(options, output, input);
  const { body: upload } = operation.options;
  if (upload !== undefined && (!hasBody || operation.type !== "mutation"))
    throw new TypeError("a streamed body is for a mutation by POST, PUT or PATCH.");
  const travel = travelOf(input, parts, options, hasBody && upload === undefined);
  const { texts, bodyNode, bodyObject, bodyRequired, textNode, join, refinements } = travel;
  // Written out: every plan has the same shape, and nothing is copied from object to object.
  return {
    operation,
    method,
    path,
    parts,
    status,
    input,
    output,
    texts,
    body: upload === undefined ? travel.body : "stream",
    upload,
    bodyNode,
    bodyObject,
    bodyRequired,
    textNode,
    join,
    refinements,
  };
}

type Travel = Pick<
  HttpPlan,
  "texts" | "body" | "bodyNode" | "bodyObject" | "bodyRequired" | "textNode" | "join" | "refinements"
>;

function travelOf(input: Node, parts: readonly PathPart[], options: HttpRouteOptions, hasBody: boolean): Travel {
  const refinements: RefineNode[] = [];
  const object = objectInside(input, refinements);
  if (object === undefined) {
    if (hasBody && parts.every((part) => part.kind === "literal") && noText(options))
      return wholeBody(input, undefined, noTexts, true, empty);
    throw new TypeError(wholeInputSentence(input, hasBody));
  }
  const join = input.kind === "foreign" ? "foreign" : "merge";
  const texts = textFields(object, parts, options, hasBody);
  if (hasBody && texts.length === 0) {
    const bodyRequired = object.fields.some((field) => field.presence === "required") || join === "foreign";
    return wholeBody(input, object, texts, bodyRequired, pickFields(object, []));
  }
  const textNode = textObject(object, texts);
  if (!hasBody) {
    const none = { body: "none", bodyNode: undefined, bodyObject: undefined, bodyRequired: false } as const;
    return { texts, ...none, textNode, join, refinements };
  }
  const rest = object.fields.filter((field) => !texts.some((text) => text.field === field));
  const bodyRequired = rest.some((field) => field.presence === "required");
  const bodyNode = pickFields(object, rest);
  return { texts, body: "fields", bodyNode, bodyObject: bodyNode, bodyRequired, textNode, join, refinements };
}

function wholeBody(
  input: Node,
  bodyObject: ObjectNode | undefined,
  texts: readonly TextField[],
  bodyRequired: boolean,
  textNode: ObjectNode,
): Travel {
  return { texts, body: "whole", bodyNode: input, bodyObject, bodyRequired, textNode, join: "merge", refinements: [] };
}

const noTexts: readonly TextField[] = Object.freeze([]);
const empty = toNode(schemaOf({})) as ObjectNode;

function textObject(object: ObjectNode, texts: readonly TextField[]): ObjectNode {
  const { fields } = object;
  // Very often the whole input, as it stands.
  const whole = texts.length === fields.length && texts.every(({ field }, at) => field === fields[at]);
  if (whole && object.name === undefined && object.docs === undefined) return object;
  return pickFields(
    object,
    texts.map(({ field }) => field),
  );
}

function noText(options: HttpRouteOptions): boolean {
  return options.query === undefined && options.headers === undefined;
}

function wholeInputSentence(input: Node, hasBody: boolean): string {
  const what =
    input.kind === "foreign"
      ? "its input schema offers no JSON Schema of an object"
      : `its input is of kind ${input.kind}`;
  return hasBody
    ? `${what}, so its fields cannot be told apart: leave out captures, query and headers, and the whole input is the JSON body.`
    : `${what}, so it cannot travel without a body. Take an object, or write http: "POST /…".`;
}

function routeOptions(operation: Operation): HttpRouteOptions {
  const { http } = operation.options;
  if (http === undefined) return { route: `${operation.type === "mutation" ? "POST" : "GET"} /${operation.name}` };
  return typeof http === "string" ? { route: http } : http;
}

function readRoute(operation: Operation, route: string): { method: HttpMethod; path: string } {
  const space = route.indexOf(" ");
  const method = route.slice(0, space);
  if (!methods.includes(method) || !route.startsWith("/", space + 1)) {
    throw new TypeError(`the route "${route}" is not "METHOD /path" with one of ${methods.join(", ")}.`);
  }
  if (operation.type === "mutation" && method === "GET") {
    throw new TypeError(
      "a mutation cannot be GET, which browsers, caches and crawlers repeat at will. Use POST, PUT, PATCH or DELETE.",
    );
  }
  if (operation.type === "query" && method !== "GET" && method !== "POST") {
    throw new TypeError(`a query changes nothing, which ${method} promises to do. Use GET, or POST for a large input.`);
  }
  if (operation.type === "subscription" && method !== "GET" && method !== "POST") {
    throw new TypeError(
      `a subscription only reads, so it cannot be ${method}. Use GET, the only method of EventSource and WebSocket, or POST for a large input.`,
    );
  }
  return { method: method as HttpMethod, path: route.slice(space + 1) };
}

function successStatus({ status }: HttpRouteOptions, output: Node): number {
  const silent = output.kind === "nothing";
  if (status === undefined) return silent ? 204 : 200;
  if (!Number.isInteger(status) || status < 200 || status > 299)
    throw new TypeError(`the status of a success is 200 to 299, not ${status}.`);
  if (!silent && (status === 204 || status === 205))
    throw new TypeError(`an answer with status ${status} has no body, but there is an output. Use t.nothing().`);
  return status;
}

/** The query parameter in which a client that can set no header says after which item it comes back. */
export const lastEventIdKey = "lastEventId";

function checkStream({ status }: HttpRouteOptions, output: Node, input: Node): void {
  if (status !== undefined && status !== 200)
    throw new TypeError(`a stream is answered with status 200, not ${status}.`);
  if (output.kind === "nothing") throw new TypeError("a stream of nothing has no items. Say in `output` what one is.");
  if (objectInside(input, [])?.fields.some(({ wireName }) => wireName === lastEventIdKey) === true)
    throw new TypeError(
      `the field "${lastEventIdKey}" is what clients say after which item they come back. Call it something else, and read lastEventId beside the input.`,
    );
}

/** The object that the input is, through brands and refinements; for a foreign schema, the one that its JSON Schema describes. */
function objectInside(node: Node, refinements: RefineNode[]): ObjectNode | undefined {
  switch (node.kind) {
    case "object":
      return node;
    case "brand":
      return objectInside(node.inner, refinements);
    case "refine": {
      const object = objectInside(node.inner, refinements);
      refinements.push(node);
      return object;
    }
    case "ref":
      return objectInside(node.target(), refinements);
    case "foreign":
      return refinements.length === 0 ? foreignObject(node) : undefined;
    default:
      return undefined;
  }
}

function textFields(
  object: ObjectNode,
  parts: readonly PathPart[],
  options: HttpRouteOptions,
  hasBody: boolean,
): readonly TextField[] {
  const placed: TextField[] = [];
  for (const part of parts) if (part.kind !== "literal") place(placed, object, part.name, "path", part.name);
  if (options.headers !== undefined) {
    const headers = Object.entries(options.headers);
    for (const [name, header] of headers) place(placed, object, name, "header", headerKey(header, headers));
  }
  if (options.query !== undefined) for (const name of options.query) place(placed, object, name, "query", undefined);
  if (!hasBody)
    for (const field of object.fields) {
      if (!isPlaced(placed, field)) place(placed, object, field.name, "query", undefined);
    }
  return placed;
}

/** Few fields travel as text: a look through the list is cheaper than a map for each operation. */
function isPlaced(placed: readonly TextField[], field: Field): boolean {
  for (const one of placed) if (one.field === field) return true;
  return false;
}

function place(
  placed: TextField[],
  object: ObjectNode,
  name: string,
  where: TextField["place"],
  key: string | undefined,
): void {
  const field = object.fields.find((one) => one.name === name) ?? object.fields.find((one) => one.wireName === name);
  if (field === undefined) {
    const known = object.fields.map((one) => one.name).join(", ") || "none";
    throw new TypeError(`${placeWords[where]} names "${name}", which is no field of the input. Its fields: ${known}.`);
  }
  const earlier = placed.find((one) => one.field === field);
  if (earlier !== undefined)
    throw new TypeError(`the field "${name}" travels twice: in the ${earlier.place} and in the ${where}.`);
  const list = checkText(field, where);
  placed.push({ field, place: where, key: key ?? field.wireName, list });
}

const placeWords = { path: "the path", query: "query: […]", header: "headers: {…}" };

function headerKey(header: string, all: readonly (readonly [string, string])[]): string {
  const key = header.toLowerCase();
  if (!headerNamePattern.test(key)) throw new TypeError(`"${header}" is not a header name.`);
  if (takenHeaders.has(key))
    throw new TypeError(
      `the header "${header}" has a meaning of its own and cannot carry a field. Use a name such as "x-…".`,
    );
  if (all.filter(([, other]) => other.toLowerCase() === key).length > 1)
    throw new TypeError(`two fields travel in the header "${header}".`);
  return key;
}

/** Whether the field takes a list. Throws when its place cannot carry it. */
function checkText(field: Field, place: TextField["place"]): boolean {
  const item = listItem(field.node);
  const name = `the field "${field.name}"`;
  if (place === "path") {
    if (item !== undefined) throw new TypeError(`${name} is a list, which a path cannot carry.`);
    if (field.presence !== "required")
      throw new TypeError(
        `${name} stands in the path, so it cannot be ${field.presence === "optional" ? "optional" : "left to a default"}.`,
      );
  }
  checkScalar(item ?? field.node, name, place);
  return item !== undefined;
}

function checkScalar(node: Node, name: string, place: TextField["place"]): void {
  switch (node.kind) {
    case "brand":
    case "refine":
      return checkScalar(node.inner, name, place);
    case "ref":
      return checkScalar(node.target(), name, place);
    case "nullable":
      throw new TypeError(`${name} is nullable, but text in a ${place} cannot say null. Use t.optional(…).`);
    case "object":
    case "tagged":
    case "array":
    case "tuple":
    case "map":
    case "json":
    case "nothing":
      throw new TypeError(
        `${name} is of kind ${node.kind}, which a ${place} cannot carry: only scalars and lists of scalars travel as text.${place === "query" ? ' With http: "POST /…" it would travel in the body.' : ""}`,
      );
    default:
      return;
  }
}

function listItem(node: Node): Node | undefined {
  switch (node.kind) {
    case "array":
      return node.items;
    case "brand":
    case "refine":
      return listItem(node.inner);
    case "ref":
      return listItem(node.target());
    default:
      return undefined;
  }
}
