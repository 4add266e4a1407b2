/** What a handler threw, as the fault that its caller gets. */
import { Aborted, type Fault } from "../core/index.ts";
import { BodyError } from "../exchange/index.ts";
import { Cancelled, DeadlineExceeded, ShuttingDown } from "./framework-faults.ts";

export function thrownFault(where: string, defect: (where: string, error: unknown) => Fault, thrown: unknown): Fault {
  // `signal.throwIfAborted()` and aborted platform calls throw the signal's reason: no mistake of the handler's.
  if (thrown instanceof BodyError) return thrown.fault;
  return thrown instanceof Aborted ? abortFaults[thrown.why]() : defect(where, thrown);
}

const abortFaults = {
  timeout: DeadlineExceeded,
  client: Cancelled,
  cancelled: Cancelled,
  shutdown: ShuttingDown,
  lost: Cancelled,
};
