/**
 * Which failures an operation can really answer with. Its declared faults and the contract's always; of the framework's own:
 *
 *   INVALID_INPUT           always: an unknown query parameter is one
 *   NOT_ACCEPTABLE          always: the Accept header is the client's
 *   UNAUTHENTICATED         when some operation of the contract knows its callers: wrong credentials are refused even where none are needed
 *   UNAVAILABLE             then too: credentials that cannot be checked now
 *   PERMISSION_DENIED       when access names scopes or is a function
 *   BAD_BODY, BODY_TIMEOUT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE    when the method carries a body
 *   INTERNAL, DEADLINE_EXCEEDED, SHUTTING_DOWN, OVERLOADED               always
 *   TOO_MANY_STREAMS, STREAM_MOVED                                       of subscriptions
 *
 * CANCELLED and CLIENT_GONE answer nobody. ROUTE_NOT_FOUND and METHOD_NOT_ALLOWED belong to paths and methods that are not here.
 */
import {
  BadBody,
  BodyTimeout,
  DeadlineExceeded,
  Internal,
  InvalidInput,
  NotAcceptable,
  Overloaded,
  PayloadTooLarge,
  PermissionDenied,
  ShuttingDown,
  Unauthenticated,
  Unavailable,
  UnsupportedMediaType,
  streamFaults,
  type AnyFaultType,
  type Contract,
  type HttpPlan,
} from "../contract/index.ts";

/** The same list, by identity, for all operations of a contract that can fail in the same ways. */
export class AnswerableFaults {
  readonly #contract: Contract;
  readonly #authenticated: boolean;
  readonly #common = new Map<string, readonly AnyFaultType[]>();

  constructor(contract: Contract, authenticated: boolean) {
    this.#contract = contract;
    this.#authenticated = authenticated;
  }

  of(plan: HttpPlan): readonly AnyFaultType[] {
    const { faults } = plan.operation;
    if (faults.length > 0) return this.#list(plan);
    const { type, options } = plan.operation;
    const key = `${typeof options.access} ${plan.body === "none"} ${type === "subscription"}`;
    let list = this.#common.get(key);
    if (list === undefined) this.#common.set(key, (list = this.#list(plan)));
    return list;
  }

  #list(plan: HttpPlan): readonly AnyFaultType[] {
    const { access } = plan.operation.options;
    const framework: AnyFaultType[] = [InvalidInput, NotAcceptable];
    if (this.#authenticated) framework.push(Unauthenticated, Unavailable);
    if (typeof access !== "string") framework.push(PermissionDenied);
    if (plan.body !== "none") framework.push(BadBody, BodyTimeout, PayloadTooLarge, UnsupportedMediaType);
    framework.push(Internal, DeadlineExceeded, ShuttingDown, Overloaded);
    if (plan.operation.type === "subscription") framework.push(...streamFaults);
    const all = [...plan.operation.faults, ...this.#contract.faults, ...framework];
    return [...new Map(all.map((type) => [type.code, type])).values()];
  }
}

/** Whether any operation needs a caller. */
export function hasCallers(contract: Contract): boolean {
  return contract.operations.some((operation) => operation.options.access !== "public");
}
