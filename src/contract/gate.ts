/** The `admit` moments of an app's middleware as one function for each operation, made at start; none where nobody has one. */
import { Err, isPromiseLike, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import type { Reply } from "../exchange/index.ts";
import type { Principal } from "./access.ts";
import type { AdmitCall, Incoming } from "./incoming.ts";
import type { Admit, Middleware } from "./middleware.ts";
import type { Operation } from "./operation.ts";

export type Admitted = Result<Principal | undefined, Fault>;

export interface GateTools {
  /** Lets declared faults pass; anything else becomes a defect. */
  readonly guard: (failure: Err<Fault>) => Result<unknown, Fault>;
  /** What was thrown, as a fault. */
  readonly thrown: (error: unknown) => Fault;
  /** As much time as the call has; never rejects. */
  readonly inTime: (work: PromiseLike<Admitted>) => Promise<Admitted>;
}

/** Takes a caller whom access lets in, and gives the same or the fault of the first that refuses. Never throws, never rejects. */
export type Gate = (incoming: Incoming, admitted: Admitted) => MaybePromise<Admitted>;

/** Outermost first. */
export function composeGate(
  operation: Operation,
  list: readonly Middleware[],
  makeTools: () => GateTools,
): Gate | undefined {
  if (!list.some(({ admit }) => admit !== undefined)) return undefined;
  const admits = list.flatMap(({ admit }) => (admit === undefined ? [] : [admit]));
  const tools = makeTools();
  return (incoming, admitted) => {
    if (!admitted.ok) return admitted;
    try {
      const passed = pass(admits, 0, new AdmitView(incoming, admitted.value), operation, admitted, tools);
      return isPromiseLike(passed) ? tools.inTime(passed) : passed;
    } catch (error) {
      return new Err(tools.thrown(error));
    }
  };
}

function pass(
  admits: readonly Admit[],
  from: number,
  call: AdmitCall,
  operation: Operation,
  admitted: Admitted,
  tools: GateTools,
): MaybePromise<Admitted> {
  for (let i = from; i < admits.length; i++) {
    const answer = (admits[i] as Admit)(call, operation);
    if (isPromiseLike(answer)) {
      return answer.then((fault) =>
        fault === undefined ? pass(admits, i + 1, call, operation, admitted, tools) : refused(fault, tools),
      ) as Promise<Admitted>;
    }
    if (answer !== undefined) return refused(answer, tools);
  }
  return admitted;
}

/** The guard lets a failure be a failure. */
function refused(fault: Fault, { guard }: GateTools): Err<Fault> {
  return guard(new Err(fault)) as Err<Fault>;
}

class AdmitView implements AdmitCall {
  readonly auth: Principal | undefined;
  readonly #incoming: Incoming;

  constructor(incoming: Incoming, auth: Principal | undefined) {
    this.#incoming = incoming;
    this.auth = auth;
  }

  header(name: string): string | undefined {
    return this.#incoming.header(name);
  }

  get remoteAddress(): string {
    return this.#incoming.remoteAddress;
  }

  get requestId(): string {
    return this.#incoming.requestId;
  }

  get signal(): AbortSignal {
    return this.#incoming.signal;
  }

  get reply(): Reply {
    return this.#incoming.reply;
  }
}
