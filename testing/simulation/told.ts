/** What a history keeps of a call. */
import type { ClaimedJob, JobNote, NewJob, Settlement, StoreResult, StoreSession } from "../../src/jobs/index.ts";
import type { Asked, AskedJob, AskedSettlement, Claim, Done, Verb } from "./history.ts";

/** Carries out a call and writes down what was asked and what came of it. */
export type Call = <T>(verb: Verb, asked: Asked, act: () => StoreResult<T>, told: (value: T) => Done) => StoreResult<T>;

/** The verbs that tell the state of a job after them. */
export function byHand(session: StoreSession, call: Call): Pick<StoreSession, "cancel" | "retry"> {
  const verb =
    (name: "cancel" | "retry"): StoreSession["cancel"] =>
    (id) =>
      call(
        name,
        { id },
        () => session[name](id),
        (state) => ({ state }),
      );
  return { cancel: verb("cancel"), retry: verb("retry") };
}

export function askedOf({ name, key, uniqueKey, unique, tenant, occurrence, after, runAt, delayMs }: NewJob): AskedJob {
  return {
    name,
    ...(key !== undefined && { key }),
    ...(uniqueKey !== undefined && { uniqueKey }),
    ...(unique !== undefined && { unique }),
    ...(tenant !== undefined && { tenant }),
    ...(occurrence !== undefined && { occurrence }),
    ...(after !== undefined && { after }),
    ...(runAt !== undefined && { runAt }),
    ...(delayMs !== undefined && { delayMs }),
  };
}

export function settledOf({ job, ...outcome }: Settlement): AskedSettlement {
  const runAt = "runAt" in outcome ? { runAt: outcome.runAt } : {};
  return { id: job.id, fence: job.fence, attempt: job.attempt, to: outcome.to, ...runAt };
}

export function claimOf({ id, name, key, attempt, fence }: ClaimedJob): Claim {
  return { id, name, key, attempt, fence };
}

/** By name; that a wait has timed out is more than that it has begun. */
export function noteOf({ name, value }: JobNote): string {
  return value === '"timed out"' ? `${name} timed out` : name;
}

export function without<T extends object>(value: T, name: keyof T): T {
  const copy = { ...value };
  Reflect.deleteProperty(copy, name);
  return copy;
}
