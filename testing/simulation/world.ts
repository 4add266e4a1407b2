/**
 * A world of its own for one run: one clock that stands still until nothing else can happen, and one queue out of which a seed picks what happens next.
 * While it runs, `setImmediate` is the world's, so every turn of the engine and of a store in memory is drawn from that queue; promise callbacks run to
 * their end between two draws. Nothing here waits for real time: the same seed is the same run.
 */
import { seededRandom, type Clock, type Random, type Timer } from "../../src/core/index.ts";

/** Whose code a task is: a life of a worker, or the world's own. */
export type Owner = string;

interface Task {
  readonly owner: Owner;
  readonly run: () => void;
}

interface WorldTimer extends Task {
  readonly at: number;
  readonly order: number;
}

const realImmediate = globalThis.setImmediate;

export class World {
  readonly random: Random;
  readonly clock: Clock;
  #wall: number;
  #elapsed = 0;
  #order = 0;
  #owner: Owner = "world";
  #tasks: Task[] = [];
  readonly #timers = new Set<WorldTimer>();
  readonly #frozen = new Map<Owner, number>();
  readonly #gone = new Set<Owner>();
  steps = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.#wall = Date.UTC(2026, 0, 1);
    this.clock = {
      now: () => this.#wall,
      monotonic: () => this.#elapsed,
      setTimer: (ms, callback) => this.#setTimer(ms, this.#owner, callback),
    };
  }

  /** Milliseconds since the world began. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** True with this chance. */
  chance(share: number): boolean {
    return this.random.next() < share;
  }

  between(from: number, to: number): number {
    return from + this.random.int(to - from + 1);
  }

  /** Runs `work` as that owner's: what it starts, now and later, is as well. */
  as<T>(owner: Owner, work: () => T): T {
    const before = this.#owner;
    this.#owner = owner;
    try {
      return work();
    } finally {
      this.#owner = before;
    }
  }

  /** Calls back once when its turn is drawn, or after so long. */
  later(owner: Owner, ms: number, run: () => void): void {
    if (ms <= 0) this.#tasks.push({ owner, run });
    else this.#setTimer(ms, owner, run);
  }

  /** A message's way: a turn, and sometimes time. */
  hop(owner: Owner, longestMs: number): Promise<void> {
    return new Promise((resolve) => this.later(owner, longestMs === 0 ? 0 : this.random.int(longestMs + 1), resolve));
  }

  stepWall(ms: number): void {
    this.#wall += ms;
  }

  /** The owner stands still: nothing of it happens until then. */
  freeze(owner: Owner, ms: number): void {
    this.#frozen.set(owner, this.#elapsed + ms);
  }

  isFrozen(owner: Owner): boolean {
    return (this.#frozen.get(owner) ?? -1) > this.#elapsed;
  }

  /** Nothing of the owner happens any more. */
  end(owner: Owner): void {
    this.#gone.add(owner);
    this.#tasks = this.#tasks.filter((task) => task.owner !== owner);
    for (const timer of this.#timers) if (timer.owner === owner) this.#timers.delete(timer);
  }

  isGone(owner: Owner): boolean {
    return this.#gone.has(owner);
  }

  /** Lets things happen until `done` says so; false when `untilMs` came first or nothing is left to happen. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    const patched = globalThis.setImmediate;
    globalThis.setImmediate = ((callback: (...rest: unknown[]) => void, ...rest: unknown[]) => {
      this.#push(this.#owner, () => callback(...rest));
      return undefined as unknown as NodeJS.Immediate;
    }) as typeof setImmediate;
    try {
      for (;;) {
        await new Promise<void>((resolve) => realImmediate(resolve));
        if (done()) return true;
        if (!this.#next(untilMs)) return false;
        this.steps++;
      }
    } finally {
      globalThis.setImmediate = patched;
    }
  }

  /** One thing happens. False: nothing is left, or not before that time. */
  #next(untilMs: number): boolean {
    const task = this.#draw() ?? this.#advance(untilMs);
    if (task === undefined) return false;
    this.#owner = task.owner;
    task.run();
    return true;
  }

  #push(owner: Owner, run: () => void): void {
    if (!this.#gone.has(owner)) this.#tasks.push({ owner, run });
  }

  /** A task whose owner can act, by lot. */
  #draw(): Task | undefined {
    const able = this.#frozen.size === 0 ? this.#tasks : this.#tasks.filter(({ owner }) => !this.isFrozen(owner));
    if (able.length === 0) return undefined;
    const chosen = able[this.random.int(able.length)] as Task;
    this.#tasks.splice(this.#tasks.indexOf(chosen), 1);
    return chosen;
  }

  /** Moves time to what is next: a timer, or the end of a standstill. */
  #advance(untilMs: number): Task | undefined {
    let next: WorldTimer | undefined;
    let at = Infinity;
    for (const timer of this.#timers) {
      const due = Math.max(timer.at, this.#frozen.get(timer.owner) ?? 0);
      if (due > at || (due === at && next !== undefined && timer.order > next.order)) continue;
      at = due;
      next = timer;
    }
    // Turns that wait for the end of a standstill.
    let thaw = Infinity;
    for (const { owner } of this.#tasks) thaw = Math.min(thaw, this.#frozen.get(owner) ?? Infinity);
    const to = Math.min(at, thaw);
    if (to === Infinity || to > untilMs) return undefined;
    const moved = Math.max(0, to - this.#elapsed);
    this.#elapsed += moved;
    this.#wall += moved;
    for (const [owner, until] of this.#frozen) if (until <= this.#elapsed) this.#frozen.delete(owner);
    if (next === undefined || thaw <= at) return this.#draw();
    this.#timers.delete(next);
    return next;
  }

  #setTimer(ms: number, owner: Owner, run: () => void): Timer {
    if (this.#gone.has(owner)) return { cancel: () => undefined };
    const timer: WorldTimer = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, owner, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
}
