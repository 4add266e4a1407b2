/**
 * From the payload of an attempt to the settlement that says what becomes of the job. Never sees the store.
 *
 *   decode payload -> bound call under its deadline -> result | fault | left -> settlement by the retry policy
 *
 * When nothing on the way is asynchronous, no promise is made.
 */
import { Fault, Timeouts, isPromiseLike, type MaybePromise, type Random, type Result } from "../core/index.ts";
import { DeadlineExceeded, InvalidPayload, type BoundJob } from "../contract/index.ts";
import type { Invalid } from "../schema/index.ts";
import type { Attempt } from "./attempt.ts";
import type { FlowTools, Suspension } from "./flow.ts";
import { utf8Bytes, type JobCodec } from "./job-codec.ts";
import { keepUntil } from "./keep.ts";
import { decideRetry } from "./retry-decision.ts";
import { beginsSealed, isSealed, type Sealing } from "./sealing/index.ts";
import type { AttemptError, ClaimedJob, Settlement } from "./store.ts";

/** Reports a mistake in the program and returns the fault that stands for it. */
export type Defect = (where: string, error: unknown) => Fault;

export interface AttemptRuntime extends Omit<FlowTools, "codec"> {
  readonly random: Random;
  readonly sealing: Sealing;
  readonly defect: Defect;
}

type Decoded = Result<unknown, Invalid | Fault>;

/** Everything about one kind of job that is the same for each attempt, made once. */
export class AttemptRunner {
  readonly tools: FlowTools;
  readonly #bound: BoundJob;
  readonly #codec: JobCodec;
  readonly #runtime: AttemptRuntime;
  readonly #decodeTimeouts: Timeouts;

  constructor(bound: BoundJob, codec: JobCodec, runtime: AttemptRuntime) {
    this.tools = { ...runtime, codec };
    this.#bound = bound;
    this.#codec = codec;
    this.#runtime = runtime;
    this.#decodeTimeouts = new Timeouts(runtime.clock, bound.job.settings.timeoutMs);
  }

  /** Never throws, never rejects. Leaves the fault of a failed attempt in `attempt.fault`. */
  run(attempt: Attempt): MaybePromise<Settlement> {
    // Whoever wanted it has stopped waiting.
    if (attempt.job.context !== undefined && attempt.deadline <= this.#runtime.clock.now())
      return this.#failed(attempt, DeadlineExceeded());
    try {
      const decoded = this.#decode(attempt);
      if (!isPromiseLike(decoded)) return this.#call(attempt, decoded);
      return this.#callLater(attempt, decoded);
    } catch (thrown) {
      return this.#broken(attempt, thrown);
    }
  }

  #decode(attempt: Attempt): MaybePromise<Decoded> {
    const { job } = attempt;
    const version = job.context === undefined ? 1 : (attempt.context.version ?? 1);
    if (version === this.#codec.version) {
      const decoded = job.readPayload?.(this.#decodeBytes);
      if (decoded !== undefined) return decoded;
    }
    const { payload } = job;
    return isSealed(payload) ? this.#open(job, version) : this.#codec.decodeInput(payload, version);
  }

  /** Undefined: it is sealed. */
  readonly #decodeBytes = (bytes: Uint8Array, start: number, end: number): MaybePromise<Decoded> | undefined =>
    beginsSealed(bytes, start) ? undefined : this.#codec.input.parseJsonPart(bytes, start, end);

  async #open({ name, payload }: ClaimedJob, version: number): Promise<Decoded> {
    const opened = await this.#runtime.sealing.open(payload, ["payload", name]);
    return opened.ok ? this.#codec.decodeInput(opened.value, version) : opened;
  }

  /** A sealed payload, or a foreign schema, is read asynchronously: that too must end within the attempt's time, and after it the handler does not begin. */
  #callLater(attempt: Attempt, decoded: Promise<Decoded>): Promise<Settlement> {
    attempt.startedAt = undefined;
    return new Promise((resolve) => {
      let late = false;
      const entry = this.#decodeTimeouts.add(() => {
        late = true;
        resolve(this.#failed(attempt, DeadlineExceeded()));
      });
      decoded.then(
        (settled) => {
          entry.cancel();
          if (!late) resolve(this.#call(attempt, settled));
        },
        (thrown: unknown) => {
          entry.cancel();
          if (!late) resolve(this.#broken(attempt, thrown));
        },
      );
    });
  }

  #call(attempt: Attempt, decoded: Decoded): MaybePromise<Settlement> {
    if (!decoded.ok) return this.#unreadable(attempt, decoded.fault);
    const result = this.#bound.run(attempt, decoded.value);
    return isPromiseLike(result) ? result.then((settled) => this.#end(attempt, settled)) : this.#end(attempt, result);
  }

  #end(attempt: Attempt, result: Result<unknown, Fault>): MaybePromise<Settlement> {
    attempt.ended = true;
    if (attempt.suspension !== undefined) return this.#suspended(attempt, attempt.suspension);
    if (!result.ok) return this.#failed(attempt, result.fault);
    const { output } = this.#codec;
    if (output === undefined) return new Success(attempt.job);
    try {
      const written = output.serialize(result.value);
      if (!written.ok) return this.#broken(attempt, wrongOutput(attempt.job.name, written.fault.message));
      const most = this.#runtime.limits.resultBytes;
      const bytes = utf8Bytes(written.value, most);
      if (bytes > most) return this.#broken(attempt, tooLong(attempt.job.name, bytes, most));
      return new Success(attempt.job, written.value);
    } catch (thrown) {
      // A foreign schema, or a getter of the output, that throws.
      return this.#broken(attempt, thrown);
    }
  }

  #unreadable(attempt: Attempt, problem: Invalid | Fault): MaybePromise<Settlement> {
    const fault = problem instanceof Fault ? problem : invalidPayload(problem);
    const { clock, limits } = this.#runtime;
    const runAt = keepUntil(fault, attempt.job, clock.now(), limits);
    if (runAt === undefined || runAt >= attempt.deadline || attempt.cancelAsked) return this.#failed(attempt, fault);
    attempt.fault = fault;
    return { job: attempt.job, to: "snoozed", runAt };
  }

  /** Whatever the handler made of it: middleware may have answered for a run that was left. */
  #suspended(attempt: Attempt, suspension: Suspension): Settlement {
    const { job } = attempt;
    return attempt.cancelAsked ? { job, to: "cancelled" } : { job, ...suspension };
  }

  #broken(attempt: Attempt, error: unknown): MaybePromise<Settlement> {
    return this.#failed(attempt, this.#runtime.defect(attempt.job.name, error));
  }

  #failed(attempt: Attempt, fault: Fault): MaybePromise<Settlement> {
    const { job } = attempt;
    attempt.ended = true;
    const { clock, random, limits, defect } = this.#runtime;
    const now = clock.now();
    attempt.fault = fault;
    if (attempt.cancelAsked) {
      return fault.code === "CANCELLED"
        ? { job, to: "cancelled" }
        : { job, to: "cancelled", error: this.#errorOf(job, fault, now) };
    }
    const verdict = decideRetry(this.#bound.job.settings, {
      fault,
      attempt: job.attempt,
      now,
      random: random.next(),
      maxDelayMs: limits.retryDelayMs,
      snoozeUntil: Math.min(job.enqueuedAt + limits.snoozeMs, attempt.deadline),
    });
    if (verdict.to === "snoozed") return this.#snoozed(attempt, verdict.runAt);
    if (verdict.brokenRule !== undefined) defect(job.name, verdict.brokenRule);
    const error = this.#errorOf(job, fault, now);
    return verdict.to === "retry" && verdict.runAt < attempt.deadline
      ? { job, to: "retry", runAt: verdict.runAt, error }
      : { job, to: "failed", error };
  }

  /** The next run belongs to the same attempt, and must not be given the faults of this one's steps. */
  #snoozed(attempt: Attempt, runAt: number): MaybePromise<Settlement> {
    const settlement: Settlement = { job: attempt.job, to: "snoozed", runAt };
    return attempt.flow === undefined ? settlement : attempt.flow.forgetFaults().then(() => settlement);
  }

  /** Bounded, and never the payload. */
  #errorOf(job: ClaimedJob, fault: Fault, at: number): AttemptError {
    const { errorMessageChars, errorDataChars } = this.#runtime.limits;
    const data = this.#codec.faultData(fault);
    return {
      attempt: job.attempt,
      at,
      code: fault.code,
      message: shortened(fault.message, errorMessageChars),
      ...(data !== undefined && data.length <= errorDataChars && { data }),
    };
  }
}

/** A class, as what is made for each job: see `BlockJob` of the store on PostgreSQL. */
class Success {
  readonly job: ClaimedJob;
  readonly to = "succeeded";
  declare readonly result?: string;

  constructor(job: ClaimedJob, result?: string) {
    this.job = job;
    if (result !== undefined) this.result = result;
  }
}

/** Cut on a whole character. */
function shortened(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, Math.max(0, chars - 1)).toWellFormed()}…`;
}

const issuesKept = 10;

function invalidPayload(invalid: Invalid): Fault {
  const issues = invalid.issues.slice(0, issuesKept).map(({ pointer, code, message }) => ({ pointer, code, message }));
  return InvalidPayload({ issues }, `The stored payload does not fit the job's input schema: ${invalid.message}`);
}

function wrongOutput(name: string, message: string): TypeError {
  return new TypeError(`The output of job "${name}" does not fit its schema: ${message}`);
}

function tooLong(name: string, bytes: number, most: number): TypeError {
  return new TypeError(
    `The output of job "${name}" has ${bytes} bytes as JSON, at most ${most} are kept. Store the data and return its key.`,
  );
}
