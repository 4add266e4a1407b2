/**
 * What this process has claimed of names and not settled, by key. It tells these keys with each claim of a name with limits per key, so that the database looks only
 * for what others run; a job is among them from its claim until its settlement is answered: longer than it runs by the database's book, never shorter.
 */
import type { ClaimedJob, Fence, JobId } from "../../jobs/index.ts";
import { isSame, KeyGate } from "./key-gate.ts";

export class KeyGates {
  readonly #limitOf: (name: string) => number | undefined;
  readonly #attemptsOf: (name: string) => number;
  readonly #now: () => number;
  readonly #gates = new Map<string, KeyGate>();
  /** No epoch up to this one is alive. */
  #over = 0;

  /** @param limitOf How many of a key may run, where that is all that limits the jobs of a name. @param attemptsOf How many a job has. @param now Monotonic milliseconds. */
  constructor(limitOf: (name: string) => number | undefined, attemptsOf: (name: string) => number, now: () => number) {
    this.#limitOf = limitOf;
    this.#attemptsOf = attemptsOf;
    this.#now = now;
  }

  of(name: string): KeyGate {
    let gate = this.#gates.get(name);
    if (gate === undefined)
      this.#gates.set(name, (gate = new KeyGate(this.#limitOf(name), this.#attemptsOf(name), this.#now)));
    return gate;
  }

  /** Of names with a limit that is kept here. */
  limited(name: string): KeyGate | undefined {
    const gate = this.of(name);
    return gate.most === Infinity ? undefined : gate;
  }

  /** These were claimed. Answers those that may run. */
  begin(jobs: readonly ClaimedJob[], inBlocks: boolean): readonly ClaimedJob[] {
    // Claimed by an epoch that is over by now: others look for them.
    if ((jobs[0]?.fence.epoch ?? Infinity) <= this.#over) return [];
    const first = jobs[0]?.name ?? "";
    let isKeyed = false;
    let isOne = true;
    for (const { key, name } of jobs) {
      isKeyed ||= key !== undefined;
      isOne &&= name === first;
    }
    if (!isKeyed) return jobs;
    if (isOne) return this.of(first).begin(jobs, inBlocks);
    const free: ClaimedJob[] = [];
    for (const job of jobs) for (const one of this.of(job.name).begin([job], inBlocks)) free.push(one);
    return free;
  }

  /** Names of which jobs are held, or wait for credit. */
  get holding(): readonly string[] {
    return [...this.#gates].filter(([, gate]) => gate.isHolding).map(([name]) => name);
  }

  offered(jobs: readonly { readonly job: ClaimedJob }[]): readonly ClaimedJob[] {
    const next: ClaimedJob[] = [];
    for (const { job } of jobs) {
      const one = job.key === undefined ? undefined : this.#gates.get(job.name)?.offered(job);
      if (one !== undefined) next.push(one);
    }
    return next;
  }

  /** These are not claimed any more. Answers whether keys may be free now, and whether others than this process may wait for them. */
  settled(
    settlements: readonly { readonly job: ClaimedJob }[],
    isPlain: (name: string) => boolean,
  ): { readonly freed: boolean; readonly others: boolean } {
    let freed = false;
    let others = false;
    for (const { job } of settlements) {
      if (job.key === undefined) continue;
      this.#gates.get(job.name)?.end(job);
      freed ||= !isPlain(job.name);
      others ||= this.of(job.name).isOwned !== true;
    }
    return { freed, others: freed && others };
  }

  moved({ name, id, key }: ClaimedJob): void {
    if (key !== undefined) this.#gates.get(name)?.moved(id);
  }

  takeHeld(id?: JobId, names?: readonly string[]): readonly ClaimedJob[] {
    const gates = [...this.#gates].filter(([name]) => names === undefined || names.includes(name));
    return gates.flatMap(([, gate]) => gate.takeHeld(id));
  }

  /** A claim whose answer was lost was given back. Answers what may run instead. */
  giveBack(fence: Fence): readonly ClaimedJob[] {
    return this.#giveBack((job) => isSame(job.fence, fence));
  }

  /** The claims of these were lost. Answers what may run instead. */
  lost(ids: ReadonlySet<JobId>): readonly ClaimedJob[] {
    return this.#giveBack(({ id }) => ids.has(id));
  }

  #giveBack(which: (job: ClaimedJob) => boolean): readonly ClaimedJob[] {
    return [...this.#gates.values()].flatMap((gate) => gate.giveBack(which));
  }

  /** @param epoch It is over. */
  clear(epoch: number): void {
    this.#over = epoch;
    for (const gate of this.#gates.values()) gate.clear();
  }
}
