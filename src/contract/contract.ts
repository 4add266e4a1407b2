/**
 * A contract: a plain-data set of operations and jobs under a versioned name. Both sides import it; it imports neither.
 */
import type { Fault } from "../core/index.ts";
import type { AnyFaultType, FaultsOf } from "./fault.ts";
import type { FrameworkFault } from "./framework-faults.ts";
import { defaultQueue, type Job, type Signals } from "./job.ts";
import { queueName, sharedLimits, type QueueOptions, type SharedLimits } from "./job-policy.ts";
import { checkFaults } from "./names.ts";
import type { Decoded, Operation, SchemaLike, Written } from "./operation.ts";
import type { StreamFault } from "./stream-faults.ts";

export type Member = Operation | Job;
export interface Members {
  readonly [name: string]: Member;
}

export interface Contract<M extends Members = Members, F extends Fault = Fault> {
  readonly name: string;
  readonly members: M;
  readonly operations: readonly Operation[];
  readonly jobs: readonly Job[];
  /** Faults that any operation may end with: what middleware answers. */
  readonly faults: readonly AnyFaultType[];
  /** What the jobs of a queue share, by the queue's name. */
  readonly queues: { readonly [name: string]: SharedLimits };
  /** Type only: the contract-wide faults. */
  readonly "~faults"?: F;
}

/** Names of the operations (queries, mutations and subscriptions) of a contract. */
export type OperationName<M extends Members> = { [K in keyof M]: M[K] extends Operation ? K : never }[keyof M] & string;
/** What a caller passes. */
export type InputOf<T> = T extends { readonly input: infer I } ? Written<I> : never;
/** What a handler reads. */
export type DecodedInputOf<T> = T extends { readonly input: infer I } ? Decoded<I> : never;
/** What a caller receives. */
export type OutputOf<T> = T extends { readonly output: infer O }
  ? O extends SchemaLike
    ? Decoded<O>
    : undefined
  : never;
/** What a handler returns. */
export type HandlerOutputOf<T> = T extends { readonly output: infer O }
  ? O extends SchemaLike
    ? Written<O>
    : // A handler without an output may end without a return.
      undefined | void
  : never;
/** The faults that it declares. */
export type DeclaredFaultOf<T> = T extends { readonly "~faults"?: infer F } ? Extract<F, Fault> : never;
/** What a job can be told while it waits. */
export type SignalsOf<T> = T extends { readonly signals: infer S extends Signals } ? S : Record<never, never>;
/** Every fault that a call can end with: declared, and the framework's own. */
export type CallFaultOf<T> =
  | DeclaredFaultOf<T>
  | FrameworkFault
  | (T extends { readonly type: "subscription" } ? StreamFault : never);

export interface ContractOptions<F extends readonly AnyFaultType[]> {
  /** Faults that any operation may end with. */
  readonly faults?: F;
  /**
   * What the jobs of a queue share in all processes together: `{ mail: { globalConcurrency: 10, rate: { limit: 600, per: "1m" } } }`.
   * Default: nothing.
   */
  readonly queues?: { readonly [name: string]: QueueOptions };
}

const contractNamePattern = /^[a-z][a-z0-9-]*(\.v[1-9]\d*)?$/;

/**
 * Puts operations and jobs under one versioned name.
 *
 * @example
 * export const atlas = contract("atlas.v1", { getCity, importCities });
 *
 * Throws a TypeError when the name is not lower case with an optional `.v1`, when a member stands under another name than its
 * own (clients and logs would disagree), when two names differ only in case, or when no job is in a queue that has limits.
 */
export function contract<const M extends Members, const F extends readonly AnyFaultType[] = []>(
  name: string,
  members: M,
  options: ContractOptions<F> = {},
): Contract<M, FaultsOf<F>> {
  if (!contractNamePattern.test(name)) {
    throw new TypeError(`contract("${name}"): write a lower-case name with a version, such as "atlas.v1".`);
  }
  const folded = new Set<string>();
  const keys = Object.keys(members);
  for (const key of keys) {
    const member = members[key] as Member;
    if (key !== member.name) {
      throw new TypeError(
        `contract("${name}"): ${member.type}("${member.name}") stands under the key "${key}". Use one name for both.`,
      );
    }
    const lower = key.toLowerCase();
    if (folded.has(lower)) {
      const twin = keys.find((one) => one.toLowerCase() === lower);
      throw new TypeError(`contract("${name}"): "${twin}" and "${key}" differ only in case.`);
    }
    folded.add(lower);
  }
  const all = Object.values(members);
  const jobs = Object.freeze(all.filter((member): member is Job => member.type === "job"));
  return Object.freeze({
    name,
    members,
    operations: Object.freeze(all.filter((member): member is Operation => member.type !== "job")),
    jobs,
    faults: checkFaults("contract", name, options.faults ?? []),
    queues: checkQueues(name, jobs, options.queues ?? {}),
  });
}

function checkQueues(
  name: string,
  jobs: readonly Job[],
  queues: { readonly [name: string]: QueueOptions },
): Contract["queues"] {
  const used = new Set(jobs.map(({ settings }) => settings.queue));
  const checked: [string, SharedLimits][] = Object.entries(queues).map(([queue, options]) => {
    const where = `contract("${name}"): queue "${queue}"`;
    // Most often a name that was written wrong on one of the two sides.
    if (!used.has(queueName(where, queue))) {
      const known = [...used].map((one) => `"${one}"`).join(", ");
      const write = queue === defaultQueue ? "Add a job" : `Write queue: "${queue}" in a job's options`;
      throw new TypeError(`${where} has no jobs. ${write}; queues with jobs: ${known === "" ? "none" : known}.`);
    }
    return [queue, sharedLimits(where, options)];
  });
  return Object.freeze(Object.fromEntries(checked));
}
