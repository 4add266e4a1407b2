/** A bound operation whose asynchronous calls are counted and timed. One that answers at once costs nothing more. */
import type { BoundOperation, Incoming, Operation, Principal } from "../../contract/index.ts";
import { isPromiseLike, type Err, type Fault, type MaybePromise, type Result } from "../../core/index.ts";
import { RouteLatency } from "./latency-limit.ts";

type AnyResult = Result<unknown, Fault>;
type Admitted = Result<Principal | undefined, Fault>;

export interface CallWatch {
  /** Counts what is under way; it never rejects. `latency`: where its time is told. */
  follow<R extends AnyResult>(work: Promise<R>, latency: RouteLatency | undefined): Promise<R>;
}

export class WatchedOperation implements BoundOperation {
  readonly operation: Operation;
  /** Streams are counted apart, while they are sent. */
  readonly open: BoundOperation["open"];
  readonly #bound: BoundOperation;
  readonly #watch: CallWatch;
  #latency: RouteLatency | undefined;

  constructor(bound: BoundOperation, watch: CallWatch) {
    this.operation = bound.operation;
    this.open = bound.open;
    this.#bound = bound;
    this.#watch = watch;
  }

  admit(incoming: Incoming): MaybePromise<Admitted> {
    const admitted = this.#bound.admit(incoming);
    return isPromiseLike(admitted) ? this.#watch.follow(admitted, undefined) : admitted;
  }

  admitAs(auth: Principal | undefined, incoming: Incoming): MaybePromise<Admitted> {
    return this.#bound.admitAs(auth, incoming);
  }

  inTime<R>(step: string, work: PromiseLike<R>): Promise<R | Err<Fault>> {
    return this.#bound.inTime(step, work);
  }

  call(incoming: Incoming, auth: Principal | undefined, input: unknown): MaybePromise<AnyResult> {
    const result = this.#bound.call(incoming, auth, input);
    if (!isPromiseLike(result)) return result;
    return this.#watch.follow(result, (this.#latency ??= new RouteLatency()));
  }
}
