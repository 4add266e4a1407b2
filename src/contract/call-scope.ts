/**
 * What one call carries from start to end. Most calls never look at their signal, so what joins client abort, deadline and
 * shutdown is made when it is first read and taken down when the call ends.
 */
import { deadline, type Clock, type Deadline } from "../core/index.ts";
import type { Reply } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import type { Member } from "./contract.ts";
import type { JobRun } from "./handler.ts";
import type { Jobs } from "./jobs-face.ts";
import type { MiddlewareCall } from "./middleware.ts";

/** Where a call comes from: a request, or an attempt of a job. */
export interface CallSource {
  readonly requestId: string;
  /** "" for a job. */
  readonly remoteAddress: string;
  /** Made when it is first read. */
  readonly reply: Reply;
  /** Aborts when the client goes away, or when the job is cancelled. Read only when the handler asks. */
  readonly signal: AbortSignal | undefined;
  header(name: string): string | undefined;
}

export interface ScopeRuntime {
  readonly clock: Clock;
  readonly jobs: Jobs;
  readonly shutdown: AbortSignal;
}

export class CallScope {
  readonly member: Member;
  readonly type: MiddlewareCall["type"];
  readonly name: string;
  readonly auth: Principal | undefined;
  readonly #run: JobRun | undefined;
  readonly #source: CallSource;
  readonly #runtime: ScopeRuntime;
  /** Monotonic time. */
  readonly #expires: number;
  #deadline: Deadline | undefined;

  constructor(
    member: Member,
    source: CallSource,
    auth: Principal | undefined,
    run: JobRun | undefined,
    timeoutMs: number,
    runtime: ScopeRuntime,
  ) {
    this.member = member;
    this.type = member.type;
    this.name = member.name;
    this.auth = auth;
    this.#source = source;
    this.#run = run;
    this.#runtime = runtime;
    this.#expires = runtime.clock.monotonic() + timeoutMs;
  }

  get requestId(): string {
    return this.#source.requestId;
  }

  get reply(): Reply {
    return this.#source.reply;
  }

  get signal(): AbortSignal {
    if (this.#deadline === undefined) {
      const { clock, shutdown } = this.#runtime;
      const timeoutMs = Math.max(0, this.#expires - clock.monotonic());
      const { signal } = this.#source;
      const asked = this.#run === undefined ? { client: signal } : { cancelled: signal };
      this.#deadline = deadline({ clock, timeoutMs, shutdown, ...asked });
    }
    return this.#deadline.signal;
  }

  /** The handler has ended: nothing is left to abort. */
  end(): void {
    this.#deadline?.dispose();
  }

  /** The one argument of a handler. */
  arguments(input: unknown, context: object | undefined): object {
    const call =
      this.#run === undefined
        ? new OperationArguments(this, input, this.#runtime.jobs)
        : new JobArguments(this, input, this.#runtime.jobs, this.#run);
    return context === undefined ? call : Object.assign(call, context);
  }

  forMiddleware(input: unknown): MiddlewareCall {
    return new MiddlewareView(this, input, this.#source);
  }
}

class Lazy {
  readonly #scope: CallScope;

  constructor(scope: CallScope) {
    this.#scope = scope;
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
  readonly jobs: Jobs;

  constructor(scope: CallScope, input: unknown, jobs: Jobs) {
    super(scope);
    this.input = input;
    this.auth = scope.auth;
    this.jobs = jobs;
  }
}

class JobArguments extends Lazy {
  readonly input: unknown;
  readonly jobs: Jobs;
  readonly job: JobRun;

  constructor(scope: CallScope, input: unknown, jobs: Jobs, job: JobRun) {
    super(scope);
    this.input = input;
    this.jobs = jobs;
    this.job = job;
  }
}

class MiddlewareView extends Lazy implements MiddlewareCall {
  readonly member: Member;
  readonly type: MiddlewareCall["type"];
  readonly name: string;
  readonly input: unknown;
  readonly auth: Principal | undefined;
  readonly #source: CallSource;

  constructor(scope: CallScope, input: unknown, source: CallSource) {
    super(scope);
    this.member = scope.member;
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
}
