/**
 * Places in blocks, in order, neighbours as one range: a hundred thousand jobs that follow each other take as little room as their blocks are many.
 * Every step has its exact opposite, so that what a failed commit did is undone in reverse.
 */
import { must } from "./must.ts";

interface Placed {
  readonly seq: number;
  readonly ids: Float64Array | undefined;
}

export class PlaceQueue<B extends Placed> {
  /** Undefined where a range was taken. */
  #blocks: (B | undefined)[] = [];
  /** `lo * 65,536 + hi` */
  #ranges: number[] = [];
  #head = 0;
  /** Places in it. */
  size = 0;

  /** The first range; there must be one. */
  get block(): B {
    return must(this.#blocks[this.#head]);
  }

  get lo(): number {
    return must(this.#ranges[this.#head]) >>> 16;
  }

  get hi(): number {
    return must(this.#ranges[this.#head]) & 0xffff;
  }

  pushBack(block: B, lo: number, hi: number): void {
    this.size += hi - lo;
    const last = this.#ranges.length - 1;
    if (last >= this.#head && this.#blocks[last] === block && (must(this.#ranges[last]) & 0xffff) === lo) {
      this.#ranges[last] = must(this.#ranges[last]) + hi - lo;
      return;
    }
    this.#blocks.push(block);
    this.#ranges.push(lo * 65_536 + hi);
  }

  popBack(n: number): void {
    this.size -= n;
    for (let left = n; left > 0;) {
      const last = this.#ranges.length - 1;
      const range = must(this.#ranges[last]);
      const length = (range & 0xffff) - (range >>> 16);
      if (length > left) {
        this.#ranges[last] = range - left;
        return;
      }
      this.#blocks.pop();
      this.#ranges.pop();
      left -= length;
    }
  }

  pushFront(block: B, lo: number, hi: number): void {
    this.size += hi - lo;
    const head = this.#head;
    if (head < this.#ranges.length && this.#blocks[head] === block && this.lo === hi) {
      this.#ranges[head] = lo * 65_536 + this.hi;
    } else if (head === 0) {
      this.#blocks.unshift(block);
      this.#ranges.unshift(lo * 65_536 + hi);
    } else {
      this.#head--;
      this.#blocks[this.#head] = block;
      this.#ranges[this.#head] = lo * 65_536 + hi;
    }
  }

  /** Out of the first range. */
  popFront(n: number): void {
    this.size -= n;
    const { lo, hi } = this;
    if (hi - lo > n) {
      this.#ranges[this.#head] = (lo + n) * 65_536 + hi;
      return;
    }
    this.#blocks[this.#head++] = undefined;
    // A queue that is empty now is mostly filled again: its room is kept until it is worth the copying.
    if (this.#head > 64 && this.#head * 2 > this.#ranges.length) {
      this.#blocks = this.#blocks.slice(this.#head);
      this.#ranges = this.#ranges.slice(this.#head);
      this.#head = 0;
    }
  }

  /** By the id of its job. Nearly always that is one of the two ends. */
  insert(block: B, place: number): void {
    const id = idAt(block, place);
    const last = this.#ranges.length - 1;
    if (last < this.#head || idAt(must(this.#blocks[last]), (must(this.#ranges[last]) & 0xffff) - 1) < id) {
      this.pushBack(block, place, place + 1);
    } else if (id < idAt(this.block, this.lo)) {
      this.pushFront(block, place, place + 1);
    } else {
      let at = this.#head;
      while (at < this.#ranges.length && idAt(must(this.#blocks[at]), must(this.#ranges[at]) >>> 16) < id) at++;
      this.#splitBefore(at - 1, id);
      this.size++;
      this.#blocks.splice(at, 0, block);
      this.#ranges.splice(at, 0, place * 65_536 + place + 1);
    }
  }

  /** The opposite of `insert`. */
  remove(block: B, place: number): void {
    for (let at = this.#ranges.length - 1; at >= this.#head; at--) {
      const range = must(this.#ranges[at]);
      const lo = range >>> 16;
      const hi = range & 0xffff;
      if (this.#blocks[at] !== block || place < lo || place >= hi) continue;
      this.size--;
      const kept = [
        [lo, place],
        [place + 1, hi],
      ].filter(([from = 0, to = 0]) => from < to);
      this.#blocks.splice(at, 1, ...kept.map(() => block));
      this.#ranges.splice(at, 1, ...kept.map(([from = 0, to = 0]) => from * 65_536 + to));
      return;
    }
  }

  /** Jobs that have moved may stand in one range without being neighbours by their ids: then a place between them cuts it. */
  #splitBefore(at: number, id: number): void {
    const block = must(this.#blocks[at]);
    const range = must(this.#ranges[at]);
    const hi = range & 0xffff;
    let cut = range >>> 16;
    while (cut < hi && idAt(block, cut) < id) cut++;
    if (cut === hi) return;
    this.#ranges[at] = (range >>> 16) * 65_536 + cut;
    this.#blocks.splice(at + 1, 0, block);
    this.#ranges.splice(at + 1, 0, cut * 65_536 + hi);
  }
}

export function idAt(block: Placed, place: number): number {
  return block.ids === undefined ? block.seq + place : must(block.ids[place]);
}
