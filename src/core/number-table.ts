/**
 * What comes and goes under numbers: jobs, blocks. A Map does not do where thousands come and go: V8 writes its table anew after every few, and the old table points to the next one. So as soon as
 * one of them is in the old generation, all that follow go there, with all that they held, until a full collection. Here places are used again, and nothing refers to what was taken out.
 *
 * Open addressing with linear probing, and deletion that closes the gap (Knuth, TAOCP 3, 6.4, algorithm R).
 */
const leastPlaces = 64;
/** 2^32 divided by the golden ratio (Knuth, TAOCP 3, 6.4): jobs of one block are neighbours, and blocks begin at multiples of 512. */
const spread = 0x9e37_79b1;

export class NumberTable<Value extends object> {
  #numbers = new Float64Array(leastPlaces);
  /** Undefined: nothing is there, whatever the number. */
  #values: (Value | undefined)[] = emptyOf(leastPlaces);
  #shift = 32 - Math.log2(leastPlaces);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): Value | undefined {
    return this.#values[this.#placeOf(number)];
  }

  set(number: number, value: Value): void {
    if (this.#size * 2 >= this.#values.length) this.#grow();
    this.#put(number, value);
  }

  /** Answers whether it was there. */
  delete(number: number): boolean {
    const values = this.#values;
    const numbers = this.#numbers;
    const mask = values.length - 1;
    let gap = this.#placeOf(number);
    if (values[gap] === undefined) return false;
    this.#size--;
    for (let at = (gap + 1) & mask; values[at] !== undefined; at = (at + 1) & mask) {
      const one = numbers[at] as number;
      // It stays where it is when its own place lies behind the gap.
      if (((at - this.#home(one)) & mask) < ((at - gap) & mask)) continue;
      numbers[gap] = one;
      values[gap] = values[at];
      gap = at;
    }
    values[gap] = undefined;
    return true;
  }

  clear(): void {
    this.#values.fill(undefined);
    this.#size = 0;
  }

  /** As they are now, in no order. */
  get values(): readonly Value[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** Where a number is, or where it is to be put. */
  #placeOf(number: number): number {
    const values = this.#values;
    const numbers = this.#numbers;
    const mask = values.length - 1;
    let at = this.#home(number);
    while (values[at] !== undefined && numbers[at] !== number) at = (at + 1) & mask;
    return at;
  }

  /** Numbers beyond 2^32 share the places of the lower ones. */
  #home(number: number): number {
    return Math.imul(number, spread) >>> this.#shift;
  }

  #put(number: number, value: Value): void {
    const at = this.#placeOf(number);
    if (this.#values[at] === undefined) this.#size++;
    this.#numbers[at] = number;
    this.#values[at] = value;
  }

  #grow(): void {
    const numbers = this.#numbers;
    const values = this.#values;
    this.#numbers = new Float64Array(values.length * 2);
    this.#values = emptyOf(values.length * 2);
    this.#shift--;
    this.#size = 0;
    for (const [at, value] of values.entries()) if (value !== undefined) this.#put(numbers[at] as number, value);
    values.fill(undefined);
  }
}

function emptyOf<Value>(places: number): (Value | undefined)[] {
  return Array.from({ length: places }, () => undefined);
}
