/**
 * `Request-Timeout: 2.5`: how many seconds the client will wait, as a decimal number with at most three places (after
 * draft-thomson-hybi-http-timeout, which has whole seconds). Relative, because clocks of machines differ.
 */
const pattern = /^\d{1,9}(?:\.\d{1,3})?$/;

/** Milliseconds; undefined for a header that is missing or malformed: advice that cannot be read is no advice. */
export function readRequestTimeout(text: string | undefined): number | undefined {
  return text !== undefined && pattern.test(text) ? Math.round(Number(text) * 1000) : undefined;
}

/** The header's value for so many milliseconds. */
export function writeRequestTimeout(ms: number): string {
  return String(Math.max(0, Math.floor(Math.min(ms, 999_999_999_000))) / 1000);
}
