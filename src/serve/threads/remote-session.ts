/**
 * The job store as a thread sees it that does not have it: what handlers need is asked of the main thread, in batches as they come.
 * Jobs run in the main thread, so nothing is claimed or settled here.
 */
import { Fault, err, ok } from "../../core/index.ts";
import type { Consumer, Store, StoreFault, StoreResult, StoreSession } from "../../jobs/index.ts";
import type { MainLink } from "./main-link.ts";

/** In place of the app's own store, which is told where it is open. */
export function remoteStore(own: Store, link: MainLink): Store {
  return {
    kind: own.kind,
    async open() {
      own.sharing?.join((call) => link.ask("store", call));
      return ok(new RemoteSession(link));
    },
  };
}

class RemoteSession implements StoreSession {
  readonly #link: MainLink;

  constructor(link: MainLink) {
    this.#link = link;
  }

  readonly enqueue: StoreSession["enqueue"] = (jobs) => this.#ask("enqueue", jobs);
  readonly cancel: StoreSession["cancel"] = (id) => this.#ask("cancel", id);
  readonly retry: StoreSession["retry"] = (id) => this.#ask("retry", id);
  readonly get: StoreSession["get"] = (id) => this.#ask("get", id);
  readonly list: StoreSession["list"] = (filter) => this.#ask("list", filter);
  readonly counts: StoreSession["counts"] = (name) => this.#ask("counts", name);
  readonly signal: NonNullable<StoreSession["signal"]> = (...call) => this.#ask("signal", call);
  readonly pause: NonNullable<StoreSession["pause"]> = (names) => this.#ask("pause", names);
  readonly resume: NonNullable<StoreSession["resume"]> = (names) => this.#ask("resume", names);
  readonly paused: NonNullable<StoreSession["paused"]> = () => this.#ask("paused", undefined);
  readonly backlog: NonNullable<StoreSession["backlog"]> = (names) => this.#ask("backlog", names);
  readonly dependencies: NonNullable<StoreSession["dependencies"]> = (id) => this.#ask("dependencies", id);
  readonly finished: StoreSession["finished"] = (id, signal) => this.#ask("finished", id, signal);

  consume(): Consumer {
    throw new TypeError("Jobs run in the main thread of a server with threads.");
  }

  settle(): never {
    throw new TypeError("Jobs run in the main thread of a server with threads.");
  }

  note(): never {
    throw new TypeError("Jobs run in the main thread of a server with threads.");
  }

  notes(): never {
    throw new TypeError("Jobs run in the main thread of a server with threads.");
  }

  async occurrences(): ReturnType<StoreSession["occurrences"]> {
    return err(elsewhere());
  }

  async prune(): ReturnType<StoreSession["prune"]> {
    return err(elsewhere());
  }

  async close(): Promise<void> {
    // The main thread closes it.
  }

  async #ask<T>(method: Parameters<MainLink["call"]>[0], argument: unknown, signal?: AbortSignal): StoreResult<T> {
    // What the main thread's session answers for this method.
    return (await this.#link.call(method, argument, signal)) as Awaited<StoreResult<T>>;
  }
}

function elsewhere(): Extract<StoreFault, { code: "STORE_UNAVAILABLE" }> {
  const reason = "The store is open in the main thread.";
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, reason);
}
