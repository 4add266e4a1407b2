/** First in, first out, without moving what waits. */
export class Fifo<T extends object> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  take(): T | undefined {
    if (this.isEmpty) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.isEmpty) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  some(test: (item: T) => boolean): boolean {
    return this.#items.some((item) => item !== undefined && test(item));
  }

  /** Takes out those that are told, wherever they wait. */
  drop(told: (item: T) => boolean): T[] {
    const dropped: T[] = [];
    this.#items = this.#items.slice(this.#head).filter((item) => {
      if (item === undefined || !told(item)) return true;
      dropped.push(item);
      return false;
    });
    this.#head = 0;
    return dropped;
  }
}
