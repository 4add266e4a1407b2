/**
 * The consumer of a session: its credit, and how many jobs of each name wait, where that is known here. It is known from the moment in which a turn has claimed
 * all there was until somebody else may have brought work: since then only this process's own enqueues were added.
 *
 *   unknown: a turn gets all credit of the name
 *   known:   a turn gets as much as waits, and what is left of the credit an enqueue may use for its own jobs, in the commit that makes them
 *   doubted: nobody has said so, but it is time to look: the turn that does gets half of the credit at least, and enqueues go on as while it is known. (It takes
 *            several round trips, during which all that is enqueued would else have to wait for a turn of its own.)
 *
 * Of a name with limits per key its gate knows the keys that wait, instead of how many jobs do; and what is claimed ahead takes credit when it may run. Where there is
 * none by then, it is due: the next credit is its own.
 *
 * What a statement may claim is taken out before it is sent and given back where it was not used: a turn and an enqueue may be under way at once. What the
 * enqueue brings meanwhile is handed over behind what the turn does.
 */
import type { ClaimedJob, ConsumeOptions, JobId, NewJob, Settlement } from "../jobs/index.ts";
import type { KeyGate } from "./blocks/index.ts";
import { JobSet } from "./job-set.ts";

/** Credit by job name. */
export type Credit = ReadonlyMap<string, number>;

interface Lot {
  /** Below 0: some of it was taken back while a statement had it, or has it. */
  credit: number;
  /** Jobs that wait; undefined: not known. */
  waiting: number | undefined;
  /** More may wait than is known: the next turn looks. */
  doubted: boolean;
  /** Of the credit, what the turn under way has. */
  inTurn: number;
  /** Whether the turn under way looks for what is not known. */
  looks: boolean;
  /** Whether it is known to bring older jobs, or may. */
  bringsOlder: boolean;
  /** Jobs that were enqueued here, and not claimed, since the turn under way was sent. */
  added: number;
  readonly gate: KeyGate | undefined;
  /** May run, but for credit. */
  readonly due: ClaimedJob[];
}

/** What an enqueue may claim. */
export interface Share {
  readonly credit: Credit;
  /** Of names without limits per key, how many. */
  readonly room: Credit;
  /** Of the others, which of its jobs, by their places, and whether credit was taken for it. */
  readonly chosen: ReadonlyMap<number, "start" | "ahead">;
}

export class Delivery {
  readonly options: ConsumeOptions;
  readonly #lots = new Map<string, Lot>();
  #stopped = false;
  /** Somebody else may have brought work since the turn under way was sent. */
  #forgot = false;
  /** Claimed by enqueues, of names of which the turn under way brings older ones: those are handed over first. */
  #younger: ClaimedJob[] = [];
  /** Jobs that were handed over and are not settled. */
  readonly #running = new JobSet();

  constructor(options: ConsumeOptions, gateOf: (name: string) => KeyGate | undefined) {
    this.options = options;
    for (const name of options.names) {
      const gate = gateOf(name);
      const turn = { inTurn: 0, looks: false, bringsOlder: false };
      this.#lots.set(name, { credit: 0, waiting: undefined, doubted: false, ...turn, added: 0, gate, due: [] });
    }
  }

  /** Answers whether a turn may find something for it. */
  grant(name: string, credit: number): boolean {
    const lot = this.#lots.get(name);
    if (lot === undefined) throw new TypeError(`Credit for "${name}", which is not among the names of consume().`);
    if (!this.#stopped) lot.credit += credit;
    if (lot.due.length > 0) this.deliver(this.#fromDue(lot));
    return wants(lot);
  }

  #fromDue(lot: Lot): readonly ClaimedJob[] {
    const jobs = lot.due.splice(0, Math.max(0, lot.credit));
    if (lot.gate !== undefined) lot.gate.due = lot.due.length;
    return jobs;
  }

  /** Nothing more is claimed; what is under way is still handed over. */
  stop(): void {
    this.#stopped = true;
    for (const lot of this.#lots.values()) lot.credit = 0;
  }

  /** Somebody else may have brought work. */
  forget(): void {
    this.#forgot = true;
    for (const lot of this.#lots.values()) {
      lot.waiting = undefined;
      lot.gate?.waitingKeys.forget();
    }
  }

  /** It is time for a look, whatever is known. Of names with limits per key nothing is known until then. */
  doubt(): void {
    for (const lot of this.#lots.values()) {
      lot.doubted = true;
      lot.gate?.waitingKeys.forget();
    }
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
      lot.bringsOlder = lot.waiting !== 0;
      lot.looks = lot.doubted && lot.credit > 0;
      lot.inTurn = Math.max(0, lot.gate === undefined ? plainShareOf(lot) : shareOf(lot, lot.gate));
      if (lot.looks) lot.doubted = false;
      lot.credit -= lot.inTurn;
      if (lot.inTurn > 0) taken.set(name, lot.inTurn);
    }
    return taken;
  }

  /** For an enqueue of these jobs. Undefined: none of them may be claimed in its commit. */
  takeForEnqueue(jobs: readonly NewJob[]): Share | undefined {
    const credit = new Map<string, number>();
    const room = new Map<string, number>();
    const chosen = new Map<number, "start" | "ahead">();
    if (this.#stopped) return undefined;
    for (const [at, { name, key }] of jobs.entries()) {
      const lot = this.#lots.get(name);
      const count = (credit.get(name) ?? 0) + 1;
      if (lot?.gate !== undefined) {
        const way = lot.gate.take(key, count <= lot.credit);
        if (way === "start") credit.set(name, count);
        if (way !== undefined) chosen.set(at, way);
      } else if (count <= freeOf(lot)) {
        credit.set(name, count);
        room.set(name, count);
      }
    }
    for (const [name, count] of credit) (this.#lots.get(name) as Lot).credit -= count;
    return credit.size === 0 && chosen.size === 0 ? undefined : { credit, room, chosen };
  }

  /** @param all Names of which everything was claimed that was there. */
  endTurn(taken: Credit, claimed: readonly ClaimedJob[], free: readonly ClaimedJob[], all: readonly string[]): void {
    for (const { name } of claimed) {
      const lot = this.#lots.get(name) as Lot;
      if (lot.waiting !== undefined) lot.waiting = Math.max(0, lot.waiting - 1);
    }
    for (const lot of this.#lots.values()) {
      // It has found more than it had credit for, unless the name is among `all`.
      if (lot.looks) lot.waiting = undefined;
      lot.inTurn = 0;
      lot.looks = false;
    }
    for (const name of this.#forgot ? [] : all) {
      const lot = this.#lots.get(name) as Lot;
      lot.waiting = lot.added;
    }
    this.#give(this.#account(taken, free));
    this.#giveYounger();
  }

  /** @param free Of those that it claimed, what may run now. @param refused Names of which it was to claim some, and did not. */
  endEnqueue(
    share: Share | undefined,
    jobs: readonly NewJob[],
    {
      claimed,
      free,
      refused,
    }: { readonly [K in "claimed" | "free"]: readonly ClaimedJob[] } & {
      readonly refused: ReadonlySet<string>;
    },
  ): void {
    if (claimed.length < jobs.length) {
      this.added(jobs);
      for (const { name } of claimed) this.#addTo(name, -1);
      for (const [at, { name, key }] of jobs.entries())
        if (share?.chosen.has(at) !== true || refused.has(name)) this.#lots.get(name)?.gate?.waitingKeys.wait(key);
    }
    this.#untake(share, jobs);
    for (const name of refused) this.#lots.get(name)?.gate?.refused();
    const now = this.#account(share?.credit ?? none, free);
    const ready: ClaimedJob[] = [];
    for (const job of now) (this.#isInTurn(job.name) ? this.#younger : ready).push(job);
    this.#give(ready);
  }

  #untake(share: Share | undefined, jobs: readonly NewJob[]): void {
    for (const [at, way] of share?.chosen ?? []) {
      const { name, key } = jobs[at] as NewJob;
      this.#lots.get(name)?.gate?.came(key, way);
    }
  }

  /** An enqueue has failed. */
  giveBack(share: Share, jobs: readonly NewJob[]): void {
    this.#untake(share, jobs);
    this.#give(this.#account(share.credit, []));
  }

  /** These were enqueued here, and not claimed. */
  added(jobs: readonly NewJob[]): void {
    for (const { name } of jobs) this.#addTo(name, 1);
  }

  /** These are not running any more. */
  settled(settlements: readonly Settlement[]): void {
    for (const { job } of settlements) this.#running.delete(job.id);
  }

  /** The claims of these are gone, or of all. What waits for its turn here is among them, and known to the consumer afterwards. @param free What may run instead. */
  lose(ids?: readonly JobId[], free: readonly ClaimedJob[] = []): void {
    this.#giveYounger();
    const lost = new Set(ids ?? this.#running);
    this.takeDue(({ id }) => lost.has(id));
    const known = [...lost].filter((id) => this.#running.delete(id));
    if (known.length > 0) this.options.onLost?.(known);
    this.deliver(free);
  }

  /** These may run now. */
  deliver(jobs: readonly ClaimedJob[]): void {
    if (jobs.length > 0) this.#give(this.#account(none, jobs));
  }

  /** Jobs that are due: they are settled from outside. */
  takeDue(which: (job: ClaimedJob) => boolean): readonly ClaimedJob[] {
    const taken: ClaimedJob[] = [];
    for (const { due, gate } of this.#lots.values()) {
      const all = due.splice(0);
      for (const job of all) (which(job) ? taken : due).push(job);
      if (gate !== undefined) gate.due = due.length;
    }
    return taken;
  }

  #addTo(name: string, count: number): void {
    const lot = this.#lots.get(name);
    if (lot === undefined) return;
    lot.added += count;
    if (lot.waiting !== undefined) lot.waiting += count;
  }

  /** Of a name with a gate the turn brings no older job of the same key: such a one is not claimed by an enqueue. */
  #isInTurn(name: string): boolean {
    const lot = this.#lots.get(name);
    return lot !== undefined && lot.gate === undefined && lot.inTurn > 0 && lot.bringsOlder;
  }

  /** Answers what may be handed over. */
  #account(taken: Credit, jobs: readonly ClaimedJob[]): readonly ClaimedJob[] {
    if (this.#stopped) return jobs;
    // What is due has waited for this credit.
    const due: ClaimedJob[] = [];
    for (const [name, count] of taken) {
      const lot = this.#lots.get(name) as Lot;
      lot.credit += count;
      if (lot.due.length > 0) due.push(...this.#fromDue(lot));
    }
    const paid: ClaimedJob[] = [];
    for (const job of due) if (this.#pays(job)) paid.push(job);
    for (const job of jobs) if (this.#pays(job)) paid.push(job);
    return paid;
  }

  #pays(job: ClaimedJob): boolean {
    const lot = this.#lots.get(job.name) as Lot;
    if (lot.gate !== undefined && lot.credit <= 0) {
      let at = lot.due.length;
      while (at > 0 && (lot.due[at - 1] as ClaimedJob).priority > job.priority) at--;
      lot.due.splice(at, 0, job);
      lot.gate.due = lot.due.length;
      return false;
    }
    lot.credit--;
    return true;
  }

  #giveYounger(): void {
    const younger = this.#younger;
    this.#younger = [];
    this.#give(younger);
  }

  #give(claimed: readonly ClaimedJob[]): void {
    if (claimed.length === 0) return;
    // Claimed once more, so the older claim is gone: a crash of the server may lose it.
    const again: JobId[] = [];
    let isInOrder = true;
    let before = 0;
    for (const { id, priority } of claimed) {
      if (!this.#running.add(id)) again.push(id);
      isInOrder &&= priority >= before;
      before = priority;
    }
    if (again.length > 0) this.options.onLost?.(again);
    this.options.onClaimed(isInOrder ? claimed : claimed.toSorted((one, two) => one.priority - two.priority));
  }
}

const none: Credit = new Map();
/** While so many keys wait at most, there are others whose jobs may be claimed when they are enqueued. */
const fewKeys = 64;

function wants({ credit, waiting, doubted, gate }: Lot): boolean {
  return credit > 0 && (gate === undefined ? waiting !== 0 || doubted : gate.waitingKeys.size > 0);
}

/** Of the credit, what a turn gets of a name without such limits. */
function plainShareOf({ credit, waiting = Infinity, looks }: Lot): number {
  return Math.max(Math.min(credit, waiting), looks ? Math.ceil(credit / 2) : 0);
}

/** Of the credit, what a turn gets of a name with limits per key. What may start and is not known to wait has the other half. */
function shareOf({ credit }: Lot, gate: KeyGate): number {
  const { size } = gate.waitingKeys;
  if (size > fewKeys) return credit;
  return size > 0 ? Math.ceil(credit / 2) : 0;
}

/** What of the credit no older job of the name is entitled to, but for those that the turn under way brings with credit of its own. */
function freeOf(lot: Lot | undefined): number {
  if (lot?.waiting === undefined) return 0;
  return lot.credit - Math.max(0, lot.waiting - lot.inTurn);
}
