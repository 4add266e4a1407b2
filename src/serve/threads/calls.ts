/** The main thread's side of a thread's calls: what only the main thread has. */
import { isPromiseLike, type Fault, type Result } from "../../core/index.ts";
import type { JobFilter, NewJob, Store, StoreSession } from "../../jobs/index.ts";
import type { MetricsSnapshot } from "../../telemetry/index.ts";
import { toAnswer, type Answer, type ToMain } from "./protocol.ts";

type Call = Extract<ToMain, { kind: "call" }>;

export interface MainServices {
  /** Undefined until the store is open, and where there is none. */
  session(): StoreSession | undefined;
  readonly store: Store | undefined;
  /** Of the main thread and of every thread but the one that asks. */
  snapshots(besides: number): Promise<readonly MetricsSnapshot[]>;
  stop(): void;
}

/** The calls of one thread. */
export class ThreadCalls {
  readonly #services: MainServices;
  readonly #index: number;
  readonly #reply: (id: number, answer: Answer) => void;
  /** Those that a caller may give up, or a thread that dies. */
  readonly #waits = new Map<number, AbortController>();

  constructor(services: MainServices, index: number, reply: (id: number, answer: Answer) => void) {
    this.#services = services;
    this.#index = index;
    this.#reply = reply;
  }

  async answer(call: Call): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(call);
    } catch (error) {
      answer = { thrown: error instanceof Error ? error.message : String(error) };
    }
    this.#waits.delete(call.id);
    this.#reply(call.id, answer);
  }

  abort(id: number): void {
    this.#waits.get(id)?.abort();
  }

  /** The thread is gone: nobody waits any more. */
  end(): void {
    for (const wait of this.#waits.values()) wait.abort();
    this.#waits.clear();
  }

  async #answer({ id, method, argument }: Call): Promise<Answer> {
    if (method === "stop") {
      this.#services.stop();
      return { value: undefined };
    }
    if (method === "snapshots") return { value: await this.#services.snapshots(this.#index) };
    const { store } = this.#services;
    if (method === "store") {
      if (store?.sharing === undefined) throw new TypeError("This store has no calls of its own for other threads.");
      return { value: await store.sharing.answer(argument) };
    }
    const session = this.#services.session();
    if (session === undefined) throw new TypeError("No store is open.");
    const asked = this.#ask(session, id, method, argument);
    return toAnswer(isPromiseLike(asked) ? await asked : asked);
  }

  /** The arguments are those that `RemoteSession` was given, by the same method. */
  #ask(
    session: StoreSession,
    id: number,
    method: Exclude<Call["method"], "stop" | "snapshots" | "store">,
    argument: unknown,
  ): Promise<Result<unknown, Fault>> {
    switch (method) {
      case "enqueue":
        return session.enqueue(argument as readonly NewJob[]);
      case "list":
        return session.list(argument as JobFilter);
      case "counts":
        return session.counts(argument as string | undefined);
      case "backlog":
        return session.backlog(argument as readonly string[]);
      case "signal":
        return session.signal(...(argument as [string, string, string]));
      case "dependencies":
        return session.dependencies(argument as string);
      case "pause":
      case "resume":
        return session[method](argument as readonly string[]);
      case "paused":
        return session.paused();
      case "finished": {
        const wait = new AbortController();
        this.#waits.set(id, wait);
        return session.finished(argument as string, wait.signal);
      }
      default:
        return session[method](argument as string);
    }
  }
}
