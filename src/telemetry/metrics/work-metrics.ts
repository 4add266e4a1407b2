/** What jobs and the mistakes of the program are counted by. */
import type { Events } from "../events.ts";
import { counters, histograms } from "./instruments.ts";

/** Seconds. */
const durationBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

export class WorkMetrics {
  readonly #enqueued = counters({
    name: "tensile_jobs_enqueued",
    help: "Jobs that this process enqueued; those of a store's transactions are not among them.",
    labels: ["job"],
  });
  readonly #attempts = counters({
    name: "tensile_job_attempts",
    help: "Attempts that ended, by what became of the job.",
    labels: ["job", "outcome"],
  });
  readonly #durations = histograms(
    { name: "tensile_job_attempt_duration_seconds", help: "Time that attempts took.", labels: ["job"] },
    durationBounds,
  );
  readonly #stale = counters({
    name: "tensile_job_attempts_stale",
    help: "Attempts whose claim had ended before them: their outcome changed nothing.",
    labels: ["job"],
  });
  readonly #crashed = counters({
    name: "tensile_job_attempts_crashed",
    help: "Attempts that their process did not survive, found by this process.",
    labels: ["job", "outcome"],
  });
  readonly #lost = counters({
    name: "tensile_job_attempts_lost",
    help: "Attempts whose claim ended while they ran here: another process may have run the job.",
    labels: ["job"],
  });
  readonly #steps = counters({
    name: "tensile_job_steps",
    help: "Steps of jobs that were carried out and kept; those that a later run was given are not among them.",
    labels: ["job"],
  });
  readonly #signals = counters({
    name: "tensile_job_signals",
    help: "Signals that this process gave to jobs.",
    labels: ["job"],
  });
  readonly #stalls = counters({
    name: "tensile_job_stalls",
    help: "Times that the event loop stood still for 5 seconds (limit stallMs) or longer while jobs ran.",
  });
  readonly #storeTrouble = counters({
    name: "tensile_store_trouble",
    help: "Times that the store could not take work, by code.",
    labels: ["code"],
  });
  readonly #defects = counters({
    name: "tensile_defects",
    help: "Incidents: mistakes of the program that were caught.",
  });
  readonly #abandoned = counters({
    name: "tensile_calls_abandoned",
    help: "Calls that were answered by their deadline while their handler ran on.",
  });
  readonly families = [
    this.#enqueued,
    this.#attempts,
    this.#durations,
    this.#stale,
    this.#crashed,
    this.#lost,
    this.#steps,
    this.#signals,
    this.#stalls,
    this.#storeTrouble,
    this.#defects,
    this.#abandoned,
  ];

  listen(events: Events): (() => void)[] {
    const defects = this.#defects.of();
    const abandoned = this.#abandoned.of();
    const stalls = this.#stalls.of();
    return [
      events.on("job.enqueued", ({ name, duplicate }) => {
        if (!duplicate) this.#enqueued.of(name).value++;
      }),
      events.on("job.attempt", ({ name, to, durationMs }) => {
        this.#attempts.of(name, to).value++;
        if (to !== "released") this.#durations.of(name).observe(durationMs / 1000);
      }),
      events.on("job.stale", ({ name }) => void this.#stale.of(name).value++),
      events.on("job.crashed", ({ name, again, failed }) => {
        this.#crashed.of(name, "retry").value += again;
        this.#crashed.of(name, "failed").value += failed;
      }),
      events.on("job.lost", ({ name }) => void this.#lost.of(name).value++),
      events.on("job.step", ({ name }) => void this.#steps.of(name).value++),
      events.on("job.signalled", ({ name }) => void this.#signals.of(name).value++),
      events.on("job.stalled", () => void stalls.value++),
      events.on("store.trouble", ({ code }) => void this.#storeTrouble.of(code).value++),
      events.on("defect", () => void defects.value++),
      events.on("call.abandoned", () => void abandoned.value++),
    ];
  }
}
