/**
 * The durable side of one run: steps, sleeps, waits and progress, made when a handler first asks for one of them. A plain job never has a flow.
 *
 *   handler -> step | sleep | waitFor -> (noted before: the answer) | act and note | leave the run
 *
 * A run is left only when nothing of the flow is under way: two steps side by side both end before a sleep beside them takes the run away. What
 * is left is never resumed; another run begins from the top, and finds in the notes how far this one came.
 */
import { Err, Ok, durationMs, sleep, type Clock, type Duration, type Result } from "../core/index.ts";
import { SignalTimedOut, schemaOf, type JobParent, type JobRun, type StepOptions } from "../contract/index.ts";
import { compile } from "../schema/index.ts";
import type { Events } from "../telemetry/index.ts";
import { jsonText } from "./flow-json.ts";
import { FlowNotes } from "./flow-notes.ts";
import type { JobCodec, JobCodecs } from "./job-codec.ts";
import type { JobLimits } from "./limits.ts";
import { nextTurn } from "./next-turn.ts";
import { readMemo, stepMemo } from "./step-memo.ts";
import type { ClaimedJob, JobId, StoreSession } from "./store.ts";

/** What the flows of one job have in common. */
export interface FlowTools {
  readonly codec: JobCodec;
  /** Of every job: parents have their own. */
  readonly codecs: JobCodecs;
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  /** The process ends: what is not done yet is left for the next. */
  readonly drain: { began: boolean; over: boolean };
}

/** The attempt, as its flow sees it. */
export interface FlowRun {
  readonly job: ClaimedJob;
  readonly run: { readonly idempotencyKey: string };
  /** Aborts when the job is cancelled, lost, or must end. */
  readonly signal: AbortSignal;
  /** Wall-clock milliseconds; Infinity: none. */
  readonly deadline: number;
  /** It has ended, or has been answered for: nothing that it does counts any more. */
  readonly isOver: boolean;
  /** Ends the run here; the job goes on as the suspension says. */
  suspend(suspension: Suspension): void;
  /** Leaves a run that is over. */
  quit(): void;
  /** The claim is gone. */
  lose(): void;
}

export type Suspension =
  | { readonly to: "snoozed"; readonly runAt: number }
  | { readonly to: "waiting"; readonly signal: string; readonly until: number };

/** What a branch of the handler waits for. */
interface Wanted {
  readonly signal?: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

export class JobFlow {
  readonly #run: FlowRun;
  readonly #tools: FlowTools;
  readonly #notes: FlowNotes;
  /** Of this run. */
  readonly #names = new Set<string>();
  readonly #wanted: Wanted[] = [];
  /** Steps and short sleeps under way. */
  #busy = 0;
  #left = false;
  #draining: AbortController | undefined;

  constructor(run: FlowRun, tools: FlowTools) {
    this.#run = run;
    this.#tools = tools;
    this.#notes = new FlowNotes(run, tools);
  }

  get draining(): AbortSignal {
    this.#draining ??= new AbortController();
    if (this.#tools.drain.began) this.#draining.abort();
    return this.#draining.signal;
  }

  drain(): void {
    (this.#draining ??= new AbortController()).abort();
  }

  /** Before the job is put off by its retry rule: another run of the same attempt must not be given the faults of this one. */
  forgetFaults(): Promise<void> {
    return this.#notes.forgetFaults();
  }

  readonly step: JobRun["step"] = async <T>(
    name: string,
    act: (step: { readonly idempotencyKey: string }) => T,
    options: StepOptions = {},
  ): Promise<Awaited<T>> => {
    const note = this.#take("step", name);
    const codec = options.output === undefined ? undefined : compile(schemaOf(options.output));
    const where = `job.step("${name}") of job "${this.#run.job.name}"`;
    const kept = await this.#kept(note);
    const memo = kept === undefined ? undefined : await readMemo(where, kept, this.#run.job.attempt, codec);
    // What was kept is what `act` gave in an earlier run.
    if (memo !== undefined) return memo.value as Awaited<T>;
    if (this.#tools.drain.began) return this.#until({ at: this.#tools.clock.now() });
    return (await this.#underWay(async () => {
      const { clock, events, limits } = this.#tools;
      const startedAt = clock.monotonic();
      const given = await act({ idempotencyKey: `${this.#run.run.idempotencyKey}-${name}` });
      const text = stepMemo(where, given, this.#run.job.attempt, codec, limits.resultBytes);
      await this.#notes.write(note, text, given instanceof Err);
      if (events.heard("job.step")) {
        const { id, name: job, attempt } = this.#run.job;
        events.emit("job.step", { id, name: job, attempt, step: name, durationMs: clock.monotonic() - startedAt });
      }
      // As a later run will read it.
      return (await readMemo(where, text, this.#run.job.attempt, codec))?.value;
    })) as Awaited<T>;
  };

  readonly sleep: JobRun["sleep"] = async (name, duration) => {
    const note = this.#take("sleep", name);
    const ms = this.#longest(`job.sleep("${name}")`, duration);
    const kept = await this.#kept(note);
    const due = kept === undefined ? Math.ceil(this.#tools.clock.now() + ms) : Number(kept);
    if (kept === undefined) await this.#notes.write(note, String(due));
    await this.#goOnAt(due, kept !== undefined);
  };

  readonly waitFor = async (
    name: string,
    { timeout = this.#tools.limits.sleepMs }: { readonly timeout?: Duration } = {},
  ): Promise<Result<unknown, ReturnType<typeof SignalTimedOut>>> => {
    const codec = this.#tools.codec.signal(name);
    const { job } = this.#run;
    if (codec === undefined)
      throw new TypeError(`job("${job.name}") declares no signal "${name}". Add it: signals: { ${name}: … }.`);
    const note = this.#take("wait", name);
    const ms = this.#longest(`job.waitFor("${name}")`, timeout);
    const kept = await this.#kept(note);
    // It was once decided that it came too late; what comes after that changes nothing.
    if (kept === timedOut) return new Err(SignalTimedOut({ signal: name }));
    const until = kept === undefined ? Math.ceil(this.#tools.clock.now() + ms) : Number(kept);
    let value = await this.#notes.read(`signal:${name}`);
    if (value === undefined) {
      if (kept === undefined) await this.#notes.write(note, String(until));
      if (kept === undefined || until > this.#tools.clock.now()) {
        await this.#goOnAt(until, kept !== undefined, name);
        value = await this.#notes.readAgain(`signal:${name}`);
      }
    }
    if (value === undefined) {
      await this.#notes.write(note, timedOut);
      return new Err(SignalTimedOut({ signal: name }));
    }
    const read = await codec.parseJson(value);
    if (read.ok) return new Ok(read.value);
    throw new TypeError(
      `The signal "${name}" of job "${job.name}" does not fit its schema any more: ${read.fault.message}`,
    );
  };

  readonly progress: JobRun["progress"] = (value) => {
    const { limits } = this.#tools;
    const text = jsonText("job.progress()", value);
    if (text === undefined || text.length > limits.progressChars)
      throw new TypeError(`job.progress() takes a value of 1 to ${limits.progressChars} characters as JSON.`);
    this.#notes.progress(text);
  };

  readonly parents = async (of?: { readonly name: string }): Promise<readonly JobParent[]> => {
    const records = await this.#notes.dependencies();
    return Promise.all(
      records.filter(({ name }) => of === undefined || of.name === name).map((record) => this.#parent(record)),
    );
  };

  async #parent(record: { id: JobId; name: string; state: JobParent["state"]; result?: string }): Promise<JobParent> {
    const { id, name, state, result } = record;
    const codec = this.#tools.codecs.get(name);
    if (result === undefined || codec?.output === undefined) return { id, name, state, output: undefined };
    const read = await codec.output.parseJson(result);
    if (read.ok) return { id, name, state, output: read.value };
    throw new TypeError(`The kept result of job "${name}" ${id} does not fit its output schema: ${read.fault.message}`);
  }

  /** The name of a note that no other call of this run has. */
  #take(kind: "step" | "sleep" | "wait", name: string): string {
    const { limits } = this.#tools;
    const call = kind === "wait" ? "waitFor" : kind;
    if (typeof name !== "string" || name === "" || name.length > limits.stepNameChars)
      throw new TypeError(`job.${call}() takes a name of 1 to ${limits.stepNameChars} characters.`);
    const note = `${kind}:${name}`;
    if (this.#names.has(note)) {
      throw new TypeError(
        `job.${call}("${name}") was called twice in one run of job "${this.#run.job.name}". Each has a name of its own; in a loop put an id into it.`,
      );
    }
    if (this.#names.size >= limits.steps)
      throw new TypeError(
        `Job "${this.#run.job.name}" has more than ${limits.steps} steps, sleeps and waits. Enqueue jobs for the parts.`,
      );
    this.#names.add(note);
    return note;
  }

  async #kept(note: string): Promise<string | undefined> {
    const kept = await this.#notes.read(note);
    return this.#left ? never() : kept;
  }

  #longest(where: string, duration: Duration): number {
    const ms = durationMs(duration);
    const most = this.#tools.limits.sleepMs;
    if (ms <= most) return ms;
    throw new TypeError(
      `${where}: at most ${most / dayMs} days, not ${ms / dayMs}. The limit is sleepMs of the job limits.`,
    );
  }

  /** Answers when it is time: here when that is soon, else in another run. `again`: a run was left for this before. */
  async #goOnAt(due: number, again: boolean, signal?: string): Promise<void> {
    const { clock, limits, codec, drain } = this.#tools;
    const left = due - clock.now();
    if (left <= 0 && signal === undefined) return;
    // What was put off and has come early: the store's clock and this one differ, or another branch of the handler woke the job.
    const here = Math.min(again ? limits.clockSkewMs : limits.sleepInPlaceMs, codec.job.settings.timeoutMs / 2);
    if (left > here || drain.began || (signal !== undefined && !again)) return this.#until(wanted(due, signal));
    const drained = this.draining;
    const stayed = await this.#underWay(async () => {
      const either = AbortSignal.any([drained, this.#run.signal]);
      try {
        await sleep(clock, left, either);
        return true;
      } catch (thrown) {
        if (this.#run.signal.aborted) throw thrown;
        return false;
      }
    });
    if (!stayed) return this.#until(wanted(due, signal));
  }

  async #underWay<T>(act: () => Promise<T>): Promise<T> {
    if (this.#left) return never();
    this.#busy++;
    try {
      return await act();
    } finally {
      this.#busy--;
      if (this.#wanted.length > 0) nextTurn(this.#leave);
    }
  }

  /** Leaves the run, once nothing else of the flow is under way. What this returns never settles. */
  #until(what: Wanted): Promise<never> {
    this.#wanted.push(what);
    // Others of the same turn may have something to do first.
    nextTurn(this.#leave);
    return never();
  }

  readonly #leave = (): void => {
    if (this.#left || this.#busy > 0) return;
    this.#left = true;
    void this.#suspend();
  };

  async #suspend(): Promise<void> {
    // What the job has said of itself is shown while it rests, for days perhaps.
    await this.#notes.told;
    if (this.#run.isOver) return this.#run.quit();
    // A job whose time is up by then is woken to be told so.
    const at = Math.min(this.#run.deadline, ...this.#wanted.map((one) => one.at));
    const signal = this.#wanted.find((one) => one.signal !== undefined)?.signal;
    this.#run.suspend(
      signal === undefined || this.#tools.drain.began
        ? { to: "snoozed", runAt: at }
        : { to: "waiting", signal, until: at },
    );
  }
}

const timedOut = '"timed out"';
const dayMs = 86_400_000;

function wanted(at: number, signal: string | undefined): Wanted {
  return signal === undefined ? { at } : { at, signal };
}

/** What is left is never resumed. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
