/** What a history breaks. */
export interface Violation {
  /** One word for the promise: `lost`, `once`, `unique` and so on. */
  readonly rule: string;
  readonly text: string;
}

export type Complain = (rule: string, text: string) => void;
