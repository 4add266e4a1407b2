/** The lines of the writer: waiting blocks, turns, open keys. */
import { must } from "./must.ts";

/** A queue with both ends open, without moving its elements. */
export class Deque<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield must(this.#items[at]);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop();
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = must(this.#items[this.#head]);
    this.#head++;
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  unshift(item: T): void {
    if (this.#head === 0) this.#items.unshift(item);
    else this.#items[--this.#head] = item;
  }
}
