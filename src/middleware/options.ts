/** What every middleware's options are held against at start. A wrong one is a TypeError that says what to write. */
import { durationMs, type Duration } from "../core/index.ts";

/** Refuses names that are not there: a typo would silently be a default. */
export function checkNames(maker: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw new TypeError(`${maker}(): options are an object.`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new TypeError(`${maker}(): there is no option "${name}". There are: ${known.join(", ")}.`);
  }
}

export function checkWhole(maker: string, name: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new TypeError(`${maker}(): ${name} is a whole number from ${least} to ${most}, not ${String(value)}.`);
  return value;
}

export function wholeSeconds(maker: string, name: string, value: Duration): number {
  const seconds = durationMs(value) / 1000;
  if (!Number.isInteger(seconds)) throw new TypeError(`${maker}(): ${name} is in whole seconds, not ${String(value)}.`);
  return seconds;
}

const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names of header fields or methods. */
export function checkTokens(maker: string, name: string, values: readonly string[]): readonly string[] {
  for (const value of values) {
    if (typeof value !== "string" || !tokenPattern.test(value))
      throw new TypeError(`${maker}(): "${String(value)}" in ${name} is no name that HTTP knows (RFC 9110 token).`);
  }
  return values;
}
