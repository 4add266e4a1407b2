/**
 * What an awaited job ended with, read back from its record: the output, the fault of the last attempt, or why there is neither.
 */
import { Err, ok, type Fault, type Result } from "../core/index.ts";
import type { Defect } from "./attempt-runner.ts";
import { JobCancelled, JobCrashed, JobNotFound } from "./faults.ts";
import type { JobCodec } from "./job-codec.ts";
import { whyLocked } from "./sealing/index.ts";
import type { JobRecord } from "./store.ts";

export async function readResult(
  id: string,
  record: JobRecord | undefined,
  codec: JobCodec,
  defect: Defect,
): Promise<Result<unknown, Fault>> {
  if (record === undefined || record.name !== codec.job.name) return new Err(JobNotFound({ id }));
  const reason = whyLocked(record);
  if (reason !== undefined) return new Err(reason);
  if (record.state === "cancelled") return new Err(JobCancelled({ id }));
  if (record.state === "failed") return new Err(await lastFault(record, codec, defect));
  if (codec.output === undefined) return ok();
  // No result of a job that has an output: it ran before the contract gave it one.
  const read = await codec.output.parseJson(record.result ?? "null");
  if (read.ok) return read;
  const problem = new TypeError(
    `The kept result of job "${record.name}" ${id} does not fit its output schema any more: ${read.fault.message}`,
  );
  return new Err(defect(record.name, problem));
}

async function lastFault(record: JobRecord, codec: JobCodec, defect: Defect): Promise<Fault> {
  const last = record.errors.at(-1);
  if (last?.code === "CRASHED") return JobCrashed({ id: record.id });
  const fault = last === undefined ? undefined : await codec.readFault(last.code, last.message, last.data);
  if (fault !== undefined) return fault;
  const problem = new TypeError(
    `Job "${record.name}" ${record.id} failed with ${last?.code ?? "no error"}, which its contract does not declare any more.`,
  );
  return defect(record.name, problem);
}
