/**
 * Jobs that come one by one, in order: inside an application transaction, and those that name others. A number among the named ones is the
 * place of an earlier job of the same call.
 */
import { must } from "./must.ts";
import type { EnqueueReceipt, NewJob } from "../jobs/index.ts";
import { laneOf, type Core, type JobName } from "./core.ts";
import { enqueueDependent } from "./dependents.ts";
import type { Entry } from "./entries.ts";
import type { ParentRef } from "./flow-tables.ts";
import type { Intake } from "./intake.ts";
import { Parents } from "./parents.ts";
import { writePayload } from "./payload-bytes.ts";
import type { DependentsOp, JobsReply } from "./protocol.ts";
import { idNumber } from "./reading.ts";
import { receipt } from "./receipt.ts";
import { writeUniqueKey } from "./unique-key.ts";

type NameOf = (name: string) => JobName;

/** Jobs of an application transaction. */
export function enqueueInTransaction(
  core: Core,
  intake: Intake,
  jobs: readonly NewJob[],
  nameOf: NameOf,
): EnqueueReceipt[] {
  const ids: number[] = [];
  const parents = new Parents(core);
  return jobs.map((job, place) => {
    const made = enqueueOne(core, intake, job, nameOf, ids, parents);
    ids[place] = Number(made.id);
    return made;
  });
}

/** Jobs of a call that name others. `runs`: what became of the other jobs of the message. */
export function enqueueDependents(
  core: Core,
  intake: Intake,
  op: DependentsOp,
  runs: readonly JobsReply[],
  nameOf: NameOf,
): EnqueueReceipt[] {
  const ids: number[] = [];
  for (const { index, run, start, count } of op.others) {
    const reply = must(runs[run]);
    for (let i = 0; i < count; i++) ids[index + i] = reply.ids?.[start + i] ?? reply.first + start + i;
  }
  const parents = new Parents(core);
  return op.jobs.map((job, i) => {
    const made = enqueueOne(core, intake, job, nameOf, ids, parents);
    ids[must(op.places[i])] = Number(made.id);
    return made;
  });
}

function enqueueOne(
  core: Core,
  intake: Intake,
  job: NewJob,
  nameOf: NameOf,
  ids: readonly number[],
  parents: Parents,
): EnqueueReceipt {
  const lane = laneOf(nameOf(job.name), job.priority);
  const entry: Entry = {
    id: 0,
    attempt: 0,
    enqueuedAt: 0,
    key: writeUniqueKey(job),
    runAt: job.delayMs === undefined ? job.runAt : core.now + job.delayMs,
    occurrence: job.occurrence,
    jobKey: job.key,
    tenant: job.tenant,
    payload: writePayload(job),
  };
  if (job.after !== undefined) {
    const refs = job.after.jobs.map((one) => refOf(one, ids));
    return enqueueDependent(core, lane, entry, refs, job.after.on, parents);
  }
  const reply = intake.addEntries(core, lane, [entry], core.now);
  return receipt(must(reply.ids[0]), reply.duplicates[0] === 1);
}

function refOf(one: string | number, ids: readonly number[]): ParentRef {
  if (typeof one === "number") return ids[one] ?? 0;
  return idNumber(one) ?? `?${one}`;
}
