/**
 * Checks shared by everything that a contract declares. A wrong declaration is a mistake in the program: a TypeError at start
 * that says what to write instead.
 */
import type { AnyFaultType } from "./fault.ts";

const namePattern = /^[a-zA-Z][a-zA-Z0-9]{0,99}$/;

export function checkName(type: string, name: string): void {
  if (!namePattern.test(name)) {
    throw new TypeError(
      `${type}("${name}"): a name is letters and digits, starts with a letter and has at most 100 characters.`,
    );
  }
}

const none: readonly never[] = Object.freeze([]);

export function checkFaults<F extends AnyFaultType>(type: string, name: string, faults: readonly F[]): readonly F[] {
  if (faults.length === 0) return none;
  const seen = new Set<string>();
  for (const { code } of faults) {
    if (seen.has(code)) throw new TypeError(`${type}("${name}") declares the fault ${code} twice.`);
    seen.add(code);
  }
  return Object.freeze([...faults]);
}
