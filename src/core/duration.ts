/**
 * Durations as people write them. A number is milliseconds; a string is a sum of parts with a unit each.
 */
export type Duration = number | `${number}${DurationUnit}` | (string & {});
export type DurationUnit = "ms" | "s" | "m" | "h" | "d";

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const partPattern = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy;

/**
 * Milliseconds of a duration: `250`, `"250ms"`, `"5s"`, `"1m30s"`, `"1.5h"`, `"7d"`.
 * Throws a TypeError that names the value: a wrong duration is a mistake in the program, found at start.
 */
export function durationMs(duration: Duration): number {
  if (typeof duration === "number") {
    if (Number.isFinite(duration) && duration >= 0) return duration;
    throw new TypeError(`A duration in milliseconds is a finite number of at least 0, not ${duration}.`);
  }
  let total = 0;
  let end = 0;
  partPattern.lastIndex = 0;
  for (let part = partPattern.exec(duration); part !== null; part = partPattern.exec(duration)) {
    total += Number(part[1]) * (unitMs[part[2] as string] as number);
    end = partPattern.lastIndex;
  }
  if (end === 0 || end !== duration.length) {
    throw new TypeError(
      `"${duration}" is not a duration. Write a number of milliseconds, or parts such as "250ms", "5s", "1m30s", "1.5h", "7d".`,
    );
  }
  return total;
}
