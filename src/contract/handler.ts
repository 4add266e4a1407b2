/**
 * What a handler is: the types that make a missing handler, an undeclared fault and a wrong output compile errors, and the one
 * function that turns whatever a handler returned into a Result.
 */
import { Err, Fault, Ok, isPromiseLike, type MaybePromise, type Result } from "../core/index.ts";
import type { Reply, TraceContext } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import type { CallDeadline } from "./call-parent.ts";
import type { Body, BodyOf, HandlerBody } from "./body.ts";
import type { DeclaredFaultOf, DecodedInputOf, HandlerOutputOf, Member, Members, SignalsOf } from "./contract.ts";
import type { SignalTimedOut } from "./framework-faults.ts";
import type { Signals } from "./job.ts";
import type { JobRun } from "./job-run.ts";
import type { Jobs } from "./jobs-face.ts";
import type { StreamReturn } from "./stream-handler.ts";

/** What a handler may return: the value, a declared fault, or a Result of the two. */
export type Outcome<T, F extends Fault> = T | F | Result<T, F>;

/** A plain or async function, or a generator in which `yield* result` returns early with the fault. */
export type HandlerReturn<T, F extends Fault> =
  | MaybePromise<Outcome<T, F>>
  | Generator<Err<F>, Outcome<T, F>, unknown>
  | AsyncGenerator<Err<F>, Outcome<T, F>, unknown>;

/** What every handler is given beside its input and the app's context. */
export interface CallTools<P extends Principal | undefined> {
  /** The caller; undefined where nobody is signed in, which only `access: "public"` lets through. */
  readonly auth: P;
  /** Aborts at the deadline, when the client goes away, and when a drain runs out of time. */
  readonly signal: AbortSignal;
  /** Unique per call; in logs and in the `x-request-id` header. */
  readonly requestId: string;
  /** Header fields of the HTTP answer. What a call in memory sets goes nowhere. */
  readonly reply: Reply;
  /** How long the call may still take: the operation's limit, or the caller's own where that is less. */
  readonly deadline: CallDeadline;
  /** W3C Trace Context of this call, for those whom it calls by other means than Tensile's client. */
  readonly trace: TraceContext | undefined;
  /** Enqueues, awaits and manages jobs. What is enqueued belongs to the call's trace. */
  readonly jobs: Jobs;
}

export interface JobTools<S extends Signals = Record<never, never>> {
  readonly job: JobRun<S>;
  /** Aborts at the attempt's time limit, when the job is cancelled, when its claim is lost, and when a drain runs out of time. */
  readonly signal: AbortSignal;
  /** How long the attempt may still take. */
  readonly deadline: CallDeadline;
  /** W3C Trace Context of the call that enqueued the job, or of this attempt's own span. */
  readonly trace: TraceContext | undefined;
  readonly jobs: Jobs;
}

/** What the handler of a subscription is given beside that. */
export interface StreamTools {
  /** Of the last item that this client has seen, when it comes back to a subscription with `resume: true`. Text from outside. */
  readonly lastEventId: string | undefined;
}

type Tools<M extends Member, P extends Principal> = M["type"] extends "job"
  ? JobTools<SignalsOf<M>>
  : CallTools<true extends KnownOf<M> ? P : P | undefined> & (M["type"] extends "subscription" ? StreamTools : unknown);
/** What an operation with a streamed body is given beside its input. */
type BodyTools<M> = [BodyOf<M>] extends [Body] ? { readonly body: HandlerBody<BodyOf<M>> } : unknown;
/** What the tools of a job's handler answer with. */
type OwnFaultOf<M extends Member> = M["type"] extends "job" ? ReturnType<typeof SignalTimedOut> : never;
type KnownOf<M> = M extends { readonly "~known"?: infer Known } ? Known : never;

export type Handler<M extends Member, C, P extends Principal, F extends Fault = never> = (
  call: { readonly input: DecodedInputOf<M> } & BodyTools<M> & Tools<M, P> & C,
) => M["type"] extends "subscription"
  ? StreamReturn<HandlerOutputOf<M>, DeclaredFaultOf<M> | F>
  : HandlerReturn<HandlerOutputOf<M>, DeclaredFaultOf<M> | F | OwnFaultOf<M>>;

/** One handler for every operation and job of a contract. */
export type Handlers<M extends Members, C, P extends Principal, F extends Fault = never> = {
  readonly [K in keyof M]: Handler<M[K], C, P, F>;
};

/**
 * Whatever a handler returned, as a Result. Generators are driven to their end; one that yields a failure is closed, so that its
 * `finally` blocks run. Throws only what the handler threw.
 */
export function settleHandler(returned: unknown): MaybePromise<Result<unknown, Fault>> {
  return isPromiseLike(returned) ? settlePromise(returned) : settleReturned(returned);
}

/** The same for what is no promise. */
export function settleReturned(returned: unknown): MaybePromise<Result<unknown, Fault>> {
  if (returned instanceof Ok || returned instanceof Err) return returned;
  if (returned instanceof Fault) return new Err(returned);
  if (typeof returned === "object" && returned !== null && isGenerator(returned)) {
    return Symbol.asyncIterator in returned
      ? driveAsync(returned as AsyncGenerator<Err<Fault>, unknown, unknown>)
      : driveSync(returned as Generator<Err<Fault>, unknown, unknown>);
  }
  return new Ok(returned);
}

async function settlePromise(returned: PromiseLike<unknown>): Promise<Result<unknown, Fault>> {
  return settleHandler(await returned);
}

function isGenerator(value: object): boolean {
  return "next" in value && "return" in value && "throw" in value && typeof value.next === "function";
}

function driveSync(generator: Generator<Err<Fault>, unknown, unknown>): MaybePromise<Result<unknown, Fault>> {
  const step = generator.next();
  if (step.done === true) return settleHandler(step.value);
  generator.return(undefined);
  return yieldedFault(step.value);
}

async function driveAsync(generator: AsyncGenerator<Err<Fault>, unknown, unknown>): Promise<Result<unknown, Fault>> {
  const step = await generator.next();
  if (step.done === true) return settleHandler(step.value);
  await generator.return(undefined);
  return yieldedFault(step.value);
}

function yieldedFault(value: unknown): Err<Fault> {
  if (value instanceof Err) return value as Err<Fault>;
  throw new TypeError(
    "A handler yielded something that is no Result. Write `yield* result`, with the star, to return early.",
  );
}
