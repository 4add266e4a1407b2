/**
 * Many timeouts of the same length for the price of one timer. Entries expire in the order in which they came, so a linked list
 * and one timer for its head are enough: adding and removing cost a few assignments. No entry, no timer.
 */
import type { Clock, Timer } from "./clock.ts";

export interface TimeoutEntry {
  /** Takes the entry out. Safe to call twice, or after it expired. */
  cancel(): void;
}

interface Node extends TimeoutEntry {
  readonly at: number;
  readonly expire: () => void;
  previous: Node | undefined;
  next: Node | undefined;
  listed: boolean;
}

export class Timeouts {
  readonly ms: number;
  readonly #clock: Clock;
  readonly #shared: boolean;
  #head: Node | undefined;
  #tail: Node | undefined;
  #timer: Timer | undefined;

  /**
   * `shared: false` gives each entry a timer of its own: for runtimes in which a timer belongs to the request that set it, and dies
   * with that.
   */
  constructor(clock: Clock, ms: number, { shared = true }: { readonly shared?: boolean } = {}) {
    this.#clock = clock;
    this.ms = ms;
    this.#shared = shared;
  }

  /** Calls `expire` after the list's time, unless cancelled first. Up to 5 ms late, so that bursts share a wake-up. */
  add(expire: () => void): TimeoutEntry {
    if (!this.#shared) return this.#clock.setTimer(this.ms, expire);
    const node: Node = {
      at: this.#clock.monotonic() + this.ms,
      expire,
      previous: this.#tail,
      next: undefined,
      listed: true,
      cancel: () => this.#remove(node),
    };
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    if (this.#timer === undefined) this.#timer = this.#clock.setTimer(this.ms, this.#sweep);
    return node;
  }

  #remove(node: Node): void {
    if (!node.listed) return;
    node.listed = false;
    if (node.previous === undefined) this.#head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#tail = node.previous;
    else node.next.previous = node.previous;
    // An entry that has grown old before it was taken out would keep its younger neighbours alive, and these theirs, until V8 next looks through all of its heap.
    node.previous = node.next = undefined;
  }

  readonly #sweep = (): void => {
    const due = this.#clock.monotonic() + 0.5;
    try {
      // The fired timer stays in #timer meanwhile, so that an entry added by `expire` does not set one past earlier entries.
      while (this.#head !== undefined && this.#head.at <= due) {
        const node = this.#head;
        this.#remove(node);
        node.expire();
      }
    } finally {
      const left = this.#head;
      this.#timer =
        left === undefined
          ? undefined
          : this.#clock.setTimer(Math.max(5, left.at - this.#clock.monotonic()), this.#sweep);
    }
  };
}
