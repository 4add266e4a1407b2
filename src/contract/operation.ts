/**
 * Operations as data: what can be called, with what, by whom, and every way it can end. Imports no server code.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { durationMs, type Duration, type Fault } from "../core/index.ts";
import { t, type AnySchema, type Shape, type ShapeInput, type ShapeOutput } from "../schema/index.ts";
import type { Access } from "./access.ts";
import type { Body } from "./body.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import { checkFaults, checkName } from "./names.ts";

/** An object's fields, or any schema that offers Standard Schema (a `t` node, Zod, ArkType, Valibot). */
export type SchemaLike = Shape | StandardSchemaV1;

/** The decoded type: what a handler reads from its input, what a client reads from its output. */
export type Decoded<S> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : S extends Shape
    ? ShapeOutput<S>
    : never;
/** The written type: what a client passes as input, what a handler returns. Fields with a default may be left out. */
export type Written<S> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : S extends Shape
    ? ShapeInput<S>
    : never;

/** `"GET /cities/{id}"`, or the same with details. */
export type HttpRoute = string | HttpRouteOptions;

export interface HttpRouteOptions {
  /** Method and path: captures in braces, `{*rest}` for the tail of the path. */
  readonly route: string;
  /** Input fields that travel as headers: field -> header name. */
  readonly headers?: { readonly [field: string]: string };
  /** Input fields that travel in the query of a request that has a body. Without a body every field that is no capture and no header does. */
  readonly query?: readonly string[];
  /** Status of a success. Default 200; 204 where the output is `t.nothing()`. */
  readonly status?: number;
}

/** How much it matters that a call is answered under overload. */
export type Priority = "critical" | "normal" | "low";

const priorities: readonly unknown[] = ["critical", "normal", "low"] satisfies readonly Priority[];

export interface OperationOptions<
  I extends SchemaLike,
  O extends SchemaLike,
  F extends readonly AnyFaultType[],
  A extends Access<Decoded<I>> = Access<Decoded<I>>,
  B extends Body | undefined = Body | undefined,
> {
  /** Required: an operation without an access policy does not compile. */
  readonly access: A;
  /** REST mapping. Without it: `POST /{operation}` for a mutation, `GET /{operation}` for a query or a subscription. */
  readonly http?: HttpRoute;
  readonly input: I;
  /** A body that is streamed: `octets(…)`, `ndjson(…)`, `multipart(…)`. The input then travels in path, query and headers. */
  readonly body?: B;
  readonly output: O;
  readonly faults?: F;
  /** Time limit of one call, default 30 s; 1 h where the handler reads a streamed body. Of a subscription: of its opening, after which it has none (see `maxAge`). */
  readonly timeout?: Duration;
  /** One line for documents. */
  readonly summary?: string;
  /** Markdown for documents. */
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly deprecated?: boolean;
  /** Bytes of request body accepted, default 1 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Who is refused first when the server has more to do than it can do in time: `low` before `normal`, `critical` last. Default
   * `normal`. See docs/overload.md.
   */
  readonly priority?: Priority;
}

/** What is left of the options once types are not needed any more. */
export type OperationSettings = Omit<OperationOptions<SchemaLike, SchemaLike, readonly AnyFaultType[]>, "access"> &
  StreamOptions & { readonly access: Access<never> };

/** What a subscription says beside what every operation does. */
export interface StreamOptions {
  /**
   * Whether the handler can go on after a given item. Then items carry an id (`event(item, { id })`), the handler is told the last
   * one that the client has seen (`lastEventId`), and clients come back by themselves. Default false.
   */
  readonly resume?: boolean;
  /**
   * A stream older than this is ended as in a drain: clients come back, are authenticated anew and reach another process. Default:
   * no limit. Give one where what `authenticate` found out may change.
   */
  readonly maxAge?: Duration;
}

export type OperationType = "query" | "mutation" | "subscription";

export interface Operation<
  Type extends OperationType = OperationType,
  I extends SchemaLike = SchemaLike,
  O extends SchemaLike = SchemaLike,
  F extends Fault = Fault,
  Known extends boolean = boolean,
  B extends Body | undefined = Body | undefined,
> {
  readonly type: Type;
  readonly name: string;
  readonly input: I;
  readonly output: O;
  readonly faults: readonly AnyFaultType[];
  readonly options: OperationSettings;
  /** Type only: the declared faults. */
  readonly "~faults"?: F;
  /** Type only: whether the access policy lets only known callers through. */
  readonly "~known"?: Known;
  /** Type only: the streamed body. */
  readonly "~body"?: B;
}

export type KnowsCaller<A> = A extends "public" ? false : true;

/** An operation that changes nothing: may be repeated, answered from caches, and is `GET` by default. */
export function query<
  I extends SchemaLike,
  O extends SchemaLike,
  const A extends Access<Decoded<I>>,
  const F extends readonly AnyFaultType[] = [],
>(
  name: string,
  options: OperationOptions<I, O, F, A, undefined>,
): Operation<"query", I, O, FaultsOf<F>, KnowsCaller<A>, undefined> {
  return define("query", name, options);
}

/** An operation that changes something. `POST` by default. */
export function mutation<
  I extends SchemaLike,
  O extends SchemaLike,
  const A extends Access<Decoded<I>>,
  const F extends readonly AnyFaultType[] = [],
  B extends Body | undefined = undefined,
>(name: string, options: OperationOptions<I, O, F, A, B>): Operation<"mutation", I, O, FaultsOf<F>, KnowsCaller<A>, B> {
  return define("mutation", name, options);
}

/** The common half of `query`, `mutation` and `subscription`. */
export function define<
  T extends OperationType,
  I extends SchemaLike,
  O extends SchemaLike,
  A extends Access<Decoded<I>>,
  F extends readonly AnyFaultType[],
  B extends Body | undefined,
>(type: T, name: string, options: OperationOptions<I, O, F, A, B>): Operation<T, I, O, FaultsOf<F>, KnowsCaller<A>, B> {
  checkName(type, name);
  checkAccess(type, name, options.access);
  if (options.timeout !== undefined) durationMs(options.timeout);
  checkPriority(`${type}("${name}")`, options.priority);
  return Object.freeze({
    type,
    name,
    input: options.input,
    output: options.output,
    faults: checkFaults(type, name, options.faults ?? []),
    options,
  });
}

/** Throws a TypeError that names `owner`: a mistyped priority would be none. */
export function checkPriority(owner: string, priority: unknown): void {
  if (priority !== undefined && !priorities.includes(priority))
    throw new TypeError(`${owner} has the priority ${JSON.stringify(priority)}. Take "critical", "normal" or "low".`);
}

function checkAccess(type: string, name: string, access: unknown): void {
  const known =
    access === "public" ||
    access === "authenticated" ||
    typeof access === "function" ||
    (typeof access === "object" &&
      access !== null &&
      "scopes" in access &&
      Array.isArray(access.scopes) &&
      access.scopes.length > 0);
  if (!known) {
    throw new TypeError(
      `${type}("${name}") needs an access policy: "public", "authenticated", { scopes: ["…"] } or a function of the caller and the input.`,
    );
  }
}

/** The schema that an `input` or `output` stands for: fields alone are an object of them. */
export function schemaOf(like: SchemaLike): AnySchema {
  return "~standard" in like ? (like as AnySchema) : t.object(like);
}
