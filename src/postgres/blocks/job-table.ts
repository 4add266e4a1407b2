/**
 * What is known of jobs that come and go, by their ids. A Map is written anew after every few thousand that come and go, and what it held at that moment hangs on its old table, in V8's old
 * generation, until a full collection: under load that were a few hundred bytes for each job. Here places are used again, and nothing refers to what was taken out.
 *
 * Open addressing with linear probing, and deletion that closes the gap (Knuth, TAOCP 3, 6.4, algorithm R).
 */
import type { JobId } from "../../jobs/index.ts";

const leastPlaces = 256;
/** 2^32 divided by the golden ratio (Knuth, TAOCP 3, 6.4): ids of one block are neighbours, and begin at multiples of 512. */
const spread = 0x9e37_79b1;

export class JobTable<Value> {
  /** 0: nothing is there; the database gives no such id. */
  #ids = new Float64Array(leastPlaces);
  #values: (Value | undefined)[] = emptyOf(leastPlaces);
  #shift = 32 - Math.log2(leastPlaces);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: JobId): Value | undefined {
    return this.#values[this.#placeOf(Number(id))];
  }

  set(id: JobId, value: Value): void {
    if (this.#size * 2 >= this.#ids.length) this.#grow();
    this.#put(Number(id), value);
  }

  /** Answers whether it was there. */
  delete(id: JobId): boolean {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let gap = this.#placeOf(Number(id));
    if (ids[gap] === 0) return false;
    this.#size--;
    for (let at = (gap + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
      // It stays where it is when its own place lies behind the gap.
      if (((at - this.#home(ids[at] as number)) & mask) < ((at - gap) & mask)) continue;
      ids[gap] = ids[at] as number;
      this.#values[gap] = this.#values[at];
      gap = at;
    }
    ids[gap] = 0;
    this.#values[gap] = undefined;
    return true;
  }

  clear(): void {
    this.#ids.fill(0);
    this.#values.fill(undefined);
    this.#size = 0;
  }

  /** In no order. What is put in or taken out meanwhile may be missed, or come twice. */
  *values(): Generator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  /** Where an id is, or where it is to be put. */
  #placeOf(id: number): number {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let at = this.#home(id);
    while (ids[at] !== 0 && ids[at] !== id) at = (at + 1) & mask;
    return at;
  }

  /** Ids beyond 2^32 share the places of the lower ones. */
  #home(id: number): number {
    return Math.imul(id, spread) >>> this.#shift;
  }

  #put(id: number, value: Value): void {
    const at = this.#placeOf(id);
    if (this.#ids[at] === 0) this.#size++;
    this.#ids[at] = id;
    this.#values[at] = value;
  }

  #grow(): void {
    const ids = this.#ids;
    const values = this.#values;
    this.#ids = new Float64Array(ids.length * 2);
    this.#values = emptyOf(ids.length * 2);
    this.#shift--;
    this.#size = 0;
    for (let at = 0; at < ids.length; at++) if (ids[at] !== 0) this.#put(ids[at] as number, values[at] as Value);
    values.fill(undefined);
  }
}

function emptyOf<Value>(places: number): (Value | undefined)[] {
  return Array.from({ length: places }, () => undefined);
}
