/**
 * Handlers are bound before the job engine is there, because the engine runs the bound handlers. This stands in its place: every
 * call goes to the engine once it is set, and is answered with a fault while there is none.
 */
import { Fault, err } from "../core/index.ts";
import type { EnqueueFault, Job, JobRef, Jobs } from "../contract/index.ts";

export class JobsSwitch implements Jobs {
  #engine: Jobs | undefined;

  set(engine: Jobs): void {
    this.#engine = engine;
  }

  /** The hottest of them: hands on the engine's own promise, instead of one more that waits for it. */
  readonly enqueue: Jobs["enqueue"] = (job, input, options) => {
    const engine = this.#engine;
    if (engine === undefined) return Promise.resolve(err(noStore()));
    try {
      return engine.enqueue(job, input, options);
    } catch (thrown) {
      return Promise.reject(thrown instanceof Error ? thrown : new TypeError(String(thrown)));
    }
  };
  readonly enqueueMany: Jobs["enqueueMany"] = async (...call) => this.#engine?.enqueueMany(...call) ?? err(noStore());
  readonly prepare: Jobs["prepare"] = (...call) => this.#required().prepare(...call);
  readonly get: Jobs["get"] = async (id) => this.#engine?.get(id) ?? err(noStore());
  readonly list: Jobs["list"] = async (filter) => this.#engine?.list(filter) ?? err(noStore());
  readonly counts: Jobs["counts"] = async (name) => this.#engine?.counts(name) ?? err(noStore());
  readonly cancel: Jobs["cancel"] = async (id) => this.#engine?.cancel(id) ?? err(noStore());
  readonly retry: Jobs["retry"] = async (id) => this.#engine?.retry(id) ?? err(noStore());
  readonly deadLetters: Jobs["deadLetters"] = async (filter) => this.#engine?.deadLetters(filter) ?? err(noStore());
  readonly redrive: Jobs["redrive"] = async (...call) => this.#engine?.redrive(...call) ?? err(noStore());
  readonly graph: Jobs["graph"] = (options) => this.#required().graph(options);
  readonly batch: Jobs["batch"] = async (...call) => this.#engine?.batch(...call) ?? err(noStore());
  readonly signal: Jobs["signal"] = async (...call) => this.#engine?.signal(...call) ?? err(noStore());
  readonly pause: Jobs["pause"] = async (target) => this.#engine?.pause(target) ?? err(noStore());
  readonly resume: Jobs["resume"] = async (target) => this.#engine?.resume(target) ?? err(noStore());
  readonly paused: Jobs["paused"] = async () => this.#engine?.paused() ?? err(noStore());

  ref<J extends Job>(job: J, id: string): JobRef<J> {
    return this.#required().ref(job, id);
  }

  #required(): Jobs {
    if (this.#engine === undefined) throw new TypeError(noStore().message);
    return this.#engine;
  }
}

function noStore(): Extract<EnqueueFault, { code: "STORE_UNAVAILABLE" }> {
  const reason = "No store is open. Run the app with serve(app, { store }) or work(app, { store }).";
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, reason);
}
