/**
 * What one call carries from start to end. Most calls never look at their signal, so what joins client abort, deadline and
 * shutdown is made when it is first read and taken down when the call ends.
 */
import { deadline, type Clock, type Deadline } from "../core/index.ts";
import type { Reply, TraceContext } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import { AttemptSource, type JobAttempt } from "./attempt-source.ts";
import { CallJobs } from "./call-jobs.ts";
import type { CallDeadline, CallParent } from "./call-parent.ts";
import type { CallSource } from "./call-source.ts";
import type { Member } from "./contract.ts";
import type { JobRun, Leavable } from "./job-run.ts";
import type { Jobs } from "./jobs-face.ts";
import type { MiddlewareCall } from "./middleware.ts";

export interface ScopeRuntime {
  readonly clock: Clock;
  readonly jobs: Jobs;
  readonly shutdown: AbortSignal;
}

export class CallScope implements CallParent {
  readonly member: Member;
  readonly auth: Principal | undefined;
  readonly #attempt: JobAttempt | undefined;
  /** Of an attempt it is made when somebody asks. */
  #source: CallSource | undefined;
  readonly #runtime: ScopeRuntime;
  /** Monotonic time. */
  readonly #startedAt: number;
  /** The member's own limit, or the caller's where that is less and somebody had to know. */
  #timeoutMs: number;
  #callerAsked = false;
  #deadline: Deadline | undefined;
  /** Of a span that middleware began for this call. */
  #trace: TraceContext | undefined;

  constructor(
    member: Member,
    source: CallSource | undefined,
    auth: Principal | undefined,
    attempt: JobAttempt | undefined,
    timeoutMs: number,
    runtime: ScopeRuntime,
  ) {
    this.member = member;
    this.auth = auth;
    this.#source = source;
    this.#attempt = attempt;
    this.#runtime = runtime;
    this.#startedAt = attempt?.startedAt ?? runtime.clock.monotonic();
    this.#timeoutMs = timeoutMs;
  }

  get type(): MiddlewareCall["type"] {
    return this.member.type;
  }

  get name(): string {
    return this.member.name;
  }

  get #origin(): CallSource {
    return (this.#source ??= new AttemptSource(this.#attempt as JobAttempt));
  }

  get requestId(): string {
    return this.#origin.requestId;
  }

  get reply(): Reply {
    return this.#origin.reply;
  }

  get signal(): AbortSignal {
    if (this.#deadline === undefined) {
      const { clock, shutdown } = this.#runtime;
      const timeoutMs = this.remaining();
      const { signal } = this.#origin;
      const asked = this.#attempt === undefined ? { client: signal } : { cancelled: signal };
      this.#deadline = deadline({ clock, timeoutMs, shutdown, ...asked });
    }
    return this.#deadline.signal;
  }

  get trace(): TraceContext | undefined {
    return this.#trace ?? this.#origin.trace;
  }

  /** Of a job's attempt. */
  get leavable(): Leavable | undefined {
    return this.#attempt;
  }

  continueTrace(trace: TraceContext): void {
    this.#trace = trace;
  }

  get deadline(): CallDeadline {
    return { remaining: () => this.remaining() };
  }

  /** The limit of the call in milliseconds from its start: the member's own, or what its caller gives it where that is less. */
  limitMs(): number {
    if (!this.#callerAsked) {
      this.#callerAsked = true;
      const asked = this.#origin.callerTimeoutMs;
      // A stream has no limit, and a time to wait for an answer is none either.
      if (asked !== undefined && asked < this.#timeoutMs && this.#timeoutMs !== Infinity) this.#timeoutMs = asked;
    }
    return this.#timeoutMs;
  }

  /** Milliseconds left. */
  remaining(): number {
    return Math.max(0, this.#startedAt + this.limitMs() - this.#runtime.clock.monotonic());
  }

  get jobs(): Jobs {
    return new CallJobs(this.#runtime.jobs, this);
  }

  /** The handler has ended: nothing is left to abort. */
  end(): void {
    this.#deadline?.dispose();
  }

  /** The one argument of a handler. */
  arguments(input: unknown, context: object | undefined): object {
    const call =
      this.#attempt === undefined
        ? this.#ofOperation(input, this.#source?.body)
        : new JobArguments(this, input, this.#attempt);
    return context === undefined ? call : Object.assign(call, context);
  }

  #ofOperation(input: unknown, body: unknown): object {
    return body === undefined ? new OperationArguments(this, input) : new BodyArguments(this, input, body);
  }

  forMiddleware(input: unknown): MiddlewareCall {
    return new MiddlewareView(this, input, this.#origin);
  }
}

class Lazy {
  readonly #scope: CallScope;
  #jobs: Jobs | undefined;

  constructor(scope: CallScope) {
    this.#scope = scope;
  }

  get jobs(): Jobs {
    return (this.#jobs ??= this.#scope.jobs);
  }

  get deadline(): CallDeadline {
    return this.#scope.deadline;
  }

  get trace(): TraceContext | undefined {
    return this.#scope.trace;
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  get requestId(): string {
    return this.#scope.requestId;
  }

  get reply(): Reply {
    return this.#scope.reply;
  }
}

export class OperationArguments extends Lazy {
  readonly input: unknown;
  readonly auth: Principal | undefined;

  constructor(scope: CallScope, input: unknown) {
    super(scope);
    this.input = input;
    this.auth = scope.auth;
  }
}

class BodyArguments extends OperationArguments {
  readonly body: unknown;

  constructor(scope: CallScope, input: unknown, body: unknown) {
    super(scope, input);
    this.body = body;
  }
}

class JobArguments extends Lazy {
  readonly input: unknown;
  readonly #attempt: JobAttempt;

  constructor(scope: CallScope, input: unknown, attempt: JobAttempt) {
    super(scope);
    this.input = input;
    this.#attempt = attempt;
  }

  get job(): JobRun {
    return this.#attempt.run;
  }
}

class MiddlewareView extends Lazy implements MiddlewareCall {
  readonly member: Member;
  readonly type: MiddlewareCall["type"];
  readonly name: string;
  readonly input: unknown;
  readonly auth: Principal | undefined;
  readonly #scope: CallScope;
  readonly #source: CallSource;

  constructor(scope: CallScope, input: unknown, source: CallSource) {
    super(scope);
    this.member = scope.member;
    this.#scope = scope;
    this.type = scope.type;
    this.name = scope.name;
    this.input = input;
    this.auth = scope.auth;
    this.#source = source;
  }

  get remoteAddress(): string {
    return this.#source.remoteAddress;
  }

  header(name: string): string | undefined {
    return this.#source.header(name);
  }

  continueTrace(trace: TraceContext): void {
    this.#scope.continueTrace(trace);
  }
}
