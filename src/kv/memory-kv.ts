/**
 * Short-lived records in the memory of one process: bounded in number and in bytes, without a timer. What is over goes when it is
 * met, or by and by with each write.
 *
 * When it is full, the record that ends soonest among a few picked by chance makes room. So somebody who floods the store with
 * fresh keys displaces his own records, which end soonest, and not the hot ones: a rate limit that is nearly used up lasts
 * longest. Of sessions the one that was idle longest goes, because every use gives it a later end.
 */
import { Fault, err, ok, systemClock, systemRandom, type Clock, type Random } from "../core/index.ts";
import {
  checkRecord,
  roundingMs,
  type KvAdvanced,
  type KvEntry,
  type KvFault,
  type KvSetOptions,
  type KvStore,
} from "./kv-store.ts";
import type { Result } from "../core/index.ts";

export interface MemoryKvOptions {
  /** Records at most. Default 100,000. */
  readonly maxEntries?: number;
  /** Bytes at most, counted as two for each character of keys and values, and 128 for each record. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Characters of one value at most. Default 262,144. */
  readonly maxValueChars?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface MemoryKv extends KvStore {
  /** Records that are held now, also those whose time is over and that nobody has met since. */
  readonly size: number;
  get(key: string): Result<KvEntry | undefined, KvFault>;
  set(key: string, value: string, options: KvSetOptions): Result<number | undefined, KvFault>;
  delete(key: string, version?: number): Result<boolean, KvFault>;
  advance(key: string, byMs: number, mostMs: number): Result<KvAdvanced, KvFault>;
}

interface Slot {
  readonly key: string;
  value: string;
  /** Wall-clock milliseconds. For `advance` this is the point itself. */
  endsAt: number;
  version: number;
  pinned: boolean;
  /** Its place in the list that chance picks from. */
  index: number;
}

/** Picked by chance to find one that ends soon. With 16, one record in 2^16 of a store half full of hot ones is lost to bad luck. */
const sampled = 16;
/** Looks for one that is not pinned. */
const attempts = 8;
const overhead = 128;

/**
 * Makes a store in memory. Its records end with the process, and each process has its own: with several processes take a store
 * that they share.
 *
 * @example
 * const kv = memoryKv({ maxEntries: 10_000 });
 */
export function memoryKv(options: MemoryKvOptions = {}): MemoryKv {
  return new Memory(options);
}

class Memory implements MemoryKv {
  readonly maxValueChars: number;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #slots = new Map<string, Slot>();
  readonly #list: Slot[] = [];
  #bytes = 0;
  #version = 0;

  constructor({
    maxEntries = 100_000,
    maxBytes = 64 * 1024 * 1024,
    maxValueChars = 262_144,
    ...tools
  }: MemoryKvOptions) {
    for (const [name, value] of Object.entries({ maxEntries, maxBytes, maxValueChars })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new TypeError(`memoryKv: ${name} is a whole number of at least 1, not ${value}.`);
    }
    this.maxValueChars = maxValueChars;
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#clock = tools.clock ?? systemClock;
    this.#random = tools.random ?? systemRandom;
  }

  get size(): number {
    return this.#list.length;
  }

  get(key: string): Result<KvEntry | undefined, KvFault> {
    const slot = this.#find(key, this.#clock.now());
    return slot === undefined ? ok() : ok({ value: slot.value, version: slot.version });
  }

  set(key: string, value: string, options: KvSetOptions): Result<number | undefined, KvFault> {
    checkRecord(key, value, this.maxValueChars);
    const now = this.#clock.now();
    const slot = this.#find(key, now);
    const condition = options.if;
    if (condition !== undefined && (condition === "absent" ? slot !== undefined : slot?.version !== condition))
      return ok();
    const bytes = this.#bytes + (slot === undefined ? sizeOf(key, value) : 2 * (value.length - slot.value.length));
    if (!this.#makeRoom(this.#list.length + (slot === undefined ? 1 : 0), bytes, slot, now)) return err(full());
    const endsAt = now + options.ttlMs;
    const version = ++this.#version;
    const pinned = options.pinned === true;
    if (slot === undefined) this.#add({ key, value, endsAt, version, pinned, index: this.#list.length });
    else {
      this.#bytes += 2 * (value.length - slot.value.length);
      Object.assign(slot, { value, endsAt, version, pinned });
    }
    return ok(version);
  }

  delete(key: string, version?: number): Result<boolean, KvFault> {
    const slot = this.#find(key, this.#clock.now());
    if (slot === undefined || (version !== undefined && slot.version !== version)) return ok(false);
    this.#drop(slot);
    return ok(true);
  }

  advance(key: string, byMs: number, mostMs: number): Result<KvAdvanced, KvFault> {
    const now = this.#clock.now();
    const slot = this.#find(key, now);
    const before = slot === undefined ? 0 : Math.min(slot.endsAt - now, mostMs);
    const aheadMs = before + byMs;
    if (aheadMs > mostMs + roundingMs) return ok({ accepted: false, aheadMs: before });
    if (slot !== undefined) slot.endsAt = now + aheadMs;
    // A point that is now needs no record.
    else if (byMs > 0) {
      checkRecord(key, "", this.maxValueChars);
      if (!this.#makeRoom(this.#list.length + 1, this.#bytes + sizeOf(key, ""), undefined, now)) return err(full());
      this.#add({
        key,
        value: "",
        endsAt: now + aheadMs,
        version: ++this.#version,
        pinned: false,
        index: this.#list.length,
      });
    }
    return ok({ accepted: true, aheadMs });
  }

  #find(key: string, now: number): Slot | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.endsAt > now) return slot;
    this.#drop(slot);
    return undefined;
  }

  #add(slot: Slot): void {
    this.#slots.set(slot.key, slot);
    this.#list.push(slot);
    this.#bytes += sizeOf(slot.key, slot.value);
  }

  #drop(slot: Slot): void {
    this.#slots.delete(slot.key);
    this.#bytes -= sizeOf(slot.key, slot.value);
    const last = this.#list.pop() as Slot;
    if (last === slot) return;
    this.#list[slot.index] = last;
    last.index = slot.index;
  }

  /** Whether there is room for so many records and bytes. Drops a little of what is over in any case, so that nothing piles up. */
  #makeRoom(entries: number, bytes: number, keep: Slot | undefined, now: number): boolean {
    let [needed, size] = [entries, bytes];
    for (let i = 0; i < 2 && this.#list.length > 0; i++) {
      const slot = this.#any();
      if (slot.endsAt > now || slot === keep) continue;
      [needed, size] = [needed - 1, size - sizeOf(slot.key, slot.value)];
      this.#drop(slot);
    }
    while (needed > this.#maxEntries || size > this.#maxBytes) {
      const slot = this.#soonest(keep, now);
      if (slot === undefined) return false;
      [needed, size] = [needed - 1, size - sizeOf(slot.key, slot.value)];
      this.#drop(slot);
    }
    return true;
  }

  #soonest(keep: Slot | undefined, now: number): Slot | undefined {
    if (this.#list.length === 0) return undefined;
    for (let attempt = 0; attempt < attempts; attempt++) {
      let found: Slot | undefined;
      for (let i = 0; i < sampled; i++) {
        const slot = this.#any();
        if (slot === keep || (slot.pinned && slot.endsAt > now)) continue;
        if (found === undefined || slot.endsAt < found.endsAt) found = slot;
      }
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #any(): Slot {
    return this.#list[this.#random.int(this.#list.length)] as Slot;
  }
}

function sizeOf(key: string, value: string): number {
  return overhead + 2 * (key.length + value.length);
}

function full(): KvFault {
  const reason = "the store in memory is full of records that must not be dropped";
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, `The store cannot take work now: ${reason}.`);
}
