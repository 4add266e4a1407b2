/** The middleware of an app, looked at once at start: it may come from JavaScript. */
import type { AnyFaultType } from "./fault.ts";
import type { Contract } from "./contract.ts";
import { frameworkFaults } from "./framework-faults.ts";
import { httpFaults } from "./http-faults.ts";
import type { Middleware } from "./middleware.ts";

/** Throws a TypeError that names what is wrong by its place in the list. */
export function checkMiddleware(name: string, list: readonly Middleware[]): readonly Middleware[] {
  if (!(list instanceof Array))
    throw new TypeError(`implement("${name}"): middleware is a list: middleware: [first, second].`);
  for (const [i, one] of list.entries() as Iterable<[number, Middleware]>) {
    const where = `implement("${name}"): middleware[${i}]`;
    if (typeof one !== "function")
      throw new TypeError(
        `${where} is no middleware. Make it with middleware(…), and call what makes it: cors(), not cors.`,
      );
    for (const moment of ["admit", "wire"] as const) {
      if (one[moment] !== undefined && typeof one[moment] !== "function")
        throw new TypeError(`${where}: ${moment} is no function.`);
    }
    if (one.faults?.every(isFaultType) === false)
      throw new TypeError(`${where}: faults holds something that fault("CODE", …) did not make.`);
  }
  return Object.freeze(list.slice());
}

function isFaultType(type: unknown): boolean {
  return typeof type === "function" && "code" in type && "kind" in type && "schema" in type;
}

/** The contract with the faults of the middleware among those of all its operations: what the server answers by, and documents. */
export function withMiddlewareFaults(contract: Contract, list: readonly Middleware[]): Contract {
  const known = new Map<string, AnyFaultType>(
    [...httpFaults, ...frameworkFaults, ...contract.faults].map((type) => [type.code, type]),
  );
  const added: AnyFaultType[] = [];
  for (const type of list.flatMap((one) => one.faults ?? [])) {
    const other = known.get(type.code);
    if (other === type) continue;
    if (other !== undefined) {
      throw new TypeError(
        `implement("${contract.name}"): middleware answers with a fault ${type.code} that is not the one declared under this code. Use one declaration for both.`,
      );
    }
    known.set(type.code, type);
    added.push(type);
  }
  return added.length === 0
    ? contract
    : Object.freeze({ ...contract, faults: Object.freeze([...contract.faults, ...added]) });
}
