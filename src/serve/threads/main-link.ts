/** A thread's way to the main thread: calls out, orders in. */
import { isMainThread, workerData } from "node:worker_threads";
import { Err, Fault, type Result } from "../../core/index.ts";
import { threadLimits } from "./options.ts";
import { fromAnswer, membershipKey, type CallMethod, type Membership, type ToMain, type ToThread } from "./protocol.ts";

/** What the main thread orders. */
export interface Orders {
  listen(port: number, reusePort: boolean): void;
  drain(): void;
  cut(): void;
  snapshot(id: number): void;
  reload(id: number): void;
}

/** Undefined where the program was not started as a thread of a server. */
export function membership(): Membership | undefined {
  if (isMainThread || typeof workerData !== "object" || workerData === null) return undefined;
  return (workerData as { readonly [membershipKey]?: Membership })[membershipKey];
}

export class MainLink {
  readonly membership: Membership;
  readonly #waiting = new Map<
    number,
    { resolve(result: Result<unknown, Fault>): void; reject(error: unknown): void }
  >();
  #calls = 0;
  /** Whether all of the server is ready. */
  isServerReady = false;

  constructor(given: Membership, orders: Orders) {
    this.membership = given;
    given.port.on("message", (message: ToThread) => this.#heard(message, orders));
  }

  tell(message: ToMain): void {
    this.membership.port.postMessage(message);
  }

  /** Rejects with a TypeError for a mistake in the program, as the same call does in the main thread. */
  call(
    method: Exclude<CallMethod, "store" | "snapshots" | "stop">,
    argument: unknown,
    signal?: AbortSignal,
  ): Promise<Result<unknown, Fault>> {
    return this.#call(method, argument, signal);
  }

  /** For what has no Result of its own. A failure of the way there rejects. */
  async ask(method: "store" | "snapshots" | "stop", argument?: unknown): Promise<unknown> {
    const result = await this.#call(method, argument);
    if (result.ok) return result.value;
    throw new Error(result.fault.message);
  }

  #call(method: CallMethod, argument: unknown, signal?: AbortSignal): Promise<Result<unknown, Fault>> {
    if (this.#waiting.size >= threadLimits.pendingCalls) return Promise.resolve(new Err(tooMany()));
    const id = this.#calls++;
    const answered = new Promise<Result<unknown, Fault>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.tell({ kind: "call", id, method, argument });
    if (signal === undefined) return answered;
    const onAbort = (): void => this.tell({ kind: "abort", id });
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    return answered.finally(() => signal.removeEventListener("abort", onAbort));
  }

  #heard(message: ToThread, orders: Orders): void {
    switch (message.kind) {
      case "answer": {
        const waiter = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        try {
          waiter?.resolve(fromAnswer(message.answer));
        } catch (error) {
          waiter?.reject(error);
        }
        return;
      }
      case "phase":
        this.isServerReady = message.ready;
        return;
      case "listen":
        return orders.listen(message.port, message.reusePort);
      case "snapshot":
        return orders.snapshot(message.id);
      case "reload":
        return orders.reload(message.id);
      case "drain":
        return orders.drain();
      case "cut":
        return orders.cut();
    }
  }
}

function tooMany(): Fault<"STORE_UNAVAILABLE", { readonly reason: string }> {
  const reason = `${threadLimits.pendingCalls} calls of this thread wait for the main thread, which is the limit.`;
  return new Fault("STORE_UNAVAILABLE", "unavailable", { reason }, `The job store cannot take work now: ${reason}`);
}
