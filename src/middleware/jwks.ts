/**
 * The public keys of an issuer, from its JWKS address (RFC 7517 section 5). Bounded in size and time; asked at most once in the
 * cooldown, whatever callers send; and old keys serve on while the issuer is down, for an hour, so that its outage is not ours.
 *
 *   no keys   --fetch ok-->   fresh   --cacheMaxAge-->   stale   --fetch ok-->   fresh
 *                                                        stale   --staleIfError over-->   no keys
 */
import type { JSONWebKeySet, LocalJWKSet } from "jose";
import type { Clock } from "../core/index.ts";

export interface JwksOptions {
  /** How long keys are used without asking again. Milliseconds. */
  readonly cacheMaxAgeMs: number;
  /** How long after that they are still used while the issuer does not answer. Milliseconds. */
  readonly staleIfErrorMs: number;
  /** Between two fetches at least, after a success as after a failure. Milliseconds. */
  readonly cooldownMs: number;
  /** For one fetch. Milliseconds. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly resolver: (keys: JSONWebKeySet) => LocalJWKSet;
}

/** Keys in one set at most. */
const mostKeys = 100;

export class RemoteKeys {
  readonly #url: string;
  readonly #options: JwksOptions;
  #keys: LocalJWKSet | undefined;
  #fetchedAt = -Infinity;
  #triedAt = -Infinity;
  #pending: Promise<void> | undefined;
  #failure = "not fetched yet";

  constructor(url: string, options: JwksOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** Undefined while there are none; `failure` says why. */
  async current(): Promise<LocalJWKSet | undefined> {
    if (this.#age() > this.#options.cacheMaxAgeMs) await this.#refresh();
    if (this.#age() > this.#options.cacheMaxAgeMs + this.#options.staleIfErrorMs) this.#keys = undefined;
    return this.#keys;
  }

  /** After a key id that is not in the set: the newer set, if there is one. */
  async newer(than: LocalJWKSet): Promise<LocalJWKSet | undefined> {
    await this.#refresh();
    return this.#keys === than ? undefined : this.#keys;
  }

  get failure(): string {
    return this.#failure;
  }

  #age(): number {
    return this.#options.clock.monotonic() - this.#fetchedAt;
  }

  /** Joins a fetch that is under way; none in the cooldown. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#pending !== undefined) return this.#pending;
    const now = this.#options.clock.monotonic();
    if (now - this.#triedAt < this.#options.cooldownMs) return Promise.resolve();
    this.#triedAt = now;
    this.#pending = this.#load().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  async #load(): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const abort = new AbortController();
    const timer = clock.setTimer(timeoutMs, () => abort.abort(new Error(`no answer within ${timeoutMs} ms`)));
    try {
      this.#keys = this.#options.resolver(await this.#get(abort.signal));
      this.#fetchedAt = clock.monotonic();
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : "the fetch failed";
    } finally {
      timer.cancel();
    }
  }

  async #get(signal: AbortSignal): Promise<JSONWebKeySet> {
    // A redirect could lead anywhere: the address is the one that the program names.
    const response = await this.#options.fetch(this.#url, {
      redirect: "manual",
      headers: { accept: "application/jwk-set+json, application/json" },
      signal,
    });
    if (response.status !== 200) {
      void response.body?.cancel().catch(() => undefined);
      throw new Error(`it answered ${response.status}`);
    }
    const set: unknown = JSON.parse(await readText(response, this.#options.maxBytes, signal));
    return { keys: publicKeys(set) };
  }
}

async function readText(response: Response, maxBytes: number, signal: AbortSignal): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  // The fetch itself may be over when the body stalls.
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let [text, size] = ["", 0];
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), aborted]);
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > maxBytes) throw new Error(`it answered more than ${maxBytes} bytes`);
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** What can verify. A shared secret has no place in a public document, and would let whoever reads it sign. */
export function publicKeys(set: unknown): JSONWebKeySet["keys"] {
  const keys: unknown = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new Error("it is no JWK set");
  if (keys.length > mostKeys) throw new Error(`it has more than ${mostKeys} keys`);
  return (keys as unknown[]).filter((key): key is JSONWebKeySet["keys"][number] => {
    if (typeof key !== "object" || key === null || !("kty" in key)) return false;
    return typeof key.kty === "string" && key.kty !== "oct" && !("d" in key);
  });
}
