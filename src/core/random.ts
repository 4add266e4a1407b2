/**
 * The only source of chance. Code that spreads load (jitter, sampling) takes a Random, so that a test or a simulation
 * repeats a run from its seed; identifiers come from the platform's cryptographic generator and are never seeded.
 */
export interface Random {
  /** A number from 0 (included) to 1 (excluded). */
  next(): number;
  /** A whole number from 0 (included) to `limit` (excluded); `limit` is 1 to 2^32. */
  int(limit: number): number;
}

/** Chance for production. Not for secrets: use `randomHex`. */
export const systemRandom: Random = Object.freeze({
  next: () => Math.random(),
  int: (limit: number) => Math.floor(Math.random() * limit),
});

/**
 * The same numbers for the same seed, on every platform.
 *
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, passes PractRand and BigCrush, a few integer operations a step.
 */
export function seededRandom(seed: number): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 0x1_0000_0000) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const step = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  // The first steps still show the seed; twelve are what the author's reference skips.
  for (let i = 0; i < 12; i++) step();
  const next = (): number => step() / 0x1_0000_0000;
  return Object.freeze({ next, int: (limit: number) => Math.floor(next() * limit) });
}

const poolBytes = 4096;
const pool = new Uint8Array(poolBytes);
let used = poolBytes;
const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Unguessable lower-case hexadecimal text of `bytes` random bytes, 1 to 64; 16 by default, which is as unique as a UUID and
 * is also the form of a W3C trace id (8 bytes: a span id).
 *
 * Asking the platform costs a microsecond and more each time, so it is asked for 4 KiB at once.
 */
export function randomHex(bytes = 16): string {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > 64) {
    throw new TypeError(`randomHex() makes 1 to 64 bytes, not ${bytes}.`);
  }
  if (used + bytes > poolBytes) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let text = "";
  for (const end = used + bytes; used < end; used++) {
    text += hexOfByte[pool[used] as number];
    // What was handed out must not be readable later from a heap dump of the pool.
    pool[used] = 0;
  }
  return text;
}
