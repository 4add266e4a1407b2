/**
 * The bounds of the schema floor in one table. Every codec takes its own; these are what it gets when nothing is said.
 */
export interface SchemaLimits {
  /** Containers (objects, arrays, tuples, maps) inside each other. A deeper value is refused. */
  readonly maxDepth: number;
  /** Issues reported for one value; the walk stops there. */
  readonly maxIssues: number;
  /** UTF-8 bytes (or characters of a string) that `parseJson` reads. */
  readonly maxTextLength: number;
}

export const defaultLimits: SchemaLimits = Object.freeze({
  maxDepth: 64,
  maxIssues: 100,
  maxTextLength: 8 * 1024 * 1024,
});

/** Fills in what the caller left out. Throws a TypeError for a limit that is not a positive whole number. */
export function withLimits(limits: Partial<SchemaLimits> = {}): SchemaLimits {
  const merged = { ...defaultLimits, ...limits };
  for (const [name, value] of Object.entries(merged)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new TypeError(`The limit ${name} is a whole number of at least 1, not ${value}.`);
  }
  return merged;
}
