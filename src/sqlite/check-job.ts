/** What a job may not be, found before anything of its call is packed: mistakes in the program. */
import type { ClaimedJob, JobNote, NewJob } from "../jobs/index.ts";
import { sqliteLimits as limits } from "./limits.ts";

/** `place`: where the job stands in its call. */
export function checkJob(job: NewJob, place: number): void {
  if (!Number.isInteger(job.priority) || job.priority < 0 || job.priority > 9) {
    throw new TypeError(
      `Priority ${job.priority} of job "${job.name}" is not a whole number from 0 (most urgent) to 9.`,
    );
  }
  if (job.payload.length > limits.payloadBytes) {
    throw new TypeError(
      `The payload of job "${job.name}" has ${job.payload.length} characters; at most ${limits.payloadBytes} bytes fit. Store it elsewhere and enqueue a reference.`,
    );
  }
  if (job.context !== undefined && Buffer.byteLength(job.context) > limits.contextBytes) {
    throw new TypeError(`The context of job "${job.name}" has more than ${limits.contextBytes} bytes.`);
  }
  if (job.uniqueKey !== undefined && Buffer.byteLength(job.uniqueKey) > limits.keyBytes) {
    throw new TypeError(
      `The unique key of job "${job.name}" has more than ${limits.keyBytes} bytes. Enqueue a hash of it.`,
    );
  }
  if (job.key !== undefined) checkText(job.name, "key", job.key);
  if (job.tenant !== undefined) checkText(job.name, "tenant", job.tenant);
  if (job.unique !== undefined) checkUnique(job, job.unique);
  if (job.after !== undefined) checkAfter(job.name, job.after, place);
  if (job.delayMs !== undefined && !(Number.isFinite(job.delayMs) && job.delayMs >= 0)) {
    throw new TypeError(
      `The delay of job "${job.name}" is ${job.delayMs}: it is a number of milliseconds, at least 0.`,
    );
  }
}

function checkText(name: string, what: string, text: string): void {
  if (Buffer.byteLength(text) > limits.keyBytes) {
    throw new TypeError(
      `The ${what} of job "${name}" has more than ${limits.keyBytes} bytes. Take a short name of it, or a hash.`,
    );
  }
}

function checkUnique({ name, uniqueKey }: NewJob, { scope = "", windowMs = 0 }: NonNullable<NewJob["unique"]>): void {
  if (uniqueKey === undefined) throw new TypeError(`Job "${name}" has a scope of uniqueness and no unique key.`);
  if (Buffer.byteLength(scope) > limits.keyBytes)
    throw new TypeError(`The unique scope of job "${name}" has more than ${limits.keyBytes} bytes.`);
  if (!Number.isFinite(windowMs) || windowMs < 0)
    throw new TypeError(`The window of job "${name}" is ${windowMs}: it is a number of milliseconds, at least 0.`);
}

function checkAfter(name: string, { jobs, on }: NonNullable<NewJob["after"]>, place: number): void {
  if (on !== "succeeded" && on !== "finished")
    throw new TypeError(
      `Job "${name}" waits for others until they have "${String(on)}". Say "succeeded" or "finished".`,
    );
  if (jobs.length === 0 || jobs.length > limits.dependencies)
    throw new TypeError(`Job "${name}" waits for ${jobs.length} others; it is 1 to ${limits.dependencies} of them.`);
  for (const one of jobs) {
    if (typeof one === "number" && !(Number.isInteger(one) && one >= 0 && one < place))
      throw new TypeError(
        `Job "${name}" is at place ${place} of its call and waits for the one at place ${one}. A number names an earlier job of the same call.`,
      );
  }
}

export function checkNotes({ name }: ClaimedJob, notes: readonly JobNote[], progress: string | undefined): void {
  for (const note of notes) checkNote(`of job "${name}"`, note.name, note.value);
  if (progress !== undefined && progress.length > limits.payloadBytes)
    throw new TypeError(
      `The progress of job "${name}" has ${progress.length} characters; at most ${limits.payloadBytes} bytes fit.`,
    );
}

export function checkSignal(name: string, value: string): void {
  checkNote("for the signal", `signal:${name}`, value);
}

function checkNote(what: string, name: string, value: string): void {
  if (name.length === 0 || name.length > limits.noteNameChars)
    throw new TypeError(
      `The name of a note ${what} has ${name.length} characters; it is 1 to ${limits.noteNameChars}.`,
    );
  if (value.length > limits.payloadBytes)
    throw new TypeError(
      `The note "${name}" ${what} has ${value.length} characters; at most ${limits.payloadBytes} bytes fit.`,
    );
}
