/**
 * The jobs that a handler is given: those of the app, and what it enqueues belongs to its call. Made when a handler reads `jobs`.
 */
import type { CallParent } from "./call-parent.ts";
import type { Jobs } from "./jobs-face.ts";

export class CallJobs implements Jobs {
  readonly #jobs: Jobs;
  readonly #parent: CallParent;

  constructor(jobs: Jobs, parent: CallParent) {
    this.#jobs = jobs;
    this.#parent = parent;
  }

  readonly enqueue: Jobs["enqueue"] = (job, input, options) => this.#jobs.enqueue(job, input, this.#with(options));
  readonly enqueueMany: Jobs["enqueueMany"] = (job, inputs, options) =>
    this.#jobs.enqueueMany(job, inputs, this.#with(options));
  readonly prepare: Jobs["prepare"] = (job, input, options) => this.#jobs.prepare(job, input, this.#with(options));
  readonly graph: Jobs["graph"] = (options) => this.#jobs.graph(this.#with(options));
  readonly batch: Jobs["batch"] = (job, inputs, last, options) =>
    this.#jobs.batch(job, inputs, last, this.#with(options));
  readonly ref: Jobs["ref"] = (job, id) => this.#jobs.ref(job, id);
  readonly get: Jobs["get"] = (id) => this.#jobs.get(id);
  readonly list: Jobs["list"] = (filter) => this.#jobs.list(filter);
  readonly counts: Jobs["counts"] = (name) => this.#jobs.counts(name);
  readonly cancel: Jobs["cancel"] = (id) => this.#jobs.cancel(id);
  readonly retry: Jobs["retry"] = (id) => this.#jobs.retry(id);
  readonly deadLetters: Jobs["deadLetters"] = (filter) => this.#jobs.deadLetters(filter);
  readonly redrive: Jobs["redrive"] = (...call) => this.#jobs.redrive(...call);
  readonly signal: Jobs["signal"] = (...call) => this.#jobs.signal(...call);
  readonly pause: Jobs["pause"] = (target) => this.#jobs.pause(target);
  readonly resume: Jobs["resume"] = (target) => this.#jobs.resume(target);
  readonly paused: Jobs["paused"] = () => this.#jobs.paused();

  #with<O extends { readonly parent?: CallParent }>(options: O | undefined): O {
    // A parent that was named comes first. `O` is made of optional members.
    return options?.parent === undefined ? ({ ...options, parent: this.#parent } as O) : options;
  }
}
