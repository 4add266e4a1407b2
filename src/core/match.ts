/**
 * Exhaustive matching by type. Leaving out a case of the fault union is a compile error that names the missing code.
 */
import type { Fault } from "./fault.ts";
import type { Result } from "./result.ts";

type FaultCases<F extends Fault, U> = { readonly [C in F["code"]]: (fault: Extract<F, { readonly code: C }>) => U };

/**
 * Handles a Result: `ok` for the value, one function for each declared fault code.
 *
 * @example
 * const result: Result<{ name: string }, Fault<"CITY_NOT_FOUND", { id: number }>> = await client.getCity({ id: 1 });
 * const text = match(result, {
 *   ok: (city) => city.name,
 *   CITY_NOT_FOUND: (fault) => `no city ${fault.data.id}`,
 * });
 */
export function match<T, F extends Fault, U, V = U>(
  result: Result<T, F>,
  cases: { readonly ok: (value: T) => U } & FaultCases<F, V>,
): U | V;
export function match(
  result: Result<unknown, Fault>,
  cases: { readonly [code: string]: (value: never) => unknown },
): unknown {
  const key = result.ok ? "ok" : result.fault.code;
  const handle = Object.hasOwn(cases, key) ? cases[key] : undefined;
  if (handle === undefined) {
    throw new TypeError(`match() has no case for "${key}". Add a function under that name.`);
  }
  return handle((result.ok ? result.value : result.fault) as never);
}

/** Handles a fault alone: one function for each code of the union. */
export function matchFault<F extends Fault, U>(fault: F, cases: FaultCases<F, U>): U {
  const handle: ((fault: never) => U) | undefined = Object.hasOwn(cases, fault.code)
    ? cases[fault.code as F["code"]]
    : undefined;
  if (handle === undefined) {
    throw new TypeError(`matchFault() has no case for "${fault.code}". Add a function under that name.`);
  }
  return handle(fault as never);
}
