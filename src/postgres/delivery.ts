/**
 * The consumer of a session: its credit, and how many jobs of each name wait, where that is known here. It is known from the moment in which a turn has claimed
 * all there was until somebody else may have brought work: since then only this process's own enqueues were added.
 *
 *   unknown: a turn gets all credit of the name
 *   known:   a turn gets as much as waits, and what is left of the credit an enqueue may use for its own jobs, in the commit that makes them
 *
 * What a statement may claim is taken out before it is sent and given back where it was not used: a turn and an enqueue may be under way at once. What the
 * enqueue brings meanwhile is handed over behind what the turn does.
 */
import type { ClaimedJob, ConsumeOptions, JobId, NewJob } from "../jobs/index.ts";

/** Credit by job name. */
export type Credit = ReadonlyMap<string, number>;

interface Lot {
  credit: number;
  /** Jobs that wait; undefined: not known. */
  waiting: number | undefined;
  /** Of the credit, what the turn under way has. */
  inTurn: number;
  /** Jobs that were enqueued here, and not claimed, since the turn under way was sent. */
  added: number;
}

export class Delivery {
  readonly options: ConsumeOptions;
  readonly #lots = new Map<string, Lot>();
  #stopped = false;
  /** Somebody else may have brought work since the turn under way was sent. */
  #forgot = false;
  /** Claimed by enqueues, of names of which the turn under way brings older ones: those are handed over first. */
  #younger: ClaimedJob[] = [];

  constructor(options: ConsumeOptions) {
    this.options = options;
    for (const name of options.names) this.#lots.set(name, { credit: 0, waiting: undefined, inTurn: 0, added: 0 });
  }

  /** Answers whether a turn may find something for it. */
  grant(name: string, credit: number): boolean {
    const lot = this.#lots.get(name);
    if (lot === undefined) throw new TypeError(`Credit for "${name}", which is not among the names of consume().`);
    if (!this.#stopped) lot.credit += credit;
    return wants(lot);
  }

  /** Nothing more is claimed; what is under way is still handed over. */
  stop(): void {
    this.#stopped = true;
    for (const lot of this.#lots.values()) lot.credit = 0;
  }

  /** Somebody else may have brought work. */
  forget(): void {
    this.#forgot = true;
    for (const lot of this.#lots.values()) lot.waiting = undefined;
  }

  /** Whether there is room for something that may wait. */
  get wants(): boolean {
    for (const lot of this.#lots.values()) if (wants(lot)) return true;
    return false;
  }

  /** Whether there is room for what was enqueued here while the turn that has just ended was under way, and had that room. */
  get missed(): boolean {
    for (const lot of this.#lots.values()) if (lot.added > 0 && wants(lot)) return true;
    return false;
  }

  has(name: string): boolean {
    return (this.#lots.get(name)?.credit ?? 0) > 0;
  }

  /** For a turn. */
  takeForTurn(): Credit {
    const taken = new Map<string, number>();
    this.#forgot = false;
    for (const [name, lot] of this.#lots) {
      lot.added = 0;
      lot.inTurn = Math.min(lot.credit, lot.waiting ?? Infinity);
      lot.credit -= lot.inTurn;
      if (lot.inTurn > 0) taken.set(name, lot.inTurn);
    }
    return taken;
  }

  /** For an enqueue of these jobs. Undefined: none of them may be claimed in its commit. */
  takeForEnqueue(jobs: readonly NewJob[]): Credit | undefined {
    const taken = new Map<string, number>();
    for (const { name } of jobs) {
      const count = (taken.get(name) ?? 0) + 1;
      if (count <= freeOf(this.#lots.get(name))) taken.set(name, count);
    }
    for (const [name, count] of taken) (this.#lots.get(name) as Lot).credit -= count;
    return taken.size === 0 ? undefined : taken;
  }

  /** @param all Names of which everything was claimed that was there. */
  endTurn(taken: Credit, claimed: readonly ClaimedJob[], all: readonly string[]): void {
    for (const lot of this.#lots.values()) lot.inTurn = 0;
    for (const { name } of claimed) {
      const lot = this.#lots.get(name) as Lot;
      if (lot.waiting !== undefined) lot.waiting = Math.max(0, lot.waiting - 1);
    }
    for (const name of this.#forgot ? [] : all) {
      const lot = this.#lots.get(name) as Lot;
      lot.waiting = lot.added;
    }
    this.#account(taken, claimed);
    this.#give(claimed);
    this.#giveYounger();
  }

  endEnqueue(taken: Credit, jobs: readonly NewJob[], claimed: readonly ClaimedJob[]): void {
    if (claimed.length < jobs.length) {
      this.added(jobs);
      for (const { name } of claimed) this.#addTo(name, -1);
    }
    this.#account(taken, claimed);
    if (claimed.some(({ name }) => this.#isInTurn(name))) this.#younger.push(...claimed);
    else this.#give(claimed);
  }

  /** These were enqueued here, and not claimed. */
  added(jobs: readonly NewJob[]): void {
    for (const { name } of jobs) this.#addTo(name, 1);
  }

  /** The claims of these are gone. What waits for its turn here is among them, and known to the consumer afterwards. */
  lose(ids: readonly JobId[]): void {
    this.#giveYounger();
    this.options.onLost?.(ids);
  }

  /** A statement has failed. */
  giveBack(taken: Credit): void {
    this.#account(taken, []);
  }

  #addTo(name: string, count: number): void {
    const lot = this.#lots.get(name);
    if (lot === undefined) return;
    lot.added += count;
    if (lot.waiting !== undefined) lot.waiting += count;
  }

  #isInTurn(name: string): boolean {
    return (this.#lots.get(name)?.inTurn ?? 0) > 0;
  }

  #account(taken: Credit, claimed: readonly ClaimedJob[]): void {
    if (this.#stopped) return;
    for (const [name, count] of taken) (this.#lots.get(name) as Lot).credit += count;
    for (const { name } of claimed) (this.#lots.get(name) as Lot).credit--;
  }

  #giveYounger(): void {
    const younger = this.#younger;
    this.#younger = [];
    this.#give(younger);
  }

  #give(claimed: readonly ClaimedJob[]): void {
    if (claimed.length > 0) this.options.onClaimed(claimed.toSorted((one, two) => one.priority - two.priority));
  }
}

function wants({ credit, waiting }: Lot): boolean {
  return credit > 0 && waiting !== 0;
}

/** What of the credit no older job of the name is entitled to, but for those that the turn under way brings with credit of its own. */
function freeOf(lot: Lot | undefined): number {
  if (lot?.waiting === undefined) return 0;
  return lot.credit - Math.max(0, lot.waiting - lot.inTurn);
}
