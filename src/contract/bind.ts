/**
 * The waist. Every protocol and the job engine call a handler through what this file composes once at start:
 *
 *   admit (who is calling, may they at all, do the gates of middleware let them) -> decode (the carrier's) -> access predicate -> context -> middleware -> handler
 *     -> declared-fault guard, under one deadline
 *
 * A bound call never throws and never rejects: what a handler throws becomes `INTERNAL` with an incident id, and the error goes
 * to the `defect` event. When nothing in the chain is asynchronous, no promise is made.
 */
import { Err, Fault, Timeouts, isPromiseLike, type Clock, type MaybePromise, type Result } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import type { Principal } from "./access.ts";
import { admitCaller } from "./admission.ts";
import type { JobAttempt } from "./attempt-source.ts";
import { streamOpener, type OpenStream } from "./bind-stream.ts";
import { CallScope } from "./call-scope.ts";
import type { Contract, Member } from "./contract.ts";
import { ownFaults, timeoutMsOf } from "./body-rules.ts";
import { DeadlineExceeded, Internal, PermissionDenied, frameworkFaults } from "./framework-faults.ts";
import { defaultChallenges } from "./challenges.ts";
import { composeGate, type Admitted, type Gate, type GateTools } from "./gate.ts";
import { settleHandler } from "./handler.ts";
import { checkContext, type Implemented } from "./implement.ts";
import type { Incoming } from "./incoming.ts";
import type { Job } from "./job.ts";
import type { Jobs } from "./jobs-face.ts";
import { refused } from "./refusal.ts";
import type { Middleware } from "./middleware.ts";
import type { Operation } from "./operation.ts";
import { settlerOf } from "./settle-member.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { StreamRegistry } from "./stream-registry.ts";
import { thrownFault } from "./thrown-fault.ts";

type AnyResult = Result<unknown, Fault>;

export interface BindRuntime {
  readonly clock: Clock;
  readonly events: Events;
  readonly jobs: Jobs;
  /** Aborts when a drain runs out of time: every running handler's signal follows. */
  readonly shutdown: AbortSignal;
  /**
   * False: a timer for each call. In Workers a timer belongs to the request that set it, so calls cannot share one. Default true.
   */
  readonly sharedTimers?: boolean;
  /** A new unique id, for incidents. */
  readonly newId: () => string;
  /** In place of the defaults of `streamLimits`. */
  readonly streamLimits?: Partial<StreamLimits> | undefined;
}

export interface BoundOperation {
  readonly operation: Operation;
  /** Before the body is read: who is calling, whether such a caller may call this at all, and whether middleware admits the call. */
  admit(incoming: Incoming): MaybePromise<Admitted>;
  /** The same for a caller who is known already: in-memory calls. */
  admitAs(auth: Principal | undefined, incoming: Incoming): MaybePromise<Admitted>;
  /** For what stands before the call and must be awaited: gives it as much time as the call, and a rejection is a defect. */
  inTime<R>(step: string, work: PromiseLike<R>): Promise<R | Err<Fault>>;
  /** With the decoded input. Of a subscription: its value is the open stream, as `open` gives it. */
  call(incoming: Incoming, auth: Principal | undefined, input: unknown): MaybePromise<AnyResult>;
  /** Subscriptions only: opens the stream. */
  readonly open: OpenStream | undefined;
}

export interface BoundJob {
  readonly job: Job;
  /** With the decoded input. */
  run(attempt: JobAttempt, input: unknown): MaybePromise<AnyResult>;
}

export interface BoundApp {
  readonly contract: Contract;
  readonly operations: ReadonlyMap<string, BoundOperation>;
  readonly jobs: ReadonlyMap<string, BoundJob>;
  /** Outermost first. */
  readonly middleware: readonly Middleware[];
  /** What a 401 says in `WWW-Authenticate`. */
  readonly challenges: readonly string[];
  readonly clock: Clock;
  readonly events: Events;
  /** The open streams of all subscriptions, and their limits. */
  readonly streams: StreamRegistry;
  /** Reports a mistake in the program and returns the fault that the client gets for it. */
  defect(where: string, error: unknown): ReturnType<typeof Internal>;
}

/** Composes every operation and job of an implemented contract. */
export function bind(implemented: Implemented, runtime: BindRuntime): BoundApp {
  const { contract } = implemented;
  const timeouts = new Map<number, Timeouts>();
  const timeoutsOf = (ms: number): Timeouts => {
    const list = timeouts.get(ms) ?? new Timeouts(runtime.clock, ms, { shared: runtime.sharedTimers ?? true });
    timeouts.set(ms, list);
    return list;
  };
  const defect = (where: string, error: unknown): ReturnType<typeof Internal> => {
    const incident = runtime.newId();
    runtime.events.emit("defect", { incident, where, error });
    return Internal({ incident });
  };
  const declared: ReadonlySet<string> = new Set([...contract.faults, ...frameworkFaults].map(({ code }) => code));
  const streams = new StreamRegistry(runtime.streamLimits);
  const shared = { implemented, runtime, defect, timeoutsOf, declared, streams };
  return {
    contract,
    operations: new Map(contract.operations.map((operation) => [operation.name, new OperationCall(operation, shared)])),
    jobs: new Map(contract.jobs.map((job) => [job.name, bindJob(job, shared)])),
    middleware: implemented.middleware,
    challenges: implemented.authenticate?.challenges ?? defaultChallenges,
    clock: runtime.clock,
    events: runtime.events,
    streams,
    defect,
  };
}

interface Shared {
  readonly implemented: Implemented;
  readonly runtime: BindRuntime;
  readonly defect: BoundApp["defect"];
  readonly timeoutsOf: (ms: number) => Timeouts;
  /** Codes of the faults that every member may answer with. */
  readonly declared: ReadonlySet<string>;
  readonly streams: StreamRegistry;
}

/** A class, because a contract may have thousands of operations: one object for each, and no closure. */
class OperationCall implements BoundOperation {
  readonly operation: Operation;
  readonly open: OpenStream | undefined;
  readonly #shared: Shared;
  readonly #invoke: Invoke;
  readonly #timeouts: Timeouts;
  readonly #declared: ReadonlySet<string>;
  readonly #gate: Gate | undefined;
  readonly #predicate:
    | ((call: { readonly auth: Principal; readonly input: never }) => MaybePromise<boolean>)
    | undefined;

  constructor(operation: Operation, shared: Shared) {
    const { access } = operation.options;
    this.operation = operation;
    this.#shared = shared;
    this.#invoke = composeInvoke(operation, shared);
    this.#timeouts = shared.timeoutsOf(timeoutMsOf(operation));
    this.#declared = declaredCodes(operation, shared);
    this.#gate = composeGate(operation, shared.implemented.middleware, () => this.#gateTools());
    this.#predicate = typeof access === "function" ? access : undefined;
    this.open = operation.type === "subscription" ? this.#opener() : undefined;
  }

  admitAs(auth: Principal | undefined, incoming: Incoming): MaybePromise<Admitted> {
    const admitted = this.#lookUp(auth);
    return this.#gate === undefined ? admitted : this.#gate(incoming, admitted);
  }

  admit(incoming: Incoming): MaybePromise<Admitted> {
    const admitted = this.#identify(incoming);
    const gate = this.#gate;
    return gate === undefined ? admitted : chain(admitted, (who) => gate(incoming, who));
  }

  #lookUp(auth: Principal | undefined): Admitted {
    try {
      return admitCaller(this.operation.options.access, auth);
    } catch (thrown) {
      return new Err(this.#shared.defect(this.operation.name, thrown));
    }
  }

  #identify(incoming: Incoming): MaybePromise<Admitted> {
    const { implemented, defect, runtime } = this.#shared;
    const { authenticate } = implemented;
    if (authenticate === undefined) return this.#lookUp(undefined);
    // `safely` gives back what the step made, or a fault.
    const admitted = safely(this.operation.name, defect, () =>
      chain(authenticate(incoming), (auth) =>
        auth instanceof Fault ? refused(auth, incoming, this.operation.name, runtime.events) : this.#lookUp(auth),
      ),
    ) as MaybePromise<Admitted>;
    return isPromiseLike(admitted) ? this.inTime("authenticate", admitted) : admitted;
  }

  #gateTools(): GateTools {
    const { defect } = this.#shared;
    return {
      guard: (failure) => guard(failure, this.operation, this.#declared, defect),
      thrown: (error) => thrownFault(`${this.operation.name}: admit`, defect, error),
      inTime: (work) => this.inTime("admit", work),
    };
  }

  inTime<R>(step: string, work: PromiseLike<R>): Promise<R | Err<Fault>> {
    const { defect, runtime } = this.#shared;
    const where = `${this.operation.name}: ${step}`;
    const settled = work.then(undefined, (thrown: unknown) => new Err(thrownFault(where, defect, thrown)));
    return answerInTime(where, settled, this.#timeouts, runtime);
  }

  call(incoming: Incoming, auth: Principal | undefined, input: unknown): MaybePromise<AnyResult> {
    const { operation, open } = this;
    if (open !== undefined) return open(incoming, auth, input);
    const timeouts = this.#timeouts;
    const scope = new CallScope(operation, incoming, auth, undefined, timeouts.ms, this.#shared.runtime);
    const running = safely(operation.name, this.#shared.defect, () => this.#start(scope, input));
    return underDeadline(scope, timeouts, this.#shared, undefined, operation, this.#declared, running);
  }

  #opener(): OpenStream {
    const { operation } = this;
    const { defect, runtime, streams } = this.#shared;
    const { name } = operation;
    return streamOpener({
      operation,
      runtime,
      streams,
      start: (scope, input) => safely(name, defect, () => this.#start(scope, input)),
      guard: (result) => guard(result, operation, this.#declared, defect),
      defect: (error) => defect(name, error),
      thrown: (error) => thrownFault(name, defect, error),
      inTime: (work, late) =>
        answerInTime(name, work, this.#timeouts, runtime, (result, isLate) => {
          if (isLate) late(result);
          return result;
        }),
    });
  }

  #start(scope: CallScope, input: unknown): MaybePromise<AnyResult> {
    if (this.#predicate === undefined) return this.#invoke(scope, input);
    // The type says `never` because each operation has its own input; this is the input that it was declared with.
    return chain(this.#predicate({ auth: scope.auth as Principal, input: input as never }), (allowed) =>
      allowed === true ? this.#invoke(scope, input) : new Err(PermissionDenied()),
    );
  }
}

function bindJob(job: Job, shared: Shared): BoundJob {
  const invoke = composeInvoke(job, shared);
  const declared = declaredCodes(job, shared);
  const timeouts = shared.timeoutsOf(job.settings.timeoutMs);
  return {
    job,
    run(attempt, input) {
      const scope = new CallScope(job, undefined, undefined, attempt, timeouts.ms, shared.runtime);
      return underDeadline(scope, timeouts, shared, attempt, job, declared, invoke(scope, input));
    },
  };
}

/** Never throws, never rejects. */
type Invoke = (scope: CallScope, input: unknown) => MaybePromise<AnyResult>;

/** context -> middleware -> handler, composed from the inside out. */
function composeInvoke(member: Member, { implemented, defect }: Shared): Invoke {
  const { name } = member;
  const { makeContext, sharedContext, middleware } = implemented;
  const handler = implemented.handlers[name] as (call: object) => unknown;
  const settle = settlerOf(member);
  // As `safely` does, without a function for each call.
  const call: Inner = (scope, input, context) => {
    try {
      const result = settle(handler(scope.arguments(input, context)), scope);
      return isPromiseLike(result) ? safely(name, defect, () => result) : result;
    } catch (thrown) {
      return new Err(thrownFault(name, defect, thrown));
    }
  };
  if (middleware.length === 0 && makeContext === undefined) return (scope, input) => call(scope, input, sharedContext);
  let inner = call;
  for (const one of middleware.toReversed()) if (one["~passes"] !== true) inner = wrap(one, inner, defect);
  const all = inner;
  if (makeContext === undefined) return (scope, input) => safely(name, defect, () => all(scope, input, sharedContext));
  return (scope, input) =>
    safely(name, defect, () => chain(makeContext(scope), (made) => all(scope, input, checkContext(name, made))));
}

type Inner = (scope: CallScope, input: unknown, context: object | undefined) => MaybePromise<AnyResult>;

/** Nothing throws or rejects out of `next`: a middleware that does not wait for it would leave a rejection that ends the process. */
function wrap(middleware: Middleware, inner: Inner, defect: BoundApp["defect"]): Inner {
  return (scope, input, context) => {
    let called = false;
    const next = async (add: object): Promise<AnyResult> => {
      if (called) {
        const text = "Middleware called next() twice for one call. Call it once, or answer without it.";
        return new Err(defect(scope.name, new TypeError(text)));
      }
      called = true;
      return safely(scope.name, defect, () => inner(scope, input, { ...context, ...checkContext(scope.name, add) }));
    };
    return settleHandler(middleware(scope.forMiddleware(input), next));
  };
}

const isFault = (value: unknown): value is Fault => value instanceof Fault;

/** One set for all members that declare nothing of their own. */
function declaredCodes(member: Member, { declared }: Shared): ReadonlySet<string> {
  const own = ownFaults(member);
  return own.length === 0 ? declared : new Set([...declared, ...own.map(({ code }) => code)]);
}

/** Refuses a fault that the contract does not declare: it would be a lie in every document and client. */
function guard(
  result: AnyResult,
  { name }: Member,
  declared: ReadonlySet<string>,
  defect: BoundApp["defect"],
): AnyResult {
  if (result.ok) return result;
  const { fault } = result;
  // A program without types may have written err("text") or err(null).
  if (!isFault(fault)) {
    const text = `"${name}" answered err(…) with something that is no fault. Declare one: fault("CODE", { kind }).`;
    return new Err(defect(name, new TypeError(text)));
  }
  if (declared.has(fault.code)) return result;
  const text = `"${name}" answered with the fault ${fault.code}, which it does not declare. Add it to faults: […].`;
  return new Err(defect(name, new TypeError(text)));
}

function underDeadline(
  scope: CallScope,
  timeouts: Timeouts,
  shared: Shared,
  attempt: JobAttempt | undefined,
  member: Member,
  declared: ReadonlySet<string>,
  running: MaybePromise<AnyResult>,
): MaybePromise<AnyResult> {
  if (!isPromiseLike(running)) {
    scope.end();
    return running.ok ? running : guard(running, member, declared, shared.defect);
  }
  // It never rejects: `safely` made it.
  const limitMs = scope.limitMs();
  return answerInTime(
    scope.name,
    running,
    timeouts,
    shared.runtime,
    (result, late) => {
      scope.end();
      return late ? result : guard(result, member, declared, shared.defect);
    },
    () => attempt?.onAbandoned?.(running),
    limitMs === timeouts.ms ? undefined : scope.remaining(),
  );
}

/** The Result of `work`, which never rejects, or DEADLINE_EXCEEDED when it takes too long: `shorterMs` is a time below that of the list. `finish` sees it in any case. */
function answerInTime<R>(
  where: string,
  work: PromiseLike<R>,
  timeouts: Timeouts,
  { events, clock }: BindRuntime,
  finish?: (result: R, late: boolean) => R,
  onAbandoned?: () => void,
  shorterMs?: number,
): Promise<R | Err<Fault>> {
  return new Promise((resolve) => {
    let answered = false;
    const expire = (): void => {
      answered = true;
      events.emit("call.abandoned", { where, timeoutMs: shorterMs ?? timeouts.ms });
      onAbandoned?.();
      resolve(new Err(DeadlineExceeded()));
    };
    const entry = shorterMs === undefined ? timeouts.add(expire) : clock.setTimer(shorterMs, expire);
    void work.then((result) => {
      entry.cancel();
      resolve(finish === undefined ? result : finish(result, answered));
    });
  });
}

/** Runs `start`; whatever it throws or rejects with becomes a fault. An abort of the call's own signal is `CANCELLED`, not a defect. */
function safely(
  where: string,
  defect: BoundApp["defect"],
  start: () => MaybePromise<AnyResult>,
): MaybePromise<AnyResult> {
  try {
    const result = start();
    if (!isPromiseLike(result)) return result;
    return result.then(undefined, (thrown: unknown) => new Err(thrownFault(where, defect, thrown)));
  } catch (thrown) {
    return new Err(thrownFault(where, defect, thrown));
  }
}

/** `step(value)`, at once when the value is there already. */
function chain<T, U>(value: MaybePromise<T>, step: (value: T) => MaybePromise<U>): MaybePromise<U> {
  if (!isPromiseLike(value)) return step(value);
  return Promise.resolve(value).then((settled) => step(settled));
}
