/**
 * The generic cell rate algorithm (ITU-T I.371, 1996, made popular for APIs by throttled and redis-cell): one number for each key,
 * no windows whose edges let through twice as much, no timers.
 *
 * Of a limit of 60 a minute each call moves the key's point in time by one second. A call is refused when the point would be more
 * than the burst (60 seconds' worth, by default) ahead of now. So the limit holds in the long run, a burst may come at once, and
 * what was used comes back one by one.
 */
import { isPromiseLike, ok } from "../core/index.ts";
import { roundingMs, type KvAdvanced, type KvResult, type KvStore } from "../kv/index.ts";

export interface GcraOptions {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly burst: number;
  readonly store: KvStore;
}

const longestKey = 512;
const dayMs = 86_400_000;

export class Gcra {
  readonly spacingMs: number;
  /** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers. */
  readonly policy: string;
  readonly #name: string;
  readonly #store: KvStore;
  readonly #mostMs: number;

  constructor({ name, limit, windowMs, burst, store }: GcraOptions) {
    this.spacingMs = windowMs / limit;
    this.policy = `"${name}";q=${limit};w=${Math.ceil(windowMs / 1000)}`;
    this.#name = name;
    this.#store = store;
    this.#mostMs = this.spacingMs * burst;
  }

  /** Charges a call, unless that would go over the burst. */
  take(key: string, costMs: number): KvResult<KvAdvanced> {
    return this.#store.advance(this.#where(key), costMs, this.#mostMs);
  }

  /** Whether there is room for a call that may be charged later. Charges nothing, and leaves no record. */
  look(key: string, costMs: number): KvResult<KvAdvanced> {
    const found = this.#store.advance(this.#where(key), 0, this.#mostDebtMs);
    return isPromiseLike(found) ? found.then((settled) => this.#judge(settled, costMs)) : this.#judge(found, costMs);
  }

  /**
   * Charges what has happened already, over the burst too: who asked many times at once, before the first was charged, pays for all
   * of them, up to a day.
   */
  charge(key: string, costMs: number): KvResult<KvAdvanced> {
    return this.#store.advance(this.#where(key), costMs, this.#mostDebtMs);
  }

  /** `RateLimit`: what is left, and when all of it is back. */
  state(aheadMs: number): string {
    const left = Math.max(0, Math.floor((this.#mostMs - aheadMs) / this.spacingMs + 1e-9));
    return `"${this.#name}";r=${left};t=${Math.ceil(aheadMs / 1000)}`;
  }

  /** Until there is room for such a call. */
  waitMs(aheadMs: number, costMs: number): number {
    return Math.ceil(aheadMs + costMs - this.#mostMs);
  }

  get #mostDebtMs(): number {
    return this.#mostMs + dayMs;
  }

  #judge(found: Awaited<KvResult<KvAdvanced>>, costMs: number): Awaited<KvResult<KvAdvanced>> {
    if (!found.ok) return found;
    const { aheadMs } = found.value;
    return ok({ accepted: aheadMs + costMs <= this.#mostMs + roundingMs, aheadMs });
  }

  /** Whoever can choose his subject freely can at most share a limit with himself. */
  #where(key: string): string {
    const where = `rate:${this.#name}:${key}`;
    return where.length <= longestKey ? where : where.slice(0, longestKey);
  }
}
