/**
 * An empty array for what waits: jobs until their commit, settlements until they are sent. After a stall V8 takes the array literals of the moment for long-lived and makes all later ones of the same place in
 * its old generation, where they keep all that was ever put into them until a full collection (allocation-site pretenuring). A copy has no such place, and is always young.
 *
 * @example
 * const jobs = youngArray<string>();
 * jobs.push("4711");
 */
export function youngArray<T>(): T[] {
  return none.slice() as T[];
}

const none: readonly unknown[] = [];
