/** What a history breaks. */

/** One word for each promise that `check.ts` holds a store to. */
export const rules = [
  "finished",
  "lost",
  "invented",
  "once",
  "unexplained",
  "defect",
  "attempts",
  "double claim",
  "stale settlement",
  "concurrency",
  "cancelled",
  "early",
  "unique",
  "order",
  "dependencies",
  "occurrences",
  "steps",
  "stale note",
  "signals",
  "pauses",
  "rate",
  "turns",
] as const;
export type Rule = (typeof rules)[number];

export interface Violation {
  readonly rule: Rule;
  readonly text: string;
}

export type Complain = (rule: Rule, text: string) => void;
