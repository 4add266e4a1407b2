/**
 * Which failures an operation can really answer with. Its declared faults and the contract's always; of the framework's own:
 *
 *   INVALID_INPUT           always: an unknown query parameter is one
 *   NOT_ACCEPTABLE          always: the Accept header is the client's
 *   UNAUTHENTICATED         when some operation of the contract knows its callers: wrong credentials are refused even where none are needed
 *   PERMISSION_DENIED       when access names scopes or is a function
 *   BAD_BODY, BODY_TIMEOUT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE    when the method carries a body
 *   INTERNAL, DEADLINE_EXCEEDED, SHUTTING_DOWN                           always
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
  PayloadTooLarge,
  PermissionDenied,
  ShuttingDown,
  Unauthenticated,
  UnsupportedMediaType,
  type AnyFaultType,
  type Contract,
  type HttpPlan,
} from "../contract/index.ts";

export function answerableFaults(plan: HttpPlan, contract: Contract, authenticated: boolean): readonly AnyFaultType[] {
  const { access } = plan.operation.options;
  const framework: AnyFaultType[] = [InvalidInput, NotAcceptable];
  if (authenticated) framework.push(Unauthenticated);
  if (typeof access !== "string") framework.push(PermissionDenied);
  if (plan.body !== "none") framework.push(BadBody, BodyTimeout, PayloadTooLarge, UnsupportedMediaType);
  framework.push(Internal, DeadlineExceeded, ShuttingDown);
  const byCode = new Map([...plan.operation.faults, ...contract.faults, ...framework].map((type) => [type.code, type]));
  return [...byCode.values()];
}

/** Whether any operation needs a caller. */
export function hasCallers(contract: Contract): boolean {
  return contract.operations.some((operation) => operation.options.access !== "public");
}
