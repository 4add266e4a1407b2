/**
 * Every bound of the job engine in one table, so that start-up can print it and docs/jobs.md can be held against it. A store has a
 * table of its own for what it keeps.
 */
export const jobLimits = Object.freeze({
  /** Attempts that run at the same time in this process, all jobs together. */
  concurrency: 100,
  /** Jobs claimed ahead of a free slot, all jobs together. Adapts downwards to what `prefetchMs` needs. */
  prefetchJobs: 4_096,
  /** Bytes of payload claimed ahead of a free slot, all jobs together. */
  prefetchBytes: 8_388_608,
  /** Milliseconds of work, at the measured rate, that are claimed ahead. */
  prefetchMs: 20,
  /** Milliseconds for which jobs run, and callers of enqueue are answered, before other work of the process gets its turn. A single handler may take longer. */
  sliceMs: 0.25,
  /** UTF-8 bytes of one payload. More: `INVALID_INPUT` at enqueue. */
  payloadBytes: 1_048_576,
  /** UTF-8 bytes of one result. More: the attempt fails as a defect. */
  resultBytes: 1_048_576,
  /** Characters kept of an attempt's error message. */
  errorMessageChars: 1_000,
  /** Characters of JSON kept of an attempt's fault data; longer data is left out. */
  errorDataChars: 4_096,
  /** Characters of a unique key that are kept as they are; a longer key is kept as its SHA-256. */
  uniqueKeyChars: 200,
  /** Inputs of one `enqueueMany`. */
  enqueueMany: 100_000,
  /** Enqueues of one turn that go to the store as one batch. */
  enqueueBatch: 10_000,
  /** Outcomes that wait for their commit before no further job is started. */
  unsettled: 20_000,
  /** Milliseconds before an outcome that the store refused is offered again; doubles up to `settleRetryMaxMs`. */
  settleRetryMs: 100,
  settleRetryMaxMs: 5_000,
  /** Longest delay that a retry policy or `retryAfter` can give. */
  retryDelayMs: 2_592_000_000,
  /**
   * Milliseconds before a job that this process cannot read (its key is missing, or its payload is newer than the code) is tried again: as long as it
   * has been there, at least `keepMs` and at most `keepMaxMs`.
   */
  keepMs: 1_000,
  keepMaxMs: 300_000,
  /** Milliseconds from the enqueueing on during which a retry rule may `snooze` a job; after that the failure counts. */
  snoozeMs: 2_592_000_000,
  /** Longest `job.sleep`, and longest `timeout` of `job.waitFor`, which is also its default. */
  sleepMs: 31_622_400_000,
  /** A `job.sleep` that is not longer stays in the process, if the attempt has the time. */
  sleepInPlaceMs: 1_000,
  /** A run that comes so much before its time, because the store's clock is ahead, waits for it in the process. */
  clockSkewMs: 60_000,
  /** Names of steps, sleeps and waits of one job. */
  steps: 1_000,
  /** Characters of such a name. */
  stepNameChars: 150,
  /** Characters of JSON of a `job.progress`. */
  progressChars: 4_096,
  /** The event `job.stalled` tells of a process whose other work had no turn for so many milliseconds while jobs ran. */
  stallMs: 5_000,
  /** Milliseconds that a handler which ignores its timeout keeps its slot; then the slot goes to other work. */
  runawayMs: 30_000,
  /** Handlers that ignored their timeout and no longer hold a slot. At this number slots are held until the handler ends. */
  runaways: 100,
  /** Missed occurrences of a schedule are caught up when they are at most this old. */
  catchUpMs: 86_400_000,
  /** Missed occurrences that a schedule with `catchUp: "all"` makes jobs for at once: the latest. */
  catchUpJobs: 1_000,
  /** An occurrence of a schedule with `catchUp: "none"` is missed when it is later than this. */
  lateMs: 60_000,
  /** Longest sleep of the scheduler, so that a stepped wall clock is noticed. */
  scheduleSleepMs: 60_000,
  /** Milliseconds that `drain` waits for running attempts. */
  drainMs: 10_000,
  /** Milliseconds that aborted attempts have to unwind. */
  drainGraceMs: 2_000,
  /** Failed jobs that one `deadLetters` gives, and looks at. */
  deadLetters: 10_000,
  /** Failed jobs that one `redrive` runs again. */
  redrive: 10_000,
  /** Jobs that may wait in the store before `QUEUE_FULL`. */
  waitingJobs: 10_000_000,
});

export type JobLimits = { readonly [K in keyof typeof jobLimits]: number };

/** Fills in what the caller left out. Throws a TypeError for a limit that is not a number of at least 0. */
export function withJobLimits(given: Partial<JobLimits> = {}): JobLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(jobLimits, name)) throw new TypeError(`There is no job limit "${name}".`);
    if (!(value >= 0) || !Number.isFinite(value)) {
      throw new TypeError(`The job limit ${name} is a number of at least 0, not ${value}.`);
    }
  }
  return Object.freeze({ ...jobLimits, ...given });
}
