/**
 * One typed table of what happens inside Tensile. Logs, metrics and traces are listeners; an event that nobody listens to costs
 * one length check.
 */
import { isPromiseLike } from "../core/index.ts";

export interface EventTable {
  /** A mistake in the program: a throw, an undeclared fault, a wrong output. The client got only the incident id. */
  defect: { readonly incident: string; readonly where: string; readonly error: unknown };
  /** A call answered its deadline, but its handler is still running. */
  "call.abandoned": { readonly where: string; readonly timeoutMs: number };
  /** One attempt of a job ended. `fault` is set when it did not succeed. */
  "job.attempt": {
    readonly id: string;
    readonly name: string;
    readonly attempt: number;
    readonly durationMs: number;
    readonly to: "succeeded" | "retry" | "failed" | "cancelled" | "released";
    readonly fault?: { readonly code: string; readonly message: string };
  };
  /** An attempt ended after its claim was no longer valid; its outcome changed nothing. */
  "job.stale": { readonly id: string; readonly name: string };
  /** An attempt timed out and its handler still runs after the grace. `slotFreed`: its slot was given to other work. */
  "job.runaway": { readonly id: string; readonly name: string; readonly attempt: number; readonly slotFreed: boolean };
  /** A schedule could not enqueue its job, or its record is not to be believed. */
  "schedule.trouble": { readonly schedule: string; readonly message: string };
  /** The store has trouble, or has it no longer. */
  "store.trouble": { readonly code: string; readonly message: string };
  /** The process moved to another part of its life. */
  lifecycle: { readonly phase: "starting" | "ready" | "draining" | "stopped"; readonly detail?: string };
}

export type EventName = keyof EventTable;
export type EventListener<N extends EventName> = (event: EventTable[N]) => void;

export class Events {
  readonly #listeners = new Map<EventName, ((event: never) => unknown)[]>();

  /** Calls `listener` for every event of that name; returns the function that stops it. A listener must not throw or reject; if it does, others still run. */
  on<N extends EventName>(name: N, listener: EventListener<N>): () => void {
    const list = this.#listeners.get(name) ?? [];
    // An entry of its own, so that stopping one leaves another of the same function.
    const own: (event: never) => unknown = (event) => listener(event);
    this.#listeners.set(name, [...list, own]);
    return () => {
      const left = this.#listeners.get(name)?.filter((other) => other !== own);
      this.#listeners.set(name, left ?? []);
    };
  }

  /** Whether anybody listens: ask before building a costly event. */
  heard(name: EventName): boolean {
    const list = this.#listeners.get(name);
    return list !== undefined && list.length > 0;
  }

  emit<N extends EventName>(name: N, event: EventTable[N]): void {
    const list = this.#listeners.get(name);
    if (list === undefined) return;
    // A listener is an observer: its failure must not become the failure of what it observes, nor end the process later.
    for (const listener of list) {
      try {
        const answer: unknown = listener(event as never);
        if (isPromiseLike(answer)) void answer.then(undefined, () => undefined);
      } catch {
        continue;
      }
    }
  }
}
