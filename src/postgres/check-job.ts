/** What a job may not be, found before anything of its call goes to the database: mistakes in the program. */
import { Buffer } from "node:buffer";
import type { NewJob } from "../jobs/index.ts";
import { postgresLimits as limits } from "./limits.ts";

export function checkJobs(jobs: readonly NewJob[]): void {
  for (const [place, job] of jobs.entries()) checkJob(job, place);
}

function checkJob(job: NewJob, place: number): void {
  const { name, priority, payload } = job;
  if (!Number.isInteger(priority) || priority < 0 || priority > 9)
    throw new TypeError(`Priority ${priority} of job "${name}" is not a whole number from 0 (most urgent) to 9.`);
  if (payload.length > limits.payloadBytes)
    throw new TypeError(
      `The payload of job "${name}" has ${payload.length} characters; at most ${limits.payloadBytes} bytes fit. Store it elsewhere and enqueue a reference.`,
    );
  if (name.includes("\0"))
    throw new TypeError(`The name of a job has a character that PostgreSQL does not keep: U+0000.`);
  checkText(name, "name", name, limits.keyBytes);
  checkText(name, "context", job.context, limits.contextBytes);
  checkText(name, "unique key", job.uniqueKey, limits.keyBytes);
  checkText(name, "unique scope", job.unique?.scope, limits.keyBytes);
  checkText(name, "key", job.key, limits.keyBytes);
  checkText(name, "tenant", job.tenant, limits.keyBytes);
  checkText(name, "schedule", job.occurrence?.schedule, limits.keyBytes);
  checkMs(name, "delay", job.delayMs);
  checkMs(name, "window", job.unique?.windowMs);
  if (job.unique !== undefined && job.uniqueKey === undefined)
    throw new TypeError(`Job "${name}" has a scope of uniqueness and no unique key.`);
  if (job.after !== undefined) checkAfter(name, job.after.jobs, place);
}

function checkText(name: string, what: string, text: string | undefined, most: number): void {
  if (text !== undefined && Buffer.byteLength(text) > most)
    throw new TypeError(
      `The ${what} of job "${name}" has more than ${most} bytes. Take a short name of it, or a hash.`,
    );
}

function checkMs(name: string, what: string, ms: number | undefined): void {
  if (ms !== undefined && !(Number.isFinite(ms) && ms >= 0))
    throw new TypeError(`The ${what} of job "${name}" is ${ms}: it is a number of milliseconds, at least 0.`);
}

function checkAfter(name: string, jobs: readonly (string | number)[], place: number): void {
  if (jobs.length === 0 || jobs.length > limits.dependencies)
    throw new TypeError(`Job "${name}" is after ${jobs.length} jobs; 1 to ${limits.dependencies} are possible.`);
  for (const id of jobs)
    if (typeof id === "number" && !(Number.isInteger(id) && id >= 0 && id < place))
      throw new TypeError(`Job "${name}" at place ${place} is after place ${id}: only earlier places of a call count.`);
}
