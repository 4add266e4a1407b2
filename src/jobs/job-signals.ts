/** Tells jobs what they wait for, and pauses them. */
import { Err, map, type Result } from "../core/index.ts";
import {
  InvalidInput,
  invalidInput,
  type Contract,
  type EnqueueFault,
  type Job,
  type JobInfoState,
  type PauseTarget,
} from "../contract/index.ts";
import type { Events } from "../telemetry/index.ts";
import { codecOf, utf8Bytes, type JobCodecs } from "./job-codec.ts";
import type { JobLimits } from "./limits.ts";
import type { StoreSession } from "./store.ts";

export interface JobSignalsOptions {
  readonly contract: Contract;
  readonly session: StoreSession;
  readonly events: Events;
}

export class JobSignals {
  readonly #options: JobSignalsOptions;
  readonly #codecs: JobCodecs;
  readonly #limits: JobLimits;

  constructor(options: JobSignalsOptions, codecs: JobCodecs, limits: JobLimits) {
    this.#options = options;
    this.#codecs = codecs;
    this.#limits = limits;
  }

  async signal(
    job: Job,
    id: string,
    name: string,
    value: unknown,
  ): Promise<Result<JobInfoState | undefined, EnqueueFault | ReturnType<typeof InvalidInput>>> {
    const codec = codecOf(this.#codecs, job).signal(name);
    if (codec === undefined)
      throw new TypeError(`job("${job.name}") declares no signal "${name}". Add it: signals: { ${name}: … }.`);
    const written = codec.serialize(value);
    if (!written.ok) return new Err(invalidInput(written.fault));
    const most = this.#limits.payloadBytes;
    if (utf8Bytes(written.value, most) > most) return new Err(InvalidInput({ issues: [tooLong(most)] }));
    const { session, events } = this.#options;
    const told = await session.signal(id, name, written.value);
    if (told.ok && told.value !== undefined) events.emit("job.signalled", { id, name: job.name, signal: name });
    return told;
  }

  async pause(target: PauseTarget): Promise<Result<void, EnqueueFault>> {
    return this.#set(target, true);
  }

  async resume(target: PauseTarget): Promise<Result<void, EnqueueFault>> {
    return this.#set(target, false);
  }

  async paused(): Promise<Result<readonly string[], EnqueueFault>> {
    return this.#options.session.paused();
  }

  async #set(target: PauseTarget, paused: boolean): Promise<Result<void, EnqueueFault>> {
    const { session, events } = this.#options;
    const names = this.#namesOf(target);
    const done = await (paused ? session.pause(names) : session.resume(names));
    if (done.ok) events.emit("jobs.paused", { names, paused });
    return map(done, () => undefined);
  }

  #namesOf(target: PauseTarget): readonly string[] {
    if (!("queue" in target)) return [codecOf(this.#codecs, target).job.name];
    const names = this.#options.contract.jobs
      .filter(({ settings }) => settings.queue === target.queue)
      .map(({ name }) => name);
    if (names.length > 0) return names;
    throw new TypeError(`No job of "${this.#options.contract.name}" is in a queue "${target.queue}".`);
  }
}

function tooLong(most: number): { pointer: string; code: string; message: string } {
  return { pointer: "", code: "max_text", message: `A signal has at most ${most} bytes as JSON.` };
}
