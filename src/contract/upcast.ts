/**
 * Versions of a job's input: how what older code has enqueued becomes what this code takes. The types know which versions there are; what an old
 * payload holds nobody has checked, so it is `unknown`.
 */

/**
 * From each earlier version of an input to the next; the last one gives what `enqueue` takes now. That no other is named is checked when the job is
 * declared: the index signature is what gives `old` its type while the compiler has yet to find out which version is meant.
 */
export type Upcasts<V extends number, Newest> = { readonly [K in Before<V>]?: (old: unknown) => Newest } & {
  readonly [version: number]: (old: unknown) => unknown;
};

/** V - 1. */
type Before<V extends number, Count extends unknown[] = [unknown]> = [...Count, unknown]["length"] extends V
  ? Count["length"]
  : Count["length"] extends 999
    ? never
    : Before<V, [...Count, unknown]>;

/** The same without types: by the version that is read. */
export type UpcastTable = { readonly [version: number]: ((old: unknown) => unknown) | undefined };

const most = 999;

export function checkVersion(job: string, version: number): number {
  if (Number.isInteger(version) && version >= 1 && version <= most) return version;
  throw new TypeError(`job("${job}"): version is a whole number from 1 to ${most}, not ${version}.`);
}

/** Throws a TypeError for steps that lead nowhere: from the oldest version that is named, every one must be there. */
export function checkUpcasts(job: string, version: number, table: UpcastTable): UpcastTable {
  const from = Object.keys(table).map(Number);
  const oldest = Math.min(...from);
  for (const one of from) {
    if (!(Number.isInteger(one) && one >= 1 && one < version)) {
      throw new TypeError(
        `job("${job}"): upcast has a step from version ${one}, and version is ${version}. Steps go from 1 to ${version - 1}.`,
      );
    }
  }
  for (let one = oldest; one < version && from.length > 0; one++) {
    if (typeof table[one] !== "function") {
      throw new TypeError(`job("${job}"): upcast lacks the step from version ${one} to ${one + 1}.`);
    }
  }
  return Object.freeze({ ...table });
}
