/**
 * How a streamed body tells that it broke off: an iterator can only throw. A handler that lets it pass is answered by the fault
 * inside, and not as a defect.
 */
import type { Fault } from "../core/index.ts";

export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}
