/**
 * The compiled codec of one operation: a request's captures, query, headers and body to the input, the output to JSON text.
 * Built once at start from the operation's plan. Synchronous unless a foreign schema validates asynchronously.
 */
import type { HttpPlan, TextField } from "../contract/index.ts";
import { Err, Ok, isPromiseLike, type MaybePromise, type Result } from "../core/index.ts";
import {
  Invalid,
  compileReader,
  compileText,
  compileWriter,
  t,
  type Issue,
  type Node,
  type TextCodec,
} from "../schema/index.ts";
import type { HttpRequest } from "../exchange/index.ts";
import { parseQuery } from "./query-text.ts";

type Decoded = Result<unknown, Invalid>;
type Values = { [field: string]: unknown };

export interface OperationCodec {
  /** `query` is the target's text after `?`, or "". `body` is empty where there is none. */
  decode(request: HttpRequest, captures: readonly string[], query: string, body: Uint8Array): MaybePromise<Decoded>;
  /** JSON text of an output; null for one that has no body. An output that does not fit its schema is the program's mistake. */
  encode(output: unknown): Result<string | null, Invalid>;
}

/** `maxBodyBytes` is what the body codec must be able to read. */
export function operationCodec(plan: HttpPlan, maxBodyBytes: number): OperationCodec {
  const output = compileWriter(plan.output);
  return {
    decode: operationDecoder(plan, jsonBody(plan, maxBodyBytes)),
    encode: plan.status === 204 || plan.status === 205 ? () => noOutput : (value) => output.serialize(value),
  };
}

const noOutput: Ok<null> = Object.freeze(new Ok(null));

/** The decoded body of a request. */
export type BodyReader = (bytes: Uint8Array) => MaybePromise<Decoded>;

/** `readBody`: undefined where the plan has no body. */
export function operationDecoder(plan: HttpPlan, readBody: BodyReader | undefined): OperationCodec["decode"] {
  const texts = new TextInputs(plan);
  const { body } = plan;
  if (body === "whole" && readBody !== undefined) {
    return (request, captures, query, bytes) => {
      const issues = texts.read(request, captures, query);
      return issues === undefined ? readBody(bytes) : new Err(new Invalid(issues));
    };
  }
  const join = plan.join === "foreign" ? joinForeign(plan) : joinMerge(plan);
  const readTexts = texts.codec;
  return (request, captures, query, bytes) => {
    const issues = texts.read(request, captures, query);
    const fromTexts = readTexts(texts.get);
    const fromBody = readBody === undefined ? undefined : readBody(bytes);
    if (isPromiseLike(fromTexts) || isPromiseLike(fromBody)) {
      return Promise.all([fromTexts, fromBody]).then(([one, two]) => join(one, two, issues));
    }
    return join(fromTexts, fromBody, issues);
  };
}

type Join = (texts: Decoded, body: Decoded | undefined, issues: readonly Issue[] | undefined) => MaybePromise<Decoded>;

/** The parts as one object, then the conditions on the whole. */
function joinMerge({ refinements }: HttpPlan): Join {
  return (texts, body, issues) => {
    if (issues !== undefined || !texts.ok || body?.ok === false) return failed(texts, body, issues);
    const value = body === undefined ? texts.value : Object.assign(body.value as Values, texts.value);
    for (const { predicate, message } of refinements) {
      // A predicate's parameter is typed by its schema, which is this value's.
      if (!predicate(value as never)) return new Err(new Invalid([{ code: "refine", path: [], pointer: "", message }]));
    }
    return body === undefined ? texts : new Ok(value);
  };
}

/** The parts as one wire object, for another library to validate. */
function joinForeign(plan: HttpPlan): Join {
  const whole = compileReader(plan.input);
  const own = plan.texts.map(({ field }) => field.wireName);
  return (texts, body, issues) => {
    if (issues !== undefined || !texts.ok || body?.ok === false) return failed(texts, body, issues);
    const rest = body === undefined ? {} : body.value;
    if (typeof rest !== "object" || rest === null || Array.isArray(rest)) {
      return new Err(
        new Invalid([{ code: "type", path: [], pointer: "", message: "must be an object", expected: "object" }]),
      );
    }
    for (const name of own) if (Object.hasOwn(rest, name)) return new Err(new Invalid([unknownIssue(name)]));
    return whole.parse({ ...rest, ...(texts.value as Values) });
  };
}

function failed(texts: Decoded, body: Decoded | undefined, issues: readonly Issue[] | undefined): Err<Invalid> {
  const all = [
    ...(issues ?? []),
    ...(texts.ok ? [] : texts.fault.issues),
    ...(body === undefined || body.ok ? [] : body.fault.issues),
  ];
  return new Err(new Invalid(all.slice(0, 100)));
}

export const missingBody = new Err(
  new Invalid([{ code: "required", path: [], pointer: "", message: "is missing: send a body", expected: "object" }]),
);

/** The schema of a body: where another library has the whole input, what it is given of it may be any JSON. */
export function bodySchema({ join, body, bodyNode }: HttpPlan): Node | undefined {
  return bodyNode !== undefined && join === "foreign" && body === "fields" ? t.json() : bodyNode;
}

function jsonBody(plan: HttpPlan, maxBodyBytes: number): BodyReader | undefined {
  const node = bodySchema(plan);
  if (node === undefined) return undefined;
  const codec = compileReader(node, { limits: { maxTextLength: Math.max(1, maxBodyBytes) } });
  const { bodyRequired } = plan;
  return (bytes) => (bytes.length > 0 ? codec.parseJson(bytes) : bodyRequired ? missingBody : codec.parse({}));
}

/**
 * What `compileText` asks for its values. One object for all requests of an operation: it is filled and read in one go, without
 * a pause in which another request could come in between.
 */
class TextInputs {
  readonly codec: TextCodec<unknown>;
  readonly #slots: ReadonlyMap<string, TextField & { readonly index: number }>;
  readonly #queryKeys: ReadonlyMap<string, TextField & { readonly index: number }>;
  readonly #refuseUnknown: boolean;
  #request: HttpRequest | undefined;
  #captures: readonly string[] = [];
  #query: (string | string[] | undefined)[] = [];

  constructor(plan: HttpPlan) {
    this.codec = compileText(plan.textNode);
    const captures = plan.parts.flatMap((part) => (part.kind === "literal" ? [] : [part.name]));
    const slots = plan.texts.map((text, at) => ({
      ...text,
      index: text.place === "path" ? captures.indexOf(text.key) : at,
    }));
    this.#slots = new Map(slots.map((slot) => [slot.field.wireName, slot]));
    this.#queryKeys = new Map(slots.filter(({ place }) => place === "query").map((slot) => [slot.key, slot]));
    this.#refuseUnknown = plan.textNode.unknown === "refuse";
  }

  /** Takes a request's texts in. Gives what is wrong with the query. */
  read(request: HttpRequest, captures: readonly string[], query: string): readonly Issue[] | undefined {
    this.#request = request;
    this.#captures = captures;
    if (this.#query.length > 0) this.#query = [];
    return query === "" ? undefined : this.#readQuery(query);
  }

  #readQuery(text: string): readonly Issue[] | undefined {
    const pairs = parseQuery(text);
    if (pairs === undefined)
      return [{ code: "utf8", path: [], pointer: "", message: "has a broken percent-escape in its query" }];
    let issues: Issue[] | undefined;
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i] as string;
      const value = pairs[i + 1] as string;
      const slot = this.#queryKeys.get(name);
      if (slot === undefined) {
        if (this.#refuseUnknown && (issues ??= []).length < 100) issues.push(unknownIssue(name));
        continue;
      }
      const earlier = this.#query[slot.index];
      if (earlier === undefined) this.#query[slot.index] = value;
      else if (typeof earlier === "string") this.#query[slot.index] = [earlier, value];
      else earlier.push(value);
    }
    return issues;
  }

  readonly get = (wireName: string): string | readonly string[] | undefined => {
    const slot = this.#slots.get(wireName);
    if (slot === undefined) return undefined;
    if (slot.place === "path") return this.#captures[slot.index];
    const value = slot.place === "query" ? this.#query[slot.index] : this.#header(slot);
    // A list is written by repetition, so an empty one is written as nothing.
    return value === undefined && slot.list && slot.field.presence === "required" ? [] : value;
  };

  #header({ key, list }: TextField): string | readonly string[] | undefined {
    const value = this.#request?.header(key);
    if (value === undefined || !list) return value;
    // RFC 9110 section 5.6.1: empty elements of a list do not count.
    return value
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  }
}

const longestName = 100;

function unknownIssue(name: string): Issue {
  const shown = name.length > longestName ? `${name.slice(0, longestName)}…` : name;
  const pointer = `/${shown.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return { code: "unknown_field", path: [shown], pointer, message: "is not a parameter here" };
}
