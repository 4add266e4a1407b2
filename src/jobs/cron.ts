/**
 * When a schedule is due. Pure questions to the cron library, which is given the time and keeps no timers of its own.
 *
 * Where clocks change: a fixed time that a change skips (`30 2 * * *` on the night of spring) is due when the clock has jumped; one
 * that comes twice in autumn is due the first time only. A repeating pattern (`0 * * * *`) follows the hours that really pass.
 */
import { Cron } from "croner";
import type { JobSchedule } from "../contract/index.ts";

export interface Occurrences {
  /** Wall-clock milliseconds of the first occurrence after `time`; undefined when there is none. */
  after(time: number): number | undefined;
  /** Wall-clock milliseconds of the last occurrence at or before `time`; undefined when there is none. */
  upTo(time: number): number | undefined;
  /** The last `most` occurrences at or before `time`, oldest first. */
  lastUpTo(time: number, most: number): readonly number[];
}

/** Throws a TypeError that names the job when the pattern or the time zone is wrong. */
export function occurrencesOf(job: string, schedule: JobSchedule<unknown>): Occurrences {
  const timezone = schedule.timeZone ?? "UTC";
  let cron: Cron;
  try {
    // An unknown zone is only noticed when it is used.
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    cron = new Cron(schedule.cron, { timezone, mode: "5-or-6-parts", paused: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(
      `job("${job}"): schedule { cron: "${schedule.cron}", timeZone: "${timezone}" } is wrong: ${why} ` +
        'Write five or six fields, such as "0 3 * * *", and an IANA zone, such as "Europe/Berlin".',
      { cause },
    );
  }
  return {
    after: (time) => cron.nextRun(new Date(time))?.getTime(),
    // The library leaves out a run at the very moment that it is asked about.
    upTo: (time) => cron.previousRuns(1, new Date(time + 1))[0]?.getTime(),
    lastUpTo: (time, most) =>
      cron
        .previousRuns(most, new Date(time + 1))
        .map((date) => date.getTime())
        .toReversed(),
  };
}
