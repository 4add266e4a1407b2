/**
 * What the jobs of a contract share, as the store enforces it: each job's own limits and those of its queue become gates, which several names may list.
 */
import type { Contract, Job, RateSettings, SharedLimits } from "../contract/index.ts";
import type { Gate, JobPolicy, Rate, StoreOpenOptions } from "./store.ts";

/** What a store must know to be opened for a contract's jobs, beside their attempts. */
export function policyOf(contract: Contract): NonNullable<StoreOpenOptions["policy"]> {
  const policies = new Map<string, JobPolicy>();
  for (const job of contract.jobs) {
    const policy = policyOfJob(job, contract.queues[job.settings.queue]);
    if (policy !== undefined) policies.set(job.name, policy);
  }
  return (name) => policies.get(name);
}

/** The queue that each scope of unique keys is named after. A job's name has no colon, so the two cannot meet. */
export function queueScope(queue: string): string {
  return `queue:${queue}`;
}

function policyOfJob({ name, settings }: Job, queue: SharedLimits | undefined): JobPolicy | undefined {
  const gates = [gateOf(`queue:${settings.queue}`, queue), gateOf(`job:${name}`, settings.shared)].filter(
    (gate) => gate !== undefined,
  );
  const { perKey, ageingMs } = settings;
  if (gates.length === 0 && perKey === undefined && ageingMs === undefined) return undefined;
  return {
    ...(gates.length > 0 && { gates }),
    ...(perKey !== undefined && {
      perKey: {
        ...(perKey.concurrency !== undefined && { concurrency: perKey.concurrency }),
        ...(perKey.rate !== undefined && { rate: rateOf(perKey.rate) }),
        ...(perKey.ordered && { ordered: true }),
      },
    }),
    ...(ageingMs !== undefined && { ageingMs }),
  };
}

function gateOf(id: string, limits: SharedLimits | undefined): Gate | undefined {
  if (limits === undefined || (limits.globalConcurrency === undefined && limits.rate === undefined)) return undefined;
  return {
    id,
    ...(limits.globalConcurrency !== undefined && { concurrency: limits.globalConcurrency }),
    ...(limits.rate !== undefined && { rate: rateOf(limits.rate) }),
  };
}

function rateOf({ limit, periodMs }: RateSettings): Rate {
  return { limit, periodMs };
}
