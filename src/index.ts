/**
 * The root face: what `import { … } from "tensile"` gives. Written by hand, named exports only, importable where there is
 * no Node: whatever needs `node:` modules is loaded by a dynamic import inside the function that needs it.
 */
// Results and faults: what every call returns.
export {
  Aborted,
  all,
  andThen,
  attempt,
  err,
  Fault,
  kinds,
  map,
  mapErr,
  match,
  matchFault,
  ok,
  type AbortWhy,
  type AnyFault,
  type Duration,
  type FaultOf,
  type Kind,
  type Result,
  type ValueOf,
} from "./core/index.ts";
// Schemas: what values are.
export { compile, t, type Codec, type Infer, type InferInput, type Issue, type Json, type Schema } from "./schema/index.ts";
// The contract: operations and jobs as data.
export {
  contract,
  discard,
  exponential,
  fault,
  fixed,
  job,
  linear,
  mutation,
  query,
  retryAfter,
  type Access,
  type CallFaultOf,
  type Contract,
  type DeclaredFaultOf,
  type FaultsOf,
  type FrameworkFault,
  type InputOf,
  type Job,
  type Operation,
  type OutputOf,
  type RetryPolicy,
} from "./contract/index.ts";
// The implementation: handlers, context, middleware.
export {
  middleware,
  Unauthenticated,
  type Authenticate,
  type CallTools,
  type EnqueueFault,
  type EnqueueOptions,
  type Handler,
  type Handlers,
  type JobInfo,
  type JobRef,
  type Jobs,
  type JobTools,
  type Middleware,
  type Principal,
} from "./contract/index.ts";
