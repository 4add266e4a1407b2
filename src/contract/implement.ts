/**
 * Joins a contract with what carries it out: handlers, context, authentication, middleware. Checked at start as well as by the
 * compiler, because a contract may come from JavaScript.
 */
import type { Fault, MaybePromise } from "../core/index.ts";
import type { Format } from "../schema/index.ts";
import type { Principal } from "./access.ts";
import type { UploadOptions } from "./body.ts";
import { checkChallenges } from "./challenges.ts";
import type { Contract, Members } from "./contract.ts";
import type { FrameworkFault, Unauthenticated, Unavailable } from "./framework-faults.ts";
import type { Handlers } from "./handler.ts";
import type { Incoming } from "./incoming.ts";
import { checkMiddleware, withMiddlewareFaults } from "./middleware-list.ts";
import type { Middleware } from "./middleware.ts";

/** The caller, undefined for nobody, or why that cannot be said. */
export type CallerAnswer<P extends Principal> =
  | P
  | undefined
  | ReturnType<typeof Unauthenticated>
  | ReturnType<typeof Unavailable>;

export interface Authenticate<P extends Principal> {
  (request: Incoming): MaybePromise<CallerAnswer<P>>;
  /** What must be there before the first request; `serve` awaits it, and does not start when it rejects. */
  readonly start?: () => Promise<void>;
  /**
   * What `WWW-Authenticate` says on every 401 (RFC 9110 section 11.6.1), unless `reply.set` says something else: schemes, with
   * parameters if they have some. Default `["Bearer"]`.
   */
  readonly challenges?: readonly string[];
}

/** What the context factory is told. It runs once per call, after authentication and access. */
export interface ContextCall<P extends Principal> {
  readonly type: "query" | "mutation" | "subscription" | "job";
  readonly name: string;
  readonly auth: P | undefined;
  readonly requestId: string;
}

type UnionToIntersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;
/** What a list of middleware adds to the context. */
export type AddsOf<U extends readonly Middleware<object, Fault>[]> = [U[number]] extends [never]
  ? unknown
  : UnionToIntersection<NonNullable<U[number]["~adds"]>>;

export interface Implementation<
  M extends Members,
  F extends Fault,
  Ctx,
  P extends Principal,
  U extends readonly Middleware<object, Fault>[],
> {
  /**
   * Who is calling? Return the caller, undefined for nobody, or `Unauthenticated()` when credentials are there but wrong;
   * `Unavailable()` when nobody can say now.
   * Default: nobody is ever signed in, so that only public operations answer.
   */
  readonly authenticate?: Authenticate<P>;
  /** What handlers receive beside the input. A plain object is shared by all calls. */
  readonly context?: Ctx | ((call: ContextCall<P>) => MaybePromise<Ctx>);
  /** Outermost first. */
  readonly middleware?: U;
  /** What HTTP speaks beside JSON: `[messagePack(), cbor(), form()]` of `tensile/formats`. Default: none. */
  readonly formats?: readonly Format[];
  /** Where the files of multipart forms lie while their calls run. */
  readonly uploads?: UploadOptions;
  readonly handlers: Handlers<M, Ctx & AddsOf<U>, P, F | FrameworkFault>;
}

export interface Implemented {
  /** With the faults of the middleware among those of all its operations. */
  readonly contract: Contract;
  readonly authenticate: Authenticate<Principal> | undefined;
  /** At most one of the two is set. */
  readonly sharedContext: object | undefined;
  readonly makeContext: ((call: ContextCall<Principal>) => MaybePromise<object>) | undefined;
  readonly middleware: readonly Middleware[];
  readonly formats: readonly Format[];
  readonly uploads: UploadOptions | undefined;
  readonly handlers: { readonly [name: string]: (call: never) => unknown };
}

/** Throws a TypeError that names every missing and every unknown handler. */
export function implementContract<
  const M extends Members,
  F extends Fault,
  Ctx = unknown,
  P extends Principal = Principal,
  const U extends readonly Middleware<object, Fault>[] = readonly Middleware<object, Fault>[],
>(contract: Contract<M, F>, implementation: Implementation<M, F, Ctx, P, U>): Implemented {
  const handlers = implementation.handlers as Implemented["handlers"];
  const { context } = implementation;
  const missing = Object.keys(contract.members).filter(
    (name) => !Object.hasOwn(handlers, name) || typeof handlers[name] !== "function",
  );
  const unknown = Object.keys(handlers).filter((name) => !Object.hasOwn(contract.members, name));
  if (missing.length > 0) throw new TypeError(`implement("${contract.name}"): no handler for ${missing.join(", ")}.`);
  if (unknown.length > 0) {
    throw new TypeError(
      `implement("${contract.name}"): ${unknown.join(", ")} is not in the contract. Add it there or remove the handler.`,
    );
  }
  checkChallenges(contract.name, implementation.authenticate?.challenges);
  const middleware = checkMiddleware(
    contract.name,
    // What each adds to the context is a matter of types alone.
    (implementation.middleware ?? []) as Implemented["middleware"],
  );
  return Object.freeze({
    contract: withMiddlewareFaults(contract, middleware),
    authenticate: implementation.authenticate,
    sharedContext:
      typeof context === "function" ? undefined : checkContext(contract.name, context as object | undefined),
    makeContext: typeof context === "function" ? (context as Implemented["makeContext"]) : undefined,
    middleware,
    formats: implementation.formats ?? [],
    uploads: implementation.uploads,
    handlers,
  });
}

/** What handlers are given beside their context; a context may not hide it. */
const ownArguments: readonly string[] = [
  "input",
  "auth",
  "signal",
  "requestId",
  "reply",
  "deadline",
  "trace",
  "jobs",
  "job",
  "lastEventId",
  "body",
];

export function checkContext<C extends object | undefined>(where: string, context: C): C {
  if (context !== undefined) {
    checkMembers(where, context);
    for (const name of ownArguments) {
      if (name in context) {
        throw new TypeError(
          `The context of "${where}" has a member "${name}", which handlers are given by Tensile. Call it something else.`,
        );
      }
    }
  }
  return context;
}

/** Handlers get the own members of the context beside the input: methods of a class would silently be missing there. */
function checkMembers(where: string, context: object): void {
  if (typeof context !== "object" || context === null) {
    throw new TypeError(`The context of "${where}" is no object. Return one: { db, … }.`);
  }
  for (
    let type: object | null = Object.getPrototypeOf(context) as object | null;
    type !== null && type !== Object.prototype;
    type = Object.getPrototypeOf(type) as object | null
  ) {
    const method = Object.getOwnPropertyNames(type).find((name) => name !== "constructor");
    if (method !== undefined && Object.getPrototypeOf(type) !== null) {
      throw new TypeError(
        `The context of "${where}" has "${method}" from its class, which handlers would not get. Put the object into a plain one: { services }.`,
      );
    }
  }
}
