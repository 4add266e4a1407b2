/**
 * What a job keeps between its runs, as one run sees it: read once, written at once and again until the store takes it, because what a step did has
 * happened.
 */
import { sleep, type Clock, type Fault } from "../core/index.ts";
import type { Events } from "../telemetry/index.ts";
import { keepUntil } from "./keep.ts";
import type { JobLimits } from "./limits.ts";
import { whyLocked } from "./sealing/index.ts";
import { forgotten } from "./step-memo.ts";
import type { ClaimedJob, DependencyRecord, JobNote, StoreResult, StoreSession } from "./store.ts";

interface NotesOf {
  readonly job: ClaimedJob;
  readonly isOver: boolean;
  suspend(suspension: { readonly to: "snoozed"; readonly runAt: number }): void;
  quit(): void;
  lose(): void;
}

interface NotesTools {
  readonly session: StoreSession;
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: JobLimits;
  readonly drain: { readonly over: boolean };
}

export class FlowNotes {
  readonly #of: NotesOf;
  readonly #tools: NotesTools;
  #notes: Promise<Map<string, string>> | undefined;
  /** Names of steps whose fault was kept in this run, or read from an earlier one of the attempt. */
  readonly #faults = new Set<string>();
  #progress: string | undefined;
  #telling = false;
  #told: Promise<void> | undefined;

  constructor(of: NotesOf, tools: NotesTools) {
    this.#of = of;
    this.#tools = tools;
  }

  async read(name: string): Promise<string | undefined> {
    return (await (this.#notes ??= this.#load(this.#of.job.noted === true))).get(name);
  }

  /** For what others may have written since. */
  async readAgain(name: string): Promise<string | undefined> {
    this.#notes = this.#load(true);
    return this.read(name);
  }

  /** Committed when it resolves. Never resolves where the claim is gone: nothing that this run does counts any more. */
  async write(name: string, value: string, isFault = false): Promise<void> {
    if (isFault) this.#faults.add(name);
    await this.#write([{ name, value }]);
    (await this.#notes)?.set(name, value);
  }

  async forgetFaults(): Promise<void> {
    const { session, drain } = this.#tools;
    const notes = [...this.#faults].map((name) => ({ name, value: forgotten }));
    // A stale claim is the settlement's matter.
    if (notes.length > 0)
      await this.#insist(
        () => session.note(this.#of.job, notes),
        () => drain.over,
      );
  }

  /** In the background; of several the latest. */
  progress(text: string): void {
    this.#progress = text;
    if (this.#telling) return;
    this.#telling = true;
    this.#told = this.#tell();
  }

  /** Resolves when the store has had the latest progress. */
  get told(): Promise<void> | undefined {
    return this.#told;
  }

  async dependencies(): Promise<readonly DependencyRecord[]> {
    const { session } = this.#tools;
    return this.#insist(() => session.dependencies(this.#of.job.id));
  }

  async #tell(): Promise<void> {
    while (this.#progress !== undefined && !this.#of.isOver) {
      const text = this.#progress;
      this.#progress = undefined;
      // Refused: the next one may be taken.
      void (await this.#tools.session.note(this.#of.job, [], text));
    }
    this.#telling = false;
  }

  async #load(some: boolean): Promise<Map<string, string>> {
    if (!some) return new Map();
    const { session } = this.#tools;
    const notes = await this.#insist(() => session.notes(this.#of.job.id));
    const locked = notes.map(whyLocked).find((reason) => reason !== undefined);
    if (locked !== undefined) await this.#unreadable(locked);
    for (const { name, value } of notes) if (value.startsWith('["fault"')) this.#faults.add(name);
    return new Map(notes.map(({ name, value }) => [name, value]));
  }

  /** A key is missing in this process: the job is kept for one that has it. */
  async #unreadable(reason: Fault): Promise<never> {
    const { clock, limits } = this.#tools;
    const runAt = keepUntil(reason, this.#of.job, clock.now(), limits) ?? clock.now() + limits.keepMaxMs;
    this.#of.suspend({ to: "snoozed", runAt });
    return never();
  }

  async #write(notes: readonly JobNote[]): Promise<void> {
    const { session } = this.#tools;
    const receipt = await this.#insist(() => session.note(this.#of.job, notes));
    if (receipt === "settled") return;
    if (!this.#of.isOver) this.#of.lose();
    this.#of.quit();
    await never();
  }

  async #insist<T>(act: () => StoreResult<T>, isOver: () => boolean = () => this.#of.isOver): Promise<T> {
    const { clock, events, limits } = this.#tools;
    for (let wait = limits.settleRetryMs; ; wait = Math.min(wait * 2, limits.settleRetryMaxMs)) {
      if (isOver()) {
        this.#of.quit();
        await never();
      }
      const answer = await act();
      if (answer.ok) return answer.value;
      events.emit("store.trouble", { code: answer.fault.code, message: answer.fault.message });
      await sleep(clock, wait);
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
