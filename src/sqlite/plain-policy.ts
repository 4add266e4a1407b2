/** The policy of a name as plain data, for the writer's thread; what makes no sense is a mistake in the program, found when the name is first used. */
import type { JobPolicy, StoreOpenOptions } from "../jobs/index.ts";

type Gate = NonNullable<JobPolicy["gates"]>[number];
type KeyPolicy = NonNullable<JobPolicy["perKey"]>;
type Rate = NonNullable<Gate["rate"]>;

export function plainPolicy(policyOf: StoreOpenOptions["policy"], name: string): JobPolicy | undefined {
  const policy = policyOf?.(name);
  if (policy === undefined) return undefined;
  const { gates, perKey, ageingMs } = policy;
  if (ageingMs !== undefined) check(name, "ageingMs", ageingMs, 0);
  return {
    ...(gates !== undefined && { gates: gates.map((gate) => plainGate(name, gate)) }),
    ...(perKey !== undefined && { perKey: plainKeys(name, perKey) }),
    ...(ageingMs !== undefined && { ageingMs }),
  };
}

function plainGate(name: string, { id, concurrency, rate }: Gate): Gate {
  return { id, ...plainLimit(name, `of the gate "${id}"`, concurrency, rate) };
}

function plainKeys(name: string, { concurrency, rate, ordered }: KeyPolicy): KeyPolicy {
  return { ...plainLimit(name, "per key", concurrency, rate), ...(ordered !== undefined && { ordered }) };
}

function plainLimit(
  name: string,
  where: string,
  concurrency: number | undefined,
  rate: Rate | undefined,
): { concurrency?: number; rate?: Rate } {
  if (concurrency !== undefined) check(name, `concurrency ${where}`, concurrency, 1);
  if (rate !== undefined) {
    check(name, `rate.limit ${where}`, rate.limit, 1);
    check(name, `rate.periodMs ${where}`, rate.periodMs, 0);
  }
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(rate !== undefined && { rate: { limit: rate.limit, periodMs: rate.periodMs } }),
  };
}

function check(name: string, what: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least && value > 0) return;
  throw new TypeError(
    `The ${what} of job "${name}" is ${value}. It must be a number ${least > 0 ? `from ${least} on` : "above 0"}.`,
  );
}
