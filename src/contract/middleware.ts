/**
 * The one middleware kind. It has up to three moments, each composed once at start:
 *
 *   wire    around all of HTTP: routes, extra routes, what leads nowhere. HttpRequest in, HttpResponse out
 *   admit   before the body is read, when it is known who is calling: undefined to go on, or a fault
 *   call    around the handler of every operation and job; may hand it more context
 */
import type { Clock, Fault, MaybePromise, Result } from "../core/index.ts";
import type { HttpHandler, HttpRequest, HttpResponse, Reply, TraceContext } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import type { CallDeadline } from "./call-parent.ts";
import type { Contract, Member } from "./contract.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import type { FrameworkFault } from "./framework-faults.ts";
import type { AdmitCall } from "./incoming.ts";
import type { Operation } from "./operation.ts";

export interface MiddlewareCall {
  /** The operation or job, as the contract declares it. */
  readonly member: Member;
  readonly type: "query" | "mutation" | "subscription" | "job";
  readonly name: string;
  readonly input: unknown;
  readonly auth: Principal | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** The peer's IP address; "" for jobs and in memory. */
  readonly remoteAddress: string;
  /** Header fields of the HTTP answer. What jobs and calls in memory set goes nowhere. */
  readonly reply: Reply;
  /** How long the call may still take. */
  readonly deadline: CallDeadline;
  /** W3C Trace Context: what this call belongs to. */
  readonly trace: TraceContext | undefined;
  /** A request header by lower-case name; undefined for jobs. */
  header(name: string): string | undefined;
  /** For middleware that begins a span: what the handler calls and enqueues then belongs to that. */
  continueTrace(trace: TraceContext): void;
}

export type Next<Adds extends object> = (add: Adds) => Promise<Result<unknown, Fault>>;

/** Undefined lets the call go on; a fault is its answer. */
export type Admit<F extends Fault = Fault> = (call: AdmitCall, operation: Operation) => MaybePromise<F | undefined>;

/** Called once, at start. The handler that it returns is called for every request. */
export type Wire = (next: HttpHandler, tools: WireTools) => HttpHandler;

/** What the HTTP side hands to a `wire`. */
export interface WireTools {
  readonly clock: Clock;
  /** What the app serves, with the faults of its middleware. */
  readonly contract: Contract;
  /** Every method that some route answers, HEAD and OPTIONS too, in upper case. */
  readonly methods: readonly string[];
  /** A fault as an RFC 9457 problem. */
  problem(request: HttpRequest, type: AnyFaultType, fault: Fault): HttpResponse;
  /** Reports a mistake in the program and gives the problem that the client gets for it. */
  defect(request: HttpRequest, error: unknown): HttpResponse;
}

export interface Middleware<Adds extends object = Record<never, never>, F extends Fault = never> {
  (call: MiddlewareCall, next: Next<Adds>): MaybePromise<Result<unknown, Fault>>;
  readonly admit?: Admit;
  readonly wire?: Wire;
  /** What it may answer with beside the framework's own faults. */
  readonly faults?: readonly AnyFaultType[];
  /** It has no `call` moment of its own. */
  readonly "~passes"?: true;
  readonly "~adds"?: Adds;
  readonly "~faults"?: F;
}

/** At least one of `call`, `admit` and `wire`. */
export interface MiddlewareParts<Adds extends object, F extends readonly AnyFaultType[]> {
  /** Around the handler of every operation and job. */
  readonly call?: (call: MiddlewareCall, next: Next<Adds>) => MaybePromise<Result<unknown, Fault>>;
  /**
   * Before the body of an operation's request is read, after authentication and the static access check. Runs for every protocol and
   * for calls in memory, not for jobs. It has the operation's time limit to itself.
   */
  readonly admit?: Admit<FaultsOf<F> | FrameworkFault>;
  /** Around everything that HTTP answers. Must not throw; what does becomes a problem with an incident id all the same. */
  readonly wire?: Wire;
  /**
   * The faults that it answers with. OpenAPI lists them under every operation. For a typed client, name them in the contract too:
   * `contract(…, { faults })`.
   */
  readonly faults?: F;
}

/**
 * Declares middleware. Its faults are those that it lists, those that the contract declares for all its operations, and the
 * framework's own. A function is the `call` moment alone.
 *
 * @throws TypeError when there is none of the three, or something else.
 * @example
 * const timing = middleware(async (call, next) => {
 *   const result = await next({});
 *   call.reply.append("server-timing", "handler");
 *   return result;
 * });
 * const Closed = fault("CLOSED", { kind: "unavailable" });
 * const closing = middleware({
 *   faults: [Closed],
 *   admit: (call, operation) => (operation.type === "mutation" && call.auth === undefined ? Closed() : undefined),
 * });
 */
export function middleware<Adds extends object = Record<never, never>, F extends Fault = FrameworkFault>(
  run: (call: MiddlewareCall, next: Next<Adds>) => MaybePromise<Result<unknown, Fault>>,
): Middleware<Adds, F>;
export function middleware<Adds extends object = Record<never, never>, const F extends readonly AnyFaultType[] = []>(
  parts: MiddlewareParts<Adds, F>,
): Middleware<Adds, FaultsOf<F>>;
export function middleware(
  given: MiddlewareParts<object, readonly AnyFaultType[]> | Middleware<object>,
): Middleware<object, Fault> {
  if (typeof given === "function") return given;
  const parts = checkParts(given);
  const { call } = parts;
  const members = {
    ...(parts.admit !== undefined && { admit: parts.admit }),
    ...(parts.wire !== undefined && { wire: parts.wire }),
    ...(parts.faults !== undefined && { faults: Object.freeze([...parts.faults]) }),
  };
  return call === undefined
    ? Object.assign<Middleware<object>, object>((_, next) => next({}), { ...members, "~passes": true })
    : Object.assign<Middleware<object>, object>((to, next) => call(to, next), members);
}

const moments = ["call", "admit", "wire"];

function checkParts<P>(parts: P): P {
  const names = typeof parts === "object" && parts !== null ? Object.keys(parts) : [];
  const unknown = names.find((name) => name !== "faults" && !moments.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`middleware(): there is no "${unknown}". Write { call, admit, wire, faults }.`);
  if (!moments.some((name) => names.includes(name)))
    throw new TypeError("middleware() takes a function, or an object with at least one of call, admit and wire.");
  return parts;
}
